"""Simulate health maps in the research data's folder layout, with a manifest of the truth.

Writes DIR/domain_X/{train/good,test/good,test/fault}/000000.tiff (or .png of 16 bits), masks of the damaged cells under
DIR/domain_X/masks/test/fault, and DIR/domain_X/manifest.json: configuration, seed, versions, and of every file its
SHA-256, session, thermal state, gear, tooth, place, length and contrast. In realistic mode test/good holds healthy maps
of both sessions, half and half: compare faulty maps with those of session "fault", or the session is what is detected.

examples:
  toothwise simulate maps --domain C --mode realistic --n-train 1000 --seed 0 --output runs/maps
  toothwise simulate maps --domain A B --format png16 --output runs/maps
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from toothwise.commands.parser import Result
from toothwise.commands.terminal import Tell
from toothwise.errors import InputError
from toothwise.files import atomic_folder, check_replaceable, write_json

_SUFFIX = {"tiff": ".tiff", "png16": ".png"}


@dataclass(frozen=True)
class Options:
    """What to simulate.

    Attributes:
        output: folder of the domains.
        domain: letters.
        mode: "matched" or "realistic".
        n_train, n_test: healthy maps to learn from; healthy, and as many faulty ones, to score.
        contrast: lowest and highest of the lines.
        gear: whose tooth is damaged.
        diagonals: share of maps with a transient along a wrapped diagonal.
        format: "tiff" (float32) or "png16".
        seed: of the first domain.
    """

    output: Path
    domain: list[str] = field(default_factory=lambda: ["C"])
    mode: str = "matched"
    n_train: int = 1000
    n_test: int = 1000
    contrast: list[float] = field(default_factory=lambda: [1.2, 1.45])
    gear: str = "driving"
    diagonals: float = 0.0
    format: str = "tiff"
    seed: int = 0


def add_arguments(parser: ArgumentParser) -> None:
    """The options above."""
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="folder of the domains")
    add("--domain", nargs="+", type=str, default=["C"], metavar="A|B|C|D", help="one or more")
    add("--mode", type=str, default="matched", metavar="matched|realistic", help="line only, or another session too")
    add("--n-train", type=int, default=1000, metavar="N", help="healthy maps to learn from")
    add("--n-test", type=int, default=1000, metavar="N", help="healthy maps, and as many faulty ones, to score")
    add("--contrast", nargs=2, type=float, default=[1.2, 1.45], metavar=("LOW", "HIGH"), help="line over background")
    add("--gear", type=str, default="driving", metavar="driving|driven|both", help="whose tooth is damaged")
    add("--diagonals", type=float, default=0.0, metavar="SHARE", help="of maps with a transient along a diagonal")
    add("--format", type=str, default="tiff", metavar="tiff|png16", help="of the files")
    add("--seed", type=int, default=0, metavar="N", help="of the maps")


def run(options: Options, tell: Tell) -> Result:
    """Draw, write all or nothing, say what was written."""
    if options.format not in _SUFFIX:
        raise InputError(f"--format must be one of {', '.join(_SUFFIX)}, but got {options.format!r}")
    if options.n_test < 2 or options.n_train < 1:
        raise InputError(
            f"--n-train must be 1 or more and --n-test 2 or more, but got {options.n_train}, {options.n_test}"
        )
    if len(set(options.domain)) < len(options.domain):
        raise InputError(f"--domain names a domain twice: {' '.join(options.domain)}")
    check_replaceable(options.output, "maps.json", "simulated maps")
    from toothwise.healthmap.research import DOMAIN_MAPPING

    written: dict[str, Any] = {}
    with atomic_folder(options.output) as folder:
        for k, domain in enumerate(options.domain):
            tell(f"simulating domain {domain}", k / len(options.domain))
            written[domain] = _write_domain(domain, options, folder / f"domain_{domain}", tell)
        settings = {**asdict(options), "output": None}
        write_json(folder / "maps.json", {"domains": written, "config": settings, "domain_mapping": DOMAIN_MAPPING})
    data = {"output": str(options.output), "mode": options.mode, "domains": written}

    def text() -> str:
        lines = "".join(
            f"  domain_{domain}: {n['train']} to learn from, {n['healthy']} healthy and {n['faulty']} faulty to score, "
            f"largest value {n['largest']:.3g}\n"
            for domain, n in written.items()
        )
        return f"{options.mode} maps in {options.output}\n{lines}"

    return Result(data, text)


def _write_domain(domain: str, options: Options, folder: Path, tell: Tell) -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    from toothwise.gears import GearPair
    from toothwise.healthmap.core import Axis, HealthMapBatch
    from toothwise.healthmap.io import write_folder
    from toothwise.healthmap.research import DOMAIN_MAPPING
    from toothwise.results import versions
    from toothwise.simulate.maps import generate

    common: dict[str, Any] = {"mode": options.mode, "gear": options.gear, "diagonals": options.diagonals, "masks": True}
    contrast = (options.contrast[0], options.contrast[1])
    session = "fault" if options.mode == "realistic" else None
    ours = options.n_test // 2 if session else options.n_test
    rng = [np.random.default_rng([options.seed, ord(domain), part]) for part in range(4)]
    parts = [
        generate(domain, options.n_train, False, split="train", seed=rng[0], **common),
        generate(domain, ours, False, split="test", seed=rng[1], **common),
        generate(domain, options.n_test, True, split="test", seed=rng[2], contrast=contrast, **common),
    ]
    if session:
        more = generate(domain, options.n_test - ours, False, split="test", session=session, seed=rng[3], **common)
        parts.insert(2, more)
    values = np.concatenate([part[0] for part in parts])
    truth = pd.concat([part[1] for part in parts], ignore_index=True)
    masks = np.concatenate([part[2] for part in parts])
    largest = float(values.max())
    scale = float(np.ceil(largest)) if options.format == "png16" else None  # one per domain, and nothing is clipped
    rows, columns = values.shape[1:]
    batch = HealthMapBatch(
        values,
        Axis.teeth("driving tooth", rows),
        Axis.teeth("driven tooth", columns),
        truth,
        "simulated health value",
        "1",
        GearPair(rows, columns),
    )
    write_folder(batch, folder, suffix=_SUFFIX[options.format], scale=scale)
    names = _names(truth, _SUFFIX[options.format])
    entries = []
    for k, (name, row) in enumerate(
        zip(names, truth.astype(object).where(truth.notna(), None).to_dict("records"), strict=True)
    ):
        entry = {"file": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()} | row
        if row["label"] == 1:
            entry["mask"] = _write_mask(folder, name, masks[k])
        entries.append({key: value.item() if hasattr(value, "item") else value for key, value in entry.items()})
        if k % 200 == 0:
            tell(f"domain {domain}: {k} of {len(names)} maps", None)
    write_json(
        folder / "manifest.json",
        {
            "domain": domain,
            "domain_mapping": DOMAIN_MAPPING,
            "scale": scale,
            "config": {**asdict(options), "output": None},
            "versions": versions(),
            "maps": entries,
        },
    )
    return {
        "train": options.n_train,
        "healthy": options.n_test,
        "faulty": options.n_test,
        "largest": largest,
        "scale": scale,
    }


def _names(truth: Any, suffix: str) -> list[str]:
    """Paths as ``write_folder`` numbers them."""
    counts: dict[str, int] = {}
    names = []
    for split, label in zip(truth["split"], truth["label"], strict=True):
        place = f"{split}/{'fault' if label else 'good'}"
        names.append(f"{place}/{counts.get(place, 0):06d}{suffix}")
        counts[place] = counts.get(place, 0) + 1
    return names


def _write_mask(folder: Path, name: str, mask: Any) -> str:
    """The damaged cells as an 8-bit PNG, white = damaged."""
    from PIL import Image

    target = f"masks/{Path(name).with_suffix('.png')}"
    (folder / target).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype("uint8") * 255).save(folder / target)
    return target

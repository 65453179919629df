"""Simulate health maps in the research data's folder layout, with a manifest of the truth.

Writes DIR/domain_X/{train/good,test/good,test/fault}/000000.tiff (or .png of 16 bits), masks of the damaged cells under
DIR/domain_X/masks/test/fault, and DIR/domain_X/manifest.json: configuration, seed, versions, and of every file its
SHA-256, session, thermal state, gear, tooth, place, length and contrast. In realistic mode test/good holds healthy maps
of both sessions, half and half: compare faulty maps with those of session "fault", or the session is what is detected.

A domain that is there already, made with the same options and versions, is checked and left as it is. One that was made
otherwise is replaced with --overwrite only, and anything else never.

examples:
  toothwise simulate maps --domain C --mode realistic --n-train 1000 --seed 0 --output runs/maps
  toothwise simulate maps --domain A B --format png16 --output runs/maps
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress
from toothwise.errors import InputError
from toothwise.files import check_writable


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
        png_scale: value of the brightest PNG pixel; None = a fixed one for each domain.
        seed: of all domains.
        overwrite: replace simulated maps that were made otherwise.
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
    png_scale: float | None = None
    seed: int = 0
    overwrite: bool = False


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
    add("--png-scale", type=float, default=None, metavar="VALUE", help="of the brightest PNG pixel (otherwise 4)")
    add("--seed", type=int, default=0, metavar="N", help="of the maps")
    add("--overwrite", action="store_true", help="replace simulated maps that were made otherwise")


def run(options: Options, progress: Progress) -> Result:
    """Check, draw, write each domain whole or not at all, say what was written."""
    from toothwise.simulate.export import FORMATS, MapSetConfig, write_domain
    from toothwise.simulate.textures import DOMAINS

    for domain in options.domain:
        if domain not in DOMAINS:
            raise InputError(f"--domain must be one of {', '.join(DOMAINS)} or several, but got {domain!r}")
    if len(set(options.domain)) < len(options.domain):
        raise InputError(f"--domain names a domain twice: {' '.join(options.domain)}")
    if options.format not in FORMATS:
        raise InputError(f"--format must be one of {', '.join(FORMATS)}, but got {options.format!r}")
    if options.n_test < 2 or options.n_train < 1:
        raise InputError(
            f"--n-train must be 1 or more and --n-test 2 or more, but got {options.n_train}, {options.n_test}"
        )
    config = MapSetConfig(
        mode=options.mode,
        n_train=options.n_train,
        n_test=options.n_test,
        seed=options.seed,
        gear=options.gear,
        contrast=(options.contrast[0], options.contrast[1]),
        diagonals=options.diagonals,
        file_format=options.format,
        scale=options.png_scale,
    )
    check_writable(options.output)
    written: dict[str, Any] = {}
    with _ended_politely(), _no_empty_folder(options.output):
        for domain in options.domain:
            folder = options.output / f"domain_{domain}"
            new = write_domain(domain, config, folder, progress, overwrite=options.overwrite)
            written[domain] = {"folder": str(folder), "written": new}
            written[domain] |= {"train": options.n_train, "healthy": options.n_test, "faulty": options.n_test}
    data = {"output": str(options.output), "mode": options.mode, "domains": written}

    def text() -> str:
        lines = "".join(
            f"  domain_{domain}: {n['train']} to learn from, {n['healthy']} healthy and {n['faulty']} faulty to score"
            f"{'' if n['written'] else ' (was there already, unchanged)'}\n"
            for domain, n in written.items()
        )
        return f"{options.mode} maps in {options.output}\n{lines}"

    return Result(data, text)


@contextmanager
def _no_empty_folder(folder: Path) -> Iterator[None]:
    """Where the folder is new and nothing gets into it, it does not stay."""
    there = folder.exists()
    try:
        yield
    finally:
        if not there and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _ended_politely() -> Iterator[None]:
    """SIGTERM ends the work as Ctrl-C does, so that what is half written is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

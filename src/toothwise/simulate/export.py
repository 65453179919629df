"""Simulated maps as files: the folder layout of the research data, a manifest and the masks of the damage.

    domain_C/train/good/000000.tiff ...      test/good/...      test/fault/...
    domain_C/masks/test/fault/000000.png     255 where the tooth is damaged, 0 elsewhere
    domain_C/manifest.json                   options, seed, versions, and a row per map with its hash and its truth

Values are in units of the domain's fixed maximum, as those of the research data after scaling, and may exceed 1.

In realistic mode faulty maps come from a recording session of their own, so that a detector could recognise the session
instead of the damage. ``test/good`` then holds healthy maps of both sessions, half of ``n_test`` each: first those of
the healthy session, then those of the fault session. The column ``session`` of the manifest separates them; comparing
within a session means ``test/fault`` against the ``test/good`` maps whose session is "fault".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

from toothwise.checks import check_choice
from toothwise.errors import InputError, OutputError
from toothwise.files import atomic_folder, check_replaceable, finite
from toothwise.healthmap.core import Axis, HealthMap
from toothwise.healthmap.io import write_map
from toothwise.healthmap.manifest import MANIFEST, Manifest, read_manifest, sha256_of, write_manifest
from toothwise.healthmap.research import DOMAIN_MAPPING
from toothwise.progress import Progress
from toothwise.results import versions
from toothwise.simulate.map_set import FORMATS, MapSetConfig
from toothwise.simulate.maps import generate
from toothwise.simulate.textures import DOMAINS

# Value of the brightest PNG pixel: fixed per domain, so that it says nothing about the maps drawn. Default maps reach
# about 3.3 (the bright segment of C) and 2.2 elsewhere; one step of 65535 is 0.00006, a thousandth of the noise.
PNG_SCALE = dict.fromkeys(DOMAINS, 4.0)
_CHUNK = 1000  # maps held at a time; even, because cold and warm maps come in turn. Part of what a seed means
UNIT = "fixed maximum of the domain"


@dataclass(frozen=True)
class _Part:
    place: str  # in the layout
    number: int  # goes into the seed: parts share no random numbers
    faulty: bool
    session: str
    n: int


def _parts(config: MapSetConfig) -> list[_Part]:
    realistic = config.mode == "realistic"
    more = config.n_test - config.n_test // 2 if realistic else 0
    parts = [
        _Part("train/good", 0, False, "healthy", config.n_train),
        _Part("test/good", 1, False, "healthy", config.n_test - more),
        _Part("test/fault", 2, True, "fault" if realistic else "healthy", config.n_test),
    ]
    return [*parts, _Part("test/good", 3, False, "fault", more)] if realistic else parts


def write_domain(
    domain: str, config: MapSetConfig, folder: Path, progress: Progress, *, overwrite: bool = False
) -> bool:
    """Write the maps of one domain, all or none.

    Args:
        domain: "A", "B", "C" or "D".
        config: what to write.
        folder: of the domain. One that holds these very maps already (same options, same versions, same hashes) is
            left as it is.
        progress: called with how far it is.
        overwrite: replace a folder of simulated maps that is different. Anything else is never replaced.

    Returns:
        Whether the maps were written; False = they were there.

    Raises:
        InputError: an unknown domain, or a value that the PNG scale cannot hold.
        OutputError: the folder holds something else, or cannot be written.
    """
    check_choice(DOMAINS, domain=domain)
    scale = (config.png_scale or PNG_SCALE[domain]) if config.format == "png16" else None
    options = finite({"domain": domain} | {f.name: getattr(config, f.name) for f in fields(MapSetConfig)})
    manifest = Manifest(domain, DOMAIN_MAPPING, options, versions(), scale, UNIT)
    if folder.exists() and _is_there(folder, manifest, overwrite=overwrite, progress=progress):
        return False
    with atomic_folder(folder) as temporary:
        table = _write_maps(domain, config, temporary, folder, scale, progress)
        write_manifest(temporary, replace(manifest, maps=table))
    return True


def _is_there(folder: Path, manifest: Manifest, *, overwrite: bool, progress: Progress) -> bool:
    """Whether the folder holds these maps already.

    Raises:
        OutputError: it holds something that may not be replaced.
    """
    check_replaceable(folder, MANIFEST, "simulated maps")
    if not any(folder.iterdir()):
        return False
    same = False
    with suppress(InputError):
        found = read_manifest(folder)
        same = found is not None and found.same_maps(manifest) and _intact(folder, found, progress)
    if not same and not overwrite:
        raise OutputError(
            f"{folder}: holds maps that are damaged or were made otherwise: name another folder, or ask to overwrite it"
        )
    return same


def _intact(folder: Path, manifest: Manifest, progress: Progress) -> bool:
    progress(f"checking {folder}")
    hashes = zip(manifest.maps["file"], manifest.maps["sha256"], strict=True)
    return all((folder / name).is_file() and sha256_of(folder / name) == digest for name, digest in hashes)


def _write_maps(
    domain: str, config: MapSetConfig, temporary: Path, folder: Path, scale: float | None, progress: Progress
) -> pd.DataFrame:
    """Write every map and mask below ``temporary``; the rows of the manifest."""
    parts = _parts(config)
    total, done = sum(part.n for part in parts), 0
    numbers: dict[str, Iterator[int]] = {part.place: count() for part in parts}
    tables = []
    for part in parts:
        for values, truth, masks in _chunks(domain, config, part):
            names = [f"{next(numbers[part.place]):06d}" for _ in values]
            paths = [f"{part.place}/{name}{FORMATS[config.format]}" for name in names]
            for path, array in zip(paths, values, strict=True):
                _write_one(array, temporary / path, scale, temporary, folder)
            truth.insert(0, "file", paths)
            truth.insert(1, "sha256", [sha256_of(temporary / path) for path in paths])
            truth["mask"] = None
            if part.faulty:
                truth["mask"] = [f"masks/{part.place}/{name}.png" for name in names]
                for path, mask in zip(truth["mask"], masks, strict=True):
                    _write_mask(mask, temporary / path)
            tables.append(truth)
            done += len(values)
            progress(f"domain {domain}: {done} of {total} maps", done / total)
    return pd.concat([table.astype(object) for table in tables], ignore_index=True)


def _chunks(domain: str, config: MapSetConfig, part: _Part) -> Iterator[tuple[np.ndarray, pd.DataFrame, np.ndarray]]:
    """Maps, truth and masks of a part, a chunk at a time: the first maps do not depend on how many follow."""
    for number, at in enumerate(range(0, part.n, _CHUNK)):
        seeds = np.random.SeedSequence(config.seed, spawn_key=(list(DOMAINS).index(domain), part.number, number))
        yield generate(
            domain,
            min(_CHUNK, part.n - at),
            part.faulty,
            config.mode,
            part.place.partition("/")[0],
            contrast=config.contrast,
            seed=np.random.default_rng(seeds),
            gear=config.gear,
            session=part.session,
            diagonals=config.diagonals,
            masks=True,
        )


def _write_one(values: np.ndarray, path: Path, scale: float | None, temporary: Path, folder: Path) -> None:
    rows, columns = values.shape
    health_map = HealthMap(values, Axis.teeth("driving tooth", rows), Axis.teeth("driven tooth", columns))
    try:
        write_map(health_map, path, scale=scale)
    except InputError as error:
        raise InputError(str(error).replace(str(temporary), str(folder))) from None


def _write_mask(mask: np.ndarray, path: Path) -> None:
    """8-bit grey, 255 = damaged; the folder that holds it is temporary."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)

"""manifest.json of a domain folder: how its maps were made, and what is true of each file."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from toothwise.errors import InputError
from toothwise.files import finite, write_json
from toothwise.reading import as_input_error, read_json

MANIFEST = "manifest.json"
FORMAT = 1
_NEEDED = ("file", "sha256", "split", "label")


@dataclass(frozen=True, eq=False)
class Manifest:
    """What a domain folder says of itself.

    Attributes:
        domain: "A", "B", "C" or "D".
        mapping: version of the domain mapping.
        config: every option that the maps were made with, the seed among them. JSON types.
        versions: of the packages that made them.
        scale: value of the brightest pixel of a 16-bit PNG; None for TIFF.
        unit: of a value.
        maps: one row per map: ``file`` (below the folder), ``sha256`` of the file, ``split``, ``label`` (1 = faulty)
            and what else is known of it; missing where it does not apply.
    """

    domain: str
    mapping: str
    config: dict[str, Any]
    versions: dict[str, str]
    scale: float | None
    unit: str
    maps: pd.DataFrame = field(default_factory=pd.DataFrame)

    def same_maps(self, other: Manifest) -> bool:
        """Whether both were made with the same options by the same versions."""
        return all(getattr(self, name) == getattr(other, name) for name in ("domain", "mapping", "config", "versions"))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Write ``folder/manifest.json``, missing values as null.

    Raises:
        OutputError: the folder cannot be written to.
    """
    table = manifest.maps
    cells = table.astype(object).where(table.notna(), None)
    keys = [name for name in ("split", "label", "session") if name in table]
    counts = table.groupby(keys).size().rename("maps").reset_index().to_dict("records")
    data = {
        "format": FORMAT,
        "domain": manifest.domain,
        "domain_mapping": manifest.mapping,
        "config": manifest.config,
        "versions": manifest.versions,
        "scale": manifest.scale,
        "unit": manifest.unit,
        "counts": finite(counts),
        "maps": finite(cells.to_dict("records")),
    }
    path = folder / MANIFEST
    write_json(path, data)
    return path


def read_manifest(folder: Path, *, names: Sequence[str] | None = None) -> Manifest | None:
    """The manifest of a domain folder, or None where it has none.

    Args:
        folder: of the domain.
        names: map files that lie in the folder, below it; given, they must be those that the manifest lists.

    Raises:
        InputError: damaged, of another format, or a file that is missing or not listed.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    data = read_json(path)
    with as_input_error(path, "the manifest is damaged"):
        if data["format"] != FORMAT:
            raise InputError(f"{path}: format {data['format']!r} is not {FORMAT}, the one this version reads")
        scale = data["scale"]
        if scale is not None and not (isinstance(scale, int | float) and math.isfinite(scale) and scale > 0):
            raise InputError(f"{path}: scale must be null or a positive number, but is {scale!r}")
        files = pd.DataFrame(data["maps"]).convert_dtypes()
        lacking = [name for name in _NEEDED if name not in files]
        if lacking or files[list(_NEEDED)].isna().to_numpy().any():
            raise InputError(f"{path}: every map needs {', '.join(_NEEDED)}")
        if files["file"].duplicated().any():
            raise InputError(f"{path}: lists {files['file'][files['file'].duplicated()].iloc[0]} twice")
        manifest = Manifest(
            data["domain"], data["domain_mapping"], data["config"], data["versions"], scale, data["unit"], files
        )
    for name, split, label in manifest.maps[["file", "split", "label"]].itertuples(index=False):
        if not str(name).startswith(f"{split}/{'fault' if label else 'good'}/") and not str(name).startswith(".."):
            raise InputError(f"{path}: {name} is listed as {split}, label {label}")
    if names is not None:
        _compare(path, set(names), set(files["file"]))
    return manifest


def _compare(path: Path, there: set[str], listed: set[str]) -> None:
    for some, text in ((listed - there, "lists {}, which is not there"), (there - listed, "does not list {}")):
        if some:
            more = f" (and {len(some) - 1} more)" if len(some) > 1 else ""
            raise InputError(f"{path}: {text.format(min(some))}{more}")

"""Maps of several files and folders, read together; every message names the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from toothwise.errors import InputError
from toothwise.healthmap.core import HealthMap, HealthMapBatch
from toothwise.healthmap.io import read_map
from toothwise.progress import Progress, silent

__all__ = ["healthy_only", "read_maps"]


def read_maps(
    paths: Sequence[str | Path], *, progress: Progress = silent, shape: tuple[int, int] | None = None
) -> HealthMapBatch:
    """Read files and folders of maps as one batch.

    Args:
        paths: As ``toothwise.read_map`` takes them.
        progress: Called with what is being read.
        shape: Rows and columns that all must have; None = those of the first.

    Returns:
        The maps. The table has ``file`` and ``index`` (the place in a file of many) and what the files say of each
        map; axes, quantity, unit and gear are those of the first file.

    Raises:
        InputError: no path, an unreadable file, maps of several shapes or gears, a map that holds NaN only.
    """
    if not paths:
        raise InputError("no maps were given: name one or more files or folders of maps")
    values, tables = [], []
    first: HealthMap | HealthMapBatch | None = None
    for path in paths:
        progress(f"reading {path}")
        part = read_map(path)
        array = part.values if isinstance(part, HealthMapBatch) else part.values[None]
        here = (array.shape[1], array.shape[2])
        if shape is not None and here != shape:
            raise InputError(
                f"{path}: maps must be {shape[0]} x {shape[1]} (rows x columns) like those before it, or those the "
                f"detector was fitted on, but are {here[0]} x {here[1]}"
            )
        shape = here
        first = first or part
        _check_gears(str(path), part, str(paths[0]), first)
        table = _table(Path(path), part.table if isinstance(part, HealthMapBatch) else None, len(array))
        empty = np.isnan(array).all(axis=(1, 2))
        if empty.any():
            at = table.iloc[int(np.argmax(empty))]
            raise InputError(f"{at['file']}: map {at['index']} holds NaN only, no tooth pair was measured")
        values.append(array)
        tables.append(table)
    if first is None:
        raise InputError("no maps were given: name one or more files or folders of maps")
    return HealthMapBatch(
        np.concatenate(values),
        first.rows,
        first.columns,
        pd.concat(tables, ignore_index=True),
        first.quantity,
        first.unit,
        first.gear,
        first.provenance,
    )


def _check_gears(path: str, part: HealthMap | HealthMapBatch, before: str, first: HealthMap | HealthMapBatch) -> None:
    """Refuse maps of other gears; files that do not tell their gears are taken as they come."""
    if part.gear is not None and first.gear is not None and part.gear != first.gear:
        raise InputError(f"{path}: mixed gears: its maps are of {part.gear}, but those of {before} are of {first.gear}")
    for here, there in ((part.rows, first.rows), (part.columns, first.columns)):
        names = {here.name, there.name}
        # files without a description are read as driving and driven teeth, whatever they are
        if len(names) > 1 and not names & {"driving tooth", "driven tooth"}:
            raise InputError(
                f"{path}: mixed gears: its maps have the axis {here.name!r}, but those of {before} have {there.name!r}"
            )


def _table(path: Path, known: pd.DataFrame | None, n: int) -> pd.DataFrame:
    """``file`` and ``index`` first, then what is known of each map."""
    table = pd.DataFrame(index=range(n)) if known is None else known.reset_index(drop=True)
    listed = path.is_dir() and "file" in table
    file = [str(path / name) for name in table["file"]] if listed else [str(path)] * n
    index = table["index"] if "index" in table else range(n)
    rest = table.drop(columns=["file", "index"], errors="ignore")
    return pd.concat([pd.DataFrame({"file": file, "index": index}), rest], axis=1)


def healthy_only(maps: HealthMapBatch) -> tuple[HealthMapBatch, int]:
    """The maps that a detector may be fitted on, and how many were left out.

    Where the files tell a split or a label (domain folders do), only ``train`` and only healthy maps (label 0) stay.

    Raises:
        InputError: none is left.
    """
    keep = np.ones(len(maps), dtype=bool)
    if "split" in maps.table:
        keep &= (maps.table["split"].isna() | (maps.table["split"] == "train")).to_numpy()
    if "label" in maps.table:
        keep &= (maps.table["label"].isna() | (maps.table["label"] == 0)).to_numpy()
    if not keep.any():
        first = maps.table["file"].iloc[0] if "file" in maps.table else "maps"
        raise InputError(f"{first}: none of the {len(maps)} maps may be fitted on (split train, label 0 = healthy)")
    return maps[keep], int((~keep).sum())

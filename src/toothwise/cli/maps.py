"""Maps named on the command line, read together; every message names the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise.cli.terminal import Progress
from toothwise.errors import InputError
from toothwise.healthmap.core import Axis, Gears, HealthMap, HealthMapBatch, gear_as_json
from toothwise.healthmap.io import read_map

__all__ = ["MapSet", "healthy_only", "read_maps"]


@dataclass(frozen=True, eq=False)
class MapSet:
    """Maps of one shape from one or more files.

    Attributes:
        values: float32 ``[n, rows, columns]``.
        table: one row per map: ``file``, ``index`` (place in a file of many), and what the files say of each map.
        rows, columns: axes of the maps, of the first file; quantity, unit, gear: likewise.
    """

    values: np.ndarray
    table: pd.DataFrame
    rows: Axis
    columns: Axis
    quantity: str = "unknown"
    unit: str = "1"
    gear: Gears | None = None

    @property
    def by_record(self) -> bool:
        """Whether the columns are records, the newest last, not teeth."""
        return self.columns.name.startswith("record") or self.columns.name.endswith("revolution")

    @property
    def about(self) -> dict[str, Any]:
        """What the maps are, for ``about_run``."""
        names = ("rows", "columns", "by_record", "quantity", "unit", "gear")
        return {name: getattr(self, name) for name in names} | {"maps": len(self)}

    @property
    def described(self) -> dict[str, Any]:
        """Gear, axes, quantity and unit as JSON types, kept with a fitted detector."""
        return {
            "gear": None if self.gear is None else gear_as_json(self.gear),
            "rows": self.rows.name,
            "columns": self.columns.name,
            "quantity": self.quantity,
            "unit": self.unit,
        }

    def __len__(self) -> int:
        return len(self.values)


def read_maps(paths: Sequence[str], progress: Progress, *, shape: tuple[int, int] | None = None) -> MapSet:
    """Read files and folders of maps.

    Args:
        paths: as ``toothwise.read_map`` takes them.
        tell: told what is being read.
        shape: rows and columns that all must have; None = those of the first.

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
        _check_gears(path, part, paths[0], first)
        table = _table(Path(path), part.table if isinstance(part, HealthMapBatch) else None, len(array))
        empty = np.isnan(array).all(axis=(1, 2))
        if empty.any():
            at = table.iloc[int(np.argmax(empty))]
            raise InputError(f"{at['file']}: map {at['index']} holds NaN only, no tooth pair was measured")
        values.append(array)
        tables.append(table)
    if first is None:
        raise InputError("no maps were given: name one or more files or folders of maps")
    return MapSet(
        np.concatenate(values),
        pd.concat(tables, ignore_index=True),
        first.rows,
        first.columns,
        first.quantity,
        first.unit,
        first.gear,
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


def healthy_only(maps: MapSet) -> tuple[MapSet, int]:
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
        first = maps.table["file"].iloc[0]
        raise InputError(f"{first}: none of the {len(maps)} maps may be fitted on (split train, label 0 = healthy)")
    table = maps.table[keep].reset_index(drop=True)
    kept = replace(maps, values=maps.values[keep], table=table)
    return kept, int((~keep).sum())

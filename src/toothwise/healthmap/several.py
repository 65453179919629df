"""Maps of several files and folders, read together; every message names the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from toothwise.errors import InputError
from toothwise.healthmap.core import HealthMapBatch
from toothwise.healthmap.io import read_map
from toothwise.progress import Progress, silent


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
    parts, tables = [], []
    for path in paths:
        progress(f"reading {path}")
        part = read_map(path, shape=shape)
        parts.append((str(path), part))
        known = part.table if isinstance(part, HealthMapBatch) else pd.DataFrame([part.condition])
        tables.append(_table(Path(path), known))
    return HealthMapBatch.of(parts, pd.concat(tables, ignore_index=True))


def _table(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """``file`` and ``index`` first, then what is known of each map."""
    n = len(table)
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
    for column, good in (("split", "train"), ("label", 0)):
        if column in maps.table:
            keep &= (maps.table[column].isna() | (maps.table[column] == good)).to_numpy()
    if not keep.any():
        first = maps.table["file"].iloc[0] if "file" in maps.table else "maps"
        raise InputError(f"{first}: none of the {len(maps)} maps may be fitted on (split train, label 0 = healthy)")
    return maps[keep], int((~keep).sum())

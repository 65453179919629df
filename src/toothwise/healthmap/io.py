"""Reading and writing maps: npz (everything), TIFF, 16-bit PNG, MAT, and folders of them.

No value is clipped or rescaled in silence: what a file holds is what is read, times the scale that the file states.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from toothwise.errors import InputError, RangeWarning
from toothwise.healthmap import formats
from toothwise.healthmap.core import HealthMap, HealthMapBatch

__all__ = ["read_map", "write_folder", "write_map"]

SPLITS = ("train/good", "test/good", "test/fault")

_READERS: dict[str, Callable[[Path], HealthMap | HealthMapBatch]] = {
    ".npz": formats.read_npz,
    ".tif": formats.read_tiff,
    ".tiff": formats.read_tiff,
    ".png": formats.read_png,
    ".mat": formats.read_mat,
}
_WRITERS: dict[str, Callable[[HealthMap, Path], None]] = {
    ".tif": formats.write_tiff,
    ".tiff": formats.write_tiff,
}


def read_map(path: str | Path, *, shape: tuple[int, int] | None = None) -> HealthMap | HealthMapBatch:
    """Read a map, a file of many maps, or a folder.

    Args:
        path: ``.npz`` written by ``write_map``; float TIFF; 16-bit PNG (value = pixel / 65535 x the scale that the
            file states); ``.mat`` with ``Xdata`` ``[rows, columns, 1, n]``; a folder of such files; or a domain folder
            with ``train/good``, ``test/good``, ``test/fault`` (its maps get the columns ``split`` and ``label``,
            1 = faulty).
        shape: rows and columns (teeth) that the maps must have.

    Returns:
        One map, or a batch for a folder or a file of many.

    Raises:
        InputError: missing, empty, truncated, of another layout or shape; the message names the file.
    """
    path = Path(path)
    if path.is_dir():
        result: HealthMap | HealthMapBatch = _read_folder(path)
    elif not path.exists():
        raise InputError(f"{path}: no such file or folder")
    else:
        result = _read_file(path)
    if shape is not None and tuple(result.values.shape[-2:]) != tuple(shape):
        rows, columns = result.values.shape[-2:]
        raise InputError(f"{path}: maps must be {shape[0]} x {shape[1]} (rows x columns), but are {rows} x {columns}")
    _warn_of_range(path, result.values)
    return result


def _read_file(path: Path) -> HealthMap | HealthMapBatch:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: the suffix must be one of {', '.join(_READERS)}, but is {path.suffix!r}")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    try:
        return reader(path)
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from None


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in _READERS and not p.name.startswith("."))


def _read_folder(folder: Path) -> HealthMapBatch:
    splits = [s for s in SPLITS if (folder / s).is_dir()]
    listed: list[tuple[Path, str | None]] = [(p, s) for s in splits for p in _files(folder / s)]
    listed = listed or [(p, None) for p in _files(folder)]
    if not listed:
        raise InputError(f"{folder}: holds no map files ({', '.join(_READERS)}) and no {', '.join(SPLITS)}")
    values, rows = [], []
    first: HealthMap | HealthMapBatch | None = None
    for path, split in listed:
        part = _read_file(path)
        array = part.values if isinstance(part, HealthMapBatch) else part.values[None]
        first = first or part
        if array.shape[1:] != first.values.shape[-2:]:
            raise InputError(
                f"{path}: this map is {array.shape[1]} x {array.shape[2]}, but those before it in the folder are "
                f"{first.values.shape[-2]} x {first.values.shape[-1]}"
            )
        values.append(array)
        for index in range(len(array)):
            row: dict[str, object] = {"file": str(path.relative_to(folder)), "index": index}
            if split is not None:
                row |= {"split": split.split("/", maxsplit=1)[0], "label": int(split.endswith("fault"))}
            rows.append(row)
    if first is None:
        raise InputError(f"{folder}: holds no map files")
    return HealthMapBatch(
        np.concatenate(values),
        first.rows,
        first.columns,
        pd.DataFrame(rows),
        first.quantity,
        first.unit,
        first.gear,
        first.provenance,
    )


def write_map(health_map: HealthMap | HealthMapBatch, path: str | Path, *, scale: float | None = None) -> Path:
    """Write a map or a batch, whole or not at all.

    Args:
        health_map: a batch goes into npz only; use ``write_folder`` for one file per map.
        path: ``.npz`` keeps everything; ``.tif`` / ``.tiff`` float32; ``.png`` 16 bits, needs ``scale``.
        scale: value of the brightest PNG pixel; kept in the file. A value outside 0..scale is an error, never clipped.

    Raises:
        InputError: suffix, scale or values that the format cannot hold.
        OutputError: the place cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        formats.write_npz(health_map, path)
    elif isinstance(health_map, HealthMapBatch):
        raise InputError(f"{path}: a batch of maps is written to .npz or with write_folder, but not to {suffix!r}")
    elif suffix == ".png":
        formats.write_png(health_map, path, scale)
    elif suffix in _WRITERS:
        _WRITERS[suffix](health_map, path)
    else:
        raise InputError(f"{path}: the suffix must be .npz, .tif, .tiff or .png, but is {path.suffix!r}")
    return path


def write_folder(
    batch: HealthMapBatch, folder: str | Path, *, suffix: str = ".tiff", scale: float | None = None
) -> Path:
    """Write a batch as ``train/good``, ``test/good``, ``test/fault`` with files 000000, 000001, ...

    The table must have ``split`` ("train" or "test") and ``label`` (0 or 1; no faulty map may be in train).
    """
    folder = Path(folder)
    missing = {"split", "label"} - set(batch.table.columns)
    if missing:
        raise InputError(f"the table of the batch lacks {', '.join(sorted(missing))}")
    counts: dict[str, int] = {}
    for index in range(len(batch)):
        split, label = batch.table["split"].iloc[index], int(batch.table["label"].iloc[index])
        place = f"{split}/{'fault' if label else 'good'}"
        if place not in SPLITS:
            raise InputError(f"map {index} belongs to {place}, but the layout has {', '.join(SPLITS)} only")
        number = counts[place] = counts.get(place, -1) + 1
        write_map(batch[index], folder / place / f"{number:06d}{suffix}", scale=scale)
    return folder


def _warn_of_range(path: Path, values: np.ndarray) -> None:
    """Warn where values look clipped, normalised image by image, or dead."""
    maps = values.reshape(-1, *values.shape[-2:])
    flat = maps.reshape(len(maps), -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanmin(flat, axis=1), np.nanmax(flat, axis=1)
    constant = low == high
    if constant.any():
        warnings.warn(f"{path}: {int(constant.sum())} of {len(maps)} maps are constant", RangeWarning, stacklevel=3)
        return
    top = float(high.max())
    share = float(np.mean(flat == top))
    if share > 0.001 and int(np.sum(flat == top)) > max(3, len(maps)):
        warnings.warn(
            f"{path}: {share:.2%} of the values equal the maximum {top:g}: the maps look clipped",
            RangeWarning,
            stacklevel=3,
        )
    elif len(maps) > 1 and np.all(low == 0) and np.all(high == high[0]):
        warnings.warn(
            f"{path}: every map spans exactly 0 to {high[0]:g}: normalised image by image, the level is lost",
            RangeWarning,
            stacklevel=3,
        )

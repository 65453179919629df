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
from toothwise.healthmap.manifest import read_manifest
from toothwise.reading import of_file

_FEW = 3
SPLITS = ("train/good", "test/good", "test/fault")

_READERS: dict[str, Callable[[Path], HealthMap | HealthMapBatch]] = {
    ".npz": formats.read_npz,
    ".tif": formats.read_tiff,
    ".tiff": formats.read_tiff,
    ".png": formats.read_png,
    ".mat": formats.read_mat,
    **dict.fromkeys((".jpg", ".jpeg", ".bmp"), formats.read_picture),
}


def read_map(
    path: str | Path, *, shape: tuple[int, int] | None = None, png_scale: float | None = None
) -> HealthMap | HealthMapBatch:
    """Read a map, a file of many maps, or a folder.

    Args:
        path: ``.npz`` written by ``write_map``; float TIFF; 16-bit PNG (value = pixel / 65535 x the scale that the
            file states); ``.mat`` with ``Xdata`` ``[rows, columns, 1, n]``; a photograph (``.jpg``, ``.bmp``, PNG of 8
            bits or in colour), which is read as brightness; a folder of such files; or a domain folder with
            ``train/good``, ``test/good``, ``test/fault`` (its maps get the columns ``split`` and ``label``, 1 = faulty,
            and those of its ``manifest.json`` where it has one).
        shape: rows and columns (teeth) that the maps must have.
        png_scale: value of the brightest pixel of a PNG file that does not state it (of a folder: as its manifest
            says, which goes before this).

    Returns:
        One map, or a batch for a folder or a file of many.

    Raises:
        InputError: missing, empty, truncated, of another layout or shape; the message names the file.
    """
    path = Path(path)
    if path.is_dir():
        result: HealthMap | HealthMapBatch = _read_folder(path, png_scale)
    elif not path.exists():
        raise InputError(f"{path}: no such file or folder")
    else:
        result = _read_file(path, scale=png_scale)
    if shape is not None and tuple(result.values.shape[-2:]) != tuple(shape):
        rows, columns = result.values.shape[-2:]
        raise InputError(f"{path}: maps must be {shape[0]} x {shape[1]} (rows x columns), but are {rows} x {columns}")
    empty = np.isnan(result.values).all(axis=(-2, -1))
    if empty.any():
        raise InputError(f"{path}: map {int(np.argmax(empty))} holds NaN only, no tooth pair was measured")
    _warn_of_range(path, result.values)
    return result


def _read_file(path: Path, *, scale: float | None = None) -> HealthMap | HealthMapBatch:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: the suffix must be one of {', '.join(_READERS)}, but is {path.suffix!r}")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    with of_file(path):
        return formats.read_png(path, scale) if reader is formats.read_png else reader(path)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.suffix.lower() in _READERS and not p.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({error.strerror or error})") from None


def _read_folder(folder: Path, png_scale: float | None) -> HealthMapBatch:
    splits = [s for s in SPLITS if (folder / s).is_dir()]
    listed: list[tuple[Path, str | None]] = [(p, s) for s in splits for p in _files(folder / s)]
    listed = listed or [(p, None) for p in _files(folder)]
    if not listed:
        raise InputError(f"{folder}: holds no map files ({', '.join(_READERS)}) and no {', '.join(SPLITS)}")
    manifest = read_manifest(folder, names=[p.relative_to(folder).as_posix() for p, _ in listed])
    scale = manifest.scale if manifest and manifest.scale else png_scale
    parts, tables = [], []
    for path, split in listed:
        part = _read_file(path, scale=scale)
        parts.append((str(path), part))
        table = part.table if isinstance(part, HealthMapBatch) else pd.DataFrame([part.condition], index=[0])
        n = len(part) if isinstance(part, HealthMapBatch) else 1
        place: dict[str, object] = {"file": path.relative_to(folder).as_posix(), "index": np.arange(n)}
        if split is not None:
            place |= {"split": split.split("/", maxsplit=1)[0], "label": int(split.endswith("fault"))}
        known = table.drop(columns=[c for c in table.columns if c in place])
        tables.append(pd.concat([pd.DataFrame(place), known], axis=1))
    table = pd.concat(tables, ignore_index=True)
    if manifest is not None:
        truth = manifest.maps.drop(columns=["split", "label"])
        table = table.merge(truth, on="file", how="left", validate="many_to_one")
    return HealthMapBatch.of(parts, table)


def write_map(health_map: HealthMap | HealthMapBatch, path: str | Path, *, scale: float | None = None) -> Path:
    """Write a map or a batch, whole or not at all.

    Args:
        health_map: a batch goes into npz only.
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
        raise InputError(f"{path}: a batch of maps is written to .npz, but not to {suffix!r}")
    elif suffix == ".png":
        formats.write_png(health_map, path, scale)
    elif suffix in (".tif", ".tiff"):
        formats.write_tiff(health_map, path)
    else:
        raise InputError(f"{path}: the suffix must be .npz, .tif, .tiff or .png, but is {path.suffix!r}")
    return path


def _warn_of_range(path: Path, values: np.ndarray) -> None:
    """Warn where values look clipped, normalised image by image, or dead."""
    if values.ndim == 3 and len(values) > 1 and np.array_equal(values[1:, :, :-1], values[:-1, :, 1:], equal_nan=True):
        # windows that move on by one column: each pixel counts once, not once per window that it is in
        values = np.concatenate([values[0], values[1:, :, -1].T], axis=1)
    flat = values.reshape(-1, values.shape[-2] * values.shape[-1])
    low, high = np.nanmin(flat, axis=1), np.nanmax(flat, axis=1)
    dead = low == high
    if dead.any():
        _warn(path, f"{int(dead.sum())} of {len(flat)} maps are constant")
    flat, low, high = flat[~dead], low[~dead], high[~dead]
    if not len(flat):
        return
    top = high.max()
    at_top = int(np.sum(flat == top))
    if np.all(high == top) and at_top <= 2 * len(flat) and (len(flat) > 2 or (np.all(low == 0) and top == 1)):
        span = f"spans exactly 0 to {top:g}" if np.all(low == 0) else f"has the maximum {top:g}"
        _warn(path, f"every map {span}: normalised image by image, the level is lost")
    elif at_top > _FEW:
        # measured values hardly ever tie; where they do because they are whole numbers, the next value is as frequent
        below = np.nanmax(np.where(flat < top, flat, -np.inf))
        if at_top > _FEW * int(np.sum(flat == below)):
            _warn(path, f"{at_top} values ({at_top / flat.size:.2%}) equal the maximum {top:g}: the maps look clipped")


def _warn(path: Path, text: str) -> None:
    warnings.warn(f"{path}: {text}", RangeWarning, stacklevel=4)

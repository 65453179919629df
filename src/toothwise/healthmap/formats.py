"""One reader and one writer per file format of maps. Nothing is unpickled; sizes are checked before allocation."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise.errors import InputError
from toothwise.files import atomic_file
from toothwise.healthmap.core import Axis, HealthMap, HealthMapBatch, gear_as_json, gear_from_json
from toothwise.reading import DEFLATE, MAX_NUMBERS, as_input_error, parse_json, read_arrays

FORMAT = 1
_BESIDE = ("count", "variance", "waveforms")  # arrays that belong to the pixels
_SUFFIXES = (".npz", ".mat", ".tif", ".tiff", ".png")


def _plain(values: np.ndarray, *allowed: int) -> Any:
    """A map, or a batch of them, of a format that carries numbers only; how many dimensions it may have."""
    if values.ndim not in allowed:
        shapes = " or ".join({2: "[rows, columns]", 3: "[n, rows, columns]"}[n] for n in allowed)
        raise InputError(f"values must be {shapes}, but the shape is {values.shape}")
    axes = Axis.teeth("driving tooth", values.shape[-2]), Axis.teeth("driven tooth", values.shape[-1])
    return HealthMap(values, *axes) if values.ndim == 2 else HealthMapBatch(values, *axes)


# npz: ours, everything in it


def write_npz(health_map: HealthMap | HealthMapBatch, path: Path) -> None:
    """Values, count and a JSON text with the rest."""
    meta: dict[str, Any] = {
        "format": FORMAT,
        "kind": type(health_map).__name__,
        "rows": asdict(health_map.rows),
        "columns": asdict(health_map.columns),
        "quantity": health_map.quantity,
        "unit": health_map.unit,
        "gear": None if health_map.gear is None else gear_as_json(health_map.gear),
        "provenance": health_map.provenance,
    }
    arrays = {"values": health_map.values}
    for name in _BESIDE if isinstance(health_map, HealthMap) else ("waveforms",):
        if getattr(health_map, name) is not None:
            arrays[name] = getattr(health_map, name)
    if isinstance(health_map, HealthMapBatch):
        table = health_map.table
        cells = table.astype(object).where(table.notna(), None)  # to_json would round
        meta["table"] = {"columns": [str(c) for c in table.columns], "data": cells.to_numpy().tolist()}
    else:
        meta["condition"] = health_map.condition
    try:
        text = json.dumps(meta, allow_nan=False, default=_json_value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: metadata must be JSON types ({error})") from None
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, meta=np.array(text), **arrays)


def _json_value(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def holds_map(path: Path) -> bool:
    """Whether a file or folder holds maps, not recordings, by its name and the arrays that it lists."""
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if p.is_dir() or p.is_file())
        known = [p for p in inside if p.is_file() and p.suffix.lower() in _SUFFIXES]
        return any(p.name in ("train", "test") for p in inside if p.is_dir()) or any(map(holds_map, known[:1]))
    kind = path.suffix.lower()
    try:
        if kind == ".npz":
            with zipfile.ZipFile(path) as archive:
                return "values.npy" in archive.namelist()
        if kind == ".mat":
            from toothwise.vibration.readers import mat5

            return bool(mat5.find_array(path, "Xdata").size)
    except (OSError, InputError, zipfile.BadZipFile):
        return False
    return kind in (".tif", ".tiff", ".png")


def read_npz_arrays(
    path: Path, beside: Sequence[str] = _BESIDE
) -> tuple[np.ndarray, dict[str, Any], dict[str, Any] | None]:
    """Values as the file holds them, the other arrays of its pixels, and the metadata; nothing is judged.

    Args:
        path: The file.
        beside: Which of the other arrays to read; waveforms are many times as large as the values.

    Raises:
        InputError: not an npz, no array ``values``, Python objects, or an array that claims more than the file holds.
    """
    arrays = read_arrays(path, "maps", needs=["values"], only=("values", "meta", *beside))
    meta = parse_json(str(arrays.pop("meta")), "metadata") if "meta" in arrays else None
    return arrays.pop("values"), arrays, meta


def read_npz(path: Path) -> HealthMap | HealthMapBatch:
    """A file of ``write_npz``, or any npz with an array ``values``."""
    values, extra, meta = read_npz_arrays(path)
    if meta is None:
        return _plain(values, 2, 3)
    with as_input_error("", "metadata is damaged"):
        if meta["format"] != FORMAT:
            raise InputError(f"format {meta['format']} is not {FORMAT}, the one this version reads")
        rows, columns = (Axis(meta[k]["name"], tuple(meta[k]["labels"])) for k in ("rows", "columns"))
        gear = None if meta["gear"] is None else gear_from_json(meta["gear"])
        common = {"quantity": meta["quantity"], "unit": meta["unit"], "gear": gear, "provenance": meta["provenance"]}
        if meta["kind"] == "HealthMap":
            return HealthMap(values, rows, columns, **extra, condition=meta["condition"], **common)
        table = pd.DataFrame(meta["table"]["data"], columns=meta["table"]["columns"])
        return HealthMapBatch(values, rows, columns, table, **common, waveforms=extra.get("waveforms"))


# TIFF


def read_tiff(path: Path) -> HealthMap:
    """A float (or whole-number) TIFF of one channel, values as they are."""
    import tifffile

    with as_input_error("", "not a readable TIFF file"), tifffile.TiffFile(path) as file:
        if len(file.pages) > 1:
            raise InputError(f"holds {len(file.pages)} images, but a TIFF holds one map here: use a folder or npz")
        page = file.pages[0]
        if math.prod(page.shape) > MAX_NUMBERS:
            raise InputError(f"the image claims the shape {page.shape}, more than is allowed")
        values = page.asarray()
    return _plain(np.asarray(values), 2)


def write_tiff(health_map: HealthMap, path: Path) -> None:
    """float32, NaN kept."""
    import tifffile

    with atomic_file(path) as temporary:
        tifffile.imwrite(temporary, health_map.values)


# photographs

PICTURE = "brightness of a picture"  # the quantity of photographs, which hold no teeth


def read_picture(path: Path) -> HealthMap:
    """An image of 8 bits, grey or colour, as brightness 0 to 255: of colours what the eye sees as light (ITU-R 601)."""
    from PIL import Image

    with as_input_error("", "not a readable image"), Image.open(path) as image:
        if math.prod(image.size) > MAX_NUMBERS:
            raise InputError(f"the image claims {image.size[0]} x {image.size[1]} pixels, more than is allowed")
        pixels = np.asarray(image.convert("L"), dtype=np.float32)
    axes = Axis("pixel row", tuple(range(pixels.shape[0]))), Axis("pixel column", tuple(range(pixels.shape[1])))
    return HealthMap(pixels, *axes, np.ones(pixels.shape, dtype=np.int32), quantity=PICTURE, unit="grey levels")


# PNG, 16 bits

_SCALE_KEY = "toothwise-scale"


def read_png(path: Path, scale: float | None = None) -> HealthMap:
    """16-bit grey: pixel / 65535 x the scale in the file; one of 8 bits or in colour is a photograph.

    Where the file states none, ``scale`` holds (of a manifest), or 1 as the research data has it; where it states
    another than ``scale``, that is an error.
    """
    from PIL import Image

    with as_input_error("", "not a readable PNG file"), Image.open(path) as image:
        if math.prod(image.size) > min(MAX_NUMBERS, DEFLATE * path.stat().st_size):
            claimed = f"{image.size[0]} x {image.size[1]} pixels"
            raise InputError(f"the image claims {claimed}, more than is allowed or the file can hold")
        if image.mode not in ("I;16", "I;16B", "I"):
            return read_picture(path)
        stated = float(image.info.get(_SCALE_KEY, 1.0 if scale is None else scale))
        pixels = np.array(image, dtype=np.float64)
    if not (math.isfinite(stated) and stated > 0):
        raise InputError(f"the file states the scale {stated}, which must be positive")
    if scale is not None and stated != scale:
        raise InputError(f"the file states the scale {stated:g}, but {scale:g} was expected (of a manifest)")
    return _plain(pixels / 65535.0 * stated, 2)


def write_png(health_map: HealthMap, path: Path, scale: float | None) -> None:
    """Values 0..scale on 0..65535, the scale kept in the file."""
    from PIL import Image, PngImagePlugin

    if scale is None or not (math.isfinite(scale) and scale > 0):
        raise InputError(f"{path}: a PNG needs a fixed scale (value of the brightest pixel), but got {scale!r}")
    values = health_map.values.astype(np.float64)
    if np.isnan(values).any():
        raise InputError(f"{path}: a PNG cannot hold NaN (pairs that never mesh): write TIFF or npz")
    if values.min() < 0 or values.max() > scale:
        raise InputError(
            f"{path}: values {values.min():.4g}..{values.max():.4g} leave 0..{scale:g} and would be clipped: "
            "raise the scale or write TIFF"
        )
    text = PngImagePlugin.PngInfo()
    text.add_text(_SCALE_KEY, repr(float(scale)))
    with atomic_file(path) as temporary:
        Image.fromarray(np.round(values / scale * 65535.0).astype(np.uint16)).save(temporary, pnginfo=text)


# MAT


def read_mat(path: Path) -> HealthMapBatch:
    """``Xdata`` ``[rows, columns, 1, n]`` (or ``[rows, columns, n]``) of a MAT file up to version 7.2."""
    return _plain(read_mat_values(path), 3)


def read_mat_values(path: Path) -> np.ndarray:
    """The maps of ``read_mat`` alone, float32 ``[n, rows, columns]``."""
    from toothwise.vibration.readers import mat5  # loads SciPy, which other formats do not need

    with as_input_error("", "not a readable MAT file"):
        remedy = " (a map is Xdata; recordings are taken with --gears FILE, or by a model that was fitted so)"
        leaf = mat5.find_array(path, "Xdata", remedy=remedy)
        shape = leaf.shape
        if leaf.size > MAX_NUMBERS:
            raise InputError(f"Xdata claims the shape {shape}, more than is allowed")
        if len(shape) > 4 or (len(shape) == 4 and shape[2] != 1):
            raise InputError(f"Xdata must be [rows, columns, 1, n], but has the shape {shape}")
        values = np.empty((shape[-1] if len(shape) > 2 else 1, *shape[:2]), dtype=np.float32)
        if values.size:  # one map at a time: in the file they are wider, and may be packed
            for k, one in enumerate(mat5.numbers(path, leaf, shape[0] * shape[1])):
                values[k] = one.reshape(shape[:2], order="F")
        return values

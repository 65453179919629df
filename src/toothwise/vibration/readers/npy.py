"""NumPy's own files: NPY, and NPZ, which is a ZIP archive of them."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.readers.contents import Contents, Signal, columns_of

__all__ = ["read_npy", "read_npz"]

_LOCAL = struct.Struct("<4s22xHH")  # local header of a ZIP member: signature, lengths of its name and its extra field
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy(path: Path) -> Contents:
    """One array, memory-mapped: a vector, channels by samples, or a table with named columns."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    contents = Contents("NPY", lambda names: {name: views[name] for name in names}, named=array.dtype.names is not None)
    views: dict[str, np.ndarray] = {}
    if not array.dtype.names:
        _list(contents, "array", array, views)
    for name in array.dtype.names or ():
        _list(contents, name, array[name], views)
    return contents


def read_npz(path: Path) -> Contents:
    """The arrays of an archive; a member that is stored without compression is memory-mapped, others are read whole.

    Raises:
        InputError: not a readable archive.
    """
    places: dict[str, tuple[str, tuple[Any, ...]]] = {}

    def load(names: Sequence[str]) -> dict[str, np.ndarray]:
        with zipfile.ZipFile(path) as archive:
            arrays = {member: _member(path, archive, member) for member in {places[name][0] for name in names}}
        return {name: arrays[places[name][0]][places[name][1]] for name in names}

    contents = Contents("NPZ", load)
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            name = member.removesuffix(".npy")
            if name == member:
                contents.left_out[member] = "not an array"
                continue
            with archive.open(member) as file:
                shape, _, dtype = _header(file)
            if dtype.hasobject:
                contents.left_out[name] = "of Python objects, which are never read"
                continue
            if dtype.kind in "USiuf" and math.prod(shape) == 1:
                contents.note(name, np.asarray(_member(path, archive, member)).reshape(-1)[0].item())
            if dtype.kind in "US" or shape == ():
                continue
            if dtype.kind not in "iuf":
                contents.left_out[name] = f"of the type {dtype}, which is not real numbers"
            elif isinstance(found := columns_of(name, shape), str):
                contents.left_out[name] = found
            else:
                for label, index in found:
                    places[label] = member, index
                    contents.signals[label] = Signal(max(shape), parent=name if len(found) > 1 else None)
    return contents


def _list(contents: Contents, name: str, array: np.ndarray, views: dict[str, np.ndarray]) -> None:
    if array.dtype.kind not in "iuf":
        contents.left_out[name] = f"of the type {array.dtype}, which is not real numbers"
        return
    found = columns_of(name, array.shape)
    if isinstance(found, str):
        contents.left_out[name] = found
        return
    for label, index in found:
        views[label] = array[index]
        contents.signals[label] = Signal(views[label].size, parent=name if len(found) > 1 else None)


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise InputError(f"an array of NPY version {version}, which is not read")
    return _HEADERS[version](file)


def _member(path: Path, archive: zipfile.ZipFile, member: str) -> np.ndarray:
    info = archive.getinfo(member)
    if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1:
        with path.open("rb") as file:
            return _mapped(path, file, info)
    with archive.open(member) as packed:
        shape, _, dtype = _header(packed)  # before anything is allocated
    if math.prod(shape) * dtype.itemsize > info.file_size:
        raise InputError(f"damaged: {info.filename} holds fewer numbers than it says")
    with archive.open(member) as packed:
        return np.lib.format.read_array(packed, allow_pickle=False)


def _mapped(path: Path, file: BinaryIO, info: zipfile.ZipInfo) -> np.ndarray:
    file.seek(info.header_offset)
    signature, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
    if signature != b"PK\x03\x04":
        raise InputError(f"damaged: {info.filename} is not where the archive says")
    file.seek(name + extra, 1)
    start = file.tell()
    shape, fortran, dtype = _header(file)
    offset = file.tell()
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > info.file_size - (offset - start):
        raise InputError(f"damaged: {info.filename} holds fewer numbers than it says")
    if not shape or 0 in shape:
        return np.fromfile(file, dtype, math.prod(shape)).reshape(shape)
    return np.memmap(path, dtype, "r", offset, shape, order="F" if fortran else "C")

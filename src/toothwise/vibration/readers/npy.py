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
from toothwise.reading import array_header
from toothwise.vibration.readers.contents import Contents, Signal, columns_of

__all__ = ["read_npy", "read_npz"]

_LOCAL = struct.Struct("<4s22xHH")  # local header of a ZIP member: signature, lengths of its name and its extra field


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
            try:
                with archive.open(member) as file:
                    shape, _, dtype = array_header(file, name, archive.getinfo(member).file_size, most=math.inf)
            except InputError as error:
                contents.left_out[name] = str(error)
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


def _member(path: Path, archive: zipfile.ZipFile, member: str) -> np.ndarray:
    info = archive.getinfo(member)
    if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1:
        with path.open("rb") as file:
            return _mapped(path, file, info)
    with archive.open(member) as packed:  # its header was checked when it was listed
        return np.lib.format.read_array(packed, allow_pickle=False)


def _mapped(path: Path, file: BinaryIO, info: zipfile.ZipInfo) -> np.ndarray:
    file.seek(info.header_offset)
    signature, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
    if signature != b"PK\x03\x04":
        raise InputError(f"damaged: {info.filename} is not where the archive says")
    file.seek(name + extra, 1)
    shape, fortran, dtype = array_header(file, info.filename, info.file_size, most=math.inf)
    if not shape or 0 in shape:
        return np.fromfile(file, dtype, math.prod(shape)).reshape(shape)
    return np.memmap(path, dtype, "r", file.tell(), shape, order="F" if fortran else "C")

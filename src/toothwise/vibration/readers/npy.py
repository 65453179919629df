"""NumPy's own files: NPY, and NPZ, which is a ZIP archive of them."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toothwise.errors import InputError
from toothwise.reading import array_header
from toothwise.vibration.readers.contents import Contents

_LOCAL = struct.Struct("<4s22xHH")  # local header of a ZIP member: signature, lengths of its name and its extra field


def read_npy(path: Path) -> Contents:
    """One array, memory-mapped: a vector, channels by samples, or a table with named columns."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    parts = {name: array[name] for name in array.dtype.names or ()} or {"array": array}
    contents = Contents("NPY", lambda names: contents.pick(names, parts.__getitem__))
    for name, part in parts.items():
        contents.add(name, part.shape, part.dtype)
    return contents


def read_npz(path: Path) -> Contents:
    """The arrays of an archive; a member that is stored without compression is memory-mapped, others are read whole.

    Raises:
        InputError: not a readable archive.
    """

    def load(names: Sequence[str]) -> dict[str, np.ndarray]:
        with zipfile.ZipFile(path) as archive:
            return contents.pick(names, lambda name: _member(path, archive, f"{name}.npy"))

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
            if dtype.kind not in "US" and shape:
                contents.add(name, shape, dtype)
    return contents


def _member(path: Path, archive: zipfile.ZipFile, member: str) -> np.ndarray:
    info = archive.getinfo(member)
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        with archive.open(member) as packed:  # its header was checked when it was listed
            return np.lib.format.read_array(packed, allow_pickle=False)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        signature, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
        if signature != b"PK\x03\x04":
            raise InputError(f"damaged: {info.filename} is not where the archive says")
        file.seek(name + extra, 1)
        shape, fortran, dtype = array_header(file, info.filename, info.file_size, most=math.inf)
        if not shape or 0 in shape:
            return np.fromfile(file, dtype, math.prod(shape)).reshape(shape)
        return np.memmap(path, dtype, "r", file.tell(), shape, order="F" if fortran else "C")

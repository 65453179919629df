"""One numeric array out of a MAT file of version 5 to 7.2, checked before anything is allocated.

scipy.io reads more kinds of variables, but a damaged file can crash its compiled reader and the process with it.
Layout: "MAT-File Format" of MathWorks, level 5. A file is a header of 128 bytes and a list of elements; an element is
a tag (type, number of bytes) and its data; a variable is an element made of elements: flags, dimensions, name, values.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from toothwise.errors import InputError

__all__ = ["array_shape", "read_array", "read_blocks"]

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_NUMERIC = range(6, 16)  # classes: double, single, integers
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_HEAD = 4096  # bytes of a variable that hold its flags, dimensions and name
_PIECE = 1 << 20
_Found = TypeVar("_Found")


def read_array(path: Path, name: str, *, limit: int) -> np.ndarray:
    """The real numeric array of a name, in the type that it is stored in.

    Args:
        path: a MAT file of version 5 to 7.2, compressed or not.
        name: of the variable.
        limit: numbers that it may hold at most.

    Raises:
        InputError: another version, no such variable, another kind of variable, damaged or too large.
    """
    return _find(path, name, lambda head: head.values(limit))


def array_shape(path: Path, name: str, *, limit: int) -> tuple[int, ...]:
    """Dimensions of an array; its numbers are not read. Arguments and errors as of ``read_array``."""
    return _find(path, name, lambda head: head.check(limit)[1])


def read_blocks(path: Path, name: str, out: np.ndarray, *, limit: int, block: int = 1024) -> None:
    """Fill an array with the numbers of a large one, ``block`` slices of the last axis at a time.

    Where the file holds float64 and ``out`` is float32, no more than a block is ever held as float64.

    Args:
        out: ``[n, ...]``: the stored array with its last axis first, of any type of numbers; changed in place.
        block: slices read at a time.

    Raises:
        InputError: as ``read_array``, or a shape that is not that of ``out``.
    """

    def fill(head: _Head) -> None:
        dtype, shape = head.check(limit)
        if (shape[-1], *shape[:-1]) != out.shape:
            raise InputError(f"{name} has the shape {shape}, which is not the one expected, {out.shape} with n first")
        at = 0
        for piece in head.blocks(dtype, shape, block):
            out[at : at + len(piece)] = piece
            at += len(piece)

    _find(path, name, fill)


def _find(path: Path, name: str, use: Callable[[_Head], _Found]) -> _Found:
    """What ``use`` makes of the variable of a name, while the file is open."""
    try:
        with path.open("rb") as file:
            order = _header(file.read(128))
            found = []
            while tag := file.read(8):
                kind, size = struct.unpack(order + "II", tag)
                after = file.tell() + size
                source = _Source(file, size, packed=kind == _COMPRESSED)
                if kind == _COMPRESSED:
                    kind, size = struct.unpack(order + "II", source.read(8))
                if kind == _MATRIX:
                    head = _Head(source, order)
                    if head.name == name:
                        return use(head)
                    found.append(head.name)
                file.seek(after)
    except (OSError, struct.error, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"not a readable MAT file ({error})") from None
    raise InputError(f"lacks the variable {name!r}, found {', '.join(found) or 'nothing'}")


def _header(raw: bytes) -> str:
    """Byte order, as struct writes it."""
    if raw.startswith(b"MATLAB 7.3") or raw[124:126] == b"\x00\x02":
        raise InputError("a MAT file of version 7.3 (HDF5) is not read here: save with -v7, or convert it with h5py")
    if len(raw) < 128 or raw[126:128] not in (b"IM", b"MI"):
        raise InputError("not a readable MAT file (no header of version 5)")
    return "<" if raw[126:128] == b"IM" else ">"


class _Source:
    """The bytes of one element, unpacked as they are asked for; reading past its end is an error."""

    def __init__(self, file: BinaryIO, size: int, *, packed: bool) -> None:
        here = file.tell()
        self.file, self.left = file, min(size, file.seek(0, 2) - here)
        file.seek(here)
        self.unpacker = zlib.decompressobj() if packed else None

    def read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            want = size - len(data)
            if self.unpacker is None:
                piece = self._raw(want)
            else:
                packed = self.unpacker.unconsumed_tail or self._raw(_PIECE)
                piece = self.unpacker.decompress(packed, min(want, _PIECE))
                if not piece and not packed:
                    break
            if not piece and self.unpacker is None:
                break
            data += piece
        if len(data) < size:
            raise InputError(f"not a readable MAT file (it ends {size - len(data)} bytes too early)")
        return bytes(data)

    def array(self, dtype: np.dtype, count: int) -> np.ndarray:
        """The next numbers, straight from the file where it is not packed."""
        if self.unpacker is None and count * dtype.itemsize <= self.left:
            self.left -= count * dtype.itemsize
            return np.fromfile(self.file, dtype, count)
        return np.frombuffer(self.read(count * dtype.itemsize), dtype)

    def most(self) -> int:
        """Bytes that may still come at most: deflate makes no more than 1032 of one."""
        if self.unpacker is None:
            return self.left
        return 1032 * (self.left + len(self.unpacker.unconsumed_tail)) + (1 << 17)

    def _raw(self, size: int) -> bytes:
        piece = self.file.read(min(size, self.left, _PIECE))
        self.left -= len(piece)
        return piece


class _Head:
    """Flags, dimensions and name of a variable."""

    def __init__(self, source: _Source, order: str) -> None:
        self.source, self.order = source, order
        self.data = b""  # numbers so few that they sit in the tag
        _, flags = self._small()
        _, shape = self._small()
        _, name = self._small()
        (self.flags,) = struct.unpack(order + "I", flags[:4])
        self.shape = struct.unpack(f"{order}{len(shape) // 4}i", shape[: len(shape) // 4 * 4])
        self.name = name.decode("ascii")

    def _tag(self) -> tuple[int, int, bytes]:
        """Type, bytes, and the data where it is so short that it sits in the tag."""
        raw = self.source.read(8)
        kind, size = struct.unpack(self.order + "II", raw)
        if kind >> 16:
            kind, size = kind & 0xFFFF, kind >> 16
            if size > 4:
                raise InputError("not a readable MAT file (a damaged tag)")
            return kind, size, raw[4 : 4 + size]
        return kind, size, b""

    def _small(self) -> tuple[int, bytes]:
        kind, size, data = self._tag()
        if size > _HEAD:
            raise InputError("not a readable MAT file (a damaged tag)")
        if not data and size:
            data = self.source.read(size + -size % 8)[:size]
        return kind, data

    def check(self, limit: int) -> tuple[np.dtype, tuple[int, ...]]:
        """Type and shape of the numbers that follow, once they are known to be right."""
        if self.flags & 0xFF not in _NUMERIC:
            raise InputError(f"{self.name} must be a full matrix of numbers, but is of another class")
        if self.flags & (_COMPLEX | _LOGICAL):
            raise InputError(f"{self.name} must be real numbers, but is complex or logical")
        count = math.prod(self.shape)
        if len(self.shape) < 2 or min(self.shape) < 0 or count > limit:
            raise InputError(f"{self.name} claims the shape {self.shape}, more than is allowed")
        kind, size, self.data = self._tag()
        if kind not in _TYPES:
            raise InputError(f"{self.name} is stored as type {kind}, which is not a type of numbers")
        dtype = np.dtype(self.order + _TYPES[kind])
        if size != count * dtype.itemsize:
            raise InputError(f"{self.name} claims the shape {self.shape}, but holds {size // dtype.itemsize} numbers")
        if not self.data and size > self.source.most():
            raise InputError(f"not a readable MAT file (it ends too early for the shape {self.shape})")
        return dtype, self.shape

    def values(self, limit: int) -> np.ndarray:
        """The array."""
        dtype, shape = self.check(limit)
        array = np.frombuffer(self.data, dtype) if self.data else self.source.array(dtype, math.prod(shape))
        return array.reshape(shape, order="F")

    def blocks(self, dtype: np.dtype, shape: tuple[int, ...], block: int) -> Iterator[np.ndarray]:
        """The array in pieces ``[up to block, ...]`` along its last axis, which becomes the first."""
        inner = math.prod(shape[:-1])
        if self.data:
            yield np.moveaxis(np.frombuffer(self.data, dtype).reshape(shape, order="F"), -1, 0)
            return
        for at in range(0, shape[-1], block):
            n = min(block, shape[-1] - at)
            piece = self.source.array(dtype, n * inner)
            if piece.size != n * inner:
                raise InputError("not a readable MAT file (it ends too early)")
            yield np.moveaxis(piece.reshape((*shape[:-1], n), order="F"), -1, 0)

"""MAT files of version 5 to 7.2: numbers, texts, structs and cells, listed first and read when asked for.

scipy.io reads them too, but a damaged file can crash its compiled part and the process with it, and it reads what is
not needed. Here every size is checked before anything is allocated, an array that is stored plainly is memory-mapped,
and a compressed one is unpacked in pieces. Structs and cells become names with dots: ``bearing.gs``, ``runs_2.x``.
Layout: "MAT-File Format" of MathWorks, level 5: an element is a tag (type, bytes) and its data, padded to 8 bytes.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.readers.contents import Contents, Signal, columns_of

__all__ = ["is_mat5", "read"]

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHAR = 1, 2, 3, 4
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_OTHERS = {_OBJECT: "an object", 5: "sparse", 16: "a function", 17: "an object"}
_COMPLEX = 0x0800
_PIECE = 1 << 20
_LONGEST_TEXT = 1 << 20
_DEEPEST = 16


@dataclass(frozen=True)
class _Leaf:
    """Where the numbers of one array lie.

    ``start`` counts from the beginning of the file; of a compressed variable from the beginning of what it unpacks to,
    whose ``packed`` bytes begin at ``element``.
    """

    element: int
    packed: int | None
    start: int
    stored: np.dtype
    wanted: np.dtype
    shape: tuple[int, ...]


def is_mat5(head: bytes) -> bool:
    """True where the first 128 bytes are a header of version 5 to 7.2."""
    return len(head) >= 128 and head[126:128] in (b"IM", b"MI") and head[124:126] in (b"\x00\x01", b"\x01\x00")


def read(path: Path) -> Contents:
    """List a MAT file of version 5 to 7.2; plain arrays are memory-mapped, compressed ones read whole.

    Raises:
        InputError: not such a file, or damaged.
    """
    leaves: dict[str, _Leaf] = {}
    columns: dict[str, tuple[str, tuple]] = {}

    def load(names: Sequence[str]) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for parent in {columns[name][0] for name in names}:
            arrays[parent] = _load(path, leaves[parent])
        return {name: arrays[columns[name][0]][columns[name][1]] for name in names}

    contents = Contents("MAT 5", load)
    for name, leaf in _walk(path, contents):
        if math.prod(leaf.shape) == 1:
            contents.note(name, _load(path, leaf))
        found = columns_of(name, leaf.shape)
        if isinstance(found, str):
            contents.left_out[name] = found
            continue
        leaves[name] = leaf
        for label, index in found:
            columns[label] = name, index
            contents.signals[label] = Signal(max(leaf.shape), parent=name if len(found) > 1 else None)
    return contents


def _walk(path: Path, contents: Contents) -> list[tuple[str, _Leaf]]:
    found: list[tuple[str, _Leaf]] = []
    with path.open("rb") as file:
        head = file.read(128)
        if not is_mat5(head):
            raise InputError("not a MAT file of version 5 to 7.3")
        order = "<" if head[126:128] == b"IM" else ">"
        end = file.seek(0, 2)
        here = 128
        while here < end:
            file.seek(here)
            tag = file.read(8)
            if len(tag) < 8:
                raise InputError("damaged: it ends inside a tag")
            kind, size = struct.unpack(order + "II", tag)
            if here + 8 + size > end:
                raise InputError(f"damaged: it ends {here + 8 + size - end} bytes too early")
            if kind in (_MATRIX, _COMPRESSED):
                packed = size if kind == _COMPRESSED else None
                source = _Plain(file, here + 8 + size) if packed is None else _Packed(file, packed)
                if packed is not None:
                    kind, size = struct.unpack(order + "II", source.read(8))
                if kind == _MATRIX:
                    _Walker(source, order, here + 8, packed, contents, found).matrix("", size, 0)
            here += 8 + struct.unpack(order + "II", tag)[1]
    return found


class _Plain:
    """Bytes of a file up to an end; reading past it is an error."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        self.file, self.end, self.here = file, end, file.tell()

    def read(self, size: int) -> bytes:
        if self.here + size > self.end:
            raise InputError("damaged: a part claims more bytes than its whole")
        self.here += size
        return self.file.read(size)

    def skip(self, size: int) -> None:
        if self.here + size > self.end:
            raise InputError("damaged: a part claims more bytes than its whole")
        self.here += size
        self.file.seek(self.here)


class _Packed:
    """Bytes of a compressed element, unpacked as they are asked for."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.left, self.here = file, size, 0
        self.unpacker = zlib.decompressobj()

    def _piece(self, most: int) -> bytes:
        while True:
            packed = self.unpacker.unconsumed_tail
            if not packed:
                packed = self.file.read(min(self.left, _PIECE))
                self.left -= len(packed)
            piece = self.unpacker.decompress(packed, min(most, _PIECE))
            if piece or not packed:
                self.here += len(piece)
                return piece

    def read(self, size: int) -> bytearray:
        data = bytearray()
        while len(data) < size:
            piece = self._piece(size - len(data))
            if not piece:
                raise InputError(f"damaged: a compressed part ends {size - len(data)} bytes too early")
            data += piece
        return data

    def skip(self, size: int) -> None:
        while size > 0:
            piece = self._piece(size)
            if not piece:
                raise InputError(f"damaged: a compressed part ends {size} bytes too early")
            size -= len(piece)


class _Walker:
    """Goes through one variable, notes its texts, and gathers where its numbers lie."""

    def __init__(
        self,
        source: _Plain | _Packed,
        order: str,
        element: int,
        packed: int | None,
        contents: Contents,
        found: list[tuple[str, _Leaf]],
    ) -> None:
        self.source, self.order, self.contents, self.found = source, order, contents, found
        self.element, self.packed = element, packed

    def matrix(self, prefix: str, size: int, depth: int) -> None:
        """One array of ``size`` bytes, of any class; ends right after it."""
        if size == 0:
            return  # an empty field
        end = self.source.here + size
        flags, shape, own = self.small(), self.small(), self.small()
        if len(flags) < 8 or len(shape) % 4 or len(shape) < 8:
            raise InputError("damaged: a variable without a shape")
        (word,) = struct.unpack(self.order + "I", flags[:4])
        dimensions = struct.unpack(f"{self.order}{len(shape) // 4}i", shape)
        name = prefix + own.decode("latin-1")
        kind = word & 0xFF
        if min(dimensions) < 0 or depth > _DEEPEST:
            raise InputError(f"damaged: {name!r} claims the shape {dimensions}")
        if kind in _CLASSES and not word & _COMPLEX:
            self.numbers(name, kind, dimensions)
        elif kind == _CHAR:
            self.text(name, dimensions)
        elif kind == _STRUCT:
            self.fields(name, math.prod(dimensions), depth)
        elif kind == _CELL:
            for k in range(math.prod(dimensions)):
                self.matrix(f"{name}_{k + 1}", self.inner(), depth + 1)
        else:
            self.contents.left_out[name] = "complex" if kind in _CLASSES else _OTHERS.get(kind, "of an unknown class")
        if self.source.here > end:
            raise InputError(f"damaged: {name!r} is longer than it says")
        self.source.skip(end - self.source.here)

    def tag(self) -> tuple[int, int, bytes | None]:
        """Type, bytes, and the data where it is so short that it sits in the tag."""
        raw = self.source.read(8)
        kind, size = struct.unpack(self.order + "II", raw)
        if not kind >> 16:
            return kind, size, None
        kind, size = kind & 0xFFFF, kind >> 16
        if size > 4:
            raise InputError("damaged: a short tag that is not short")
        return kind, size, bytes(raw[4 : 4 + size])

    def small(self) -> bytes:
        _, size, data = self.tag()
        if data is None:
            if size > _LONGEST_TEXT:
                raise InputError("damaged: a name or shape without end")
            data = bytes(self.source.read(size + -size % 8)[:size])
        return data

    def inner(self) -> int:
        kind, size, _ = self.tag()
        if kind != _MATRIX:
            raise InputError("damaged: a field that is no array")
        return size

    def numbers(self, name: str, kind: int, shape: tuple[int, ...]) -> None:
        stored, size, data = self.tag()
        if stored not in _TYPES:
            raise InputError(f"damaged: {name!r} is stored as type {stored}, which is not a type of numbers")
        dtype = np.dtype(self.order + _TYPES[stored])
        if size != math.prod(shape) * dtype.itemsize:
            raise InputError(f"damaged: {name!r} claims the shape {shape}, but holds {size // dtype.itemsize} numbers")
        start = self.source.here - (0 if data is None else 4)
        wanted = np.dtype(self.order + _CLASSES[kind])
        self.found.append((name, _Leaf(self.element, self.packed, start, dtype, wanted, shape)))
        if data is None:
            self.source.skip(size)

    def text(self, name: str, shape: tuple[int, ...]) -> None:
        kind, size, data = self.tag()
        if size > _LONGEST_TEXT or kind not in _TEXT or len(shape) != 2 or shape[0] > 1:
            self.contents.left_out[name] = "text of more than one line"
            return
        if data is None:
            data = bytes(self.source.read(size))
        code = _TEXT[kind]
        if code.startswith("utf-") and code != "utf-8":
            code += "-le" if self.order == "<" else "-be"
        self.contents.texts[name] = data.decode(code, "replace")

    def fields(self, name: str, count: int, depth: int) -> None:
        length = self.small()
        if len(length) != 4:
            raise InputError(f"damaged: the fields of {name!r} have no length")
        (width,) = struct.unpack(self.order + "i", length)
        raw = self.small()
        if width < 1 or len(raw) % width:
            raise InputError(f"damaged: the fields of {name!r} have no names")
        names = [raw[i : i + width].partition(b"\0")[0].decode("latin-1") for i in range(0, len(raw), width)]
        for k in range(count if names else 0):
            whole = name if count == 1 else f"{name}_{k + 1}"
            for field in names:
                self.matrix(f"{whole}.{field}", self.inner(), depth + 1)


def _load(path: Path, leaf: _Leaf) -> np.ndarray:
    """The numbers of an array, memory-mapped where they lie plainly in the type that they are wanted in."""
    if leaf.packed is None and leaf.stored == leaf.wanted:
        return np.memmap(path, leaf.stored, "r", leaf.start, leaf.shape, order="F")
    size = math.prod(leaf.shape) * leaf.stored.itemsize
    with path.open("rb") as file:
        if leaf.packed is None:
            file.seek(leaf.start)
            data: bytes | bytearray = file.read(size)
        else:
            file.seek(leaf.element)
            source = _Packed(file, leaf.packed)
            source.skip(leaf.start)
            data = source.read(size)
    return np.frombuffer(data, leaf.stored).astype(leaf.wanted, copy=False).reshape(leaf.shape, order="F")

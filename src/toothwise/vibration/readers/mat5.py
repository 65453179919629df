"""MAT files of version 5 to 7.2: numbers, texts, structs and cells, listed first and read when asked for.

scipy.io reads them too, but a damaged file can crash its compiled part and the process with it, and it reads what is
not needed. Here every size is checked before anything is allocated, an array that is stored plainly is memory-mapped,
and a compressed one is unpacked in pieces, when it is asked for. Structs and cells become names with dots:
``bearing.gs``, ``runs_2.x``; objects (datetime, table, string) are left out.
Layout: "MAT-File Format" of MathWorks, level 5: an element is a tag (type, bytes) and its data, padded to 8 bytes.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from toothwise.errors import InputError
from toothwise.reading import DEFLATE
from toothwise.vibration.readers.contents import Contents

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16-{}", 16: "utf-8", 17: "utf-16-{}", 18: "utf-32-{}"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHAR, _OPAQUE = 1, 2, 3, 4, 17
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_OTHERS = {_OBJECT: "an object", 5: "sparse", 16: "a function", _OPAQUE: "an object"}
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_PIECE = 1 << 20
_LONGEST_TEXT = 1 << 20
_DEEPEST = 16


@dataclass(frozen=True)
class Leaf:
    """Where the numbers of one array lie, of what types they are, and whether they are truth values.

    ``start`` counts from the beginning of the file; of a compressed variable from the beginning of what it unpacks to,
    whose ``packed`` bytes begin at ``element``.
    """

    element: int
    packed: int | None
    start: int
    stored: np.dtype
    wanted: np.dtype
    shape: tuple[int, ...]
    logical: bool = False

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return math.prod(self.shape)


def read(path: Path) -> Contents:
    """List a MAT file of version 5 to 7.2; plain arrays are memory-mapped, compressed ones read whole.

    Raises:
        InputError: not such a file, or damaged.
    """
    contents = Contents("MAT 5", lambda names: contents.pick(names, lambda name: load(path, leaves[name])))
    leaves = dict(_walk(path, contents))
    for name, leaf in leaves.items():
        if leaf.size == 1:
            contents.note(name, load(path, leaf))
        contents.add(name, leaf.shape, leaf.wanted)
    return contents


def find_array(path: Path, name: str, *, remedy: str = "") -> Leaf:
    """The real numeric array of a name; where there is none the message ends with the remedy.

    Raises:
        InputError: Not such a file, damaged, no such variable, or one of another kind.
    """
    contents = Contents("MAT 5", lambda names: {})
    found = dict(_walk(path, contents))
    others = contents.left_out | dict.fromkeys(contents.texts, "a text")
    others |= {one: "logical" for one, leaf in found.items() if leaf.logical}
    if name in others:
        raise InputError(f"{name} must be a full matrix of real numbers, but is {others[name]}")
    if name not in found:
        there = ", ".join([*found, *contents.texts, *contents.left_out])[:300] or "nothing"
        raise InputError(f"lacks the variable {name!r}, found {there}{remedy}")
    return found[name]


def _walk(path: Path, contents: Contents) -> list[tuple[str, Leaf]]:
    found: list[tuple[str, Leaf]] = []
    with path.open("rb") as file:
        head = file.read(128)
        if head.startswith(b"MATLAB 7.3") or head[124:126] == b"\x00\x02":
            raise InputError(
                "a MAT file of version 7.3 (HDF5) is not read here: save with -v7, or convert it with h5py"
            )
        if head[124:128] not in (b"\x00\x01IM", b"\x01\x00IM", b"\x00\x01MI", b"\x01\x00MI"):
            raise InputError("not a MAT file of version 5 to 7.3")
        order = "<" if head[126:128] == b"IM" else ">"
        end = file.seek(0, 2)
        here = 128
        while here < end:
            file.seek(here)
            plain = _Plain(file, end)
            kind, size = struct.unpack(order + "II", plain.read(8))
            plain.check(size)
            element, here = here + 8, here + 8 + size
            plain.end, packed = here, None
            source: _Plain | _Packed = plain
            if kind == _COMPRESSED:
                source, packed = _Packed(file, size), size
                kind, size = struct.unpack(order + "II", source.read(8))
            if kind == _MATRIX:
                _Walker(source, order, element, packed, contents, found).matrix("", size, 0)
    return found


class _Plain:
    """Bytes of a file up to an end; reading past it is an error."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        self.file, self.end, self.here = file, end, file.tell()

    def read(self, size: int) -> bytes:
        self.check(size)
        self.here += size
        return self.file.read(size)

    def skip(self, size: int) -> None:
        self.check(size)
        self.here += size
        self.file.seek(self.here)

    def check(self, size: int) -> None:
        """Refuse a part that claims more bytes than there are."""
        if self.here + size > self.end:
            raise InputError("damaged: it ends too early, or a part claims more bytes than its whole")


class _Packed:
    """Bytes of a compressed element, unpacked as they are asked for."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.left, self.here = file, size, 0
        self.unpacker = zlib.decompressobj()

    def read(self, size: int) -> bytearray:
        data = bytearray()
        while len(data) < size:
            packed = self.unpacker.unconsumed_tail
            if not packed:
                packed = self.file.read(min(self.left, _PIECE))
                self.left -= len(packed)
            data += self.unpacker.decompress(packed, min(size - len(data), _PIECE))
            if not packed and len(data) < size:
                raise InputError(f"damaged: a compressed part ends {size - len(data)} bytes too early")
        self.here += size
        return data

    def check(self, size: int) -> None:
        """Refuse a part that claims more bytes than can be unpacked."""
        if size > DEFLATE * (self.left + len(self.unpacker.unconsumed_tail)) + _PIECE:
            raise InputError("damaged: a compressed part claims more bytes than it can hold")

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.read(min(size, _PIECE)))


@dataclass
class _Walker:
    """Goes through one variable, notes its texts, and gathers where its numbers lie."""

    source: _Plain | _Packed
    order: str
    element: int
    packed: int | None
    contents: Contents
    found: list[tuple[str, Leaf]]

    def matrix(self, prefix: str, size: int, depth: int) -> None:
        """One array of ``size`` bytes, of any class; ends right after it, or inside it where nothing follows."""
        if size == 0:
            return  # an empty field
        end = self.source.here + size
        flags = self.small()
        if len(flags) < 8:
            raise InputError("damaged: a variable without flags")
        (word,) = struct.unpack(self.order + "I", flags[:4])
        kind = word & 0xFF
        shape = b"" if kind == _OPAQUE else self.small()  # an object of a newer kind has no shape, only a name
        name = prefix + self.small().decode("latin-1")
        if kind == _OPAQUE or (not name and not depth):  # without a name: what the objects of the file hold
            if name:
                self.contents.left_out[name] = _OTHERS[_OPAQUE]
            self.source.skip(end - self.source.here if depth else 0)
            return
        if len(shape) % 4 or len(shape) < 8:
            raise InputError("damaged: a variable without a shape")
        dimensions = struct.unpack(f"{self.order}{len(shape) // 4}i", shape)
        if min(dimensions) < 0 or depth > _DEEPEST:
            raise InputError(f"damaged: {name!r} claims the shape {dimensions}")
        if kind in _CLASSES and not word & _COMPLEX:
            self.numbers(name, kind, dimensions, bool(word & _LOGICAL), skip=depth > 0)
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
        if depth:
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

    def numbers(self, name: str, kind: int, shape: tuple[int, ...], logical: bool, *, skip: bool) -> None:
        stored, size, data = self.tag()
        if stored not in _TYPES:
            raise InputError(f"damaged: {name!r} is stored as type {stored}, which is not a type of numbers")
        dtype = np.dtype(self.order + _TYPES[stored])
        if size != math.prod(shape) * dtype.itemsize:
            raise InputError(f"damaged: {name!r} claims the shape {shape}, but holds {size // dtype.itemsize} numbers")
        start = self.source.here - (0 if data is None else 4)
        wanted = np.dtype(self.order + _CLASSES[kind])
        self.found.append((name, Leaf(self.element, self.packed, start, dtype, wanted, shape, logical)))
        if data is None:
            self.source.check(size)
            self.source.skip(size if skip else 0)

    def text(self, name: str, shape: tuple[int, ...]) -> None:
        kind, size, data = self.tag()
        if size > _LONGEST_TEXT or kind not in _TEXT or len(shape) != 2 or shape[0] > 1:
            self.contents.left_out[name] = "text of more than one line"
            return
        if data is None:
            data = bytes(self.source.read(size))
        code = _TEXT[kind].format("le" if self.order == "<" else "be")
        self.contents.note(name, data.decode(code, "replace"))

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


def load(path: Path, leaf: Leaf) -> np.ndarray:
    """The numbers of an array, memory-mapped where they lie plainly in the type that they are wanted in."""
    if leaf.size == 0:
        return np.empty(leaf.shape, leaf.wanted)
    if leaf.packed is None and leaf.stored == leaf.wanted:
        return np.memmap(path, leaf.stored, "r", leaf.start, leaf.shape, order="F")
    data = next(numbers(path, leaf, leaf.size))
    return data.astype(leaf.wanted, copy=False).reshape(leaf.shape, order="F")


def numbers(path: Path, leaf: Leaf, many: int) -> Iterator[np.ndarray]:
    """The numbers of an array in the type and the order in which they are stored, so many at a time."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(leaf.element)
        source = _Plain(file, end) if leaf.packed is None else _Packed(file, leaf.packed)
        source.skip(leaf.start - source.here)
        for _ in range(leaf.size // many):
            yield np.frombuffer(source.read(many * leaf.stored.itemsize), leaf.stored)

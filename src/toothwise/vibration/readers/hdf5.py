"""HDF5 files, and MAT files of version 7.3, which are HDF5 inside (h5py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.reading import DEFLATE
from toothwise.vibration.readers.contents import Contents, need

_MATLAB_PRIVATE = ("#refs#", "#subsystem#")
_LONGEST_TEXT = 1 << 20
_SMALL = 2**26  # bytes below which nothing needs to be stored


def read(path: Path) -> Contents:
    """List the datasets; group/name becomes ``group.name``, an attribute ``name.attribute``.

    A dataset that lies in one piece and uncompressed is memory-mapped, others are read whole. What lies in another file
    (by a link, as external storage, as a virtual dataset) is not read: a file that somebody sent must not name it.

    Raises:
        InputError: a dataset that claims more than can be unpacked from what is stored.
    """
    h5py = need("h5py", "hdf5")
    keys: dict[str, tuple[str, str | None]] = {}  # of a dataset, and the name of its column where it has several

    def load(names: Sequence[str]) -> dict[str, np.ndarray]:
        with h5py.File(path, "r") as file:
            return contents.pick(names, lambda name: _array(path, file, *keys[name]))

    contents = Contents("HDF5", load)

    def visit(key: str, node: Any) -> None:
        if key.startswith(_MATLAB_PRIVATE):
            return
        name = key.replace("/", ".")
        for attribute, value in node.attrs.items():
            if not attribute.startswith(("MATLAB_", "H5PATH")):
                contents.note(f"{name}.{attribute}" if name else attribute, value)
        if not isinstance(node, h5py.Dataset):
            return
        if node.external or node.is_virtual:
            contents.left_out[name] = "in another file"
            return
        claimed, held = node.size * node.dtype.itemsize if node.shape else 0, node.id.get_storage_size()
        if claimed > max(DEFLATE * held, _SMALL):
            raise InputError(f"damaged: {name} claims the shape {node.shape}, but {held} bytes are stored of it")
        kind = node.attrs.get("MATLAB_class", b"")
        if kind == b"char":
            if node.size <= _LONGEST_TEXT:
                contents.note(name, "".join(map(chr, np.asarray(node[()]).reshape(-1))))
        elif "MATLAB_empty" in node.attrs or node.shape is None:
            contents.left_out[name] = "empty"
        elif node.dtype.names:
            for column in node.dtype.names:
                keys[f"{name}.{column}"] = key, column
                contents.add(f"{name}.{column}", node.shape, node.dtype[column])
        elif h5py.check_string_dtype(node.dtype) is not None and node.size == 1:
            if node.id.get_type().is_variable_str() and not _is_short(path, node.id.get_offset()):
                contents.left_out[name] = "a text that is too long, or stored in an unusual way"
                return
            contents.note(name, np.asarray(node.asstr(errors="replace")[()]).reshape(-1)[0])
        elif node.dtype.kind in "iuf" and node.size == 1:
            contents.note(name, node[()])
        else:
            keys[name] = key, None
            contents.add(name, node.shape, node.dtype)

    with h5py.File(path, "r") as file:
        visit("", file)
        file.visititems(visit)
    return contents


def _is_short(path: Path, offset: int | None) -> bool:
    """Whether a text that is stored as length and place says a possible length: HDF5 allocates whatever it says."""
    if offset is None:
        return False
    with path.open("rb") as file:
        file.seek(offset)
        return int.from_bytes(file.read(4), "little") <= _LONGEST_TEXT


def _array(path: Path, file: Any, key: str, column: str | None) -> np.ndarray:
    node = file[key]
    if column is not None:
        return np.asarray(node[column])
    offset = node.id.get_offset() if node.chunks is None else None
    if offset is not None:
        return np.memmap(path, node.dtype, "r", offset, node.shape)
    values = node[()]
    return values.astype(np.float32) if values.dtype == np.float16 else values

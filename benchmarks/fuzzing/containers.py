"""Containers taken apart and put together again with right checksums, so that damage reaches what is inside."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib

_PNG = b"\x89PNG\r\n\x1a\n"


def unpack(kind: str, content: bytes) -> dict[str, bytes]:
    """Parts by name; {} where it is no such container."""
    return {"zip": _zip, "gzip": _gzip, "mat": _mat, "png": _png, "safetensors": _safetensors, "npz": _members}[kind](
        content
    )


def pack(kind: str, parts: dict[str, bytes], *, packed: bool) -> bytes:
    """The inverse of ``unpack``."""
    if kind == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as file:
            for name, part in parts.items():
                file.writestr(zipfile.ZipInfo(name or "x"), part, file.compression)
        return out.getvalue()
    if kind == "npz":
        return pack("zip", {name: _array(part, name) for name, part in parts.items()}, packed=packed)
    if kind == "gzip":
        return gzip.compress(parts["all"], 1)
    if kind == "mat":
        squeezed = [zlib.compress(part) if name != "head" else part for name, part in parts.items()]
        return squeezed[0] + b"".join(struct.pack("<II", 15, len(part)) + part for part in squeezed[1:])
    if kind == "png":
        chunks = [(name.rpartition("/")[2].encode("latin-1"), part) for name, part in parts.items()]
        whole = (struct.pack(">I", len(p)) + n + p + struct.pack(">I", zlib.crc32(n + p)) for n, p in chunks)
        return _PNG + b"".join(whole)
    return struct.pack("<Q", len(parts["head"])) + parts["head"] + parts["data"]


def _zip(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def _members(content: bytes) -> dict[str, bytes]:
    """The JSON texts inside an npz."""
    import numpy as np

    found = {}
    for name, part in _zip(content).items():
        array = np.load(io.BytesIO(part), allow_pickle=False)
        found[name] = str(array).encode() if array.dtype.kind == "U" and array.ndim == 0 else part
    return found


def _array(part: bytes, name: str) -> bytes:
    import numpy as np

    if part.startswith(b"\x93NUMPY") or not name.endswith(".npy"):
        return part
    out = io.BytesIO()
    np.save(out, np.array(part.decode("utf-8", "replace").rstrip("\0")), allow_pickle=False)
    return out.getvalue()


def _gzip(content: bytes) -> dict[str, bytes]:
    return {"all": gzip.decompress(content)} if content[:2] == b"\x1f\x8b" else {}


def _mat(content: bytes) -> dict[str, bytes]:
    if content[128:132] != struct.pack("<I", 15):
        return {}
    parts, at = {"head": content[:128]}, 128
    while at < len(content):
        (size,) = struct.unpack("<I", content[at + 4 : at + 8])
        parts[f"variable {at}"] = zlib.decompress(content[at + 8 : at + 8 + size])
        at += 8 + size
    return parts


def _png(content: bytes) -> dict[str, bytes]:
    parts, at = {}, len(_PNG)
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        parts[f"{at}/{content[at + 4 : at + 8].decode('latin-1')}"] = content[at + 8 : at + 8 + size]
        at += 12 + size
    return parts


def _safetensors(content: bytes) -> dict[str, bytes]:
    (size,) = struct.unpack("<Q", content[:8])
    json.loads(content[8 : 8 + size])
    return {"head": content[8 : 8 + size].rstrip(), "data": content[8 + size :]}

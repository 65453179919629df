"""Files that somebody sent: how large they say they are is looked at before anything of that size is allocated."""

from __future__ import annotations

import math
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.errors import InputError, missing
from toothwise.reading import as_input_error
from toothwise.serving.limits import ApiError, Limits

if TYPE_CHECKING:
    from toothwise.healthmap.core import HealthMapBatch
    from toothwise.vibration.records import VibrationRecord

__all__ = ["MAP_SUFFIXES", "RECORD_SUFFIXES", "decode_map", "decode_record", "suffix_of"]

MAP_SUFFIXES = (".npz", ".tif", ".tiff", ".png", ".mat")
# TDMS, UFF, MF4 and Parquet are read by packages that cannot be held to a size: convert them first
RECORD_SUFFIXES = (".wav", ".flac", ".csv", ".csv.gz", ".txt", ".mat", ".h5", ".hdf5", ".npz", ".npy")
_MOST_ENTRIES = 64


def suffix_of(name: str, allowed: tuple[str, ...]) -> str:
    """The suffix of a name that came with a request; nothing else of the name is used.

    Raises:
        Refusal: 415, none of ``allowed``.
    """
    low = name.lower()
    found = [suffix for suffix in allowed if low.endswith(suffix)]
    if not found:
        raise ApiError(415, "unsupported", f"a file must be one of {', '.join(allowed)}, but is called {name[-60:]!r}")
    return max(found, key=len)


def too_large(what: str, limits: Limits) -> ApiError:
    """413 for something that claims more numbers than a request may hold."""
    return ApiError(413, "too_large", f"{what}, more than the {limits.max_values} numbers that a request may hold")


def unreadable(error: Exception, path: Path, shown: str) -> ApiError:
    """422 with an error's words, which name the file as the client does."""
    text = str(error)
    return ApiError(422, "invalid", text.replace(str(path), shown) if str(path) in text else f"{shown}: {text}")


def decode_map(path: Path, shown: str, limits: Limits) -> HealthMapBatch:
    """The maps of a file.

    Args:
        path: in a private folder, with a suffix of ``MAP_SUFFIXES``.
        shown: what the file is called in answers.
        limits: of the request.

    Raises:
        Refusal: 413 too large, 422 not a readable file of maps.
    """
    from toothwise.healthmap.core import HealthMap, HealthMapBatch
    from toothwise.healthmap.io import read_map

    suffix = path.suffix.lower()
    try:
        if suffix == ".npz":
            _check_npz(path, limits)
        elif suffix in (".tif", ".tiff"):
            _check_tiff(path, limits)
        elif suffix == ".png":
            _check_png(path, limits)
        else:
            _check_mat(path, limits)
        found = read_map(path)
    except InputError as error:
        raise unreadable(error, path, shown) from None
    if isinstance(found, HealthMap):
        found = HealthMapBatch(found.values[None], found.rows, found.columns, gear=found.gear)
    if len(found) > limits.max_maps:
        raise ApiError(
            413, "too_large", f"{shown}: holds {len(found)} maps, more than {limits.max_maps} in one request"
        )
    return found


def decode_record(path: Path, shown: str, limits: Limits, options: dict[str, Any]) -> VibrationRecord:
    """The recording of a file, in memory.

    Args:
        path: in a private folder, with a suffix of ``RECORD_SUFFIXES``.
        shown, limits: as of ``decode_map``.
        options: fields of RecordMapping.

    Raises:
        Refusal: 413 too large, 422 not a readable recording.
    """
    from toothwise.vibration.readers import RecordMapping, read_record
    from toothwise.vibration.readers.read import contents_of

    name = path.name.lower()
    try:
        if name.endswith(".gz"):
            _check_gzip(path, limits)
        elif name.endswith(".npz"):
            _check_npz(path, limits)
        elif name.endswith(".npy"):
            _check_npy(path, limits)
        elif name.endswith((".wav", ".flac")):
            _check_sound(path, limits)
        total = sum(signal.size for signal in contents_of(path).signals.values())
        if total > limits.max_values:
            raise too_large(f"{shown}: holds {total} samples", limits)
        unknown = sorted(set(options) - set(RecordMapping.__dataclass_fields__))
        if unknown:
            allowed = ", ".join(RecordMapping.__dataclass_fields__)
            raise ApiError(422, "invalid", f"read takes {allowed}, but got {', '.join(unknown)}")
        return read_record(path, mapping=RecordMapping(**options))
    except InputError as error:
        raise unreadable(error, path, shown) from None
    except TypeError as error:  # an option of another type
        raise ApiError(422, "invalid", f"read: {error}") from None


def _check_npz(path: Path, limits: Limits) -> None:
    """Entries, names, sizes unpacked and the arrays' headers of an archive."""
    with as_input_error(path, "not a readable npz file", ApiError), zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > _MOST_ENTRIES:
            raise InputError(f"{path}: holds {len(entries)} entries, more than {_MOST_ENTRIES}")
        for entry in entries:
            _check_name(path, entry)
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > 8 * limits.max_values:
            raise too_large(f"{path.suffix[1:]}: unpacks to {unpacked} bytes", limits)
        total = 0
        for entry in entries:
            with archive.open(entry) as stream:
                total += _numbers(path, entry.filename, stream, entry.file_size)
        if total > limits.max_values:
            raise too_large(f"npz: holds {total} numbers", limits)


def _check_name(path: Path, entry: zipfile.ZipInfo) -> None:
    """Refuse names that lead out of a folder, and links: nothing is unpacked to disk, yet nobody means well by them."""
    name = entry.filename
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(name).is_absolute() or ".." in kind(name).parts or kind(name).drive:
            raise InputError(f"{path}: the entry {name!r} leads out of the archive")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError(f"{path}: the entry {name!r} is a link")


def _numbers(path: Path, name: str, stream: Any, size: int) -> int:
    """How many numbers an array has by its header.

    Raises:
        InputError: objects, which only unpickling could read, or more than the entry holds.
    """
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise InputError(f"{path}: the array {name!r} holds Python objects (pickle), which are never read")
    count = math.prod(shape)
    if count * dtype.itemsize > size:
        raise InputError(f"{path}: the array {name!r} claims the shape {shape}, more than its {size} bytes can hold")
    return count if dtype.kind not in "US" else count * dtype.itemsize // 8


def _check_npy(path: Path, limits: Limits) -> None:
    with as_input_error(path, "not a readable NPY file"), path.open("rb") as stream:
        total = _numbers(path, path.name, stream, path.stat().st_size)
    if total > limits.max_values:
        raise too_large(f"npy: holds {total} numbers", limits)


def _check_tiff(path: Path, limits: Limits) -> None:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            shape = file.pages[0].shape
            stored = sum(getattr(file.pages[0], "databytecounts", ()))
    except Exception as error:  # tifffile raises whatever the broken bytes lead it to
        raise InputError(f"{path}: not a readable TIFF file ({error})") from None
    if math.prod(shape) > limits.max_values:
        raise too_large(f"tiff: claims {' x '.join(map(str, shape))} pixels", limits)
    if stored > path.stat().st_size:
        raise InputError(f"{path}: claims {stored} bytes of pixels, more than the file holds")


def _check_png(path: Path, limits: Limits) -> None:
    """The size in the header, read without a decoder."""
    with path.open("rb") as file:
        head = file.read(24)
    if len(head) < 24 or head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR":
        raise InputError(f"{path}: not a readable PNG file")
    width, height = struct.unpack(">II", head[16:24])
    if width * height > limits.max_values:
        raise too_large(f"png: claims {width} x {height} pixels", limits)


def _check_mat(path: Path, limits: Limits) -> None:
    from toothwise.healthmap.formats import MAX_PIXELS
    from toothwise.healthmap.matfile import array_shape

    shape = array_shape(path, "Xdata", limit=MAX_PIXELS)
    if math.prod(shape) > limits.max_values:
        raise too_large(f"mat: Xdata claims {' x '.join(map(str, shape))} numbers", limits)


def _check_gzip(path: Path, limits: Limits) -> None:
    """Unpack once, counting and keeping nothing."""
    most, total = 16 * limits.max_values, 0
    unpack = zlib.decompressobj(wbits=31)
    try:
        with path.open("rb") as file:
            while packed := file.read(1 << 16):
                while packed:
                    total += len(unpack.decompress(packed, 1 << 20))
                    if total > most:
                        raise too_large(f"gz: unpacks to more than {most} bytes", limits)
                    packed = unpack.unconsumed_tail
                    if unpack.eof:
                        packed, unpack = unpack.unused_data or packed, zlib.decompressobj(wbits=31)
    except zlib.error as error:
        raise InputError(f"{path}: not a readable gzip file ({error})") from None


def _check_sound(path: Path, limits: Limits) -> None:
    """Frames by the header: the decoder would allocate them all at once."""
    try:
        import soundfile
    except ImportError:
        if path.suffix.lower() == ".wav":  # SciPy maps it, and takes no more than the file holds
            return
        raise missing("soundfile", f"{path}: an audio file") from None
    try:
        about = soundfile.info(str(path))
    except (soundfile.SoundFileError, ValueError, OSError) as error:
        raise InputError(f"{path}: not a readable sound file ({error})") from None
    if about.frames * about.channels > limits.max_values:
        raise too_large(
            f"{path.suffix[1:].lower()}: claims {about.frames} samples of {about.channels} channels", limits
        )

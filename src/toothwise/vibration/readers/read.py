"""``read_record``: one function for all formats, and one clear line for a file that cannot be used."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toothwise.errors import GuessWarning, InputError
from toothwise.reading import of_file
from toothwise.vibration.readers import audio, hdf5, mat5, measured, npy, tables
from toothwise.vibration.readers.assemble import assemble
from toothwise.vibration.readers.contents import Contents
from toothwise.vibration.readers.mapping import RecordMapping
from toothwise.vibration.records import VibrationRecord

_HDF5 = b"\x89HDF\r\n\x1a\n"


def _read_mat(path: Path) -> Contents:
    with path.open("rb") as file:
        head = file.read(520)
    if head[512:520] == _HDF5 or head[:8] == _HDF5:
        contents = hdf5.read(path)
        contents.format = "MAT 7.3"
        return contents
    return mat5.read(path)


_READERS: dict[str, Callable[[Path], Contents]] = {
    ".mat": _read_mat,
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), hdf5.read),
    **dict.fromkeys((".csv", ".csv.gz", ".txt", ".lvm"), tables.read_csv),
    ".parquet": tables.read_parquet,
    ".tdms": measured.read_tdms,
    **dict.fromkeys((".uff", ".unv"), measured.read_uff),
    ".mf4": measured.read_mf4,
    **dict.fromkeys((".wav", ".flac"), audio.read),
    ".npz": npy.read_npz,
    ".npy": npy.read_npy,
}
SUFFIXES: tuple[str, ...] = tuple(_READERS)


def read_record(path: str | Path, *, mapping: RecordMapping | None = None, **said: Any) -> VibrationRecord:
    """Read a recording: vibration, tachometer and sampling rate are found by their names, or by what is said here.

    Names count without upper and lower case: ``vibration``, ``acc*``, ``x``, ``signal``; ``tacho``, ``tach*``,
    ``keyphasor``, ``encoder``, ``pulse*``; ``fs``, ``sample_rate``, ``dt``; ``t``, ``time``. All columns that are
    vibration become channels. A tachometer as long as the vibration is a waveform, or an angle where it goes one way
    and wraps or not, in the unit that its name says or its wrap shows; a much shorter one that increases is pulse
    times; one named speed or rpm is a speed. It is taken to give one pulse per revolution of the driving shaft, where
    nothing else is said. Channels that begin at different times, by the file's own word, are cut to their common
    span. Where a file does not say something, it is guessed only if there is
    one candidate; ``provenance["guessed"]`` and one GuessWarning say what was taken.

    What is larger than the memory: NPY, stored NPZ members, plain MAT 5 arrays, WAV of 16 and 32 bit and contiguous
    HDF5 (MAT 7.3) datasets are memory-mapped (``provenance["memory_mapped"]``): the file must stay as it is while the
    record is used. Parquet, TDMS, MF4 and compressed MAT and HDF5 are read array by array, only those that are needed,
    in their own type; CSV in pieces into float32 (time and tachometer float64); UFF and FLAC whole.

    Samples are not looked at: gaps (NaN), clipping and the like are found by ``toothwise.vibration.quality``.

    Args:
        path: a file of one of ``SUFFIXES``.
        mapping: what the file's names do not say.
        said: fields of ``RecordMapping`` by name (``channels=``, ``tacho=``, ``sampling_rate=``, ...), which override
            those of ``mapping``.

    Returns:
        The record; its provenance holds path, format, size in bytes, names in the file, what was left out and why.

    Raises:
        InputError: missing, empty, damaged or of another format, no sampling rate, or candidates that cannot be told
            apart; one line that names the file and the option that helps.
        MissingDependencyError: the format takes a package that is not installed.
    """
    path = Path(path)
    mapping = dataclasses.replace(mapping or RecordMapping(), **said)
    with of_file(path):
        record = assemble(_reader(path)(path), mapping)
    record.provenance.update(path=str(path), bytes=path.stat().st_size)
    if guessed := record.provenance["guessed"]:
        warnings.warn(f"{path}: {'; '.join(guessed)}", GuessWarning, stacklevel=2)
    return record


def contents_of(path: str | Path) -> Contents:
    """What a file holds by its own account, samples unread (of text, sound and UFF files, read).

    Raises:
        InputError, MissingDependencyError: as ``read_record``.
    """
    with of_file(Path(path)):
        return _reader(Path(path))(Path(path))


def _reader(path: Path) -> Callable[[Path], Contents]:
    suffix = path.suffix.lower()
    if suffix == ".gz":
        suffix = Path(path.stem).suffix.lower() + suffix
    if not path.exists():
        raise InputError("no such file")
    if path.is_dir():
        raise InputError("is a folder, a recording must be a file")
    if suffix not in _READERS:
        raise InputError(f"the suffix must be one of {', '.join(SUFFIXES)}, but is {suffix!r}")
    if path.stat().st_size == 0:
        raise InputError("the file is empty")
    return _READERS[suffix]

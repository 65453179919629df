"""Recordings from and to files: ``read_record`` for many formats, ``write_record`` for three of them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from toothwise.errors import GuessWarning, InputError, ToothwiseError
from toothwise.vibration.readers.formats import FORMATS, format_of
from toothwise.vibration.readers.naming import RecordMapping, identify
from toothwise.vibration.readers.ours import META, restore, write_record
from toothwise.vibration.records import VibrationRecord

__all__ = ["RecordMapping", "read_record", "write_record"]


def read_record(path: str | Path, mapping: RecordMapping | None = None, **options: Any) -> VibrationRecord:
    """Read a recording.

    Vibration, tachometer and sampling rate are found by common names (``vibration``, ``acc*``, ``x``; ``tacho``,
    ``tach``, ``keyphasor``, ``encoder``; ``fs``, ``sample_rate``), or told by a mapping. What had to be guessed stands
    in ``provenance["guessed"]`` and is warned about. NPY files and contiguous HDF5 and MAT 7.3 datasets are
    memory-mapped.

    Args:
        path: MAT (5 and 7.3), CSV (also .gz), Parquet, HDF5, TDMS, UFF (58), MF4, WAV, FLAC, NPZ or NPY.
        mapping: what is what in the file.
        options: fields of RecordMapping by name, instead of ``mapping``.

    Raises:
        InputError: no such file, a format that is not known, a damaged file, or one in which the vibration or its
            sampling rate cannot be told; the message names the file.
        MissingDependencyError: a format whose package is not installed.
    """
    if mapping is not None and options:
        raise InputError("give either a RecordMapping or its fields by name, not both")
    unknown = set(options) - set(RecordMapping.__dataclass_fields__)
    if unknown:
        raise InputError(
            f"{path}: options of reading must be among {', '.join(RecordMapping.__dataclass_fields__)}, but got "
            f"{', '.join(sorted(unknown))}"
        )
    path = Path(path)
    suffix = format_of(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if suffix is None:
        raise InputError(f"{path}: the suffix of a recording must be one of {', '.join(FORMATS)}")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    try:
        told = mapping or RecordMapping(**options)
        raw = FORMATS[suffix](path)
        ours = told == RecordMapping() and META in raw.scalars
        record = restore(raw) if ours else identify(raw, told)
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from None
    except ToothwiseError:
        raise
    except Exception as error:  # each library has errors of its own for a damaged file
        raise InputError(f"{path}: not a readable {suffix} file ({type(error).__name__}: {error})") from None
    for sentence in record.provenance.get("guessed", ()):
        warnings.warn(f"{path}: {sentence}", GuessWarning, stacklevel=2)
    return replace(record, provenance={"record": str(path)} | record.provenance)

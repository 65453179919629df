"""WAV and FLAC. Whole numbers stay as they are stored; the full scale is stated in the provenance."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import wavfile

from toothwise.vibration.readers.contents import Contents, Signal, need

_MAPPED = ("int16", "int32", "float32", "float64")
_DECODED = {"PCM_16": "int16", "PCM_S8": "int16", "PCM_U8": "int16", "FLOAT": "float32", "DOUBLE": "float64"}


def read(path: Path) -> Contents:
    """The channels ``channel_1``, ``channel_2``, ... with the file's sampling rate.

    A plain WAV of 16 or 32 bit numbers or of floats is memory-mapped (SciPy); all else, such as FLAC and 24 bit, is
    read whole (soundfile), 16 bit and less as int16, up to 32 bit as int32. ``facts["full_scale"]`` = the number of a
    whole-number type that stands for the converter's full scale, 32768 or 2147483648.
    """
    kind = path.suffix[1:].upper()
    rate, samples = (_map(path) if kind == "WAV" else None) or _decode(path)
    samples = samples.reshape(len(samples), -1)
    columns = {f"channel_{k + 1}": samples[:, k] for k in range(samples.shape[1])}
    contents = Contents(kind, lambda wanted: {name: columns[name] for name in wanted})
    unit = None
    if samples.dtype.kind == "i":
        contents.facts["full_scale"] = 2 ** (8 * samples.dtype.itemsize - 1)
        unit = "counts"
    contents.signals = dict.fromkeys(columns, Signal(len(samples), float(rate), unit))
    return contents


def _map(path: Path) -> tuple[int, np.ndarray] | None:
    """Rate and memory map ``[samples, ...]``, or None where the file must be decoded."""
    # it warns of chunks that say nothing of the samples
    with suppress(ValueError, OverflowError), warnings.catch_warnings(action="ignore", category=wavfile.WavFileWarning):
        rate, samples = wavfile.read(path, mmap=True)
        return (rate, samples) if samples.dtype.name in _MAPPED else None
    return None


def _decode(path: Path) -> tuple[int, Any]:
    soundfile = need("soundfile", "audio")
    with soundfile.SoundFile(path) as file:
        return file.samplerate, file.read(dtype=_DECODED.get(file.subtype, "int32"))

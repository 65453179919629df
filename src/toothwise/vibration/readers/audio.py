"""WAV and FLAC. Whole numbers stay as they are stored; the full scale is stated in the provenance."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import wavfile

from toothwise.vibration.readers.contents import Contents, Signal, need

_MAPPED = ("int16", "int32", "float32", "float64")


def read(path: Path) -> Contents:
    """The channels ``channel_1``, ``channel_2``, ... with the file's sampling rate.

    A plain WAV of 16 or 32 bit numbers or of floats is memory-mapped (SciPy); all else, such as FLAC and 24 bit, is
    read whole (soundfile), 16 bit and less as int16, up to 32 bit as int32. ``facts["full_scale"]`` = the number of a
    whole-number type that stands for the converter's full scale, 32768 or 2147483648.
    """
    mapped = _map(path) if path.suffix.lower() == ".wav" else None
    rate, samples = mapped if mapped is not None else _decode(path)
    samples = samples.reshape(len(samples), -1)
    names = [f"channel_{k + 1}" for k in range(samples.shape[1])]
    columns = {name: samples[:, k] for k, name in enumerate(names)}
    contents = Contents(
        "WAV" if path.suffix.lower() == ".wav" else "FLAC",
        lambda wanted: {name: columns[name] for name in wanted},
        named=False,
    )
    unit = None
    if samples.dtype.kind == "i":
        contents.facts["full_scale"] = 2 ** (8 * samples.dtype.itemsize - 1)
        unit = "counts"
    contents.signals = {name: Signal(len(samples), float(rate), unit) for name in names}
    return contents


def _map(path: Path) -> tuple[int, np.ndarray] | None:
    """Rate and memory map ``[samples, ...]``, or None where the file must be decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that say nothing of the samples
            rate, samples = wavfile.read(path, mmap=True)
    except (ValueError, OverflowError):
        return None
    return (rate, samples) if samples.dtype.name in _MAPPED else None


def _decode(path: Path) -> tuple[int, Any]:
    soundfile = need("soundfile", "audio")
    with soundfile.SoundFile(path) as file:
        short = file.subtype in ("PCM_16", "PCM_S8", "PCM_U8")
        floating = file.subtype in ("FLOAT", "DOUBLE")
        kind = {"FLOAT": "float32", "DOUBLE": "float64"}[file.subtype] if floating else "int16" if short else "int32"
        return file.samplerate, file.read(dtype=kind)

"""Time-synchronous averaging (TSA): what repeats with a shaft stays, the rest falls as 1 over the root of the turns."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np

from toothwise.checks import check_choice, check_range
from toothwise.errors import InputError

__all__ = ["average_periods", "tsa"]

Method = Literal["linear", "spline", "pchip", "fft"]
METHODS = ("linear", "spline", "pchip", "fft")


def tsa(
    x: np.ndarray,
    sampling_rate: float,
    pulse_times: np.ndarray,
    *,
    method: Method = "linear",
    num_rotations: int = 1,
    pulses_per_rotation: int = 1,
    resample_factor: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Time-synchronous average of a signal, named and parametrised as in MATLAB.

    The signal is cut at every ``num_rotations * pulses_per_rotation``-th pulse, each piece is brought to the same
    number of samples at equal steps (constant speed within a piece), and the pieces are averaged. For records whose
    speed changes within a revolution, and against aliasing, use ``toothwise.vibration.resampling`` instead.

    Args:
        x: signal ``[n]`` at equal steps of time.
        sampling_rate: hertz.
        pulse_times: seconds, rising.
        method: interpolation between samples; "fft" resamples each piece by its spectrum.
        num_rotations: rotations in the average.
        pulses_per_rotation: of the tachometer.
        resample_factor: samples of the average over samples of the longest piece.

    Returns:
        The average, float64 ``[samples]``, and its angle in revolutions, 0 to ``num_rotations``.

    Raises:
        InputError: unknown method, or no whole piece within the signal.
    """
    check_choice(METHODS, method=method)
    check_range("[1, inf)", num_rotations=num_rotations, pulses_per_rotation=pulses_per_rotation)
    check_range("(0, inf)", resample_factor=resample_factor)
    x = np.asarray(x, dtype=np.float64)
    pulse_times = np.asarray(pulse_times, dtype=np.float64)
    marks = pulse_times[:: num_rotations * pulses_per_rotation] * sampling_rate
    marks = marks[(marks >= 0) & (marks <= len(x) - 1)]
    if len(marks) < 2:
        raise InputError(
            f"no piece of {num_rotations} rotations is within the signal: {len(pulse_times)} pulses, "
            f"{len(x) / sampling_rate:g} s"
        )
    samples = int(np.ceil(resample_factor * np.diff(marks).max() - 1e-9))
    share = np.arange(samples) / samples
    total = np.zeros(samples)
    for begin, end in pairwise(marks):
        total += _piece(x, begin, end, share, method)
    return total / (len(marks) - 1), share * num_rotations


def _piece(x: np.ndarray, begin: float, end: float, share: np.ndarray, method: str) -> np.ndarray:
    from scipy.interpolate import CubicSpline, PchipInterpolator

    at = begin + share * (end - begin)
    if method == "linear":
        first = int(begin)
        part = x[first : int(np.ceil(end)) + 1]
        return np.interp(at - first, np.arange(len(part)), part)
    if method in ("spline", "pchip"):
        first, last = max(int(begin) - 8, 0), min(int(np.ceil(end)) + 9, len(x))
        kind = CubicSpline if method == "spline" else PchipInterpolator
        return kind(np.arange(first, last), x[first:last])(at)
    # whole samples nearest to the piece, turned by the fraction of a sample by which they start late
    first = round(begin)
    length = max(round(end - begin), 2)
    part = x[first : first + length]
    length = len(part)
    spectrum = np.fft.rfft(part)
    bins = np.arange(len(spectrum))
    spectrum = spectrum * np.exp(2j * np.pi * bins * (begin - first) / length)
    size = len(share)
    out = np.zeros(size // 2 + 1, dtype=complex)
    common = min(len(spectrum), len(out))
    out[:common] = spectrum[:common]
    return np.fft.irfft(out, size) * (size / length)


def average_periods(x: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and mean square over whole periods of an angle-domain signal.

    Args:
        x: ``[n]`` at equal steps of angle.
        samples: of one period.

    Returns:
        mean and mean square, float64 ``[samples]`` each; what is left of the last period is not used.

    Raises:
        InputError: shorter than one period.
    """
    whole = len(x) // samples
    if whole < 1:
        raise InputError(f"the signal has {len(x)} samples, but one period has {samples}")
    periods = np.asarray(x[: whole * samples]).reshape(whole, samples)
    total, square = np.zeros(samples), np.zeros(samples)
    for period in periods:
        wide = period.astype(np.float64)
        total += wide
        square += wide * wide
    return total / whole, square / whole

"""From equal steps in time to equal steps in angle, without aliasing.

Every output sample is a weighted sum of the input samples around its instant: a Kaiser-windowed sinc whose cut-off
lies below the Nyquist limit of both the input and the output, so that interpolation and anti-aliasing are one step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from toothwise.checks import check_range
from toothwise.errors import InputError
from toothwise.vibration.angle import ShaftAngle

_CHUNK = 1 << 14
_PHASES = 1 << 13
_STEP = 1.03
_ROUND = 1000  # kernels are told apart by their length in thousandths
_ZEROS = 16  # zero crossings of the sinc on either side
_CUTOFF = 0.88  # half-amplitude point, as a share of the Nyquist limit
_ATTENUATION = 66.0  # dB beyond the Nyquist limit


@lru_cache(maxsize=32)
def _kernel(taps: int, cutoff: float) -> np.ndarray:
    """Weights of ``taps`` input samples for each of ``_PHASES`` fractions, float32 ``[phases, taps]``.

    Args:
        cutoff: as a share of the input's Nyquist limit.
    """
    # records of many speeds ask for many cut-offs: of all numbers only the sines depend on it, and those of a sum of
    # whole samples and a fraction come from those of either
    weights = _window_over_distance(taps).copy()
    whole, fraction = (np.pi * cutoff * at for at in _places(taps))
    sines = np.sin(whole) * np.cos(fraction)
    sines -= np.cos(whole) * np.sin(fraction)
    weights *= sines
    weights[0, taps // 2 - 1] = cutoff  # at the sample itself
    weights /= weights.sum(axis=1, keepdims=True)  # a constant stays exactly what it is
    return weights.astype(np.float32)


@lru_cache(maxsize=4)
def _window_over_distance(taps: int) -> np.ndarray:
    """The Kaiser window over pi times the distance from the instant, ``[phases, taps]``; 0 at the sample itself."""
    from scipy.special import i0

    beta = 0.1102 * (_ATTENUATION - 8.7)
    whole, fraction = _places(taps)
    at = whole - fraction
    inside = np.clip(1.0 - (at / (taps / 2)) ** 2, 0.0, None)
    at[0, taps // 2 - 1] = np.inf
    return np.asarray(i0(beta * np.sqrt(inside)) / (i0(beta) * np.pi * at))


def _places(taps: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the input samples, counted from the one before the instant, ``[1, taps]``; of the instant ``[phases, 1]``."""
    return np.arange(taps)[None] - (taps // 2 - 1.0), np.arange(_PHASES)[:, None] / _PHASES


def interpolate(x: np.ndarray, positions: Callable[[int, int], np.ndarray], n: int) -> np.ndarray:
    """Values between samples, band-limited.

    Args:
        x: ``[samples]``, real; a memory map is read piece by piece. Beyond its ends it is mirrored.
        positions: gives the positions of output samples ``[start, stop)`` in input samples, rising. Where they lie
            more than one input sample apart, what the output cannot carry is filtered out.
        n: number of output samples.

    Returns:
        float32 ``[n]``.
    """
    out = np.empty(n, dtype=np.float32)
    # follows the record's mean speed closely, so that records of nearly the same speed lose the same orders: where one
    # alone lost others, it would differ in orders in which a gearbox is silent, and look like a damaged tooth
    ends = float(positions(0, 1)[0]), float(positions(n - 1, n)[0])
    usual = np.sqrt(_STEP) * (ends[1] - ends[0]) / max(n - 1, 1)
    at = positions(0, min(_CHUNK, n))
    left = own = _stretch(at, usual)
    for start in range(0, n, _CHUNK):
        stop = min(start + _CHUNK, n)
        ahead = positions(stop, min(stop + _CHUNK, n)) if stop < n else at
        coming = _stretch(ahead, usual)
        # where the speed asks for another filter, one fades into the other: a sudden change would be heard too
        right = left if stop == n else max(own, coming)
        piece = _at_stretch(x, at, left)
        if right != left:
            piece += np.linspace(0.0, 1.0, len(at), dtype=np.float32) * (_at_stretch(x, at, right) - piece)
        out[start:stop] = piece
        at, own, left = ahead, coming, right
    return out


def _stretch(at: np.ndarray, usual: float) -> float:
    """How much longer the kernel is than that of input samples: ``usual``, or steps more or less; 1 at the least."""
    step = float(np.diff(at).max()) if len(at) > 1 else usual
    more = np.ceil(np.log(step / usual) / np.log(_STEP) - 1e-6) if min(step, usual) > 0 else 0.0
    return max(1.0, round(_ROUND * usual * _STEP**more) / _ROUND)


def _at_stretch(x: np.ndarray, at: np.ndarray, stretch: float) -> np.ndarray:
    """Values at rising positions, float32 ``[len(at)]``, of one kernel."""
    taps = 2 * int(np.ceil(_ZEROS * stretch))
    kernel = _kernel(taps, round(_CUTOFF / stretch, 6))
    whole = np.floor(at).astype(np.int64)
    phase = ((at - whole) * _PHASES + 0.5).astype(np.int64)
    whole += phase == _PHASES
    phase[phase == _PHASES] = 0
    first, last = int(whole[0]) - taps // 2 + 1, int(whole[-1]) + taps // 2
    windows = np.lib.stride_tricks.sliding_window_view(_mirrored(x, first, last + 1), taps)[whole - int(whole[0])]
    return np.asarray(np.einsum("ij,ij->i", windows, kernel[phase]))


def _mirrored(x: np.ndarray, first: int, stop: int) -> np.ndarray:
    """Samples [first, stop) as float32, mirrored beyond the ends."""
    low, high = max(first, 0), min(stop, len(x))
    piece = np.asarray(x[low:high], dtype=np.float32)
    if first < 0 or stop > len(x):
        piece = np.pad(piece, (low - first, stop - high), mode="reflect")
    return piece


def resample(
    x: np.ndarray,
    sampling_rate: float,
    angle: ShaftAngle,
    samples_per_revolution: int,
    *,
    start: float,
    revolutions: float,
) -> np.ndarray:
    """A signal at equal steps of a shaft's angle.

    Up to 0.7 of the smaller of both Nyquist limits the error is below 1e-3 of the signal; what lies beyond the
    output's limit is at least 60 dB down.

    Args:
        x: ``[n]``, at equal steps of time.
        sampling_rate: hertz.
        angle: of the shaft.
        samples_per_revolution: steps per revolution.
        start: first revolution.
        revolutions: how many.

    Returns:
        float32 ``[revolutions * samples_per_revolution]``.

    Raises:
        InputError: the span is not covered by the angle or the signal.
    """
    check_range("[1, inf)", samples_per_revolution=samples_per_revolution)
    first, last = angle.span
    n = int(np.floor(revolutions * samples_per_revolution + 1e-9))
    ends = angle.time_of(np.array([start, start + max(n - 1, 0) / samples_per_revolution]))
    if n < 1 or np.isnan(ends).any():
        raise InputError(
            f"revolutions {start:g} to {start + revolutions:g} are asked for, but the angle is known from {first:g} to "
            f"{last:g}"
        )
    if ends[0] < 0 or ends[1] > (len(x) - 1) / sampling_rate + 1e-9:
        raise InputError(
            f"the signal covers 0 to {(len(x) - 1) / sampling_rate:g} s, but {ends[0]:g} to {ends[1]:g} s are needed"
        )

    def positions(begin: int, stop: int) -> np.ndarray:
        at = angle.time_of(start + np.arange(begin, stop) / samples_per_revolution) * sampling_rate
        return np.clip(at, 0.0, len(x) - 1.0)

    return interpolate(x, positions, n)

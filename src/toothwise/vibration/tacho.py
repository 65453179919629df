"""Pulses of a tachometer: found in its waveform, checked, and repaired where one is missing or doubled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from toothwise.errors import InputError

__all__ = ["PulseReport", "find_pulses", "repair_pulses", "tachorpm"]

_CHUNK = 1 << 20
_NEIGHBOURS = 5  # intervals on either side that say how long an interval should be


@dataclass(frozen=True)
class PulseReport:
    """What was found wrong with the pulses of a tachometer.

    Attributes:
        pulses: number of pulses after repair.
        missing: instants at which a pulse was put in, seconds.
        doubled: instants of pulses that were taken out, seconds.
        jitter: spread of the intervals about their neighbours' median, as a share of it (robust standard deviation).
    """

    pulses: int
    missing: tuple[float, ...] = ()
    doubled: tuple[float, ...] = ()
    jitter: float = 0.0

    @property
    def repaired(self) -> int:
        """Pulses put in or taken out."""
        return len(self.missing) + len(self.doubled)


def _levels(x: np.ndarray) -> tuple[float, float]:
    """Low and high level of a two-level waveform, from chunks so that long memory maps stay on disk."""
    parts = [x[i : i + _CHUNK][:: max(1, len(x) // (1 << 20))] for i in range(0, len(x), _CHUNK)]
    sample = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])
    sample = sample[np.isfinite(sample)]
    if not len(sample):
        raise InputError("the tachometer signal is NaN throughout")
    low, high = np.percentile(sample, (1.0, 99.0))
    # short pulses occupy less than 1 % of a revolution: percentiles would see the base line alone
    if high - low < 0.3 * np.ptp(sample):
        low, high = float(sample.min()), float(sample.max())
        middle = float(np.median(sample))
        low, high = (middle, high) if high - middle > middle - low else (low, middle)
    return float(low), float(high)


def find_pulses(
    x: np.ndarray,
    sampling_rate: float,
    *,
    threshold: float | None = None,
    hysteresis: float | None = None,
    edge: Literal["rising", "falling"] = "rising",
) -> np.ndarray:
    """Instants at which a tachometer's waveform crosses a threshold, to a fraction of a sample.

    A crossing counts when the signal has been beyond the threshold less the hysteresis on the other side since the
    last one, so that noise on an edge makes no second pulse. The instant is interpolated linearly between the two
    samples around the threshold.

    Args:
        x: waveform ``[n]``; read in chunks, so a memory map stays on disk. NaN counts as no crossing.
        sampling_rate: hertz.
        threshold: in the signal's unit; None = halfway between its low and its high level.
        hysteresis: full width of the dead band around the threshold; None = 30 % of the pulse height.
        edge: which edges are wanted.

    Returns:
        seconds, float64 ``[pulses]``; the first sample is at 0.

    Raises:
        InputError: a flat signal, or no crossing.
    """
    x = np.asarray(x) if not isinstance(x, np.memmap) else x
    if x.ndim != 1 or len(x) < 2:
        raise InputError(f"a tachometer signal must be [n] with 2 samples or more, but the shape is {x.shape}")
    if edge not in ("rising", "falling"):
        raise InputError(f"edge must be 'rising' or 'falling', but got {edge!r}")
    low, high = _levels(x)
    if not high > low:
        raise InputError(f"the tachometer signal is flat ({low:g} throughout): no pulse can be found")
    level = 0.5 * (low + high) if threshold is None else float(threshold)
    band = 0.3 * (high - low) if hysteresis is None else float(hysteresis)
    sign = 1.0 if edge == "rising" else -1.0
    found = []
    armed = False
    last: float | None = None
    for start in range(0, len(x), _CHUNK):
        y = sign * (np.asarray(x[start : start + _CHUNK], dtype=np.float64) - level)
        if last is not None:  # one sample of overlap, so that an edge between chunks is seen
            y = np.concatenate([[last], y])
        offset = start - (last is not None)
        # state: +1 above, -1 below the dead band, 0 inside; what lies inside keeps the state before it
        state = np.where(y >= 0.0, 1, np.where(y < -band, -1, 0))
        keep = np.flatnonzero(state)
        before = np.concatenate([[-1 if armed else 1], state[keep][:-1]])
        edges = keep[(state[keep] == 1) & (before == -1)]
        edges = edges[edges > 0]
        y0, y1 = y[edges - 1], y[edges]
        found.append(offset + edges - 1 + np.where(y0 < 0, -y0 / np.where(y1 > y0, y1 - y0, 1.0), 1.0))
        if len(keep):
            armed = bool(state[keep[-1]] == -1)
        last = float(y[-1])
    pulses = np.concatenate(found) / sampling_rate
    if not len(pulses):
        raise InputError(
            f"the tachometer signal never crosses {level:g} {edge} (it goes from {low:g} to {high:g}): "
            "give another threshold"
        )
    return pulses


def _local_interval(intervals: np.ndarray) -> np.ndarray:
    """Median of the intervals around each one, itself included."""
    from scipy.ndimage import median_filter

    return median_filter(intervals, size=min(2 * _NEIGHBOURS + 1, len(intervals)), mode="nearest")


def repair_pulses(times: np.ndarray, *, tolerance: float = 0.3) -> tuple[np.ndarray, PulseReport]:
    """Put in pulses that are missing, take out doubled ones, and say so.

    An interval is compared with the median of its neighbours: close to a whole multiple of it, pulses are missing
    and are put in evenly; much shorter, the pulse that fits worse is taken out.

    Args:
        times: seconds, float64 ``[pulses]``.
        tolerance: how far an interval may differ from its neighbours' median, as a share of it.

    Returns:
        The repaired times and the report.

    Raises:
        InputError: fewer than 3 pulses, times that do not rise, or gaps that cannot be bridged (more than a fifth of
            all pulses would be made up).
    """
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1 or len(times) < 3:
        raise InputError(f"a speed needs 3 pulses or more, but {times.size} were found")
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InputError("pulse times must be finite and rise from pulse to pulse")
    doubled: list[float] = []
    while len(times) > 3:
        intervals = np.diff(times)
        usual = _local_interval(intervals)
        short = intervals < (1.0 - tolerance) * usual
        # two neighbours that are short together with a sum of one interval = a pulse too many between them
        sums = intervals[:-1] + intervals[1:]
        twice = (short[:-1] | short[1:]) & (sums < (1.0 + tolerance) * np.maximum(usual[:-1], usual[1:]))
        if not twice.any():
            break
        k = int(np.argmin(np.where(twice, np.abs(sums / usual[:-1] - 1.0), np.inf)))
        doubled.append(float(times[k + 1]))
        times = np.delete(times, k + 1)
    intervals = np.diff(times)
    usual = _local_interval(intervals)
    multiple = np.maximum(np.rint(intervals / usual), 1).astype(np.int64)
    missing: list[float] = []
    for k in np.flatnonzero(multiple > 1).tolist():
        if abs(intervals[k] - multiple[k] * usual[k]) <= tolerance * usual[k] * np.sqrt(multiple[k]):
            missing.extend(np.linspace(times[k], times[k + 1], multiple[k] + 1)[1:-1].tolist())
    if len(missing) + len(doubled) > 0.2 * len(times):
        raise InputError(
            f"the tachometer cannot be trusted: of {len(times)} pulses {len(missing)} are missing and {len(doubled)} "
            "too many"
        )
    if missing:
        times = np.sort(np.concatenate([times, missing]))
    intervals = np.diff(times)
    off = np.abs(intervals / _local_interval(intervals) - 1.0)
    return times, PulseReport(len(times), tuple(missing), tuple(sorted(doubled)), float(1.4826 * np.median(off)))


def tachorpm(
    x: np.ndarray, sampling_rate: float, *, pulses_per_revolution: float = 1.0, **options: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Speed from a tachometer's waveform, named as in MATLAB.

    Args:
        x: waveform ``[n]``.
        sampling_rate: hertz.
        pulses_per_revolution: of the tachometer's shaft.
        options: those of ``find_pulses``.

    Returns:
        rpm at the middle of each interval, the instants of those middles (s), and the pulse times (s).
    """
    pulses, _ = repair_pulses(find_pulses(x, sampling_rate, **options))
    intervals = np.diff(pulses)
    return 60.0 / (intervals * pulses_per_revolution), 0.5 * (pulses[1:] + pulses[:-1]), pulses

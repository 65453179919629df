"""Shaft angle over time, from pulses, from an encoder, or from the vibration itself.

Angle is counted in revolutions. Revolution 0 begins at the first pulse; where there is an index, at the first index,
which by agreement is the start of tooth 0. Between pulses time is a cubic spline of angle where that rises throughout,
and a monotone cubic (Fritsch-Carlson) where it does not: the angle never runs backwards.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from toothwise.errors import InputError, SignalWarning
from toothwise.vibration.pulse_repair import PulseReport, follow_pulses, learn_marks
from toothwise.vibration.tooth_zero import Known, fraction_of

_FEWEST = 64  # knots of an angle below which it is no angle
_ROUNDED = 1e-6  # revolutions
_TURNS = 8  # revolutions from which on an encoder's segments are measured
_KNOTS = 2000.0  # per second, of an angle that is given by the sample
_NO_GEAR = 1.8  # ratio of neighbouring revolutions that no gear reaches
_JITTER = 1e-3  # revolutions by which pulses may scatter: of 100 teeth a tenth of a mesh
_WHITE = -0.5  # correlation of neighbouring bends below which they are jitter: -2 / 3 of jitter alone, 1 / 4 of a shaft


@dataclass(frozen=True, eq=False)
class ShaftAngle:
    """Revolutions of a shaft as a monotone function of time.

    Attributes:
        times: seconds, float64 ``[knots]``, rising.
        revolutions: float64 ``[knots]``, rising.
        zero_step: What is known of tooth zero: revolution 0 lies a whole number of ``zero_step`` revolutions of this
            shaft from where tooth 0 of the marked gear enters mesh. 1 = an index on this shaft; 1/4 = four equal pulses
            per revolution; 56/23 = an index on the mate of 56 teeth; None = nothing is known.
        zero_by: What marks it: "index", or "given" where the user vouches for it.
        quality: 0 (a guess) to 1; 1 for a tachometer without repairs.
        report: what was wrong with the pulses, if there were any.
    """

    times: np.ndarray
    revolutions: np.ndarray
    zero_step: Fraction | None = None
    zero_by: Known = "index"
    quality: float = 1.0
    report: PulseReport | None = None

    def __post_init__(self) -> None:
        t, r = np.asarray(self.times, dtype=np.float64), np.asarray(self.revolutions, dtype=np.float64)
        if t.ndim != 1 or t.shape != r.shape or len(t) < 2:
            raise InputError(
                f"an angle needs times and revolutions [knots] of 2 or more, but got {t.shape} and {r.shape}"
            )
        if not (np.isfinite(t).all() and np.isfinite(r).all() and (np.diff(t) > 0).all() and (np.diff(r) > 0).all()):
            raise InputError("times and revolutions of an angle must be finite and rise from knot to knot")
        object.__setattr__(self, "times", t)
        object.__setattr__(self, "revolutions", r)

    @property
    def span(self) -> tuple[float, float]:
        """First and last known revolution."""
        return float(self.revolutions[0]), float(self.revolutions[-1])

    def speed(self) -> np.ndarray:
        """Speed between the knots in revolutions per second, float64 ``[knots - 1]``."""
        return np.diff(self.revolutions) / np.diff(self.times)

    @cached_property
    def at(self) -> Callable[[np.ndarray], np.ndarray]:
        """The function from times (s) to revolutions; NaN outside the known span."""
        return _smooth(self.times, self.revolutions)

    @cached_property
    def time_of(self) -> Callable[[np.ndarray], np.ndarray]:
        """The function from revolutions to instants (s); NaN outside the known span."""
        return _smooth(self.revolutions, self.times)

    def scaled(self, ratio: float | Fraction) -> ShaftAngle:
        """The angle of a shaft that turns ``ratio`` times as fast; what is known of tooth zero is carried over.

        Examples:
            >>> angle_from_pulses(np.arange(9.0)).scaled(56 / 23).zero_step
            Fraction(56, 23)
        """
        step = None if self.zero_step is None else self.zero_step * fraction_of(ratio)
        return replace(self, revolutions=self.revolutions * float(ratio), zero_step=step)


def _smooth(x: np.ndarray, y: np.ndarray) -> Any:
    """A cubic spline where it rises throughout, else the monotone interpolation."""
    from scipy.interpolate import CubicSpline, PchipInterpolator

    if len(x) > 3 and _rises(spline := CubicSpline(x, y, bc_type="not-a-knot", extrapolate=False)):
        return spline
    return PchipInterpolator(x, y, extrapolate=False)


def _rises(spline: Any) -> bool:
    """True where a cubic spline's slope is positive throughout (its minimum lies at knots or at its inflections)."""
    slope = spline.derivative()
    turns = slope.derivative().roots(discontinuity=False, extrapolate=False)
    return bool((slope(np.concatenate([spline.x, turns[np.isfinite(turns)]])) > 0).all())


def segment_shares(times: np.ndarray, pulses: int) -> np.ndarray:
    """Share of a revolution between neighbouring pulses of an encoder whose segments are uneven.

    A revolution's segments are compared with the revolution around them (so that a change of speed does not matter),
    and their median over all revolutions is taken. Only a constant speed within each revolution, on average over the
    revolutions, is assumed: what repeats exactly once per revolution cannot be told from uneven segments.

    Args:
        times: pulse times (s), none missing.
        pulses: per revolution.

    Returns:
        float64 ``[pulses]``, summing to 1; equal shares where there are too few revolutions to tell.
    """
    intervals = np.diff(times)
    whole = len(intervals) // pulses
    if pulses < 2 or whole < _TURNS:
        return np.full(pulses, 1.0 / pulses)
    # duration of the revolution centred on each interval
    total = np.concatenate([[0.0], np.cumsum(intervals)])
    half = pulses // 2
    centre = np.arange(half, len(intervals) - (pulses - half) + 1)
    around = total[centre - half + pulses] - total[centre - half]
    if pulses % 2 == 0:  # an even window is centred on an edge: average the two around the interval
        around = 0.5 * (around[:-1] + around[1:])
        centre = centre[:-1]
    share = intervals[centre] / around
    by_segment = np.array([np.median(share[centre % pulses == k]) for k in range(pulses)])
    return by_segment / by_segment.sum()


def angle_from_pulses(times: np.ndarray, *, pulses_per_revolution: float = 1) -> ShaftAngle:
    """The angle of the tachometer's shaft from its pulses; the first pulse is revolution 0.

    Missing and doubled pulses are mended and reported; uneven segments of an encoder are measured and corrected.

    Args:
        times: pulse times (s).
        pulses_per_revolution: One = an index; several equal ones mark a place up to a step between them; a fraction
            = pulses of another shaft.

    Raises:
        InputError: too few pulses, or pulses that cannot be trusted.
    """
    per = fraction_of(pulses_per_revolution)
    # pulses of which a revolution has no whole number come from another shaft: there is one per turn of that shaft
    count, turn = (per.numerator, 1.0) if per.denominator == 1 else (1, 1.0 / float(per))
    times = np.asarray(times, dtype=np.float64)
    marks = learn_marks(times, count)
    times, first, report = follow_pulses(times, marks)
    count, shares = len(marks.shares), marks.shares
    if len(times) > 8 * count:
        shares = np.roll(segment_shares(times, count), first)
    corners = np.concatenate([[0.0], np.cumsum(shares)])[:-1]
    kept = _counted(times, corners, first, report)
    times, first = times[kept], (first + kept.start) % count
    number = first + np.arange(len(times))
    revolutions = number // count + corners[number % count]
    if marks.index:
        revolutions -= np.ceil(first / count)
    else:  # the even grid that fits uneven marks best is the same one whichever mark a record begins with
        revolutions -= first / count + float(np.mean(corners - np.arange(count) / count))
    if abs(revolutions[0]) < _ROUNDED:  # a rounding must not hide revolution 0
        revolutions -= revolutions[0]
    elif revolutions[0] > 0.0:  # the first pulse is behind its place on the grid: the place before it is the same
        revolutions -= 1.0 / count
    _check_speed(times, count)
    if report.missing:  # between known pulses the spline is smoother than pulses put in evenly
        real = ~np.isin(times, report.missing)
        times, revolutions = times[real], revolutions[real]
    times = _less_jitter(times, revolutions)
    quality = 1.0 - report.repaired / max(report.pulses, 1)
    step = Fraction(1) if marks.index else 1 / per
    return ShaftAngle(times, revolutions * turn, step, "index", quality, report)


def _counted(times: np.ndarray, corners: np.ndarray, first: int, report: PulseReport) -> slice:
    """The longest part of a record in which no gap is too long to say how many pulses are missing in it.

    How far a count across a gap may be wrong is seen where no pulse is missing: there the same number of pulses is
    predicted in the same way, from the speeds before and after them.
    """
    everything = slice(0, len(times))
    if not report.missing:
        return everything
    count = len(corners)
    number = first + np.arange(len(times))
    turned = number // count + corners[number % count]
    put_in = np.isin(times, report.missing)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], put_in.astype(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]
    few = min(max(count, 3), 16)
    pace = np.full(len(times), np.nan)  # seconds per revolution around each pulse
    pace[few:-few] = (times[2 * few :] - times[: -2 * few]) / (turned[2 * few :] - turned[: -2 * few])
    cuts = []
    for length in np.unique(stops - starts):
        steps = int(length) + 1
        if steps < 4:
            continue
        at = np.arange(few, len(times) - steps - few, max(1, len(times) // 2000))
        sound = ~(put_in[at] | put_in[at + steps // 2] | put_in[at + steps])
        at = at[sound]
        between = (times[at + steps] - times[at]) / (0.5 * (pace[at] + pace[at + steps]))
        wrong = between - (turned[at + steps] - turned[at])
        if len(at) < 8 or 3.0 * float(np.sqrt(np.mean(wrong**2))) > 0.5 / count:
            cuts += [(int(a), int(b)) for a, b in zip(starts, stops, strict=True) if b - a == length]
    if not cuts:
        return everything
    cuts.sort()
    parts = zip([0, *(b for _, b in cuts)], [*(a for a, _ in cuts), len(times)], strict=True)
    start, stop = max(parts, key=lambda part: times[part[1] - 1] - times[part[0]])
    warnings.warn(
        f"the tachometer is silent from {times[cuts[0][0] - 1]:.4g} to {times[min(cuts[0][1], len(times) - 1)]:.4g} s, "
        "too long to count its pulses at this change of speed: only "
        f"{times[start]:.4g} to {times[stop - 1]:.4g} s of the record is used",
        SignalWarning,
        stacklevel=4,
    )
    return slice(start, stop)


def _less_jitter(times: np.ndarray, revolutions: np.ndarray) -> np.ndarray:
    """Pulse times on a smooth curve of angle, where they scatter about one by more than teeth bear.

    Inertia lets no shaft run ahead at one pulse and behind at the next: bends of the curve that alternate are those of
    the pulses. How smooth the curve is is chosen by generalised cross-validation (Craven and Wahba, 1979).
    """
    if len(times) < 4 * _TURNS:
        return times
    step, pace = np.diff(revolutions), np.diff(times) / np.diff(revolutions)
    bend = np.diff(pace)
    most = 4.0 * float(np.median(np.abs(bend)))
    bend = np.clip(bend, -most, most)  # one bad pulse is no jitter
    power, beside = float(np.mean(bend**2)), float(np.mean(bend[1:] * bend[:-1]))
    # of white jitter of variance r and a speed that walks: power 6 r + 4 w, beside w - 4 r
    scatter = float(np.sqrt(max(power - 4.0 * beside, 0.0) / 22.0) * np.median(step))
    if beside > _WHITE * power or scatter < _JITTER * float(np.median(pace)):
        return times
    from scipy.interpolate import make_smoothing_spline

    smooth = make_smoothing_spline(revolutions, times)(revolutions)
    if (np.diff(smooth) <= 0).any():
        return times
    warnings.warn(
        f"the tachometer's pulses jitter by {1e3 * scatter:.2g} ms; a smooth speed was laid through them",
        SignalWarning,
        stacklevel=4,
    )
    return np.asarray(smooth)


def _check_speed(times: np.ndarray, marks: int) -> None:
    """Refuse a speed that doubles or halves from one revolution to the next: no gear does.

    The first and the last revolution are left alone: machines start and stop.
    """
    turns = times[marks:] - times[:-marks]
    change = np.abs(np.log(turns[marks:] / turns[:-marks]))[marks:-marks]
    if len(change) and change.max() > np.log(_NO_GEAR):
        k = int(np.argmax(change)) + marks
        raise InputError(
            f"the tachometer cannot be trusted: at {times[k + marks]:.4g} s the speed goes from {1 / turns[k]:.3g} to "
            f"{1 / turns[k + marks]:.3g} revolutions per second within one revolution; pulses are lost or too many: "
            "check tacho_threshold="
        )


def angle_from_encoder(revolutions: np.ndarray, sampling_rate: float) -> ShaftAngle:
    """The angle from an encoder that gives revolutions per sample (wrapped at 1 or not).

    Angle 0 is tooth 0, and revolution 0 is the first whole one in the record: an encoder need not begin at 0. One that
    counts from exactly 0 at the first sample and never wraps was set to zero there, which tells nothing of a tooth.

    Args:
        revolutions: ``[n]``, rising or falling (an encoder mounted the other way round).
        sampling_rate: hertz.

    Raises:
        InputError: an encoder that stands still or runs backwards.
    """
    r = np.asarray(revolutions, dtype=np.float64)
    if r.ndim != 1 or len(r) < 4 or not np.isfinite(r).all():
        raise InputError(f"an encoder's angle must be finite [n] of 4 samples or more, but the shape is {r.shape}")
    wrapped = bool((np.abs(np.diff(r)) > 0.5).any())
    absolute = wrapped or r[0] != 0.0
    if wrapped:
        r = np.unwrap(r, period=1.0)
    if r[-1] < r[0]:
        r = -r
    r = r - np.ceil(r[0])
    step = max(1, int(sampling_rate / _KNOTS))
    kept = np.arange(0, len(r), step)
    while (np.diff(r[kept]) <= 0).any() and len(kept) > _FEWEST:  # few counts per revolution stand still for samples
        step *= 2
        kept = np.arange(0, len(r), step)
    if (np.diff(r[kept]) <= 0).any():
        raise InputError("the encoder stands still or runs backwards: the angle must rise throughout")
    return ShaftAngle(kept / sampling_rate, r[kept], Fraction(1) if absolute else None)


def angle_from_speed(speed: np.ndarray, sampling_rate: float) -> ShaftAngle:
    """The angle from a speed that was measured; which tooth was where stays unknown.

    Args:
        speed: Revolutions per second ``[n]``, at equal steps of time.
        sampling_rate: Hertz, of the speed.

    Raises:
        InputError: a speed that is not above 0 throughout.

    Examples:
        >>> angle_from_speed(np.full(11, 25.0), 10.0).span
        (0.0, 25.0)
    """
    v = np.asarray(speed, dtype=np.float64)
    if v.ndim != 1 or len(v) < 2 or not np.isfinite(v).all() or (v <= 0).any():
        raise InputError("a speed must be finite, above 0 throughout and [n] of 2 values or more to give an angle")
    turned = np.concatenate([[0.0], np.cumsum(0.5 * (v[1:] + v[:-1]))]) / sampling_rate
    kept = np.unique(np.append(np.arange(0, len(v), max(1, int(sampling_rate / _KNOTS))), len(v) - 1))
    return ShaftAngle(kept / sampling_rate, turned[kept])

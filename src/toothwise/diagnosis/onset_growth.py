"""Since when a channel has left its healthy level, how fast it grows, and when it will reach a level."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from toothwise.diagnosis.significance import correlation_time
from toothwise.messages import Message, say

__all__ = ["LONGEST", "Growth", "Onset", "find_onset", "fit_growth", "sudden"]

# shape of what came after onset, as a power of time since then: 0 = a step
_POWERS = (0.0, 0.5, 1.0, 2.0, 3.0)
LONGEST = 1000  # records looked at
_LEAST = 10  # records over which a change must grow to be called gradual
_FEWEST = 10
_REACH = 2.0  # times the growth seen so far that a prediction may look ahead


@dataclass(frozen=True)
class Onset:
    """The posterior of the change-point.

    Attributes:
        record: its median.
        interval: 95 %, first and last record.
        step: posterior share of a step against growth.
    """

    record: int
    interval: tuple[int, int]
    step: float


def _likelihood(y: np.ndarray, factor: float) -> np.ndarray:
    """Logarithm of the likelihood of each (onset, power), amplitude at its best non-negative value, ``[n, powers]``."""
    n = len(y)
    time = np.arange(n)
    out = np.full((n, len(_POWERS)), -np.inf)
    for start in range(n):
        since = (time[start:] - start + 1.0) / max(n - start, 1)
        for k, power in enumerate(_POWERS):
            shape = since**power
            amplitude = max(float(shape @ y[start:]) / float(shape @ shape), 0.0)
            out[start, k] = (amplitude * float(shape @ y[start:]) - 0.5 * amplitude**2 * float(shape @ shape)) / factor
    return out


def find_onset(y: np.ndarray, *, correlation: float) -> Onset:
    """Onset of growth in a series, with a flat prior over records and over five shapes of growth.

    Model: before onset the healthy level with normal noise of standard deviation 1, after it amplitude x
    (time since / time to the end) ^ power with power 0 (a step), 0.5, 1, 2 or 3; the likelihood is divided by the
    number of records that count as one.

    Args:
        y: float ``[n]`` in healthy standard deviations, healthy mean 0; the last 1,000 records are looked at.
        correlation: healthy records that count as one (``correlation_time``).
    """
    y = np.asarray(y, dtype=np.float64)
    offset = max(len(y) - LONGEST, 0)
    log_likelihood = _likelihood(np.clip(y[offset:], -20.0, 50.0), max(correlation, 1.0))
    weight = np.exp(log_likelihood - log_likelihood.max())
    posterior = weight.sum(axis=1) / weight.sum()
    total = np.cumsum(posterior)
    low, middle, high = (int(np.searchsorted(total, q)) for q in (0.025, 0.5, 0.975))
    last = len(posterior) - 1
    return Onset(
        min(middle, last) + offset,
        (min(low, last) + offset, min(high, last) + offset),
        float(weight[:, 0].sum() / weight.sum()),
    )


def sudden(y: np.ndarray, *, correlation: float) -> bool:
    """Whether a change looks like a step rather than growth: what a new sensor or operating point leaves.

    A step is compared with growth of power 1 to 3 that lasts ten records or more, each at its best onset.
    """
    y = np.asarray(y, dtype=np.float64)[-LONGEST:]
    found = _likelihood(np.clip(y, -50.0, 50.0), max(correlation, 1.0))
    growth = found[: max(len(y) - _LEAST, 1), 2:]
    return bool(found[:, 0].max() >= growth.max())


@dataclass(frozen=True)
class Growth:
    """A straight line through the log contrast since onset.

    Attributes:
        per_100: factor by which the contrast grows in 100 records.
        interval: 95 % of that.
        now: contrast at the last record by the line, ``now_interval`` its 95 %.
        records: that the line rests on.
        level: contrast that was asked for.
        reached: records from the last one until then, None = no prediction.
        reached_interval: 95 %.
        why: why there is no prediction, or what it rests on; ``messages`` holds it for other languages.
    """

    per_100: float
    interval: tuple[float, float]
    now: float
    now_interval: tuple[float, float]
    records: int
    level: float
    reached: float | None
    reached_interval: tuple[float, float] | None
    why: str
    messages: dict[str, tuple[Message, ...]] = field(default_factory=dict)


def fit_growth(log_contrast: np.ndarray, *, level: float) -> Growth | None:
    """Growth of a series since onset; None of fewer than 10 records.

    Least squares with standard errors widened by the correlation of the residuals. Where the second half grows at
    another rate than the first (95 %), only the second half counts. A level is predicted where growth is beyond doubt
    (one-sided 99 %), the level is not yet reached, and the whole 95 % interval (Fieller: all times at which the line
    may cross the level) lies within twice the time that growth has been seen.

    Args:
        log_contrast: float ``[n]`` from onset to now.
        level: contrast to be reached, above 1.
    """
    from scipy.stats import t as student

    y = np.asarray(log_contrast, dtype=np.float64)
    if len(y) < _FEWEST:
        return None
    line, part = _line(y), y
    steady = say("the growth since onset")
    if len(y) >= 4 * _FEWEST:
        half = len(y) // 2
        early, late = _line(y[:half]), _line(y[half:])
        gap = abs(late.slope - early.slope) / np.hypot(late.slope_error, early.slope_error)
        if gap > 1.96:
            line, part = late, y[half:]
            steady = say("the last half of the growth, which is at another rate than the first")
    n = len(part)
    quantile = float(student.ppf(0.975, line.free))
    slope, error = line.slope, line.slope_error
    now = line.middle + slope * (n - 1) / 2.0
    now_error = np.hypot(line.level_error, error * (n - 1) / 2.0)
    reached, between, why = _reach(line, n, float(np.log(level)), now, level)
    if reached is not None:
        why = say("from {what}, {records} records", what=steady, records=n)
    return Growth(
        per_100=float(np.exp(100.0 * slope)),
        interval=(float(np.exp(100.0 * (slope - quantile * error))), float(np.exp(100.0 * (slope + quantile * error)))),
        now=float(np.exp(now)),
        now_interval=(float(np.exp(now - quantile * now_error)), float(np.exp(now + quantile * now_error))),
        records=n,
        level=level,
        reached=reached,
        reached_interval=between,
        why=str(why),
        messages={"why": (why,)},
    )


@dataclass(frozen=True)
class _Line:
    slope: float
    slope_error: float
    middle: float
    level_error: float
    free: float


def _line(y: np.ndarray) -> _Line:
    n = len(y)
    time = np.arange(n) - (n - 1) / 2.0
    squares = float(time @ time)
    slope, middle = float(time @ y) / squares, float(y.mean())
    rest = y - middle - slope * time
    together = correlation_time(rest[:, None], np.zeros(n, dtype=int))
    free = max(n / together - 2.0, 1.0)
    variance = float(rest @ rest) / max(n - 2.0, 1.0) * together
    return _Line(slope, max(float(np.sqrt(variance / squares)), 1e-12), middle, float(np.sqrt(variance / n)), free)


def _reach(
    line: _Line, n: int, target: float, now: float, level: float
) -> tuple[float | None, tuple[float, float] | None, Message]:
    from scipy.stats import t as student

    if now >= target:
        return None, None, say("no prediction: already at {level:g} times the healthy level", level=level)
    if line.slope / line.slope_error < float(student.ppf(0.99, line.free)):
        return None, None, say("no prediction: whether it grows is open")
    # Fieller: times at which a line through the data, slope and height uncertain, may cross the level
    q = float(student.ppf(0.975, line.free))
    rise = target - line.middle
    a = line.slope**2 - (q * line.slope_error) ** 2
    c = rise**2 - (q * line.level_error) ** 2
    root = rise**2 * line.slope**2 - a * c
    if a <= 0 or root < 0:
        return None, None, say("no prediction: the rate of growth is known too poorly")
    end = (n - 1) / 2.0
    low, high = ((rise * line.slope + s * np.sqrt(root)) / a - end for s in (-1.0, 1.0))
    best = rise / line.slope - end
    if high > _REACH * n:
        return (
            None,
            None,
            say(
                "no prediction: {level:g} times the healthy level lies further ahead than {reach:g} times the "
                "{records} records seen",
                level=level,
                reach=_REACH,
                records=n,
            ),
        )
    return float(best), (float(max(low, 0.0)), float(high)), Message("")

"""Confidence intervals by resampling: healthy and faulty maps apart, whole recordings together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from toothwise.checks import check_range, check_whole
from toothwise.errors import InputError

Metric = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Interval:
    """A value and its interval.

    Attributes:
        value: from all maps.
        low, high: ends of the interval.
        level: share of resamples inside.
        standard_error: standard deviation over resamples.
        resamples: their number.
    """

    value: float
    low: float
    high: float
    level: float
    standard_error: float
    resamples: int


def bootstrap_interval(
    metric: Metric,
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int | np.random.Generator = 0,
) -> Interval:
    """Percentile interval of a metric; healthy and faulty maps are drawn apart, so their numbers stay.

    Where every resample gives the same value (perfect separation) the interval has no width: resampling cannot show
    what was never seen.

    Args:
        metric: called with scores and labels, e.g. ``auroc``.
        scores, labels: ``[n]``, 1 = faulty.
        groups: ``[n]``, recording or session of each map: maps of one group and label are drawn together, because
            they are alike. None = every map counts on its own.
        level: in (0, 1).
        resamples: 100 or more.
        seed: whole number or numpy Generator.

    Raises:
        InputError: options out of range, different lengths, only one group in a class, or whatever the metric refuses.
    """
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    return _interval(lambda at: metric(scores[at], labels[at]), labels, (scores,), groups, level, resamples, seed)


def bootstrap_difference(
    metric: Metric,
    scores_a: np.ndarray,
    scores_b: np.ndarray,
    labels: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int | np.random.Generator = 0,
) -> Interval:
    """Interval of metric(a) - metric(b) for two detectors on the same maps: both see the same resamples.

    Arguments and errors as in ``bootstrap_interval``.
    """
    a, b, labels = np.asarray(scores_a, dtype=np.float64), np.asarray(scores_b, dtype=np.float64), np.asarray(labels)
    return _interval(
        lambda at: metric(a[at], labels[at]) - metric(b[at], labels[at]), labels, (a, b), groups, level, resamples, seed
    )


def _interval(
    value: Callable[[np.ndarray], float],
    labels: np.ndarray,
    scores: tuple[np.ndarray, ...],
    groups: np.ndarray | None,
    level: float,
    resamples: int,
    seed: int | np.random.Generator,
) -> Interval:
    check_range("(0, 1)", level=level)
    check_whole(100, resamples=resamples)
    units = np.arange(len(labels)) if groups is None else np.asarray(groups)
    for x in (*scores, units):
        if labels.ndim != 1 or x.shape != labels.shape:
            raise InputError(f"scores, labels and groups must be [n] alike, but are {x.shape} and {labels.shape}")
    found = value(np.arange(len(labels)))  # the metric checks its input before anything is drawn from it
    strata = []
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        members = [mine[units[mine] == unit] for unit in np.unique(units[mine])] if groups is not None else None
        if groups is not None and members is not None and len(members) < 2:
            raise InputError(f"2 groups or more are needed in each class, but label {label} has {len(members)}")
        strata.append((mine, members))
    rng = np.random.default_rng(seed)
    values = np.array([value(np.concatenate([_draw(*s, rng) for s in strata])) for _ in range(resamples)])
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(found), float(low), float(high), level, float(values.std(ddof=1)), resamples)


def _draw(mine: np.ndarray, members: list[np.ndarray] | None, rng: np.random.Generator) -> np.ndarray:
    if members is None:
        return mine[rng.integers(len(mine), size=len(mine))]
    return np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])

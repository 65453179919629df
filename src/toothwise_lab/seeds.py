"""Experiments that were repeated with several seeds: intervals and tests over seeds and maps together.

Each seed has maps of its own, and a detector that was trained anew. A rank test over 5 seeds cannot go below p = .06,
and maps of one seed alone say nothing about training; so both sources of chance enter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toothwise.checks import check_range, check_whole
from toothwise.errors import InputError
from toothwise.evaluation.metrics import auroc
from toothwise_lab.bootstrap import Interval, Metric, bootstrap_difference
from toothwise_lab.comparison import delong_test

Scored = tuple[np.ndarray, np.ndarray]  # scores and labels of one seed


@dataclass(frozen=True)
class SeedDifference:
    """A minus B over seeds.

    Attributes:
        difference: mean over seeds.
        low, high: 95 % interval, not corrected for other comparisons; NaN where there is none.
        p_value: two-sided; NaN where no test is possible.
        standard_error: of the mean difference.
        degrees: of freedom of the t distribution behind interval and test.
        per_seed: the difference of each seed.
        method: in words.
    """

    difference: float
    low: float
    high: float
    p_value: float
    standard_error: float
    degrees: float
    per_seed: tuple[float, ...]
    method: str


def bootstrap_over_seeds(
    metric: Metric, samples: Sequence[Scored], *, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> Interval:
    """Percentile interval of the mean of a metric over seeds: seeds are drawn, and maps within them.

    Args:
        metric: of scores and labels.
        samples: scores ``[n]`` and labels ``[n]`` (1 = faulty) of each seed.
        level: share inside.
        resamples: 100 or more.
        seed: of the draw.

    Raises:
        InputError: no seed, options out of range, or whatever the metric refuses.
    """
    if not samples:
        raise InputError("one seed or more is needed, but there is not")
    check_whole(100, resamples=resamples)
    check_range("(0, 1)", level=level)
    rng = np.random.default_rng(seed)
    found = float(np.mean([metric(scores, labels) for scores, labels in samples]))
    pool = np.array([_redrawn(metric, scores, labels, resamples, rng) for scores, labels in samples])
    # a seed that is drawn twice brings two independent draws of its maps
    which = rng.integers(len(samples), size=(resamples, len(samples)))
    values = pool[which, rng.integers(resamples, size=which.shape)].mean(axis=1)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(found, float(low), float(high), level, float(values.std(ddof=1)), resamples)


def _redrawn(
    metric: Metric, scores: np.ndarray, labels: np.ndarray, resamples: int, rng: np.random.Generator
) -> list[float]:
    parts = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    draws = (np.concatenate([p[rng.integers(len(p), size=len(p))] for p in parts]) for _ in range(resamples))
    return [metric(scores[at], labels[at]) for at in draws]


def compare_over_seeds(
    metric: Metric, a: Sequence[Scored], b: Sequence[Scored], *, resamples: int = 500, seed: int = 0
) -> SeedDifference:
    """Paired test over seeds and maps.

    The variance of the mean difference is that between seeds plus that of the maps within them: DeLong's for the
    AUROC, of the paired bootstrap otherwise. Since the spread between seeds holds some of the latter already, the
    test errs to the safe side. Its t distribution has Satterthwaite's degrees of freedom, seeds - 1 where all chance
    is between seeds. With one seed the maps alone are tested, and the result holds for that seed.

    Args:
        metric: of scores and labels.
        a, b: scores and labels of each seed, the same maps in the same order.
        resamples, seed: of the bootstrap.

    Raises:
        InputError: different seeds or maps, or whatever the metric refuses.
    """
    if len(a) != len(b) or not a:
        raise InputError(f"both need the same seeds, one or more, but have {len(a)} and {len(b)}")
    differences, within = [], []
    for (scores_a, labels), (scores_b, labels_b) in zip(a, b, strict=True):
        if not np.array_equal(labels, labels_b):
            raise InputError("both need the same maps in the same order, but their labels differ")
        found = _one_seed(metric, scores_a, scores_b, labels, resamples, seed)
        differences.append(found[0])
        within.append(found[1] ** 2)
    count = len(differences)
    maps = float(np.mean(within)) / count
    seeds = float(np.var(differences, ddof=1)) / count if count > 1 else 0.0
    degrees = (maps + seeds) ** 2 / (seeds**2 / (count - 1)) if seeds > 0 else np.inf
    kind = "DeLong" if metric is auroc else "paired bootstrap"
    method = f"{kind} over maps, t over seeds" if count > 1 else f"{kind} over maps of one seed"
    return _judged(differences, float(np.sqrt(maps + seeds)), float(degrees), method)


def _one_seed(
    metric: Metric, a: np.ndarray, b: np.ndarray, labels: np.ndarray, resamples: int, seed: int
) -> tuple[float, float]:
    """Difference and its standard error over maps."""
    if metric is auroc:
        try:
            found = delong_test(a, b, labels)
        except InputError:  # both separate perfectly or not at all: no variance to be seen
            return auroc(a, labels) - auroc(b, labels), 0.0
        return found.difference, found.standard_error
    interval = bootstrap_difference(metric, a, b, labels, resamples=resamples, seed=seed)
    return interval.value, interval.standard_error


def compare_values(a: Sequence[float], b: Sequence[float]) -> SeedDifference:
    """Paired t test of one value per seed, for metrics that maps do not tell.

    Raises:
        InputError: different seeds, or none.
    """
    if len(a) != len(b) or not len(a):
        raise InputError(f"both need the same seeds, one or more, but have {len(a)} and {len(b)}")
    differences = [float(x - y) for x, y in zip(a, b, strict=True)]
    count = len(differences)
    error = float(np.std(differences, ddof=1) / np.sqrt(count)) if count > 1 else np.nan
    return _judged(differences, error, float(count - 1), "paired t over seeds")


def _judged(differences: list[float], error: float, degrees: float, method: str) -> SeedDifference:
    from scipy.stats import norm
    from scipy.stats import t as student

    mean = float(np.mean(differences))
    law = norm if not np.isfinite(degrees) else student(max(degrees, 1.0))
    # seeds that agree to rounding say nothing of the spread between seeds, however many degrees the formula finds
    alike = len(differences) > 1 and np.ptp(differences) <= 1e-9 * max(1e-12, abs(mean))
    if alike or not error > 1e-12 * abs(mean):
        equal = error == 0 and mean == 0
        low, high, p = (0.0, 0.0, 1.0) if equal else (np.nan, np.nan, np.nan)
    else:
        half = float(law.ppf(0.975)) * error
        low, high, p = mean - half, mean + half, float(2.0 * law.sf(abs(mean) / error))
    return SeedDifference(mean, low, high, p, error, degrees, tuple(differences), method)

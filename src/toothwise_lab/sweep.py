"""Scores of a contrast sweep, and the contrast at which a detector finds enough: value, interval, comparison.

The rate at which faulty maps are found rises with contrast; its probit is nearly straight in log contrast. A monotone
curve through the measured rates is read off where it reaches the target, and never beyond the contrasts measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import ndtri

from toothwise.checks import check_range, check_whole
from toothwise.errors import InputError
from toothwise_lab.bootstrap import Interval


def added_energy(contrast: float | np.ndarray) -> Any:
    """Energy that a line adds to a cell, over the cell's energy without damage: contrast^2 - 1."""
    return np.square(contrast) - 1.0


@dataclass(frozen=True, eq=False)
class Sweep:
    """Scores of healthy maps, and of the same faulty maps at rising contrasts.

    Attributes:
        contrast: float64 ``[k]``, rising, above 1.
        healthy: float64 ``[n]``, or ``[k, n]`` where the score is told the contrast that it is to find.
        faulty: float64 ``[k, m]``.
    """

    contrast: np.ndarray
    healthy: np.ndarray
    faulty: np.ndarray

    def __post_init__(self) -> None:
        if len(self.contrast) < 1 or (np.diff(self.contrast) <= 0).any() or self.contrast[0] <= 1:
            raise InputError(f"contrasts must increase and be above 1, but got {np.asarray(self.contrast).tolist()}")

    def found(self, fpr: float, healthy: np.ndarray | None = None, faulty: np.ndarray | None = None) -> np.ndarray:
        """Faulty maps found at a false positive rate, int ``[k]``; of resampled maps where their indices are given."""
        h = self.healthy if healthy is None else self.healthy[..., healthy]
        f = self.faulty if faulty is None else self.faulty[:, faulty]
        return (f > np.broadcast_to(threshold_at(h, fpr), (len(f),))[:, None]).sum(axis=1)


@dataclass(frozen=True, eq=False)
class MinimumContrast:
    """The minimum detectable contrast and how sure it is.

    Attributes:
        value: the contrast; infinite where the sweep ends before (nothing is extrapolated); the lowest contrast of the
            sweep where even that is found often enough.
        state: "found", "above" (more than the sweep's highest contrast) or "below" (its lowest or less).
        low, high: ends of the bootstrap interval, maps of both classes resampled.
        level: of the interval.
        contrast, tpr: the sweep, ``[k]``.
        fpr, target: what was asked for.
        replicates: float64 ``[resamples]``, of the value.
    """

    value: float
    state: str
    low: float
    high: float
    level: float
    contrast: np.ndarray
    tpr: np.ndarray
    fpr: float
    target: float
    replicates: np.ndarray = field(repr=False)

    def summary(self) -> dict[str, Any]:
        """For a results file: JSON types, null for infinity."""

        def number(x: float) -> float | None:
            return round(float(x), 6) if np.isfinite(x) else None

        return {
            "contrast": number(self.value),
            "state": self.state,
            "low": number(self.low),
            "high": number(self.high),
            "added_energy": number(float(added_energy(self.value))),
            "sweep": [[round(float(c), 5), round(float(t), 4)] for c, t in zip(self.contrast, self.tpr, strict=True)],
        }


def threshold_at(healthy: np.ndarray, fpr: float) -> np.ndarray:
    """Score that at most a share ``fpr`` of healthy scores ``[..., n]`` exceeds, and no lower score does: ``[...]``."""
    n = healthy.shape[-1]
    allowed = int(np.floor(fpr * n + 1e-9))
    return np.partition(healthy, n - 1 - allowed, axis=-1)[..., n - 1 - allowed]


def _crossing(found: np.ndarray, faulty: int, contrast: np.ndarray, target: float) -> tuple[float, str]:
    """Where a monotone curve through the rates reaches the target: straight pieces of probit against log contrast."""
    probit = isotonic_regression(ndtri((found + 0.5) / (faulty + 1.0))).x
    goal = ndtri(target)
    reached = np.flatnonzero(probit >= goal)
    if not len(reached):
        return float("inf"), "above"
    i = int(reached[0])
    if i == 0:
        return float(contrast[0]), "below"
    x = np.log(contrast[i - 1 : i + 1])
    share = (goal - probit[i - 1]) / (probit[i] - probit[i - 1])
    return float(np.exp(x[0] + share * (x[1] - x[0]))), "found"


def minimum_from_sweep(
    sweep: Sweep,
    *,
    fpr: float = 0.01,
    target: float = 0.9,
    level: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> MinimumContrast:
    """Minimum detectable contrast from scores.

    Args:
        sweep: the scores.
        fpr: share of healthy maps that may be flagged.
        target: share of faulty maps to be found, in (0, 1).
        level: of the interval.
        resamples: bootstrap resamples, 100 or more.
        seed: of the resampling; equal seeds draw equal maps, so that ``log_contrast_ratio`` compares pairs.

    Raises:
        InputError: options out of range.
    """
    check_range("(0, 1)", fpr=fpr, target=target, level=level)
    check_whole(100, resamples=resamples)
    n, m = sweep.healthy.shape[-1], sweep.faulty.shape[1]
    counts = sweep.found(fpr)
    value, state = _crossing(counts, m, sweep.contrast, target)
    rng = np.random.default_rng(seed)
    values = np.empty(resamples)
    for i in range(resamples):
        of_healthy, of_faulty = np.asarray(rng.integers(n, size=n)), np.asarray(rng.integers(m, size=m))
        resampled = sweep.found(fpr, of_healthy, of_faulty)
        values[i] = _crossing(resampled, m, sweep.contrast, target)[0]
    low, high = _ends(values, level)
    return MinimumContrast(value, state, low, high, level, sweep.contrast, counts / m, fpr, target, values)


def _ends(values: np.ndarray, level: float) -> tuple[float, float]:
    """Quantiles that are values themselves: between a number and infinity there is nothing to interpolate."""
    low = np.quantile(values, (1 - level) / 2, method="lower")
    return float(low), float(np.quantile(values, (1 + level) / 2, method="higher"))


def log_contrast_ratio(detector: MinimumContrast, limit: MinimumContrast) -> Interval:
    """log(minimum contrast of a detector) / log(that of the limit), with its interval from paired resamples.

    Both must come from the same maps, resamples and seed. Infinite where the detector's contrast lies above its sweep;
    not a number where the limit's does.
    """
    with np.errstate(invalid="ignore"):
        ratio = np.log(detector.replicates) / np.log(limit.replicates)
        value = float(np.divide(np.log(detector.value), np.log(limit.value)))
    finite = ratio[np.isfinite(ratio)]
    error = float(finite.std(ddof=1)) if len(finite) > 1 else float("nan")
    if np.isnan(ratio).any():
        return Interval(value, float("nan"), float("nan"), detector.level, error, len(ratio))
    low, high = _ends(ratio, detector.level)
    return Interval(value, low, high, detector.level, error, len(ratio))

"""Is one detector better than another: paired test of AUROCs, correction for many tests, sizes of effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.evaluation.metrics import auroc


@dataclass(frozen=True)
class DeLong:
    """Two AUROCs on the same maps.

    Attributes:
        auroc_a, auroc_b, difference: difference = a - b.
        standard_error: of the difference.
        z: difference / standard_error.
        p_value: two-sided.
        interval: 95 % interval of the difference.
    """

    auroc_a: float
    auroc_b: float
    difference: float
    standard_error: float
    z: float
    p_value: float
    interval: tuple[float, float]


def delong_test(scores_a: np.ndarray, scores_b: np.ndarray, labels: np.ndarray) -> DeLong:
    """Test of equal AUROC of two detectors on the same, independent maps.

    DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988), by midranks (Sun, Xu, IEEE Signal Process. Lett. 21, 2014).
    Maps of one recording are not independent: use ``bootstrap_difference`` with groups there.

    Args:
        scores_a, scores_b, labels: ``[n]``, 1 = faulty.

    Raises:
        InputError: as ``auroc``; fewer than 2 maps of a class; or AUROCs that differ without any variance (both
            separate perfectly or not at all), where the test has no answer.
    """
    from scipy.stats import norm

    values = [auroc(scores_a, labels), auroc(scores_b, labels)]
    faulty = np.asarray(labels).ravel() == 1
    m, n = int(faulty.sum()), int((~faulty).sum())
    if min(m, n) < 2:
        raise InputError(f"2 healthy and 2 faulty maps or more are needed, but got {n} and {m}")
    parts = [_placements(np.asarray(s, dtype=np.float64).ravel(), faulty) for s in (scores_a, scores_b)]
    of_faulty, of_healthy = (parts[0][k] - parts[1][k] for k in (0, 1))
    # a difference of placements has the variance of the difference: no need of the whole covariance matrix
    variance = float(of_faulty.var(ddof=1) / m + of_healthy.var(ddof=1) / n)
    difference = values[0] - values[1]
    error = float(np.sqrt(variance))
    if error < 1e-12:
        if abs(difference) > 1e-12:
            raise InputError(
                f"AUROCs {values[0]:g} and {values[1]:g} differ without any variance: the test has no answer here"
            )
        return DeLong(values[0], values[1], 0.0, 0.0, 0.0, 1.0, (0.0, 0.0))
    z = difference / error
    half = float(norm.ppf(0.975)) * error
    return DeLong(
        values[0],
        values[1],
        difference,
        error,
        z,
        float(2.0 * norm.sf(abs(z))),
        (difference - half, difference + half),
    )


def _placements(scores: np.ndarray, faulty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each faulty map the share of healthy ones below it, for each healthy map the share of faulty ones above."""
    from scipy.stats import rankdata

    among_all = rankdata(scores)
    of_faulty = (among_all[faulty] - rankdata(scores[faulty])) / (~faulty).sum()
    of_healthy = 1.0 - (among_all[~faulty] - rankdata(scores[~faulty])) / faulty.sum()
    return of_faulty, of_healthy


def holm(p_values: Any) -> np.ndarray:
    """P-values corrected for their number, in their order (Holm, Scand. J. Stat. 6, 1979).

    Args:
        p_values: ``[m]`` in 0..1.

    Returns:
        float64 ``[m]``: reject where it is at most alpha, and the chance of any false rejection is at most alpha.

    Raises:
        InputError: none, NaN, or outside 0..1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or len(p) == 0 or not ((p >= 0) & (p <= 1)).all():
        raise InputError(f"p-values must be numbers in 0..1, one dimension, but got {p_values!r}")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def paired_effect(differences: Any) -> float:
    """Mean of paired differences over their standard deviation (Cohen's d of pairs); NaN where they do not vary.

    Args:
        differences: ``[n]`` with n of 2 or more, of the same seeds or the same maps.

    Examples:
        >>> paired_effect([1.0, 2.0, 3.0])
        2.0
    """
    values = np.asarray(differences, dtype=np.float64)
    spread = values.std(ddof=1)
    return float(values.mean() / spread) if spread > 1e-12 * np.abs(values).max() else float("nan")

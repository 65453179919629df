"""Many pairs of arms in one model: is a detector better than another on average over the settings they were paired in?

Pairs share trials (one plain Dinomaly is the partner of several directional ones) and the maps of a seed. Counting
which are significant therefore counts some evidence several times, and weak evidence never. Here the differences of
all pairs and seeds are one sample,

    difference = mean + (of the pair) + (of the maps of the seed) + noise of trial a - noise of trial b,

with three variances estimated by restricted maximum likelihood; the incidence of the trials says which differences
have noise in common.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toothwise.errors import InputError

_FEWEST = 10


@dataclass(frozen=True)
class PairDifference:
    """Arm a less arm b, with one seed or as the mean over the same number of them.

    Attributes:
        difference: Of the metric.
        pair: Which two arms in which setting; the same for all its seeds.
        maps: Whose maps they are: differences with the same may have something in common.
        a, b: The trials (or arms, where means are compared); equal ones share their noise.
    """

    difference: float
    pair: Hashable
    maps: Hashable
    a: Hashable
    b: Hashable


@dataclass(frozen=True)
class PooledDifference:
    """The mean over pairs.

    Attributes:
        mean: Of a less b over settings.
        low, high: Its 95 % interval.
        p_value: Two-sided, against 0.
        degrees: Of freedom (Satterthwaite).
        between_pairs, between_maps, of_trials: Standard deviations.
        pairs, differences: Their numbers.
    """

    mean: float
    low: float
    high: float
    p_value: float
    degrees: float
    between_pairs: float
    between_maps: float
    of_trials: float
    pairs: int
    differences: int


def _incidence(labels: Sequence[Hashable]) -> np.ndarray:
    """1 where row i is of kind j, ``[n, kinds]``."""
    kinds = list(dict.fromkeys(labels))
    return np.eye(len(kinds))[[kinds.index(label) for label in labels]]


def pool_pairs(found: Sequence[PairDifference]) -> PooledDifference:
    """The mean difference over all pairs, with what they share taken into account.

    Args:
        found: Of two pairs or more; ten differences or more, so that three variances can be told.

    Raises:
        InputError: Too few, or differences that agree to rounding: then there is no noise to judge by.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> noise = 0.01 * rng.standard_normal((4, 5))  # of 4 trials, the first of which is everybody's partner
        >>> pairs = [
        ...     PairDifference(0.05 + noise[k, s] - noise[0, s], pair=k, maps=s, a=(k, s), b=(0, s))
        ...     for k in (1, 2, 3)
        ...     for s in range(5)
        ... ]
        >>> pool_pairs(pairs).low > 0
        True
    """
    import scipy.optimize
    from scipy.stats import t as student

    y = np.array([f.difference for f in found], dtype=np.float64)
    pairs = [f.pair for f in found]
    if len(set(pairs)) < 2 or len(y) < _FEWEST:
        raise InputError(
            f"2 pairs or more and {_FEWEST} differences are needed, but got {len(y)} of {len(set(pairs))} pairs"
        )
    scale = float(y.std())
    if scale <= 1e-9 * max(1.0, float(np.abs(y).max())):
        raise InputError("the differences agree to rounding: there is no noise to judge them by")
    y = y / scale
    of_a, of_b = np.split(_incidence([f.a for f in found] + [f.b for f in found]), 2)
    noise = of_a - of_b
    kernels = [z @ z.T for z in (_incidence(pairs), _incidence([f.maps for f in found]), noise)]
    kernels[2] += 1e-9 * np.eye(len(y))

    def state(variances: np.ndarray) -> tuple[float, float, float]:
        """Mean, its variance, and minus twice the restricted log likelihood."""
        covariance = sum(v * k for v, k in zip(variances, kernels, strict=True))
        root = np.linalg.cholesky(covariance + 1e-10 * np.eye(len(y)))
        ones, own = np.linalg.solve(root, np.ones(len(y))), np.linalg.solve(root, y)
        weight = float(ones @ ones)
        mean = float(ones @ own) / weight
        rest = own - mean * ones
        return mean, 1.0 / weight, float(rest @ rest) + 2.0 * float(np.log(np.diag(root)).sum()) + np.log(weight)

    start = np.log(np.array([0.2, 0.1, 0.4]))
    minimize: Any = scipy.optimize.minimize
    bounds = [(-14.0, 4.0)] * 3
    best = minimize(lambda x: float(state(np.exp(x))[2]), start, method="L-BFGS-B", bounds=bounds)
    mean, variance, _ = state(np.exp(best.x))
    degrees = _satterthwaite(best.x, lambda x: state(np.exp(x))[1:], variance)
    half = float(student.ppf(0.975, degrees)) * np.sqrt(variance)
    between_pairs, between_maps, of_trials = map(float, np.exp(best.x / 2.0) * scale)
    return PooledDifference(
        mean * scale,
        float(mean - half) * scale,
        float(mean + half) * scale,
        float(2.0 * student.sf(abs(mean) / np.sqrt(variance), degrees)),
        degrees,
        between_pairs,
        between_maps,
        of_trials,
        len(set(pairs)),
        len(y),
    )


def _satterthwaite(at: np.ndarray, state: Any, variance: float) -> float:
    """Degrees of freedom of the mean's variance: 2 v^2 / var(v), by differences in the logs of the components."""
    free = np.flatnonzero(at > -10.0)  # a component that vanished adds no uncertainty of its own
    step, n = 0.05, len(free)
    moves = np.zeros((n, len(at)))
    moves[np.arange(n), free] = step
    slope = np.array([(state(at + m)[0] - state(at - m)[0]) / (2 * step) for m in moves])
    bend = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            corners = [state(at + a * moves[i] + b * moves[j])[1] * a * b for a in (1, -1) for b in (1, -1)]
            bend[i, j] = sum(corners) / (4 * step**2)
    # the criterion is minus twice the log likelihood
    spread = float(slope @ np.linalg.pinv(bend / 2.0, hermitian=True, rcond=1e-6) @ slope)
    return float(np.clip(2.0 * variance**2 / spread, 1.0, 1e6)) if spread > 0 else 1e6

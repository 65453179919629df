"""How rare a value is among healthy ones: by rank, and beyond them by an exponential tail."""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError

_TAIL = 0.8  # healthy values above this quantile are the tail
_UPPER = 0.95  # the same of the evidence of all lines
_SMALLEST = 1e-300
HEAVY = 5  # values that Student's distribution counts as known at the most: tails much longer than normal ones
ENOUGH = 60  # healthy values from which on their largest fifth tells how a tail falls
LEAST = 8  # healthy values from which on their tail is seen


def healthy_tail(
    value: np.ndarray | float, healthy: np.ndarray, *, least: int = LEAST, worth: float = 1.0
) -> np.ndarray:
    """Chance that a healthy map has such a value or a larger one, float64 of the shape of ``value``.

    Up to the 80 % quantile of the healthy values the rank counts, (larger ones + 1) / (all + 1), which is valid for any
    distribution as long as the new map is exchangeable with the healthy ones. Beyond it an exponential tail is taken
    (peaks over threshold with shape zero), cautious far out for tails as light as a normal one. Its mean excess is
    known from the k healthy values beyond the quantile only, so that the chance is the predictive one,
    (1 + x / k) ** -k at x mean excesses: few healthy maps make no value impossible. Where the largest fifth of the
    healthy values are all equal there is no excess to extrapolate from, and the rank counts everywhere. Of fewer than
    ``least`` values no tail is seen: the chance is that of one more value of their normal distribution (Student's t).

    Args:
        value: Of any shape; NaN = no value, which gives 1.
        healthy: float ``[n]``, of maps that nothing was fitted on.
        least: Healthy values from which on their tail counts.
        worth: Independent values that each of them is worth, above 0 to 1; k shrinks with it, to 2 at the least. With
            infinity the mean excess counts as known.

    Raises:
        InputError: Fewer than 2 healthy values.

    Examples:
        >>> healthy = np.arange(99.0)
        >>> healthy_tail([0.0, 49.0, 90.0], healthy).round(3)
        array([1.   , 0.51 , 0.069])
    """
    n = np.size(healthy)
    if n < min(least, 2):
        raise InputError(f"a chance among healthy maps needs {min(least, 2)} of them or more, but got {n}")
    value = np.nan_to_num(np.asarray(value, dtype=np.float64), nan=-np.inf)
    if n < least:
        from scipy.special import stdtr

        spread = max(float(np.std(healthy, ddof=1)), 1e-300) * np.sqrt(1.0 + 1.0 / n)
        return np.clip(stdtr(max(n * worth - 1.0, 1.0), (np.mean(healthy) - value) / spread), _SMALLEST, 1.0)
    beyond, share, excess, rank = _parts(value, healthy)
    k = max(share * (n + 1.0) - 1.0, 1.0) * worth
    return np.clip(np.where(beyond, share * _predictive(excess, k), rank), _SMALLEST, 1.0)


def _predictive(excess: np.ndarray, k: float) -> np.ndarray:
    """Chance of so many mean excesses or more, where the mean is known from k of them."""
    k = float(np.clip(k, 2.0, 1e9))
    return np.exp(-k * np.log1p(excess / k))


def beyond_all(chance: np.ndarray, value: np.ndarray, healthy: np.ndarray, *, known: int = HEAVY) -> np.ndarray:
    """Chances ``[n]`` of values, of those beyond every healthy one at most what Student's distribution says of them.

    The tail of some twenty values makes none impossible, and 20 healthy standard deviations would be nothing. Four
    degrees of freedom, because healthy values may be skew; twice, because two chances are looked at.

    Args:
        chance: By ``healthy_tail``.
        value: ``[n]``.
        healthy: ``[m]``.
        known: Healthy values that count at the most; of means over many meshes more than the usual.
    """
    far = 2.0 * healthy_tail(value, healthy, least=len(healthy) + 1, worth=min(1.0, known / len(healthy)))
    return np.where(value > np.abs(healthy).max(), np.minimum(chance, far), chance)


def best_line_tail(value: np.ndarray | float, lines: np.ndarray, *, worth: float = 1.0) -> np.ndarray:
    """Chance that the best line of a healthy map has so much evidence or more, float64 of the shape of ``value``.

    The larger of two: by the tail of the best lines, its mean excess taken as known; and by the tail of all lines
    together (their upper twentieth), of which there are many more, times their number, with the mean excess as
    uncertain as it is. Of few healthy maps the first alone would be too sure, and the second alone would not see a
    line that is louder than the others. It is never more than ``healthy_tail`` of the best lines says, where a few that
    are louder than all others for good blow the second up.

    Args:
        value: Of any shape.
        lines: Healthy evidence ``[n, lines]``, of maps that nothing was fitted on.
        worth: Independent maps that each of them is worth, above 0 to 1.

    Examples:
        >>> healthy = np.random.default_rng(0).standard_normal((24, 30))
        >>> common, rare = best_line_tail([2.0, 8.0], healthy)
        >>> bool(common > 0.3), bool(1e-9 < rare < 1e-4)
        (True, True)
    """
    value = np.asarray(value, dtype=np.float64)
    best, most = (healthy_tail(value, lines.max(axis=1), worth=w) for w in (np.inf, worth))
    edge = float(np.quantile(lines, _UPPER))
    over = lines[lines > edge] - edge
    if not len(over):
        return best
    excess = np.maximum(value - edge, 0.0) / float(over.mean())
    every = len(over) / len(lines) * _predictive(excess, len(over) * worth)
    return np.clip(np.minimum(np.maximum(best, np.where(value > edge, every, 0.0)), most), _SMALLEST, 1.0)


def tail_evidence(value: np.ndarray, healthy: np.ndarray) -> np.ndarray:
    """-log10 of the chance by the exponential tail itself: 0 or more, and finite however rare the value.

    Args:
        value: Of any shape; -inf = no value.
        healthy: float ``[m]``.
    """
    beyond, share, excess, rank = _parts(np.asarray(value, dtype=np.float64), healthy)
    return -np.where(beyond, np.log(share) - excess, np.log(rank)) / np.log(10.0)


def _parts(value: np.ndarray, healthy: np.ndarray) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Which values are in the tail, the tail's share of all, how many mean excesses they are in it, and their ranks."""
    known = np.sort(np.asarray(healthy, dtype=np.float64))
    n = len(known)
    edge = known[int(_TAIL * (n - 1))]
    over = known[known > edge]
    rank = (n - np.searchsorted(known, value, side="left") + 1.0) / (n + 1.0)
    excess = np.maximum(np.where(np.isfinite(value), value, edge) - edge, 0.0)
    if len(over):
        excess = excess / float(np.mean(over - edge))
    return (value > edge) & (len(over) > 0), (len(over) + 1.0) / (n + 1.0), excess, rank

"""How rare a value is among healthy ones, and how dependent values in time are."""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError

__all__ = ["autocorrelation", "correlation_time", "healthy_tail", "lag_of_independence"]

_TAIL = 0.8  # healthy values above this quantile are the tail
_SMALLEST = 1e-300


def healthy_tail(value: np.ndarray | float, healthy: np.ndarray) -> np.ndarray:
    """Chance that a healthy map has such a value or a larger one, float64 of the shape of ``value``.

    Up to the 80 % quantile of the healthy values the rank counts, (larger ones + 1) / (all + 1), which is valid for any
    distribution as long as the new map is exchangeable with the healthy ones. Beyond it an exponential tail with the
    mean excess of the healthy values is taken (peaks over threshold with shape zero): an extrapolation where the value
    lies beyond all healthy ones, cautious far out for tails as light as a normal one. With 60 healthy maps a chance of
    1 % is kept within a quarter of it.

    Args:
        value: of any shape; NaN = none, gives 1.
        healthy: float ``[n]``, of maps that nothing was fitted on, 8 or more.

    Raises:
        InputError: fewer than 8 healthy values.
    """
    known = np.sort(np.asarray(healthy, dtype=np.float64))
    n = len(known)
    if n < 8:
        raise InputError(f"a chance among healthy maps needs 8 of them or more, but got {n}")
    value = np.nan_to_num(np.asarray(value, dtype=np.float64), nan=-np.inf)
    edge = known[int(_TAIL * (n - 1))]
    over = known[known > edge] - edge
    scale = max(float(over.mean()) if len(over) else 0.0, 1e-9 * max(1.0, abs(float(edge))))
    rank = (n - np.searchsorted(known, value, side="left") + 1.0) / (n + 1.0)
    with np.errstate(over="ignore"):
        tail = (len(over) + 1.0) / (n + 1.0) * np.exp(-np.maximum(value - edge, 0.0) / scale)
    return np.clip(np.where(value > edge, tail, rank), _SMALLEST, 1.0)


def autocorrelation(x: np.ndarray, blocks: np.ndarray, lags: int, *, about_zero: bool = False) -> np.ndarray:
    """Autocorrelation at lags 0 to ``lags`` within blocks, mean over the columns, float64 ``[lags + 1]``.

    Args:
        x: ``[n, columns]`` in time order; each column less its mean over all blocks.
        blocks: ``[n]``, equal entries = one unbroken stretch of time.
        lags: the largest one; lags that no block holds get 0.
        about_zero: columns have mean 0 together, and what each differs from that for good counts as correlation.
    """
    x = np.asarray(x, dtype=np.float64)
    x = x if about_zero else x - x.mean(axis=0)
    variance = np.maximum((x * x).mean(axis=0), 1e-300)
    out = np.zeros(lags + 1)
    out[0] = 1.0
    groups = [x[blocks == b] for b in np.unique(blocks)]
    for lag in range(1, lags + 1):
        pairs = [(g[lag:], g[:-lag]) for g in groups if len(g) > lag]
        if not pairs:
            break
        total = np.sum([(a * b).sum(axis=0) for a, b in pairs], axis=0)
        out[lag] = float(np.mean(total / sum(len(a) for a, _ in pairs) / variance))
    return out


def correlation_time(x: np.ndarray, blocks: np.ndarray, *, about_zero: bool = False) -> float:
    """Records that count as one: 1 + 2 x the sum of autocorrelations up to the first that is below 0.05, 1 or more."""
    longest = max(1, int(np.max(np.bincount(np.unique(blocks, return_inverse=True)[1]))) // 2)
    rho = autocorrelation(x, blocks, longest, about_zero=about_zero)[1:]
    below = np.flatnonzero(rho < 0.05)
    return float(1.0 + 2.0 * rho[: below[0] if len(below) else len(rho)].sum())


def lag_of_independence(x: np.ndarray, blocks: np.ndarray, *, limit: float = 0.1) -> int:
    """The first lag with an autocorrelation below ``limit``, 1 or more; half the longest block where none is."""
    longest = max(1, int(np.max(np.bincount(np.unique(blocks, return_inverse=True)[1]))) // 2)
    rho = autocorrelation(x, blocks, longest)[1:]
    below = np.flatnonzero(rho < limit)
    return int(below[0]) + 1 if len(below) else longest

"""How dependent values in time are."""

from __future__ import annotations

import numpy as np

__all__ = ["autocorrelation", "correlation_time", "lag_of_independence"]


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

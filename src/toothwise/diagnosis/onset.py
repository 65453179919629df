"""Since when a channel has left its healthy level, and whether at once or bit by bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["LONGEST", "Onset", "find_onset", "sudden"]

# shape of what came after onset, as a power of time since then: 0 = a step
_POWERS = (0.0, 0.5, 1.0, 2.0, 3.0)
LONGEST = 1000  # records looked at
_LEAST = 10  # records over which a change must grow to be called gradual


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

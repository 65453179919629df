"""Since when a channel has left its healthy level, and whether at once or bit by bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# shape of what came after onset, as a power of time since then: 0 = a step
_POWERS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0)
_RAMPS = (4.0, 16.0, 64.0, 256.0)  # or as a straight line that ends after so many records
_SWINGS = (32.0, 128.0, 512.0)  # or slow, fast, slow
LONGEST = 1000  # records looked at
_DRIFT = 4.0  # records that count as one, over what their correlation says
_LEAST = 10  # records over which a change must grow to be called gradual


@dataclass(frozen=True)
class Onset:
    """The posterior of the change-point.

    Attributes:
        record: its median.
        interval: 95 %, first and last record; where the first one is the first that was looked at, it may have begun
            before that.
        step: posterior share of a step against growth.
    """

    record: int
    interval: tuple[int, int]
    step: float


def _shapes(since: np.ndarray) -> list[np.ndarray]:
    """How a change may go on: powers of the records since then, straight lines that end, and smooth steps."""
    swings = [np.minimum(since / length, 1.0) for length in _SWINGS]
    return [
        *(since**power for power in _POWERS),
        *(np.minimum(since / length, 1.0) for length in _RAMPS),
        *(part**2 * (3.0 - 2.0 * part) for part in swings),
    ]


def _likelihood(y: np.ndarray, factor: float) -> np.ndarray:
    """Logarithm of the likelihood of each (onset, shape), amplitude at its best non-negative value, ``[n, shapes]``."""
    found = []
    for shape in _shapes(np.arange(1.0, len(y) + 1.0)):  # of every onset the same curve, cut where the records end
        along = np.convolve(y[::-1], shape)[: len(y)][::-1]
        found.append(0.5 * np.maximum(along, 0.0) ** 2 / np.cumsum(shape**2)[::-1] / factor)
    return np.stack(found, axis=1)


def find_onset(y: np.ndarray, *, correlation: float, latest: int | None = None) -> Onset:
    """Onset of growth in a series, with a flat prior over records and over shapes of growth.

    Model: before onset the healthy level with normal noise of standard deviation 1, after it an amplitude times one of
    thirteen shapes. The likelihood is divided by four times the number of records that count as one, because healthy
    levels drift more slowly than a correlation time tells (chosen on development seeds of ``benchmarks/prediction.py``,
    which measures how often the interval holds).

    Args:
        y: float ``[n]`` in healthy standard deviations, healthy mean 0; the last 1,000 records are looked at.
        correlation: healthy records that count as one (``correlation_time``).
        latest: the record by which it had alarmed; None = the last one.
    """
    y = np.asarray(y, dtype=np.float64)
    offset = max(len(y) - LONGEST, 0)
    log_likelihood = _likelihood(np.clip(y[offset:], -20.0, 50.0), _DRIFT * max(correlation, 1.0))
    log_likelihood = log_likelihood[: None if latest is None else max(latest - offset + 1, 1)]
    weight = np.exp(log_likelihood - log_likelihood.max())
    posterior = weight.sum(axis=1) / weight.sum()
    total = np.cumsum(posterior)
    low, middle, high = (min(int(np.searchsorted(total, q)), len(total) - 1) + offset for q in (0.025, 0.5, 0.975))
    return Onset(middle, (low, high), float(weight[:, 0].sum() / weight.sum()))


def sudden(y: np.ndarray, *, correlation: float) -> bool:
    """Whether a change looks like a step rather than growth: what a new sensor or operating point leaves.

    A step is compared with growth of power 1 to 3 that lasts ten records or more, each at its best onset.
    """
    y = np.asarray(y, dtype=np.float64)[-LONGEST:]
    found = _likelihood(np.clip(y, -50.0, 50.0), max(correlation, 1.0))
    growth = found[: max(len(y) - _LEAST, 1), 2 : len(_POWERS)]
    return bool(found[:, 0].max() >= growth.max())

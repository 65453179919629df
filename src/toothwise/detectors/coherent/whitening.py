"""The scatter of healthy records at each order, and signals on its scale."""

from __future__ import annotations

import numpy as np

from toothwise.detectors.coherent.meshes import events

__all__ = ["filtered", "scatter", "weight_of", "whitened"]

_DEAD = 1e-10  # of the strongest order's power: weaker ones were removed from the signal and hold rounding only
_PRIOR = 4.0  # records that the neighbouring orders count as, where an order's own scatter rests on few records
_NEIGHBOURS = 31  # orders that the neighbourhood spans


def scatter(power: np.ndarray, records: int, shape: tuple[int, ...]) -> np.ndarray:
    """Healthy power of each bin of the hunting period's spectrum; 0 = nothing is there.

    A bin's own power rests on as many records as there are, so it is drawn towards that of its neighbours of the
    same kind: orders of the rows' gear, orders of the columns' gear, and everything between them.

    Args:
        power: Mean power of healthy residuals ``[bins]``.
        records: How many are behind it, of which one is spent on the mean.
        shape: Rows and columns.
    """
    from scipy.ndimage import uniform_filter1d
    from scipy.special import digamma

    rows, columns = shape
    bins = np.arange(len(power))
    size = events(rows, columns)[0].size
    of_rows, of_columns = bins % (size // rows) == 0, bins % (size // columns) == 0
    out, live = np.zeros_like(power), power > _DEAD * power.max()
    free = max(records - 1.0, 1.0)
    low = np.exp(digamma(free)) / free  # the mean log of a power from few records lies below its log mean
    for kind, width in ((of_rows, 1), (of_columns & ~of_rows, 1), (~(of_rows | of_columns), min(rows, columns))):
        at = np.flatnonzero(kind & live)
        if at.size:
            near = np.exp(uniform_filter1d(np.log(power[at]), _NEIGHBOURS * width, mode="nearest")) / low
            own = max(records - 2.0, 0.0)
            out[at] = (own * power[at] + _PRIOR * near) / (own + _PRIOR)
    return out


def weight_of(scatter: np.ndarray) -> np.ndarray:
    """What each bin is multiplied by to be on its healthy scatter; 0 where nothing is."""
    return np.where(scatter > 0, 1.0 / np.sqrt(np.where(scatter > 0, scatter, 1.0)), 0.0)


def whitened(rest: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """Every bin divided by its healthy scatter."""
    return filtered(rest, weight_of(scatter))


def filtered(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A closed period ``[..., n]`` whose bins are multiplied by a weight each."""
    return np.fft.irfft(np.fft.rfft(x) * weight, x.shape[-1])

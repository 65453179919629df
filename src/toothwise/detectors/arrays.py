"""Sums, medians and portions of maps that detectors of lines share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np


def known_median(x: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Median with the axis kept; the plain one where there is no NaN, because it is many times faster."""
    if np.isnan(x).any():
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # a line without any pair stays NaN
            return np.nanmedian(x, axis=axis, keepdims=True)
    return np.median(x, axis=axis, keepdims=True)


def line_sums(z: np.ndarray, axis: int) -> np.ndarray:
    """Sum over each row (axis 1) or column (axis 2), over the root of its pixels: ``[n, lines]``; 0 for empty lines."""
    known = np.isfinite(z)
    return np.where(known, z, 0.0).sum(axis=3 - axis) / np.sqrt(np.maximum(known.sum(axis=3 - axis), 1))


def portions(x: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Maps, so many at a time."""
    return (x[start : start + most] for start in range(0, len(x), most))


def running_sums(cell: np.ndarray, dtype: type[np.floating] = np.float32) -> np.ndarray:
    """Sums of the first 0, 1, ... of ``[along, n, lines]``; numpy's own go line by line, many times slower."""
    total = np.zeros((len(cell) + 1, *cell.shape[1:]), dtype=dtype)
    total[1:] = cell
    for at in range(2, len(total)):
        total[at] += total[at - 1]
    return total

"""From an anomaly map to the evidence of its rows and columns, and to one number for the map."""

from __future__ import annotations

import warnings

import numpy as np

from toothwise.errors import InputError

__all__ = ["POOLINGS", "check_pooling", "line_contrasts", "pool"]

POOLINGS = ("top", "rows", "columns", "lines")


def check_pooling(pooling: str) -> None:
    """Refuse an unknown pooling.

    Raises:
        InputError: it is none of ``POOLINGS``.
    """
    if pooling not in POOLINGS:
        raise InputError(f"pooling must be one of {', '.join(POOLINGS)}, but got {pooling!r}")


def line_contrasts(anomaly_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each row and of each column less the median of all of them, so that what moves the whole map is gone.

    Args:
        anomaly_map: ``[n, rows, columns]``, NaN where the map is NaN.

    Returns:
        float64 ``[n, rows]`` and ``[n, columns]``; NaN for a line without any pixel.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a line without any pair has no mean
        means = [np.asarray(np.nanmean(anomaly_map, axis=axis, dtype=np.float64)) for axis in (2, 1)]
        rows, columns = (lines - np.nanmedian(lines, axis=1, keepdims=True) for lines in means)
    return rows, columns


def pool(pooling: str, top: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """One number per map, float64 ``[n]``.

    Args:
        pooling: "top" = ``top`` as it is; "rows", "columns" = the best of them; "lines" = the best of both.
        top: ``[n]``, what the network says of the map as a whole.
        rows, columns: of ``line_contrasts``.
    """
    check_pooling(pooling)
    if pooling == "top":
        return top
    best = {"rows": [rows], "columns": [columns], "lines": [rows, columns]}[pooling]
    return np.max([np.nanmax(lines, axis=1) for lines in best], axis=0)

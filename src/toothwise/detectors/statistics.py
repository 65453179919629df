"""Statistics that anyone would try first: the level of a map, its peak, its best row. Nothing is modelled.

A detector that does not beat these has learned nothing; a benchmark in which they win measures something else than
lines (in the research data's domain C the mean of a warm map gives its recording session away).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np

from toothwise.checks import check_choice
from toothwise.detectors.base import Abilities, ArrayDetector, Prediction
from toothwise.progress import Progress

_level, _peak = partial(np.nanmean, axis=(1, 2)), partial(np.nanmax, axis=(1, 2))  # of the map
_mean = partial(np.nanmean, axis=2)  # of each line


def _rms(x: np.ndarray) -> np.ndarray:
    return np.sqrt(np.nanmean(x**2, axis=2))


def _moment(x: np.ndarray, order: int) -> np.ndarray:
    centred = x - np.nanmean(x, axis=2, keepdims=True)
    variance = np.nanmean(centred**2, axis=2)
    ratio = np.nanmean(centred**order, axis=2) / np.maximum(variance, 1e-30) ** (order / 2)
    return np.where(variance > 0, ratio, 0.0)


def _crest(x: np.ndarray) -> np.ndarray:
    return np.nanmax(np.abs(x), axis=2) / np.maximum(_rms(x), 1e-30)


def _fisher(x: np.ndarray) -> np.ndarray:
    """(mean of the line - mean of the rest)^2 / (variance of the line + variance of the rest), for each line."""
    known = np.isfinite(x)
    n, filled = known.sum(axis=2), np.where(known, x, 0.0)
    total, square = filled.sum(axis=2), (filled**2).sum(axis=2)
    other_n, other, other_square = (a.sum(axis=1, keepdims=True) - a for a in (n, total, square))
    n, other_n = np.maximum(n, 1), np.maximum(other_n, 1)
    mean, other_mean = total / n, other / other_n
    spread = np.maximum(square / n - mean**2, 0.0) + np.maximum(other_square / other_n - other_mean**2, 0.0)
    return (mean - other_mean) ** 2 / np.maximum(spread, 1e-30)


def _peak_to_sd(x: np.ndarray) -> np.ndarray:
    spread = np.nanstd(x, axis=(1, 2))
    return np.where(spread > 0, (_peak(x) - _level(x)) / np.maximum(spread, 1e-30), 0.0)


# name: (the statistic, of what: the whole map, its rows, its columns, or rows and columns)
STATISTICS: dict[str, tuple[Callable[[np.ndarray], Any], str]] = {
    "mean": (_level, "map"),
    "max": (_peak, "map"),
    "peak_to_sd": (_peak_to_sd, "map"),
    "row_mean": (_mean, "rows"),
    "column_mean": (_mean, "columns"),
    "fisher": (_fisher, "rows and columns"),
    "row_rms": (_rms, "rows"),
    "row_kurtosis": (partial(_moment, order=4), "rows"),
    "row_m6a": (partial(_moment, order=6), "rows"),
    "row_crest": (_crest, "rows"),
}


class MapStatistic(ArrayDetector):
    """One statistic of a map as its score, as it is: larger = more suspicious, nothing learned.

    Args:
        statistic: One of ``STATISTICS``.

    Raises:
        InputError: an unknown statistic.
    """

    name: ClassVar[str] = "statistics"
    can = Abilities(rows=True, columns=True, export="numpy")
    learns = ("nothing",)

    def __init__(self, *, statistic: str = "mean") -> None:
        check_choice(STATISTICS, statistic=statistic)
        super().__init__(statistic=statistic)

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        self._learned = {"nothing": np.zeros(1)}

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        x = values.astype(np.float64)
        statistic, of = STATISTICS[self.options["statistic"]]
        rows = statistic(x) if "rows" in of else None
        columns = statistic(np.swapaxes(x, 1, 2)) if "columns" in of else None
        lines = [evidence.max(axis=1) for evidence in (rows, columns) if evidence is not None]
        score = np.max(lines, axis=0) if lines else statistic(x)
        return Prediction(score.astype(np.float64), values, row_evidence=rows, column_evidence=columns)

"""Some of the healthy maps that a detector was fitted on, kept beside it to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MOST = 60  # maps
_BYTES = 8 * 2**20  # of their values


@dataclass(frozen=True, eq=False)
class HealthyMaps:
    """Healthy maps, evenly spread over those that a detector was fitted on.

    Attributes:
        detector: fingerprint of the detector.
        values: float32 ``[n, rows, columns]``; names: one per map.
        of: healthy maps that the detector was fitted on.
    """

    detector: str
    values: np.ndarray
    names: tuple[str, ...]
    of: int

    def nearest(self, one: np.ndarray, known: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The maps most like a given one, the level of both taken off.

        Args:
            one: map ``[rows, columns]``, positive.
            known: bool of that shape, the cells that are compared (those outside of a finding).
            count: how many.

        Returns:
            Indices, nearest first, and the root mean square difference of the logarithms of each.
        """
        with np.errstate(all="ignore"):
            x, y = np.log(one.astype(np.float64)), np.log(self.values.astype(np.float64))
        cells = known & np.isfinite(x)[None] & np.isfinite(y)
        away = np.full(len(y), np.inf)
        for k, mask in enumerate(cells):
            if mask.any():
                gap = (x - y[k])[mask]
                away[k] = float(np.sqrt(np.mean((gap - np.median(gap)) ** 2)))
        order = np.argsort(away, kind="stable")[:count]
        order = order[np.isfinite(away[order])]
        return order, away[order]


def keep_healthy(detector: str, values: np.ndarray, names: np.ndarray) -> HealthyMaps:
    """Choose the maps to keep: at most 60, and at most 8 MiB of them.

    Args:
        detector: fingerprint of the detector.
        values: the healthy maps ``[n, rows, columns]``, in time order.
        names: one per map.
    """
    count = max(1, min(_MOST, len(values), _BYTES // max(values[0].size * 4, 1)))
    index = np.unique(np.linspace(0, len(values) - 1, count).round().astype(int))
    return HealthyMaps(detector, values[index].astype(np.float32), tuple(map(str, names[index])), len(values))

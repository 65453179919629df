"""Deviation of a map from the healthy maps of the same gearbox, pixel by pixel, summed over whole rows and columns.

Where the teeth of all maps are numbered alike (an index pulse, or maps that were aligned), a gearbox has a healthy map
of its own: its teeth are not equal. That map is subtracted in the log domain, and a damaged tooth is a row or column
that differs on average, louder or quieter. Pixels where no pair meshes count for nothing, so gears that do not hunt,
whose columns hold a single pixel each, are treated alike.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from toothwise.checks import check_whole
from toothwise.detectors.arrays import line_sums
from toothwise.detectors.base import Abilities, ArrayDetector, Prediction
from toothwise.errors import InputError
from toothwise.progress import Progress


class HealthyDistance(ArrayDetector):
    """Row and column means of the deviation from the healthy map, in healthy standard deviations, two-sided.

    Args:
        log: Deviations of the logarithm (values must be positive).
        gain: Subtract the median deviation of a map first: a louder record is no damage.
        teeth (teeth): Neighbouring teeth that one damage may cover, 1 to this many: what a tooth excites rings on into
            the next ones. The first of them is named.

    Raises:
        InputError: an option that is not allowed, fewer than 3 healthy maps, maps that are all alike, or values that
            are not positive with ``log``.
    """

    name: ClassVar[str] = "healthy_distance"
    can = Abilities(rows=True, columns=True, positive=True, export="numpy")
    learns = ("mean", "spread", "scale1", "scale2")

    def __init__(self, *, log: bool = True, gain: bool = True, teeth: int = 1) -> None:
        check_whole(1, teeth=teeth)
        super().__init__(log=log, gain=gain, teeth=teeth)

    def _deviation(self, x: np.ndarray, mean: np.ndarray) -> np.ndarray:
        deviation = x - mean
        if self.options["gain"]:
            deviation = deviation - np.nanmedian(deviation, axis=(1, 2), keepdims=True)
        return deviation

    def _lines(self, z: np.ndarray, axis: int) -> np.ndarray:
        """Sums over 1, 2, ... neighbouring lines from each line on, ``[n, lines, teeth]``; the last meets the first."""
        one = line_sums(z, axis)
        total, out = one, [one]
        for k in range(1, min(self.options["teeth"], one.shape[1])):
            total = total + np.roll(one, -k, axis=1)
            out.append(total)
        return np.stack(out, axis=2)

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        if (n := len(values)) < 3:
            raise InputError(f"a healthy baseline needs 3 maps or more, but got {n}")
        x = self._scaled(values)
        met = np.isfinite(x).sum(axis=0)
        if ((met > 0) & (met < n)).any():
            raise InputError("healthy maps must have the same empty pixels (pairs that never mesh)")
        mean = np.where(met > 0, np.where(np.isfinite(x), x, 0.0).sum(axis=0) / n, np.nan)
        # a map took part in the mean it is compared with: a new one will be further away
        deviation = self._deviation(x, mean) * (n / (n - 1.0))
        spread = float(np.sqrt(np.nanmean(deviation**2)))
        if not spread > 0:
            raise InputError("healthy maps are all alike: there is nothing to calibrate on")
        self._learned = {"mean": mean, "spread": np.array([spread])}
        for axis in (1, 2):
            lines = self._lines(deviation / spread, axis)
            # pixels of a line move together: what their sum does in healthy maps is measured, not assumed
            self._learned[f"scale{axis}"] = np.sqrt(np.mean(lines**2, axis=(0, 1)))

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        deviation = self._deviation(self._scaled(values), self._learned["mean"]) / self._learned["spread"][0]
        rows, columns = (
            (np.abs(self._lines(deviation, axis)) / self._learned[f"scale{axis}"]).max(axis=2) for axis in (1, 2)
        )
        return Prediction.of_teeth(rows, columns, np.abs(deviation))

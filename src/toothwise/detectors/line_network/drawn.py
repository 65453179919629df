"""What the network trains on: healthy log maps, turned and disturbed, half of them with a damaged tooth drawn on.

A line's log contrast goes from what nobody can see to what nobody can miss: in half of the lines it is even up to a
common limit, as in benchmarks; in the other half so is the line's distance from healthy noise, so that short lines are
learned too. Both limits follow from the learned texture, not from any data set.

Of a map's gain the network sees nothing (it works on logarithms less their mean), so none is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.detectors.line_likelihood import AXES, FARTHEST, MOST, common_limit
from toothwise.detectors.line_network.options import LineNetworkOptions
from toothwise.simulate.lines import LineShape, diagonal_masks, draw_lines, line_masks

_GAPS, _GAP_LENGTH = (0, 3), (1, 4)


@dataclass(frozen=True, eq=False)
class DrawnMaps:
    """Maps and the truth about them.

    Attributes:
        values: Log maps, float32 ``[n, rows, columns]``, NaN where missing.
        cells: Of the lines, float32 ``[n, rows, columns]``.
        teeth: Share of each line that is damaged, by axis, float32 ``[n, lines]``; the rest to 1 is "healthy".
        contrast: Log contrast, float32 ``[n]``; 0 = healthy.
    """

    values: np.ndarray
    cells: np.ndarray
    teeth: dict[int, np.ndarray]
    contrast: np.ndarray


class MapDrawer:
    """Draws training maps.

    Args:
        options: What is drawn.
        precision: One over the power spectrum of healthy maps, ``[rows, columns]``.
    """

    def __init__(self, options: LineNetworkOptions, precision: np.ndarray) -> None:
        self.options, self.precision = options, precision.astype(np.float64)
        self.shape = (precision.shape[0], precision.shape[1])
        power = np.divide(1.0, self.precision, out=np.zeros_like(self.precision), where=self.precision > 0)
        self.spread = float(np.sqrt(power.mean()))  # of the texture
        self.limit = {axis: common_limit(precision if axis == 1 else precision.T) for axis in AXES[options.lines]}

    def _energy(self, cells: np.ndarray) -> np.ndarray:
        """Squared distance from healthy noise of lines of log contrast 1, ``[n]``."""
        return (np.abs(np.fft.fft2(cells)) ** 2 * self.precision).sum(axis=(1, 2)) / self.precision.size

    def __call__(
        self, maps: np.ndarray, rng: np.random.Generator, *, faulty: np.ndarray, disturbed: bool = True
    ) -> DrawnMaps:
        """Log maps ``[n, rows, columns]``, which stay as they are; ``faulty`` bool ``[n]`` says which get a line."""
        n, o = len(maps), self.options
        values = self._turned(maps, rng)
        if disturbed and o.disturbed:
            self._disturb(values, rng)
        cells, by_row = self._lines(n, rng)
        cells[~faulty] = False
        limit = np.where(by_row, self.limit.get(1, 0.0), self.limit.get(2, 0.0))
        far = FARTHEST / np.sqrt(np.maximum(self._energy(cells), 1e-12))
        u = rng.random((3, n))
        contrast = u[0] * np.where(u[1] < 0.5, limit, np.minimum(far, MOST))
        contrast = np.where(u[2] < o.darker, -contrast, contrast) * faulty
        values += cells * contrast[:, None, None].astype(np.float32)
        return DrawnMaps(values, cells.astype(np.float32), self._teeth(cells, by_row), contrast.astype(np.float32))

    def _teeth(self, cells: np.ndarray, by_row: np.ndarray) -> dict[int, np.ndarray]:
        """Share of each line that is damaged, of cells ``[n, rows, columns]``."""
        teeth = {}
        for axis in self.limit:
            hit = cells.any(axis=3 - axis) & (by_row == (axis == 1))[:, None]
            teeth[axis] = (hit / np.maximum(hit.sum(axis=1, keepdims=True), 1)).astype(np.float32)
        return teeth

    def _turned(self, maps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Each map from another pair of teeth on, and mirrored."""
        out = np.empty_like(maps)
        start = rng.integers(0, self.shape, (len(maps), 2))
        mirrored = rng.random((len(maps), 2)) < 0.5
        for k, one in enumerate(maps):
            for axis in (0, 1):
                one = np.roll(one, start[k, axis], axis)
                if self.options.flips and mirrored[k, axis]:
                    one = np.flip(one, axis)
            out[k] = one
        return out

    def _lines(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Cells of a line on each map, bool, and whether it is a row."""
        both = len(self.limit) == 2
        by_row = rng.random(n) < 0.5 if both else np.full(n, 1 in self.limit)
        cells = np.zeros((n, *self.shape), dtype=bool)
        for axis in self.limit:
            chosen = by_row == (axis == 1)
            if not chosen.any():
                continue
            across, along = self.shape[axis - 1], self.shape[2 - axis]
            line = LineShape((1, min(self.options.max_teeth, across - 1)), (2, along), _GAPS, _GAP_LENGTH)
            gear = "driving" if axis == 1 else "driven"
            cells[chosen] = line_masks(draw_lines(int(chosen.sum()), self.shape, gear, line, rng), self.shape)[0]
        return cells, by_row

    def _disturb(self, values: np.ndarray, rng: np.random.Generator) -> None:
        """What is no damage, in place; each kind on its share of the maps."""
        n, s, (rows, columns) = len(values), self.spread, self.shape
        hit = rng.random((6, n)) < self.options.disturbed
        size = rng.random((6, n, 1, 1))
        pattern = rng.standard_normal((n, 1, columns)) * (0.5 * s * size[0])
        values += np.where(hit[0, :, None, None], pattern, 0.0)
        spots = (rng.random(values.shape) < 3.0 / (rows * columns)) * (2.0 + 6.0 * size[1]) * s
        values += np.where(hit[1, :, None, None], spots, 0.0)
        events = min(90, rows * columns)
        diagonal, _ = diagonal_masks(n, self.shape, 1.0, (min(20, events), events), rng)
        values += np.where(hit[2, :, None, None], diagonal * size[2] * max(self.limit.values()), 0.0)
        # another session: more or less texture, and noise of another kind
        factor = np.exp((size[3] - 0.5) * 0.7)
        noise = rng.standard_normal(values.shape) * (0.3 * s * size[4])
        mean = np.nanmean(values, axis=(1, 2), keepdims=True)
        values += np.where(hit[3, :, None, None], (factor - 1.0) * (values - mean) + noise, 0.0)
        missing = hit[5, :, None, None] & (rng.random(values.shape) < 0.1 * size[5])
        values[missing] = np.nan

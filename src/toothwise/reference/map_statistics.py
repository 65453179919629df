"""What a map shows beside its detector's score: level, lines, one cycle per revolution, diagonals in mesh order.

All of it is in the log map, where damage multiplies and a contrast is a difference. In a map of tooth pairs rows are
driving teeth and columns driven teeth. In a tooth-by-record map columns are records, the newest last: then only rows
are teeth, and what is measured of a record is measured in the newest column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import gcd, lcm

import numpy as np

from toothwise.detectors.arrays import known_median, portions
from toothwise.errors import InputError
from toothwise.healthmap.logarithm import log_positive

_LENGTHS = (8, 16, 32, 64, 128)
_FEWEST = 3  # cells of a segment
_SHARED = 3  # lines at a place from which on their median is not one of them that is damaged
_CHUNK = 64


def log_maps(values: np.ndarray) -> np.ndarray:
    """Logarithms of maps ``[n, rows, columns]``, float64, NaN where no pair meshes.

    Raises:
        InputError: values that are not positive.
    """
    return log_positive(np.asarray(values, dtype=np.float64), "a diagnosis")


def without_places(x: np.ndarray, axis: int) -> np.ndarray:
    """Log maps as ``[n, lines, along]`` less what all lines share at a place; axis 1 = lines are rows, 2 = columns.

    A place that one or two lines alone have a cell at, as where gears do not hunt, is compared with the whole map.
    """
    lines = x if axis == 1 else np.swapaxes(x, 1, 2)
    shared, known = known_median(lines, 1), np.isfinite(lines).sum(axis=1, keepdims=True)
    few = (known > 0) & (known < _SHARED)
    return lines - (np.where(few, known_median(lines, (1, 2)), shared) if few.any() else shared)


def point_spread(teeth: int) -> np.ndarray:
    """What a tooth leaves at the teeth behind it where mesh orders and two sidebands are taken out, ``[teeth]``.

    As a share of its amplitude, whatever its waveform is: what is removed repeats around each mesh order.

    Examples:
        >>> np.round(point_spread(35)[:4], 3).tolist()
        [1.0, 0.138, 0.125, 0.105]
    """
    turn = 2.0 * np.pi * np.arange(teeth) / teeth
    left = np.abs(1.0 + 2.0 * np.cos(turn) + 2.0 * np.cos(2.0 * turn)) / teeth
    left[0] = 1.0
    return np.asarray(left)


def line_levels(x: np.ndarray, axis: int, *, newest: bool) -> np.ndarray:
    """Mean log contrast of every line over what all lines share, float64 ``[n, lines]``; 0 of a line without a pair.

    Args:
        x: log maps ``[n, rows, columns]``.
        axis: 1 = rows, 2 = columns.
        newest: only the last cell of each line counts (maps whose columns are records).
    """
    lines = without_places(x, axis)
    if newest:
        return np.nan_to_num(lines[:, :, -1])
    known = np.isfinite(lines)
    return np.where(known, lines, 0.0).sum(axis=2) / np.maximum(known.sum(axis=2), 1)


def map_level(x: np.ndarray, *, newest: bool) -> np.ndarray:
    """Median of each log map, of its last column where columns are records: float64 ``[n]``."""
    part = x[:, :, -1:] if newest else x
    return known_median(part, (1, 2))[:, 0, 0]


@cache
def _cycle_fits(lines: int) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """A mean and one cycle of so many lines, and what solves for them with each three neighbouring lines left out."""
    angle = 2.0 * np.pi * np.arange(lines) / lines
    design = np.stack([np.ones(lines), np.cos(angle), np.sin(angle)], axis=1)
    ways = []
    for out in range(lines):
        keep = np.ones(lines, dtype=bool)
        keep[[(out - 1) % lines, out, (out + 1) % lines]] = False
        ways.append((keep, np.linalg.pinv(design[keep]).T))
    return design, ways


def one_cycle(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How strongly line levels swing once per revolution of their gear, one or three neighbouring lines left out.

    A single damaged tooth has a first harmonic too; the smallest amplitude over all ways of leaving three
    neighbouring lines out is what an eccentric gear keeps and a damaged tooth loses.

    Args:
        levels: ``[n, lines]``, 8 lines or more (fewer: zeros).

    Returns:
        amplitude float64 ``[n]``, and the cosine that belongs to it ``[n, lines]``.
    """
    n, lines = levels.shape
    if lines < 8:
        return np.zeros(n), np.zeros((n, lines))
    smallest, wave = np.full(n, np.inf), np.zeros((n, 2))
    design, ways = _cycle_fits(lines)
    for keep, solve in ways:
        found = levels[:, keep] @ solve
        amplitude = np.hypot(found[:, 1], found[:, 2])
        less = amplitude < smallest
        smallest = np.where(less, amplitude, smallest)
        wave[less] = found[less, 1:]
    return smallest, wave @ design[:, 1:].T


@dataclass(frozen=True)
class Segment:
    """Part of a line: first and last cell, and the mean of what was summed."""

    first: int
    last: int
    mean: float

    @property
    def cells(self) -> int:
        """How many."""
        return self.last - self.first + 1


def best_segment(line: np.ndarray) -> Segment:
    """The stretch of 3 or more cells of a line whose sum over the root of its length is furthest from 0.

    Args:
        line: float ``[along]``, a standardised log contrast per cell; NaN cells count as none.
    """
    known = np.isfinite(line)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, line, 0.0))])
    count = np.concatenate([[0.0], np.cumsum(known)])
    n = len(line)
    sums = total[None, :] - total[:, None]
    cells = count[None, :] - count[:, None]
    long_enough = (np.arange(n + 1)[None, :] - np.arange(n + 1)[:, None]) >= min(_FEWEST, n)
    z = np.where(long_enough & (cells > 0), np.abs(sums) / np.sqrt(np.maximum(cells, 1.0)), -1.0)
    first, end = np.unravel_index(int(z.argmax()), z.shape)
    return Segment(int(first), int(end) - 1, float(sums[first, end] / max(cells[first, end], 1.0)))


class Diagonals:
    """The best run of consecutive mesh events of a tooth-pair map: what a transient in time leaves.

    Events run along wrapped diagonals; where the tooth numbers share a divisor there are several such sequences.
    The sum over a run of 8 to 128 events, over the root of its length, is put on the scale of healthy maps.

    Args:
        shape: rows and columns.
        scale: mean and sd of the best run of each length on healthy maps; None until ``learn`` has been called.
    """

    def __init__(self, shape: tuple[int, int], scale: np.ndarray | None = None) -> None:
        rows, columns = shape
        length = lcm(rows, columns)
        event = np.arange(length)
        offset = np.arange(gcd(rows, columns))
        self.row = np.broadcast_to(event % rows, (len(offset), length))
        self.column = (event[None] + offset[:, None]) % columns
        self.lengths = [k for k in _LENGTHS if k <= length] or [length]
        self.scale = scale

    def _order(self, x: np.ndarray) -> np.ndarray:
        """Standardised cells in mesh order, ``[n, sequences, events]``, what lines share removed."""
        rest = without_places(x, 1)
        rest = rest - known_median(rest, 2)
        scale = 1.4826 * np.maximum(known_median(np.abs(rest), (1, 2)), 1e-12)
        return np.nan_to_num(np.clip(rest / scale, -5.0, 5.0))[:, self.row, self.column]

    def _runs(self, x: np.ndarray) -> list[np.ndarray]:
        """Sums over the root of the length of runs that start at each event, per length ``[n, sequences, events]``."""
        order = self._order(x)
        around = np.concatenate([order, order[:, :, : self.lengths[-1]]], axis=2)  # the hunting period begins anew
        total = np.concatenate([np.zeros((*order.shape[:2], 1)), np.cumsum(around, axis=2)], axis=2)
        n = order.shape[2]
        return [(total[:, :, k : k + n] - total[:, :, :n]) / np.sqrt(k) for k in self.lengths]

    def best(self, x: np.ndarray) -> np.ndarray:
        """Best run of each length, float64 ``[n, lengths]``."""
        runs = map(self._runs, portions(x, _CHUNK))
        return np.concatenate([np.stack([r.max(axis=(1, 2)) for r in part], axis=1) for part in runs])

    def learn(self, x: np.ndarray) -> np.ndarray:
        """Take the scale of each length from healthy log maps ``[n, ...]``; returns their scores ``[n]``."""
        best = self.best(x)
        self.scale = np.stack([best.mean(axis=0), np.maximum(best.std(axis=0), 1e-3)])
        return self._standard(best).max(axis=1)

    def _standard(self, best: np.ndarray) -> np.ndarray:
        """Best runs ``[..., lengths]`` on the healthy scale."""
        if self.scale is None:
            raise InputError("diagonals have no healthy scale yet: call learn(healthy) first")
        return (best - self.scale[0]) / self.scale[1]

    def score(self, x: np.ndarray) -> np.ndarray:
        """Standardised best run, float64 ``[n]``."""
        return self._standard(self.best(x)).max(axis=1)

    def find(self, one: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Rows and columns of the best run of one log map ``[rows, columns]``, and its mean log contrast."""
        runs = [r[0] for r in self._runs(one[None])]
        which = int(self._standard(np.array([r.max() for r in runs])).argmax())
        sequence, start = np.unravel_index(int(runs[which].argmax()), runs[which].shape)
        # the lengths are a grid: the run's true ends lie within one length of the best one's
        length, events = self.lengths[which], self.row.shape[1]
        around = (start - length + np.arange(min(3 * length, events))) % events
        run = best_segment(self._order(one[None])[0, sequence, around])
        event = around[run.first : run.last + 1]
        row, column = self.row[sequence, event], self.column[sequence, event]
        rest = without_places(one[None], 1)
        rest = (rest - known_median(rest, 2))[0]
        return row, column, float(np.nanmean(rest[row, column]))

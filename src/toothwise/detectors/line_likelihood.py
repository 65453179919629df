"""Evidence for lines in texture whose correlation was learned from healthy maps.

The texture is taken to be Gaussian and alike everywhere around both gears, so one spectrum describes it and a map is
whitened by two small matrix products per axis. In the whitened map a line's cells add up to its log likelihood ratio;
what cannot be known (where, how long, how many teeth) is averaged over, as the likelihood ratio of all lines together
is their mean: neighbouring places and lengths then strengthen each other, where the best single one would pay for all
that were searched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.errors import InputError

__all__ = ["LineLikelihood", "Segment", "healthy_precision", "plan_segments"]

_CHUNK = 128  # maps at a time: the working arrays stay in the processor's cache
_MOST_DARK = 0.4  # a line with more gaps than that is looked for as a shorter one
_INDEPENDENT = 0.6  # gaps are allowed for where cells of a line carry at least this part of what they carry alone
_SHORTER = 0.3  # kinds of line are as likely as their length to minus this: short lines are the harder ones to find
_ALARMS, _FOUND = 0.01, 0.9  # the line looked for is as bright as one that is found so often at this rate of alarms


def healthy_precision(x: np.ndarray, least: int = 20) -> np.ndarray:
    """One over the power spectrum of healthy maps, float32 ``[rows, columns]``; 0 for their mean.

    The spectrum is averaged over maps and over both directions of each axis. The mean of a map is left out: levels
    differ from map to map for reasons that are no line.

    Args:
        x: ``[n, rows, columns]``, log maps as a rule.
        least: Maps that it takes at least.

    Raises:
        InputError: too few maps, NaN, or maps without texture.
    """
    if len(x) < least:
        raise InputError(f"the learned spectrum of noise needs {least} healthy maps or more, but got {len(x)}")
    total = np.zeros(x.shape[1:])
    centre = x.mean(dtype=np.float64)
    for start in range(0, len(x), 256):
        total += (np.abs(np.fft.fft2(x[start : start + 256] - centre, norm="ortho")) ** 2).sum(axis=0)
    for axis in (0, 1):
        total = total + np.roll(np.flip(total, axis), 1, axis)
    power = total / (4 * len(x))
    rest = power.ravel()[1:]
    if not rest.max() > 1e-12:
        raise InputError("healthy maps are constant along every line: there is nothing to calibrate on")
    precision = 1.0 / np.maximum(power, 1e-6 * rest.max())
    precision[0, 0] = 0.0
    return precision.astype(np.float32)


def _basis(n: int) -> np.ndarray:
    """Orthonormal cosines and sines around a gear, ``[n, n]``; row k belongs to frequency ``_order(n)[k]``."""
    at = 2 * np.pi * np.outer(_order(n), np.arange(n)) / n
    rows = np.where((np.arange(n) <= n // 2)[:, None], np.cos(at), np.sin(at))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _order(n: int) -> np.ndarray:
    """Frequencies of the basis: those of the cosines, then those of the sines."""
    return np.concatenate([np.arange(n // 2 + 1), np.arange(1, n - n // 2)])


@dataclass(frozen=True)
class Segment:
    """One kind of line that is looked for.

    Attributes:
        teeth, length: cells across and along.
        step: of a cell's log likelihood ratio per unit of the whitened map.
        offset: taken from it; half the cell's energy.
        bright: added to it; keeps the mean ratio of a healthy cell at 1 beside ``dark``.
        dark: log chance that a cell of the line is dark, the least that a cell can count (-inf = never dark).
        weight: log of the chance of one place of one kind of line.
    """

    teeth: int
    length: int
    step: float
    offset: float
    bright: float
    dark: float
    weight: float


def plan_segments(precision: np.ndarray, lengths: list[int], teeth: int, gaps: float) -> list[Segment]:
    """Segments along the rows of a map, each with the brightness at which it can just be found.

    Args:
        precision: ``[rows, columns]``.
        lengths: cells along a line, at most the columns.
        teeth: neighbouring teeth that a line covers, 1 to this many.
        gaps: dark cells expected within a line, at most a part of its length.
    """
    from scipy.special import ndtri

    rows, columns = precision.shape
    kinds = [(t, k) for t in range(1, min(teeth, rows - 1) + 1) for k in lengths]
    total = sum(float(k) ** -_SHORTER for _, k in kinds)
    chance = {k: float(k) ** -_SHORTER / total for k in lengths}
    segments = []
    for t, k in kinds:
        across = np.abs(np.fft.fft(np.ones(t), n=rows)) ** 2 @ precision.astype(np.float64)

        def energy(cells: int, across: np.ndarray = across) -> float:
            return float(np.abs(np.fft.fft(np.ones(cells), n=columns)) ** 2 @ across) / (rows * columns)

        places = (rows - t + 1) * (columns - k + 1)
        wanted = -ndtri(_ALARMS / (places * len(kinds))) + ndtri(_FOUND)
        # columns share their stripe with the whole column: its cells can only be judged together
        alone = energy(k) >= _INDEPENDENT * k * energy(1)
        share = 1.0 - min(_MOST_DARK, gaps / k) if alone else 1.0
        step = wanted / np.sqrt(energy(k) * share)
        dark = float(np.log(1.0 - share)) if share < 1 else -np.inf
        offset = 0.5 * step**2 * energy(k) / k
        weight = float(np.log(chance[k] / places))
        segments.append(Segment(t, k, float(step), float(offset), _bright(float(offset), dark), dark, weight))
    return segments


def _bright(offset: float, dark: float) -> float:
    """The b for which exp(max(y + b, dark)) has mean 1 on healthy cells, y normal with mean -offset, variance 2 offset.

    Without it long lines, or short ones, would be looked for at another rate of false alarms than the rest.
    """
    if not np.isfinite(dark):
        return 0.0
    from scipy.optimize import brentq
    from scipy.special import ndtr

    sd = np.sqrt(2.0 * offset)

    def excess(b: float) -> float:
        edge = dark - b
        return float(np.exp(b) * ndtr((offset - edge) / sd) + np.exp(dark) * ndtr((edge + offset) / sd) - 1.0)

    return float(brentq(excess, dark - 1.0, 0.0))


class LineLikelihood:
    """Whitens maps and searches them for lines.

    Args:
        precision: ``[rows, columns]``, of ``healthy_precision``.
        lengths: cells along the lines looked for; longer than the line = the whole line.
        teeth, gaps: as ``plan_segments``.
        clip: cells of the whitened map count with at most this many standard deviations; None = all.
    """

    def __init__(
        self, precision: np.ndarray, lengths: list[int], *, teeth: int = 1, gaps: float = 0.0, clip: float | None = None
    ) -> None:
        self.precision = precision
        rows, columns = precision.shape
        self._across, self._along = _basis(rows).astype(np.float32), _basis(columns).astype(np.float32)
        self._weight = precision[np.ix_(_order(rows), _order(columns))].astype(np.float32)
        self.scale = float(np.sqrt(precision.mean(dtype=np.float64)))  # standard deviation of a whitened cell
        self._clip = None if clip is None else np.float32(clip * self.scale)
        self._segments = {
            axis: plan_segments(p, sorted({min(k, p.shape[1]) for k in lengths}), teeth, gaps)
            for axis, p in ((1, precision), (2, precision.T))
        }

    def whiten(self, x: np.ndarray) -> np.ndarray:
        """Precision matrix times maps, float32 ``[n, rows, columns]``, clipped."""
        n, rows, columns = x.shape
        # products of two plain matrices: batched ones of numpy are many times slower at this size
        y = np.ascontiguousarray(x, dtype=np.float32).reshape(n * rows, columns) @ self._along.T
        y = np.matmul(self._across, y.reshape(n, rows, columns))
        y *= self._weight
        y = np.matmul(self._across.T, y).reshape(n * rows, columns) @ self._along
        y = y.reshape(n, rows, columns)
        return y if self._clip is None else np.clip(y, -self._clip, self._clip, out=y)

    def evidence(self, x: np.ndarray, axes: tuple[int, ...] = (1,)) -> dict[int, np.ndarray]:
        """Log likelihood ratio of a line somewhere along each tooth.

        Args:
            x: ``[n, rows, columns]``.
            axes: 1 = rows, 2 = columns.

        Returns:
            of each axis float64 ``[n, lines]``. Their log-sum-exp is the log likelihood ratio of the map (a line of
            two teeth counts half for each).
        """
        found = {axis: np.full((len(x), x.shape[axis]), -np.inf) for axis in axes}
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            y = self.whiten(x[part])
            for axis in axes:
                # cells along the lines come first, so that sums along them run over whole blocks of memory
                field = np.ascontiguousarray(y.transpose(3 - axis, 0, axis))
                self._search(field, self._segments[axis], found[axis][part])
        return found

    def _search(self, field: np.ndarray, segments: list[Segment], found: np.ndarray) -> None:
        """Add to ``found`` ``[n, lines]`` the evidence of the segments in ``field`` ``[along, n, lines]``."""
        bands = {1: field}
        for s in segments:
            if s.teeth not in bands:
                bands[s.teeth] = bands[s.teeth - 1][:, :, :-1] + field[:, :, s.teeth - 1 :]
            band = bands[s.teeth]
            total = np.zeros((len(band) + 1, *band.shape[1:]), dtype=np.float32)
            cell = np.multiply(band, np.float32(s.step), out=total[1:])
            cell += np.float32(s.bright - s.offset)
            if np.isfinite(s.dark):  # a cell in a gap says nothing against the line: log(bright + dark) ~ the larger
                np.maximum(cell, np.float32(s.dark), out=cell)
            for at in range(1, len(cell)):  # running sums; numpy's own go line by line, many times slower
                cell[at] += cell[at - 1]
            ratio = total[s.length :] - total[: -s.length]
            most = ratio.max(axis=0)
            ratio -= most
            np.exp(ratio, out=ratio)
            line = np.log(ratio.sum(axis=0)) + most + (s.weight - np.log(s.teeth))
            lines = line.shape[1]
            for tooth in range(s.teeth):
                part = found[:, tooth : tooth + lines]
                np.logaddexp(part, line, out=part)

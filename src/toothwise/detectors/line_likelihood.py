"""Evidence for lines in texture whose correlation was learned from healthy maps.

The texture is taken to be Gaussian and alike everywhere around both gears, so one spectrum describes it and a map is
whitened by two small matrix products per axis. In the whitened map a line's cells add up to its log likelihood ratio;
what cannot be known (where, how long, how many teeth, how bright) is averaged over, as the likelihood ratio of all
lines together is their mean: neighbouring places and lengths then strengthen each other, where the best single one
would pay for all that were searched. Load and temperature make texture stronger or weaker: each map is judged on the
scale of its own. What short bright spots count beside lines follows from how bright they are on healthy maps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from toothwise.detectors.arrays import portions, running_sums
from toothwise.errors import InputError

AXES = {"rows": (1,), "columns": (2,), "both": (1, 2)}
_CHUNK = 128  # maps at a time: the working arrays stay in the processor's cache
_CONTRASTS = (1, 2, 3)  # times 0.3 of the common limit: as likely each; a line brighter than all is found by the last
_STEP = 0.3
FARTHEST = 8.0  # standard deviations of a line from healthy: five are found among all places of a map
_USUAL_PART = 0.25  # the common limit of contrast is that of a line of one tooth and this part of the axis
MOST = float(np.log(4.0))
_SPOT, _SPOTS = 8, 0.3  # lines of so few cells are looked for as spots too, with this share of the chance at first
_BELOW = 2.0  # healthy spots say less than healthy lines by this, in the log
_MOST_DARK = 0.4  # a spot with more gaps than that is looked for as a shorter one
_INDEPENDENT = 0.6  # gaps are allowed for where cells of a line carry at least this part of what they carry alone
_ALARMS, _FOUND = 0.01, 0.9  # a spot is as bright as one that is found so often at this rate of alarms
OUTLIER = 3.0  # cells count with this many standard deviations where the scale of a map is estimated
OWN_SCALE = (0.25, 40.0)  # a map's texture against the healthy one: beyond that it is no texture
ROUGH = 1.2  # times the usual scatter: beyond every healthy map; cells beyond OUTLIER are not just a line's there
HUBER, HUBER_MEAN = 1.345, 0.7102  # Huber's bound, and what a normal square has on average that is cut there
HUBER_STEPS = 12


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
    for part in portions(x, 256):
        total += (np.abs(np.fft.fft2(part - centre, norm="ortho")) ** 2).sum(axis=0)
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


def _line_energy(precision: np.ndarray, teeth: int, cells: int) -> float:
    """Squared distance from healthy noise of a line of log contrast 1 along a row."""
    rows, columns = precision.shape
    across = np.abs(np.fft.fft(np.ones(teeth), n=rows)) ** 2 @ precision.astype(np.float64)
    return float(np.abs(np.fft.fft(np.ones(cells), n=columns)) ** 2 @ across) / (rows * columns)


def _white_energy(precision: np.ndarray, segments: Iterable[Segment]) -> float:
    """Variance that white noise gives the sum of a segment, against what it gives a cell; the most of all segments.

    Both are of whitened maps and in units of what healthy noise gives there; at least 1.
    """
    square = precision.astype(np.float64) ** 2
    cell = square.sum() / precision.sum(dtype=np.float64)
    own = {(s.teeth, s.length) for s in segments}
    return max([1.0, *(_line_energy(square, *at) / _line_energy(precision, *at) / cell for at in own)])


def common_limit(precision: np.ndarray) -> float:
    """Log contrast that nobody misses, of lines along rows: lines are expected evenly up to it."""
    usual = max(2, round(_USUAL_PART * precision.shape[1]))
    return float(min(MOST, FARTHEST / np.sqrt(_line_energy(precision, 1, usual))))


@dataclass(frozen=True)
class Segment:
    """One kind of line that is looked for.

    With S the sum of its cells in the whitened map, its log likelihood ratio at the contrast ``m step`` is
    ``m step S - m^2 half``, averaged over ``multiples`` m. Of a spot each cell is taken by itself, and none counts
    less than ``dark``: ``max(step cell - half / length + bright, dark)``.

    Attributes:
        teeth, length: cells across and along.
        step: log contrast.
        half: half the segment's energy at that contrast.
        multiples: of the step; of a spot 1 alone.
        bright: added to a spot's cell; keeps the mean ratio of a healthy cell at 1 beside ``dark``.
        dark: log chance that a spot's cell is dark, the least that a cell can count; None = no spot.
        weight: log of the chance of one place of one kind of line at one contrast.
    """

    teeth: int
    length: int
    step: float
    half: float
    multiples: tuple[int, ...]
    bright: float
    dark: float | None
    weight: float

    def taken(self, m: int) -> float:
        """What is taken from ``m`` times the sum over the segment; of a spot each cell has had its part taken."""
        return m**2 * self.half if self.dark is None else 0.0


def plan_segments(
    precision: np.ndarray, lengths: list[int], teeth: int, gaps: float, spots: float = _SPOTS
) -> list[Segment]:
    """Segments along the rows of a map: lines of every length and contrast alike, and short bright spots.

    Args:
        precision: ``[rows, columns]``.
        lengths: cells along a line, rising, at most the columns. Each stands for the lengths nearest to it.
        teeth: neighbouring teeth that a line covers, 1 to this many.
        gaps: dark cells expected within a spot, at most a part of its length.
        spots: share of the chance that spots have, where lengths allow them.
    """
    from scipy.special import ndtri

    rows, columns = precision.shape
    kinds = [(t, k) for t in range(1, min(teeth, rows - 1) + 1) for k in lengths]
    edges = [1.0, *np.sqrt(np.multiply(lengths[1:], lengths[:-1])), columns]
    share_of = dict(zip(lengths, np.diff(edges) / (columns - 1.0), strict=True))
    short = [k for k in lengths if k <= _SPOT]
    step = _STEP * common_limit(precision)
    segments = []
    for t, k in kinds:
        energy, places = _line_energy(precision, t, k), (rows - t + 1) * (columns - k + 1)
        chance = (1.0 - spots * bool(short)) * share_of[k] / (len(kinds) / len(lengths)) / places
        weight = float(np.log(chance / len(_CONTRASTS)))
        segments.append(Segment(t, k, step, 0.5 * step**2 * energy, _CONTRASTS, 0.0, None, weight))
        if k in short:
            wanted = -ndtri(_ALARMS / (places * len(kinds))) + ndtri(_FOUND)
            # columns share their stripe with the whole column: its cells can only be judged together
            alone = energy >= _INDEPENDENT * k * _line_energy(precision, t, 1)
            share = 1.0 - min(_MOST_DARK, gaps / k) if alone else 1.0
            bright_step = float(wanted / np.sqrt(energy * share))
            half, dark = 0.5 * bright_step**2 * energy, float(np.log(1.0 - share)) if share < 1 else -np.inf
            weight = float(np.log(spots / (len(kinds) / len(lengths) * len(short)) / places))
            segments.append(Segment(t, k, bright_step, half, (1,), _bright(half / k, dark), dark, weight))
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
        own_scale: whether noise so rough that cells beyond ``OUTLIER`` are no longer a few counts by its own scale.
        usual: spread of a usual healthy map.
        spots: share of the chance that short bright spots have along rows and along columns.

    ``learn`` sets ``usual`` and ``spots`` from healthy maps.
    """

    def __init__(
        self,
        precision: np.ndarray,
        lengths: list[int],
        *,
        teeth: int = 1,
        gaps: float = 0.0,
        clip: float | None = None,
        own_scale: bool = True,
        usual: float = 1.0,
        spots: Iterable[float] = (_SPOTS, _SPOTS),
    ) -> None:
        self.precision = precision
        rows, columns = precision.shape
        self._across, self._along = _basis(rows).astype(np.float32), _basis(columns).astype(np.float32)
        self._weight = precision[np.ix_(_order(rows), _order(columns))].astype(np.float32)
        self.scale = float(np.sqrt(precision.mean(dtype=np.float64)))  # standard deviation of a whitened cell
        self.usual = usual
        self._rough = ROUGH if own_scale else np.inf
        self.clip = None if clip is None else float(np.float32(clip * self.scale))
        self._lines = (lengths, teeth, gaps)
        self._plan(spots)

    def _plan(self, spots: Iterable[float]) -> None:
        self.spots = tuple(float(share) for share in spots)
        lengths, teeth, gaps = self._lines
        self._segments = {
            axis: plan_segments(p, sorted({min(k, p.shape[1]) for k in lengths}), teeth, gaps, share)
            for axis, p, share in ((1, self.precision, self.spots[0]), (2, self.precision.T, self.spots[1]))
        }
        both = ((self.precision, self._segments[1]), (self.precision.T, self._segments[2]))
        self.white = max(_white_energy(p, own) for p, own in both)

    def _whitened(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Precision matrix times maps ``[n, rows, columns]``, and the spread of each in units of the learned one."""
        n, rows, columns = x.shape
        # products of two plain matrices: batched ones of numpy are many times slower at this size
        y = np.ascontiguousarray(x, dtype=np.float32).reshape(n * rows, columns) @ self._along.T
        y = np.matmul(self._across, y.reshape(n, rows, columns))
        y *= self._weight
        y = np.matmul(self._across.T, y).reshape(n * rows, columns) @ self._along
        y = y.reshape(n, rows, columns)
        z = np.clip(y, -OUTLIER * self.scale, OUTLIER * self.scale)
        return y, np.sqrt(np.einsum("nij,nij->n", z, z) / z[0].size).clip(1e-6 * self.scale) / self.scale

    def _scales(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Precision matrix times maps, what each is divided by, and how many times as far as healthy ones they scatter.

        Noise beyond the healthy one is taken for white, which may say more along a line than in a cell.
        """
        y, own = self._whitened(x)
        own, ratio = own / self.usual, np.ones(len(x))
        if (rough := np.flatnonzero(own > self._rough)).size:
            times = _rough_scale(y[rough]) / (self.scale * self.usual)
            white = np.sqrt(1.0 + self.white * (times**2 - 1.0).clip(0.0))
            own[rough] = np.where(times > self._rough, np.maximum(own[rough], white), own[rough])
            ratio[rough] = np.maximum(times / self._rough, 1.0)
        return y, own.clip(*OWN_SCALE), ratio

    def learn(self, x: np.ndarray) -> None:
        """Take over the usual spread of healthy maps ``x`` ``[n, rows, columns]``, and what spots count beside lines.

        A spot takes cells by themselves. Where neighbouring cells of the noise go together, that makes healthy spots
        look bright, which the lines would pay for: the median healthy map says as much less by its spots as by its
        lines in every texture.
        """
        self.usual = float(np.median(np.concatenate([self._whitened(part)[1] for part in portions(x, _CHUNK)])))
        shares = list(self.spots)
        for at, (axis, segments) in enumerate(self._segments.items()):
            kinds = [[s for s in segments if (s.dark is not None) is spots] for spots in (False, True)]
            if not kinds[1]:
                continue
            lines, spots = (
                float(np.median(np.logaddexp.reduce(self._evidence(x, {axis: kind})[axis], axis=1))) for kind in kinds
            )
            odds = shares[at] / (1.0 - shares[at]) * np.exp(lines - spots - _BELOW)
            shares[at] = odds / (1.0 + odds)
        self._plan(shares)

    def whiten(self, x: np.ndarray) -> np.ndarray:
        """Precision matrix times maps, float32 ``[n, rows, columns]``, on the scale of each map's texture, clipped."""
        y, own, _ = self._scales(x)
        y /= own.astype(np.float32)[:, None, None]
        return y if self.clip is None else np.clip(y, -self.clip, self.clip, out=y)

    def scatter_ratio(self, x: np.ndarray) -> np.ndarray:
        """As ``Detector.scatter_ratio``, of the whitened cells of maps ``[n, rows, columns]``."""
        return np.concatenate([self._scales(part)[2] for part in portions(x, _CHUNK)])

    def evidence(self, x: np.ndarray, axes: tuple[int, ...] = (1,)) -> dict[int, np.ndarray]:
        """Log likelihood ratio of a line somewhere along each tooth.

        Args:
            x: ``[n, rows, columns]``.
            axes: 1 = rows, 2 = columns.

        Returns:
            of each axis float64 ``[n, lines]``. Their log-sum-exp is the log likelihood ratio of the map (a line of
            two teeth counts half for each).
        """
        return self._evidence(x, {axis: self._segments[axis] for axis in axes})

    def _evidence(self, x: np.ndarray, kinds: dict[int, list[Segment]]) -> dict[int, np.ndarray]:
        """The same, of some segments of each axis."""
        found = {axis: np.full((len(x), x.shape[axis]), -np.inf) for axis in kinds}
        begin = 0
        for part in portions(x, _CHUNK):
            y = self.whiten(part)
            for axis, segments in kinds.items():
                # cells along the lines come first, so that sums along them run over whole blocks of memory
                field = np.ascontiguousarray(y.transpose(3 - axis, 0, axis))
                self._search(field, segments, found[axis][begin : begin + len(part)])
            begin += len(part)
        return found

    def _search(self, field: np.ndarray, segments: list[Segment], found: np.ndarray) -> None:
        """Add to ``found`` ``[n, lines]`` the evidence of the segments in ``field`` ``[along, n, lines]``."""
        bands, sums = {1: field}, {1: running_sums(field)}
        for s in segments:
            if s.teeth not in bands:
                bands[s.teeth] = bands[s.teeth - 1][:, :, :-1] + field[:, :, s.teeth - 1 :]
                sums[s.teeth] = running_sums(bands[s.teeth])
            total, step = sums[s.teeth], np.float32(s.step)
            if s.dark is not None:  # a cell in a gap says nothing against the line: log(bright + dark) ~ the larger
                cell = bands[s.teeth] * step + np.float32(s.bright - s.half / s.length)
                total, step = running_sums(np.maximum(cell, np.float32(s.dark), out=cell)), np.float32(1.0)
            ratio = total[s.length :] - total[: -s.length]
            ratio *= step
            most = ratio.max(axis=0)
            ratio -= most
            np.exp(ratio, out=ratio)
            line = np.log(ratio.sum(axis=0)) + most - s.taken(1)
            power = ratio
            for m in s.multiples[1:]:  # exp(m x) is a power of exp(x)
                power = power * ratio
                np.logaddexp(line, np.log(power.sum(axis=0)) + m * most - s.taken(m), out=line)
            line += s.weight - np.log(s.teeth)
            lines = line.shape[1]
            for tooth in range(s.teeth):
                part = found[:, tooth : tooth + lines]
                np.logaddexp(part, line, out=part)


def _rough_scale(y: np.ndarray) -> np.ndarray:
    """Standard deviation of the cells of maps ``[n, rows, columns]``, which no few teeth move, ``[n]``.

    The least of three: Huber's proposal 2 (Annals of Mathematical Statistics 35, 1964) over all cells, and those of the
    median row and of the median column.
    """
    square = np.square(y)
    own = square.mean(axis=(1, 2))
    for _ in range(HUBER_STEPS):
        own = np.minimum(square, HUBER**2 * own[:, None, None]).mean(axis=(1, 2)) / HUBER_MEAN
    lines = [np.median(square.mean(axis=axis), axis=1) for axis in (1, 2)]
    return np.asarray(np.sqrt(np.minimum.reduce([own, *lines])))

"""The physical limit of the simulated benchmark: the likelihood ratio that knows the generator.

Contrast is defined in the log map, so damage adds a log(contrast) to the cells of a line and everything else is
Gaussian, but for the level. With the precision matrix W of the texture (all Fourier modes but the mean), the texture
factor t, a line M of |M| cells and p0 the density of the mean of a healthy log map of N pixels, the ratio of the
densities of x with and without that line is

    L(x; M, a) = exp(a <x, M>_W / t^2 - a^2 <M, M>_W / (2 t^2)) p0(mean x - a |M| / N) / p0(mean x),   a = log(contrast)

and the ratio of the benchmark is its mean over the generator's own prior of the line: teeth, length, place, gaps,
contrast. Thermal states enter as a mixture of both densities. By the lemma of Neyman and Pearson no detector, however
built, finds more of these lines at the same rate of false alarms, averaged over that prior.

Places, teeth, lengths and contrasts are listed in full. Gaps are listed where they are few and else represented by
draws: the ratio of such a finite mixture is a test like any other, so what it detects is a lower estimate of what can
be detected, and the smallest contrast that it finds an upper estimate of the true limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import logsumexp

from toothwise.checks import check_choice, check_whole
from toothwise.errors import InputError
from toothwise.simulate.lines import GEARS, LineShape
from toothwise.simulate.textures import DOMAINS, Session
from toothwise_lab.line_prior import gap_patterns
from toothwise_lab.whitening import ThermalState, spectrum, thermal_states, whiten

_BLOCK = 1 << 19  # numbers in the working array: it stays in the processor's cache


@dataclass(frozen=True)
class LimitConfig:
    """Which benchmark the limit is of; the arguments of ``simulate.maps.generate`` in matched mode.

    Attributes:
        domain, split, condition, gear, shape, line: as given to the generator.
        session: "healthy" or "fault", the recording session that all maps come from.
        contrast: contrasts that are equally likely; one number for a sweep.
        draws: gap patterns per number of gaps and length at most.
        seed: of the drawn gap patterns.
    """

    domain: str = "C"
    split: str = "train"
    condition: str = "mixed"
    session: str = "healthy"
    shape: tuple[int, int] = (31, 95)
    gear: str = "driving"
    line: LineShape = field(default_factory=LineShape)
    contrast: tuple[float, ...] = (1.2, 1.25, 1.3, 1.35, 1.4, 1.45)
    draws: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        allowed = {
            "domain": tuple(DOMAINS),
            "split": ("train", "test"),
            "condition": ("cold", "warm", "mixed"),
            "session": ("healthy", "fault"),
            "gear": GEARS,
        }
        for name, names in allowed.items():
            check_choice(names, **{name: getattr(self, name)})
        check_whole(1, draws=self.draws)
        if not self.contrast or not all(np.isfinite(c) and c > 0 for c in self.contrast):
            raise InputError(f"contrast must be one or more positive numbers, but got {self.contrast!r}")


@dataclass(frozen=True, eq=False)
class _Lines:
    """All lines of one orientation, length and number of teeth.

    ``energy`` is <M, M>_W and ``bright`` |M| of each gap pattern, float64 and int ``[patterns]``; ``log_chance`` that
    of a line at one place, ``[patterns]``.
    """

    turned: bool
    teeth: int
    length: int
    cells: np.ndarray
    energy: np.ndarray
    bright: np.ndarray
    log_chance: np.ndarray


def _energy(cells: np.ndarray, teeth: int, precision: np.ndarray) -> np.ndarray:
    """<M, M>_W of patterns ``[k, length]`` over a number of teeth; the same at every place of the map."""
    rows, columns = precision.shape
    across = np.abs(np.fft.fft(np.ones(teeth), n=rows)) ** 2 @ precision
    along = np.abs(np.fft.fft(cells.astype(np.float64), n=columns, axis=1)) ** 2
    return along @ across / (rows * columns)


class LikelihoodRatio:
    """The averaged likelihood ratio of one benchmark, ready to score maps."""

    def __init__(self, config: LimitConfig | None = None) -> None:
        self.config = config or LimitConfig()
        c, kind = self.config, DOMAINS[self.config.domain]
        session = kind.session if c.session == "fault" else Session()
        power = spectrum(kind, c.shape, session)
        self.precision = 1.0 / power
        self.precision[0, 0] = 0.0  # the mean carries the level too and is treated apart
        self._mean_variance = power[0, 0] / power.size
        self.states = thermal_states(kind, c.split, c.condition, session)
        self.exact = True  # no gap pattern was drawn
        self._lines = list(self._all_lines())

    def _all_lines(self) -> Iterator[_Lines]:
        c, rng = self.config, np.random.default_rng(self.config.seed)
        sides = {"driving": (False,), "driven": (True,), "both": (False, True)}[c.gear]
        for turned in sides:
            precision = self.precision.T if turned else self.precision
            most, along = precision.shape
            low, high = c.line.length or (2, along - 1)
            if c.line.teeth[1] > most or high > along:
                raise InputError(f"a line of {c.line} does not fit {most} teeth x {along} cells")
            teeth = range(c.line.teeth[0], c.line.teeth[1] + 1)
            for length in range(low, high + 1):
                patterns = gap_patterns(length, c.line, c.draws, rng)
                self.exact &= patterns.exact
                for number in teeth:
                    places = (most - number + 1) * (along - length + 1)
                    shares = places * len(teeth) * (high - low + 1) * len(sides)
                    yield _Lines(
                        turned,
                        number,
                        length,
                        patterns.cells.astype(np.float32),
                        _energy(patterns.cells, number, precision),
                        patterns.cells.sum(axis=1) * number,
                        np.log(patterns.chance) - np.log(shares),
                    )

    def per_contrast(self, values: np.ndarray, contrast: tuple[float, ...] | None = None) -> np.ndarray:
        """Log likelihood ratio of maps, for lines of each contrast apart.

        Args:
            values: ``[n, rows, columns]``, positive.
            contrast: other contrasts than those of the configuration.

        Returns:
            float64 ``[n, contrasts]``.

        Raises:
            InputError: another shape, or values that are not positive.
        """
        step = np.log(np.asarray(self.config.contrast if contrast is None else contrast, dtype=np.float64))
        x = _log_maps(values, self.config.shape)
        whitened = whiten(x, self.precision)
        mean = x.mean(axis=(1, 2))
        ratio = np.stack([self._state_ratio(whitened, mean, step, state) for state in self.states])
        if len(self.states) == 1:
            return ratio[0]
        # density of each state at x, up to what they share
        square = np.einsum("nij,nij->n", x, whitened)
        healthy = np.stack(
            [
                np.log(s.weight)
                + s.mean_log_density(mean, self._mean_variance)
                - 0.5 * square / s.texture**2
                - (self.precision.size - 1) * np.log(s.texture)
                for s in self.states
            ]
        )
        return logsumexp(healthy[:, :, None] + ratio, axis=0) - logsumexp(healthy, axis=0)[:, None]

    def score(self, values: np.ndarray) -> np.ndarray:
        """Log likelihood ratio, averaged over the contrasts of the configuration, float64 ``[n]``."""
        each = self.per_contrast(values)
        return logsumexp(each, axis=1) - np.log(each.shape[1])

    def _state_ratio(self, whitened: np.ndarray, mean: np.ndarray, step: np.ndarray, state: ThermalState) -> np.ndarray:
        """Log ratio ``[n, contrasts]`` within one thermal state."""
        total = np.full((len(mean), len(step)), -np.inf)
        shift = self._mean_shift(mean, step, state)
        for lines in self._lines:
            field_ = np.swapaxes(whitened, 1, 2) if lines.turned else whitened
            for part, log_sum in _place_sums(field_.astype(np.float32), lines, step, state.texture**2):
                each = log_sum + lines.log_chance + shift[part][:, :, lines.bright]
                total[part] = np.logaddexp(total[part], logsumexp(each, axis=2))
        return total

    def _mean_shift(self, mean: np.ndarray, step: np.ndarray, state: ThermalState) -> np.ndarray:
        """log p0(mean - a |M| / N) - log p0(mean), ``[n, contrasts, |M| + 1]``, read off a fine cubic spline."""
        cells = np.arange(max(int(lines.bright.max()) for lines in self._lines) + 1)
        moved = mean[:, None, None] - step[:, None] * cells / self.precision.size
        sd = state.texture * np.sqrt(self._mean_variance)
        knots = int(np.ceil((moved.max() - moved.min()) / (0.1 * sd))) + 8
        grid = np.linspace(moved.min() - 0.2 * sd, moved.max() + 0.2 * sd, knots)
        spline = CubicSpline(grid, state.mean_log_density(grid, self._mean_variance))
        return spline(moved) - spline(mean)[:, None, None]


def _log_maps(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 3 or x.shape[1:] != tuple(shape):
        raise InputError(f"maps must be [n, {shape[0]}, {shape[1]}], but got {list(x.shape)}")
    if not (np.isfinite(x).all() and (x > 0).all()):
        raise InputError(f"the likelihood is that of positive maps, but values go from {x.min():.4g} to {x.max():.4g}")
    return np.log(x)


def _windows(field_: np.ndarray, teeth: int, length: int) -> np.ndarray:
    """Stretches of sums over neighbouring teeth, ``[n, rows - teeth + 1, columns - length + 1, length]``."""
    rows = field_.shape[1] - teeth + 1
    band = sum((field_[:, i : i + rows] for i in range(1, teeth)), start=field_[:, :rows])
    return np.lib.stride_tricks.sliding_window_view(band, length, axis=2)


def _place_sums(
    field_: np.ndarray, lines: _Lines, step: np.ndarray, variance: float
) -> Iterator[tuple[slice, np.ndarray]]:
    """Log of the sum over places of exp(a <x, M>_W - a^2 <M, M>_W / 2), ``[maps, contrasts, patterns]``, in blocks.

    float32 within a block: exponents are taken relative to the largest of their map, so nothing overflows, and an
    error of 1e-5 in a log ratio moves no ranking that matters.
    """
    windows = _windows(field_, lines.teeth, lines.length)
    places, patterns = windows.shape[1] * windows.shape[2], len(lines.cells)
    block = max(1, _BLOCK // (places * patterns))
    weights = np.ascontiguousarray(lines.cells.T)
    ones = np.ones((1, 1, places), dtype=np.float32)
    for at in range(0, len(field_), block):
        part = slice(at, min(at + block, len(field_)))
        n = part.stop - at
        hits = (windows[part].reshape(n * places, lines.length) @ weights).reshape(n, places, patterns)
        out = np.empty((n, len(step), patterns))
        buffer = np.empty_like(hits)
        for k, a in enumerate(step):
            np.multiply(hits, np.float32(a / variance), out=buffer)
            buffer -= (0.5 * a**2 / variance * lines.energy).astype(np.float32)
            top = buffer.reshape(n, -1).max(axis=1)
            buffer -= top[:, None, None]
            np.exp(buffer, out=buffer)
            with np.errstate(divide="ignore"):  # a pattern far below the best of its map: no share in the sum
                out[:, k] = np.log(np.matmul(ones, buffer)[:, 0].astype(np.float64)) + top[:, None]
        yield part, out


def log_likelihood_ratio(values: np.ndarray, config: LimitConfig | None = None) -> np.ndarray:
    """Log of the likelihood ratio averaged over the prior of the line: the best score that this benchmark allows.

    The formula is that of the module. Of healthy maps the ratio itself (not its log) has the mean 1.

    Args:
        values: maps ``[n, rows, columns]`` in the generator's units.
        config: the benchmark; its contrasts are averaged over. For many batches build a ``LikelihoodRatio`` once.

    Returns:
        float64 ``[n]``, larger = more likely faulty.

    Raises:
        InputError: maps of another shape or not positive, or lines that do not fit.
    """
    return LikelihoodRatio(config).score(values)


def generalised_likelihood_ratio(values: np.ndarray, config: LimitConfig | None = None) -> np.ndarray:
    """Best single line without gaps instead of the mean over lines: what is practical, not a bound.

    sqrt(2 log ratio) with contrast at its best value above 1, the level unknown, and the texture known:
    max over places, teeth, lengths of <x, M>_W / sqrt(<M, M>_W), where W leaves the mean out. Contrasts, gaps and
    thermal states of the configuration are not used.

    Args, errors: as ``log_likelihood_ratio``.

    Returns:
        float64 ``[n]``.
    """
    c = config or LimitConfig()
    kind = DOMAINS[c.domain]
    precision = 1.0 / spectrum(kind, c.shape, kind.session if c.session == "fault" else Session())
    precision[0, 0] = 0.0
    whitened = whiten(_log_maps(values, c.shape), precision)
    best = np.full(len(whitened), -np.inf)
    for turned in {"driving": (False,), "driven": (True,), "both": (False, True)}[c.gear]:
        field_ = np.swapaxes(whitened, 1, 2) if turned else whitened
        w = precision.T if turned else precision
        low, high = c.line.length or (2, w.shape[1] - 1)
        cells = np.tri(w.shape[1], dtype=bool)[low - 1 : high]  # lines of every length, from the first cell
        for teeth in range(c.line.teeth[0], c.line.teeth[1] + 1):
            scale = 1.0 / np.sqrt(_energy(cells, teeth, w))
            band = _windows(field_, teeth, 1)[..., 0]
            for at in range(0, len(band), 64):
                total = np.cumsum(band[at : at + 64], axis=2)
                total = np.concatenate([np.zeros_like(total[:, :, :1]), total], axis=2).astype(np.float32)
                for length, s in zip(range(low, high + 1), scale, strict=True):
                    hit = (total[:, :, length:] - total[:, :, :-length]).max(axis=(1, 2)) * s
                    best[at : at + 64] = np.maximum(best[at : at + 64], hit)
    return best

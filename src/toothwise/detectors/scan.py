"""Directional scan: the best row or column segment of a map, calibrated on healthy maps. No weights, no GPU.

In the log domain a damaged driving tooth adds a constant along a row segment. Column medians are removed first
(stripes, gain, whatever hits all teeth at once), each pixel is put on the scale of the healthy maps, and the sum
over every segment of several lengths is standardised by what healthy maps give at that length. Columns likewise. A
map whose pixels scatter more than those of every healthy map is put on the scale of its own: noise makes no line.

With ``noise="learned"`` maps are whitened instead, by the correlation that healthy maps show, each is put on the scale
of its own texture, and segments count by their likelihood (module ``line_likelihood``). That finds fainter lines in
texture that is alike around both gears.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.detectors.arrays import known_median, portions, running_sums
from toothwise.detectors.base import Abilities, ArrayDetector, Prediction, given
from toothwise.detectors.line_likelihood import AXES, LineLikelihood, healthy_precision
from toothwise.errors import InputError
from toothwise.evaluation.tail import healthy_tail
from toothwise.healthmap.logarithm import log_positive
from toothwise.progress import Progress

_MARGIN = 1.05  # times the widest healthy map: up to there the healthy scale holds
_CHUNK = 64  # maps at a time: the working arrays stay in the processor's cache


class DirectionalScan(ArrayDetector):
    """Best segment over several lengths along rows, columns or both.

    Args:
        lines: "rows", "columns" or "both": where damage may show.
        lengths (cells): Lengths of the segments along a line; those longer than the line are cut to it.
        log: Work on the logarithm of the values (for maps of positive magnitudes).
        reference: "line" centres each row (column) on its own healthy level, for maps whose tooth numbers are aligned;
            "none" does not, for maps whose tooth zero is unknown or whose texture is redrawn every time.
        clip (standard deviations): Pixels count with at most this many standard deviations, so that a single spike is
            no line; None = all.
        own_scale: A map whose pixels scatter further than those of every healthy one is put on the scale of its own;
            False where that may be damage itself, as of maps whose columns are records of one run. Of logarithms,
            with reference "none" and noise "independent".
        noise: "independent" = pixels of a line are independent once what all lines share is removed; "learned" = the
            map's correlation (stripes, waves, neighbours) is learned from healthy maps, 20 or more of them, without NaN
            and with reference "none".
        teeth (teeth): With learned noise: neighbouring teeth that a line covers, 1 to this many.
        gaps (cells): With learned noise: dark cells to be expected within a short line.

    Raises:
        InputError: an option that is not allowed, log of values that are not positive, or NaN with learned noise.
    """

    name: ClassVar[str] = "scan"
    can = Abilities(rows=True, columns=True, positive=True, export="numpy")

    def __init__(
        self,
        *,
        lines: str = "both",
        lengths: Sequence[int] = (4, 8, 16, 32, 64, 128),
        log: bool = True,
        reference: str = "none",
        clip: float | None = 5.0,
        own_scale: bool = True,
        noise: str = "independent",
        teeth: int = 1,
        gaps: float = 0.0,
    ) -> None:
        check_choice(tuple(AXES), lines=lines)
        check_choice(("none", "line"), reference=reference)
        check_choice(("independent", "learned"), noise=noise)
        check_range("(0, inf)", clip=1.0 if clip is None else clip)
        check_whole(1, teeth=teeth, lengths=lengths or 0)
        check_range("[0, inf)", gaps=gaps)
        if noise == "independent" and (teeth, gaps) != (1, 0):
            raise InputError(f"teeth and gaps need noise 'learned', but got teeth {teeth!r}, gaps {gaps!r} without it")
        if noise == "learned" and reference != "none":
            raise InputError(f"noise 'learned' needs reference 'none', but got {reference!r}")
        super().__init__(**given(locals()) | {"lengths": sorted(set(lengths))})
        self._likelihood: LineLikelihood | None = None

    def _lengths(self, size: int) -> list[int]:
        return sorted({min(k, size) for k in self.options["lengths"]})

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        """Logarithms of maps, or the maps themselves."""
        return log_positive(x, "the scan", "use log=false for such maps") if self.options["log"] else x

    def _complete(self, values: np.ndarray) -> np.ndarray:
        """The same, of maps for learned noise."""
        if np.isnan(values).any():
            raise InputError("noise 'learned' needs maps without NaN, but tooth pairs are missing: use 'independent'")
        return self._scaled(values)

    def _whitened(self) -> LineLikelihood:
        """The search with the learned noise, made when it is first needed."""
        if self._likelihood is None:
            own = {name: self.options[name] for name in ("lengths", "teeth", "gaps", "clip", "own_scale")}
            own |= {name: self._learned[name] for name in ("usual", "spots") if name in self._learned}
            self._likelihood = LineLikelihood(self._learned["precision"], **own)
        return self._likelihood

    def _lines(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Maps as float64 ``[n, lines, along]`` in the log domain, what all lines share at a place removed."""
        x = self._scaled(values if axis == 1 else np.swapaxes(values, 1, 2))
        with np.errstate(all="ignore"):
            return x - known_median(x, axis=1)

    def _standard(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Pixels in standard deviations of healthy ones, or of the map's own where they scatter more, clipped."""
        z = self._deviation(values, axis)
        z /= self._ratio(z, axis)[:, None, None]
        clip = self.options["clip"]
        return np.nan_to_num(z if clip is None else np.clip(z, -clip, clip), nan=0.0)

    def _deviation(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Pixels in standard deviations of healthy ones, ``[n, lines, along]``."""
        centre, scale = (self._learned[f"{name}{axis}"][:, None] for name in ("centre", "scale"))
        return np.asarray((self._lines(values, axis) - centre) / scale)

    def _ratio(self, z: np.ndarray, axis: int) -> np.ndarray:
        """How many times as far as those of any healthy map the pixels of maps scatter, ``[n]``; at least 1."""
        widest = self._learned.get(f"widest{axis}")
        return np.ones(len(z)) if widest is None else np.maximum(_scatter(z) / widest, 1.0)

    def scatter_ratio(self, values: np.ndarray) -> np.ndarray:
        """As ``Detector.scatter_ratio``; with learned noise of the whitened cells."""
        if self.options["noise"] == "learned":
            return self._whitened().scatter_ratio(self._complete(values))
        parts, axes = portions(values, _CHUNK), AXES[self.options["lines"]]
        return np.concatenate([np.max([self._ratio(self._deviation(p, a), a) for a in axes], axis=0) for p in parts])

    def _field(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Pixels in standard deviations of healthy ones, ``[n, lines, along]``, for the anomaly map."""
        if self.options["noise"] == "independent":
            return self._standard(values, axis)
        z = self._whitened().whiten(self._complete(values)) / self._whitened().scale
        return z if axis == 1 else np.swapaxes(z, 1, 2)

    def _line_maxima(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Best segment of each line at each length, ``[n, lines, lengths]``."""
        parts = []
        for part in portions(values, _CHUNK):
            z = self._standard(part, axis)
            total = running_sums(np.moveaxis(z, 2, 0), np.float64)
            best = [(total[k:] - total[:-k]).max(axis=0) / np.sqrt(k) for k in self._lengths(z.shape[2])]
            parts.append(np.stack(best, axis=2))
        return np.concatenate(parts)

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        self._likelihood, self._learned = None, {}
        learned = self.options["noise"] == "learned"
        if learned:
            x = self._complete(values)
            self._learned["precision"] = healthy_precision(x)
            search = self._whitened()
            search.learn(x)
            self._learned |= {"usual": np.array(search.usual), "spots": np.array(search.spots)}
        for axis in () if learned else AXES[self.options["lines"]]:
            x = self._lines(values, axis)
            along = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
            centre = np.nan_to_num(known_median(along, axis=1)[:, 0])
            if self.options["reference"] == "none":
                centre = np.full_like(centre, np.nanmedian(along))
            spread = 1.4826 * np.nan_to_num(known_median(np.abs(along - centre[:, None]), axis=1)[:, 0])
            common = float(np.median(spread[spread > 0])) if (spread > 0).any() else 0.0
            if common == 0.0:
                raise InputError("healthy maps are constant along every line: there is nothing to calibrate on")
            # a line's own scale from few maps is uncertain: it is drawn halfway to the common one
            spread = np.exp(0.5 * np.log(np.maximum(spread, 0.2 * common)) + 0.5 * np.log(common))
            if self.options["reference"] == "none":
                spread = np.full_like(spread, common)
            self._learned[f"centre{axis}"], self._learned[f"scale{axis}"] = centre, spread
            if self.options["own_scale"] and self.options["log"] and self.options["reference"] == "none":
                own = np.concatenate([_scatter(self._deviation(part, axis)) for part in portions(values, _CHUNK)])
                if own.max() > 0.0:  # of maps most of whose cells never change it is 0
                    self._learned[f"widest{axis}"] = _MARGIN * own.max(keepdims=True)
            best = self._line_maxima(values, axis).reshape(-1, len(self._lengths(x.shape[2])))
            self._learned[f"mean{axis}"] = best.mean(axis=0)
            self._learned[f"sd{axis}"] = np.maximum(best.std(axis=0), 1e-3)
        self._learned["healthy"] = np.sort(self._raw(values)[0])

    def _raw(self, values: np.ndarray) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Score ``[n]`` and, per axis, the evidence of every line ``[n, lines]``."""
        axes = AXES[self.options["lines"]]
        if self.options["noise"] == "learned":
            evidence = self._whitened().evidence(self._complete(values), axes)
            return np.logaddexp.reduce(np.concatenate(list(evidence.values()), axis=1), axis=1), evidence
        evidence = {}
        for axis in axes:
            best = self._line_maxima(values, axis)
            evidence[axis] = ((best - self._learned[f"mean{axis}"]) / self._learned[f"sd{axis}"]).max(axis=2)
        return np.max([e.max(axis=1) for e in evidence.values()], axis=0), evidence

    def p_value(self, score: np.ndarray) -> np.ndarray:
        """Chance that a healthy map scores as high, float64 ``[n]``; see ``healthy_tail``."""
        return healthy_tail(score, self._learned["healthy"], least=1)

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        score, evidence = self._raw(values)
        heat = np.zeros(values.shape, dtype=np.float32)
        for axis in evidence:
            for start in range(0, len(values), _CHUNK):
                part = slice(start, start + _CHUNK)
                z = self._field(values[part], axis)
                line = _best_cover(z, self._lengths(z.shape[2]))
                heat[part] = np.maximum(heat[part], line if axis == 1 else np.swapaxes(line, 1, 2))
        heat[np.isnan(values)] = np.nan
        return Prediction(score, heat, None, evidence.get(1), evidence.get(2), self.p_value(score))

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self._likelihood = None
        if self.options["noise"] == "learned":
            self._learned = {name: state[name] for name in ("healthy", "precision", "usual", "spots")}
            return
        self._learned = {"healthy": state["healthy"]}
        for axis in AXES[self.options["lines"]]:
            rows, columns = self.shape or (0, 0)
            lines, along = (rows, columns) if axis == 1 else (columns, rows)
            sizes = {"centre": lines, "scale": lines} | dict.fromkeys(("mean", "sd"), len(self._lengths(along)))
            # folders of before know no widest map: each map counts on the healthy scale there, as it did
            sizes |= {"widest": 1} if f"widest{axis}" in state else {}
            for name, size in sizes.items():
                if (found := state[f"{name}{axis}"].shape) != (size,):
                    raise InputError(f"{name}{axis} has the shape {found}, but shape and lengths ask for ({size},)")
            self._learned |= {f"{name}{axis}": state[f"{name}{axis}"] for name in sizes}


def _scatter(z: np.ndarray) -> np.ndarray:
    """Spread of the pixels of each map around the median of their line, which no damaged line moves, ``[n]``."""
    beside = np.abs(z - known_median(z, axis=2))
    return np.asarray(1.4826 * known_median(beside.reshape(len(z), -1), axis=1)[:, 0])


def _best_cover(z: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """At each pixel the best segment that covers it, over all lengths, float32 ``[n, lines, along]``; never below 0."""
    total = running_sums(np.moveaxis(z, 2, 0), np.float64)
    best = np.zeros((z.shape[2], *z.shape[:2]), dtype=np.float32)
    for k in lengths:
        segment = ((total[k:] - total[:-k]) / np.sqrt(k)).astype(np.float32)
        # the maximum over up to k neighbouring segments, in log2(k) steps: each doubles the reach
        reach = 1
        while reach < k:
            step = min(reach, k - reach)
            grown = np.full((len(segment) + step, *segment.shape[1:]), -np.inf, dtype=np.float32)
            grown[: len(segment)] = segment
            np.maximum(grown[step:], segment, out=grown[step:])
            segment, reach = grown, reach + step
        np.maximum(best, segment, out=best)
    return np.moveaxis(best, 0, 2)

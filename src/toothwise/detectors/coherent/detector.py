"""Coherent deviation: add a tooth's waveform over its mates before squaring, on the scale of healthy scatter.

A map of RMS values has thrown the phase away: summing its row adds squares, while the waveform that a damaged tooth
adds is the same with every mate and can be summed first. So this detector looks at the mesh waveforms of a map
(``HealthMap.waveforms``: what each mesh holds beyond the healthy waveform). Every order of the residual is divided by
the scatter that healthy records show at that order, so that an order counts by how surely it is known, not by how loud
it is. Whitened waveforms are then averaged along each line of either gear, over all mates and over stretches of them,
and squared. The logarithm of that energy less the median over the gear's teeth is a contrast that neither a change of
load nor one of sensor gain can raise, because both act on all teeth alike.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from toothwise.detectors.arrays import known_median
from toothwise.detectors.base import FEW, Abilities, ArrayDetector, Maps, Prediction
from toothwise.detectors.coherent.damaged_teeth import damaged_teeth
from toothwise.detectors.coherent.elsewhere import among_teeth
from toothwise.detectors.coherent.line_removal import along_line, without_line
from toothwise.detectors.coherent.meshes import best_segment, events, half_a_turn, lines
from toothwise.detectors.coherent.whitening import evened, scatter, weight_of, whitened, without_tones
from toothwise.errors import InputError
from toothwise.progress import Progress

_BEHIND = 2.0  # healthy standard deviations by which the rarer kinds of evidence stand back behind whole lines
_DRAWN, _NEW = 240, 4  # new records that are drawn where healthy ones are few, and how many of each drawn gearbox
_RARE = 0.01  # chance at which the widths of Student's and the normal distribution are compared
_TAILED = 8  # degrees of freedom at the most by which drawn records are widened
_SECTOR = 1.5  # of what a sector of the revolution is noisier by: its teeth differ by chance, and more in a loud one
_UNEVEN = 1.5  # times what healthy records show on average, below which a record is not taken for uneven
_NORMAL = 4.0  # records that the spread of a normal maximum counts as, beside the maxima of healthy records


class Coherent(ArrayDetector):
    """Whitened coherent deviation of every tooth of both gears, from mesh waveforms.

    The score is the largest evidence of all teeth. The evidence of a tooth is its log energy less the median over its
    gear, on the scale of the largest such value of a healthy record (0 = as usual, 1 = one standard deviation more):
    that of the waveform averaged over all mates, or, where that says more, of the best stretch of mates (pitting meets
    some mates only) or of what differs from mate to mate (impacts jitter).

    Args:
        segments (share): Shares of the mates that damage may cover, besides all of them.
        contacts: The axis ("rows" or "columns") whose teeth touch two mates half a revolution apart, as the teeth of a
            planet touch sun and ring; half the energy found there is added. None for a pair.
        seed: Of the records that are drawn where healthy ones are fewer than 32.

    Raises:
        InputError: An option that is not allowed, maps without waveforms, or fewer than 2 healthy maps.
    """

    name: ClassVar[str] = "coherent"
    can: ClassVar[Abilities] = Abilities(rows=True, columns=True, export="numpy", waveforms=True, fewest=2)

    def __init__(
        self, *, segments: tuple[float, ...] = (0.5, 0.25), contacts: str | None = None, seed: int = 0
    ) -> None:
        if not all(isinstance(s, int | float) and 0 < s < 1 for s in segments):
            raise InputError(f"segments must be shares between 0 and 1, but got {list(segments)}")
        if contacts not in (None, "rows", "columns"):
            raise InputError(f"contacts must be 'rows', 'columns' or none, but got {contacts!r}")
        super().__init__(segments=list(segments), contacts=contacts, seed=seed)

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        if values.ndim != 4:
            raise InputError(f"{self.name} needs mesh waveforms [n, rows, columns, samples], but got {values.shape}")
        if (n := len(values)) < 2:
            raise InputError(f"the scatter of healthy records needs 2 maps with waveforms or more, but got {n}")
        self._learned = self._learn(np.fft.rfft(self._periods(values)), values.shape)[0]

    def from_few(self, maps: Maps) -> tuple[Prediction, Prediction]:
        """See ``Detector``: of recordings that are too few to count a rate on."""
        values = self.input_of(maps)
        n, shape = len(values), values.shape
        learned, white, power = self._learn(np.fft.rfft(self._periods(values)), shape)
        left_out = Prediction.of_teeth(*self._evidence(white, shape, learned))
        return left_out, self._draw(power / (1.0 + 1.0 / n), n, shape)

    def _learn(
        self, spectra: np.ndarray, shape: tuple[int, ...]
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """What healthy records ``[n, bins]`` teach, each of them whitened by the others, and their residuals' power."""
        n, total, size = len(spectra), spectra.sum(axis=0), _size(shape)
        # each record against the mean of the others: its own share in the mean would hide its scatter. A new record
        # scatters by 1 + 1 / n around the mean of all, one left out by 1 + 1 / (n - 1)
        rest = (spectra - (total - spectra) / (n - 1)) * np.sqrt((1.0 + 1.0 / n) / (1.0 + 1.0 / (n - 1)))
        power = np.abs(rest) ** 2
        whole = power.sum(axis=0)
        learned = {"mean": np.fft.irfft(total / n, size), "scatter": scatter(whole / n, n, shape[1:3])}
        # a record whose own power is in the scatter that it is divided by looks more even than a new one will
        white = np.empty((n, size))
        for k in range(n):
            others = scatter((whole - power[k]) / (n - 1), n - 1, shape[1:3]) if n > 2 else learned["scatter"]
            white[k] = np.fft.irfft(rest[k] * weight_of(others), size)
        white = evened(white, learned["scatter"], shape[1:3])
        contrasts = self._contrasts(white, shape)
        noise = [_filled(gear[-1]) for gear in contrasts]
        learned["noise"] = np.concatenate([gear.mean(axis=0) for gear in noise])
        wider = np.sqrt((1.0 + 1.0 / n) / (1.0 - 1.0 / n))  # a new record differs from the mean by more than these do
        learned["uneven"] = np.array([wider * spread(gear - gear.mean(axis=0)).mean() for gear in noise])
        kinds = _less_by_chance(contrasts, learned)
        learned["scale"] = np.array([[scale_of_maxima(e) for e in gear] for gear in kinds])
        return learned, white, whole / n

    def _draw(self, power: np.ndarray, n: int, shape: tuple[int, ...]) -> Prediction:
        """What new healthy records show after ``n`` were learned, all drawn with the power that few records scatter.

        Of few records every bin's power is known poorly; taken as it is, uneven by chance, it makes whitened records
        more uneven than real ones are. What moves whole records (load, temperature) has been seen ``n`` times, with
        two numbers for either gear: evidence above the usual maximum is widened as Student's distribution is with so
        few, and never less than with ``_TAILED``, because real records have longer tails than drawn ones. Gearboxes
        that many records are learned of are alike, so that fewer of them are drawn.
        """
        from scipy.special import ndtri, stdtrit

        wider = float(stdtrit(min(2 * n, _TAILED), _RARE) / ndtri(_RARE))
        rng, size, found = np.random.default_rng(self.options["seed"]), _size(shape), []
        new = _NEW if n < FEW else n
        for _ in range(_DRAWN // new):
            normal = rng.standard_normal((2, n + new, len(power)))
            spectra = (normal[0] + 1j * normal[1]) * np.sqrt(power / 2.0)
            learned, _, _ = self._learn(spectra[:n], shape)
            rest = spectra[n:] - spectra[:n].mean(axis=0)
            white = np.fft.irfft(rest * weight_of(learned["scatter"]), size)
            white = evened(white, learned["scatter"], shape[1:3])
            found.append(self._evidence(white, shape, learned))
        rows, columns = (np.concatenate(gear) for gear in zip(*found, strict=True))
        return Prediction.of_teeth(*(np.where(e > 0, e * wider, e) for e in (rows, columns)))

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        if values.shape[3] != self.samples:
            raise InputError(
                f"{self.name} was fitted on waveforms of {self.samples} samples per mesh, but got {values.shape[3]}: "
                "build the maps with the model's own MapBuilder"
            )
        white = whitened(self._rest(values), self._learned["scatter"])
        white = evened(white, self._learned["scatter"], values.shape[1:3])
        energy = np.log(np.maximum((self._folded(white, values.shape) ** 2).mean(axis=3), 1e-300))
        pixels = energy - np.nanmedian(energy, axis=(1, 2), keepdims=True)
        return Prediction.of_teeth(*self._evidence(white, values.shape, self._learned), pixels)

    def _evidence(
        self, white: np.ndarray, shape: tuple[int, ...], learned: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Evidence of rows and of columns in whitened periods, on the scale of healthy maxima."""
        evidence = []
        for gear, scale in zip(_less_by_chance(self._contrasts(white, shape), learned), learned["scale"], strict=True):
            z = [(e - m) / s for e, (m, s) in zip(gear, scale, strict=True)]
            evidence.append(np.max([z[0], *(part - _BEHIND for part in z[1:])], axis=0))
        return evidence[0], evidence[1]

    @property
    def samples(self) -> int:
        """Samples of each mesh's waveform."""
        return len(self._learned["mean"]) // events(*(self.shape or (1, 1)))[0].size

    def among_teeth(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See ``Detector``: by the record's own level around each order.

        Planets pass the teeth of a ring at all distances from the sensor. They are not heard alike: none stands out.
        """
        live, contacts = self._learned["scatter"] > 0, self.options["contacts"]
        energies = among_teeth(self._periods(waveforms), live, waveforms.shape, contacts)
        rows, columns = (_filled(_contrast(energy)) for energy in energies)
        return rows * (contacts != "columns"), columns * (contacts != "rows")

    def along_line(self, waveforms: np.ndarray, axis: int, tooth: int) -> np.ndarray:
        """See ``Detector``: how far each mesh's whitened waveform is like that of the tooth's other meshes."""
        white = whitened(self._rest(waveforms[None]), self._learned["scatter"])
        return along_line(white, waveforms.shape, axis, tooth)

    def amplitude(self, waveforms: np.ndarray, axis: int, tooth: int, whole: np.ndarray) -> float:
        """See ``Detector``: on the scale of healthy scatter, beyond what the usual tooth of the gear shows."""
        energy = self._energy(waveforms, axis)[tooth] - np.median(self._energy(whole, axis))
        return float(np.sqrt(max(energy, 0.0)))

    def damaged_teeth(self, waveforms: np.ndarray, axis: int) -> tuple[tuple[int, ...], int]:
        """See ``Detector``; not of teeth with two contacts, which are met half a revolution later too."""
        if self.options["contacts"] == ("rows", "columns")[axis - 1]:
            return (), 1
        return damaged_teeth(self._rest(waveforms[None])[0], self._learned["scatter"], waveforms.shape, axis)

    def _energy(self, waveforms: np.ndarray, axis: int) -> np.ndarray:
        """Energy of each tooth's whitened waveform, averaged over its mates, ``[teeth]``."""
        white = whitened(self._rest(waveforms[None]), self._learned["scatter"])
        meshes = lines(white, waveforms.shape[axis - 1], waveforms.shape[2])[0]
        return np.asarray(np.square(meshes.mean(axis=1)).sum(axis=1))

    def without_line(self, waveforms: np.ndarray, axis: int, tooth: int, places: slice, wide: int = 1) -> np.ndarray:
        """See ``Detector``: noise for what a tooth adds, and for what removed orders leave of it elsewhere."""
        x = self._rest(waveforms[None])[0]
        contacts = self.options["contacts"] == ("rows", "columns")[axis - 1]
        scatter, seed = self._learned["scatter"], self.options["seed"]
        rest = without_line(x, scatter, waveforms.shape, axis, tooth, places, wide=wide, contacts=contacts, seed=seed)
        return self._folded((rest + self._learned["mean"])[None], (1, *waveforms.shape))[0].astype(np.float32)

    def _periods(self, waveforms: np.ndarray) -> np.ndarray:
        """The meshes one after the other in time, float64 ``[n, events * samples]``: one hunting period."""
        i, j = events(waveforms.shape[1], waveforms.shape[2])
        x = waveforms[:, i, j].reshape(len(waveforms), -1).astype(np.float64)
        if np.isinf(x).any():
            raise InputError("waveforms must be finite or NaN, but infinities were found")
        return np.nan_to_num(x)  # a mesh that the sensor does not hear adds nothing to any sum

    def _rest(self, waveforms: np.ndarray) -> np.ndarray:
        """The same less what healthy records hold, and less tones that are locked to no tooth."""
        shape = waveforms.shape[1], waveforms.shape[2]
        return without_tones(self._periods(waveforms) - self._learned["mean"], self._learned["scatter"], shape)

    def _folded(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Periods ``[n, events * samples]`` as mesh waveforms ``[n, rows, columns, samples]``, NaN where none meet."""
        i, j = events(shape[1], shape[2])
        out = np.full((len(x), *shape[1:]), np.nan)
        out[:, i, j] = x.reshape(len(x), len(i), -1)
        return out

    def _contrasts(self, white: np.ndarray, shape: tuple[int, ...]) -> list[list[np.ndarray]]:
        """By gear (rows, columns) and kind (whole lines, each segment, from mate to mate): log contrast ``[n, teeth]``.

        Mates are taken in the order in which the tooth meets them, which is the order in which a stretch of damaged
        mates passes it. The last is 0 where a tooth has one mate.
        """
        out = []
        for axis, name in ((1, "rows"), (2, "columns")):
            teeth, mates = shape[axis], shape[3 - axis]
            meshes = lines(white, teeth, shape[3])  # [n, teeth, turns, samples], one turn per mate that is met
            turns = meshes.shape[2]
            mean = meshes.mean(axis=2)
            whole = (mean**2).sum(axis=2)
            if self.options["contacts"] == name:
                whole = whole + 0.5 * half_a_turn(whole)
            energies = [whole]
            for share in self.options["segments"]:
                length = max(2, round(share * turns))
                energies.append(best_segment(meshes, length, mates) if length < turns else whole)
            noise = np.zeros_like(whole)
            if turns > 1:
                noise = _contrast(((meshes - mean[:, :, None]) ** 2).sum(axis=(2, 3)))
            out.append([*(_contrast(e) for e in energies), noise])
        return out

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        size = sum(self.shape or (1, 1))
        # one that was fitted before these two were learned takes every record's unevenness for usual
        state = {"noise": np.zeros(size), "uneven": np.full(2, np.inf)} | state
        shapes = {name: state[name].shape for name in ("mean", "scatter", "scale", "noise", "uneven")}
        (n,), count = shapes["mean"], events(*(self.shape or (1, 1)))[0].size
        kinds = len(self.options["segments"]) + 2
        fits = shapes["scatter"] == (n // 2 + 1,) and shapes["noise"] == (size,) and shapes["uneven"] == (2,)
        if n % count or shapes["scale"][0::2] != (2, 2) or not fits:
            raise InputError(f"the state of {self.name} has arrays that do not fit each other: {shapes}")
        if shapes["scale"][1] != kinds:
            raise InputError(f"the state of {self.name} holds {shapes['scale'][1]} kinds of evidence: fit it anew")
        self._learned = {name: state[name].astype(np.float64) for name in shapes}


def _size(shape: tuple[int, ...]) -> int:
    """Samples of a hunting period, from the shape of waveforms ``[n, rows, columns, samples]``."""
    return events(shape[1], shape[2])[0].size * shape[3]


def _contrast(energy: np.ndarray) -> np.ndarray:
    """Log energy ``[n, teeth]`` less the median over the teeth that are heard; NaN of others."""
    heard = energy > 1e-12 * energy.max(axis=1, keepdims=True)
    logs = np.log(np.where(heard, energy, np.nan))
    return np.asarray(logs - known_median(logs, axis=1))


def _filled(contrast: np.ndarray) -> np.ndarray:
    """The same, with the least there is for teeth that are not heard."""
    return np.where(np.isnan(contrast), np.nanmin(contrast, axis=1, keepdims=True), contrast)


def _less_by_chance(contrasts: list[list[np.ndarray]], learned: dict[str, np.ndarray]) -> list[list[np.ndarray]]:
    """Contrasts less what teeth show by chance where what differs from mate to mate is loud at many of them.

    Args:
        contrasts: By gear and kind ``[n, teeth]``, that from mate to mate last.
        learned: Of healthy records: "noise" from mate to mate at the teeth of rows and columns, and by gear how
            "uneven" it is.
    """
    out, usual = [], np.split(learned["noise"], [contrasts[0][0].shape[1]])
    for gear, own, uneven in zip(contrasts, usual, learned["uneven"], strict=True):
        *locked, noise = gear
        more = _filled(noise) - own
        share = 1.0 / (1.0 + 2.0 * np.maximum(spread(more) / max(uneven, 1e-12) - _UNEVEN, 0.0))[:, None]
        part = _SECTOR * np.maximum(sector(more) - _UNEVEN * uneven, 0.0)
        by_chance = np.maximum(part, (1.0 - share) * more)
        out.append([*(_filled(c - by_chance) for c in locked), own + share * more - part])
    return out


def sector(noise: np.ndarray) -> np.ndarray:
    """By how much a whole part of the revolution is noisier from mate to mate, at each tooth ``[n, teeth]``.

    What turns with a gear's shaft without being its teeth, above all a damaged inner race under load, is loud over a
    sector of the revolution. A tooth is louder than the teeth around it, which the running median passes over.
    """
    from scipy.ndimage import median_filter

    width = 2 * round(noise.shape[1] / 6) + 1
    return np.maximum(median_filter(noise, (1, width), mode="wrap"), 0.0)


def spread(contrast: np.ndarray) -> np.ndarray:
    """Mean distance of the middle half of the teeth from the median ``[n]``: one damaged tooth does not move it."""
    middle = np.sort(np.abs(contrast), axis=1)
    return np.asarray(middle[:, : max(contrast.shape[1] // 2, 1)].mean(axis=1))


def scale_of_maxima(contrast: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the largest log contrast of a healthy record, from ``[n, teeth]``.

    A kind of evidence with rare large values (a passing transient lifts a stretch) must not be judged by its usual
    spread. Where records are few their maxima say little, and those of a normal spread over all teeth stand beside.
    """
    from scipy.special import ndtri

    n, teeth = contrast.shape
    # the largest of so many normal values, by its quantiles a standard deviation of a Gumbel variable around its mean
    low, middle, high = ndtri(np.array([0.16, 0.5, 0.84]) ** (1.0 / teeth)).tolist()
    spread = float(contrast.std())
    maxima = contrast.max(axis=1)
    mean = (float(maxima.sum()) + _NORMAL * spread * middle) / (n + _NORMAL)
    variance = float(((maxima - mean) ** 2).sum()) + _NORMAL * (0.5 * spread * (high - low)) ** 2
    return mean, max(float(np.sqrt(variance / (n + _NORMAL))), 1e-9)

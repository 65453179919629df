"""Which teeth of a gear are damaged: those at which one waveform explains what its mean meshes hold.

The loudest mesh need not be that of a damaged tooth. Orders that were removed from the signal hold most of what
neighbouring damaged teeth have in common, so that what is left of a run of them lies at its two ends, at sound teeth.
And where meshes pass fast, a housing answers one of them during the next. So guesses are compared by what they predict
through the orders that are there: one tooth, runs of any length, and two with sound teeth between them; and the tooth
is the one in whose mesh the waveform begins.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from toothwise.detectors.coherent.whitening import noise_level, weight_of

# meshes that the waveform of a tooth fills, the fewest first, lest two teeth pass for a longer one; and how many teeth
# in a row are tried with it, as more would explain anything (None = up to half of the gear, and two apart)
_LONG = {1.5: None, 2.0: None, 3.0: 3, 4.0: 1}
_MOST, _SURE = 0.7, 0.9  # share of what is there, less noise, that the teeth must explain, and that leaves no doubt
_LEAD = 0.25  # of it, more than any guess elsewhere: what many teeth do here and there no guess explains
_SIMPLER, _SEVERAL = 0.08, 3  # of it that one more tooth must explain, up to so many teeth
_BETTER = 1.15, 20.0  # times as much as one tooth alone explains, and that in log likelihood, against the many guesses
_HEARD = 80.0  # times the power of noise at one order: a waveform that noise might make is none
_TRIED, _ROUNDS = 6, 4  # best kinds of guess whose teeth may differ in size, and steps towards that
_LEAST, _MANY = 0.25, 0.5  # of the largest, that a tooth is at the least, and where there are many
_RUN = 3  # teeth up to which some of those between them may be none
_BEGINS = 0.55  # of the loudest half mesh of a waveform, from which on one is the first of it
_AFTER = 2  # meshes of one tooth: what goes with it in any case is its own and the next
_FEW = 4  # teeth of a gear times the meshes of a waveform: so many teeth at the least
_RIDGE = 1e-6  # of the mean power of the equations: orders that say almost nothing stay out

Guess = tuple[float, float, np.ndarray]  # energy that it explains, tooth at which it begins, offsets of its teeth


def damaged_teeth(x: np.ndarray, scatter: np.ndarray, shape: tuple[int, ...], axis: int) -> tuple[tuple[int, ...], int]:
    """The damaged tooth of a gear, or several near each other, in their order; () = no such teeth explain it.

    Damaged teeth of a gear add alike waveforms, each of its own size. With them comes how many meshes they fill from
    that of the first one on: a waveform that rings on is no other tooth.

    Args:
        x: One hunting period less the healthy mean ``[events * samples]``.
        scatter: Healthy power of each bin.
        shape: Rows, columns and samples.
        axis: 1 = teeth of the rows' gear, 2 = of the columns'.

    Examples:
        Three teeth of 12, of which the orders up to four per revolution are missing.

        >>> rng, at = np.random.default_rng(0), np.arange(12 * 7 * 8)
        >>> tooth = np.isin(at // 8 % 12, (4, 5, 6)) * np.sin(np.pi * (at % 8) / 8)
        >>> spectrum = np.fft.rfft(30 * tooth + rng.standard_normal(at.size))
        >>> there = np.arange(len(spectrum)) > 4 * 7
        >>> damaged_teeth(np.fft.irfft(spectrum * there), there * float(at.size), (12, 7, 8), 1)
        ((4, 5, 6), 3)
    """
    teeth, samples = shape[axis - 1], shape[2]
    spectrum = np.fft.rfft(x)
    noise = noise_level(spectrum, scatter)
    gear = _Gear(spectrum, weight_of(scatter) ** 2, len(x) // (teeth * samples), teeth, samples)
    there = gear.total - noise * gear.live
    better, likelier = _BETTER
    for long, most in _LONG.items():
        if teeth < _FEW * long:
            break
        found = [gear.best(kind, long) for kind in _guesses(teeth, most)]
        alone, tried = found[0], sorted(found, key=lambda one: -one[0])[:_TRIED]
        guesses = [*found, *(gear.sized(first, kind, long) for _, first, kind in tried)]
        less = noise * long * samples
        told = max(guesses, key=lambda one: one[0] - _SIMPLER * there * min(len(one[2]), _SEVERAL))
        if told[0] - less < better * (alone[0] - less) or told[0] - alone[0] < 2.0 * likelier * noise:
            told = alone
        explained = told[0] - less
        rival = max((one[0] - less for one in guesses if gear.elsewhere(one, told)), default=0.0)
        sure = explained > _SURE * there or explained - rival > _LEAD * there
        if explained > max(_MOST * there, _HEARD * noise) and sure:
            return gear.named(told[1], told[2], long), int(told[2][-1]) + 1 + max(ceil(long) - _AFTER, 0)
    return (), 1


def _guesses(teeth: int, most: int | None) -> list[np.ndarray]:
    """Offsets of the teeth of each kind of guess from its first one; one tooth comes first."""
    half = teeth // 2
    runs = [np.arange(length) for length in range(1, (half if most is None else most) + 1)]
    return runs if most is not None else runs + [np.array([0, gap]) for gap in range(2, half + 1)]


class _Gear:
    """The mean meshes of a gear's teeth, which its own orders hold, and what guesses explain of their energy."""

    def __init__(self, spectrum: np.ndarray, power: np.ndarray, turns: int, teeth: int, samples: int) -> None:
        self.teeth, self.samples, self.size = teeth, samples, teeth * samples
        self.spectrum, self.power = (part[::turns][: self.size // 2 + 1] for part in (spectrum, power))
        self.twice = np.where((np.arange(len(self.power)) % (self.size / 2)) == 0, 1.0, 2.0)
        self.total = float((self.twice * self.power * np.abs(self.spectrum) ** 2).sum())
        self.live = float(self.twice[self.power > 0].sum())

    def _moved(self, by: np.ndarray) -> np.ndarray:
        """Spectra of a delay by so many teeth ``[teeth, orders]``."""
        samples = np.round(np.asarray(by, dtype=float) * self.samples)[:, None]
        return np.asarray(np.exp(-2j * np.pi * np.arange(len(self.power)) * samples / self.size))

    def _fitted(self, comb: np.ndarray, first: np.ndarray, long: float) -> tuple[np.ndarray, np.ndarray]:
        """Waveforms ``[samples, first]`` that a comb of teeth repeats, by least squares, and what they explain."""
        size, lags = self.size, np.arange(round(long * self.samples))
        equations = np.fft.irfft(np.abs(comb) ** 2 * self.power, size)[(lags[:, None] - lags) % size]
        equations[np.diag_indices(len(lags))] += _RIDGE * equations[0, 0]
        wanted = np.fft.irfft(np.conj(comb) * self.power * self.spectrum, size)
        right = wanted[(np.round(first * self.samples).astype(int)[:, None] + lags) % size].T
        waveforms = np.linalg.solve(equations, right)
        return waveforms, size * (waveforms * right).sum(axis=0)

    def best(self, kind: np.ndarray, long: float) -> Guess:
        """The most that teeth of one size explain, at whatever half mesh they begin."""
        first = np.arange(2 * self.teeth) / 2.0
        explained = self._fitted(self._moved(kind).sum(axis=0), first, long)[1]
        return float(explained.max()), float(first[explained.argmax()]), kind

    def elsewhere(self, one: Guess, other: Guess) -> bool:
        """Whether a guess has teeth that lie neither among those of another one nor beside them."""
        away = (int(one[1]) + one[2] - int(other[1]) + 1) % self.teeth
        return bool((away > other[2][-1] + 2).any())

    def sized(self, first: float, kind: np.ndarray, long: float) -> Guess:
        """What teeth explain whose sizes differ; those that turn out to be small are none, and of many none is."""
        size, all_of_them = np.ones(len(kind)), kind
        there = self.spectrum / self._moved(np.array([first]))[0]
        for _ in range(_ROUNDS):
            kind, size = kind[size >= _LEAST], size[size >= _LEAST]
            moved = self._moved(kind)
            waveform, explained = self._fitted(size @ moved, np.array([first]), long)
            own = np.fft.rfft(waveform[:, 0], self.size) * moved
            weighed = self.twice * self.power * np.conj(own)
            size = np.linalg.lstsq((weighed @ own.T).real, (weighed @ there).real, rcond=None)[0]
            if size.max() <= 0.0:
                return 0.0, first, kind
            size = size / size.max()
        if len(kind) > _RUN and size.min() < _MANY:
            kind = all_of_them
            explained = self._fitted(self._moved(kind).sum(axis=0), np.array([first]), long)[1]
        return float(explained[0]), first, kind

    def named(self, first: float, kind: np.ndarray, long: float) -> tuple[int, ...]:
        """The teeth of a guess, by the mesh in which its waveform begins."""
        waveform = self._fitted(self._moved(kind).sum(axis=0), np.array([first]), long)[0][:, 0]
        energy = np.array([np.square(half).sum() for half in np.array_split(waveform, round(2 * long))])
        begins = int(first + int((energy >= _BEGINS * energy.max()).argmax()) / 2.0)
        return tuple(((begins + kind) % self.teeth).tolist())

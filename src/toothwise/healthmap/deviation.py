"""From aligned records to a tooth-by-record map: how far each tooth's waveform is from its healthy one.

A damaged tooth may grow quieter before it grows louder, so its level alone cannot be trusted. What is measured is the
size of the *difference* between the waveform and the healthy one, tooth by tooth: it rises whichever way the waveform
changes. Healthy gears change too, from day to day above all, so the difference is measured on the scale of that:

- the gain of a record, a small turn and the main ways in which records of one day differ (load) are taken out;
- deviations are averaged before they are squared, backwards over some records: what lasts adds up, noise does not;
- each order counts by 1 / sqrt(within-day variance / records + between-day variance), a random-effects model: an order
  that days move counts little, however quiet it is within a day;
- both contacts of a planet tooth count together, half a revolution apart;
- what a tooth is expected to deviate by drift, which follows its loudness, is divided out, and then the median over
  teeth: what lifts all teeth is no tooth.

What is left is scale-free, so that drift on a later day looks like drift on the healthy ones even where it is larger.
``drift_contrast`` draws it: few healthy days show too little of it for a small false alarm rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.checks import check_range, check_whole
from toothwise.errors import InputError
from toothwise.vibration.spectrum import order_spectrum, to_samples

_PRIOR = 4.0  # days that the neighbouring orders' between-day variance counts for
_FURTHEST = 4.0  # how many times further than healthy days a drawn day may drift
_NEIGHBOURS = 9  # orders on either side that it is averaged over


@dataclass(frozen=True)
class DeviationConfig:
    """Parameters of the map, chosen on simulated runs (``benchmarks/run_parameters.py``).

    Attributes:
        records: Over how many records the deviation waveform is averaged, backwards in time; 1 = none.
        nuisance: How many main variations within days are projected out.
        window: Width of a tooth's window in teeth (Hann; neighbouring windows overlap).
        mate: Weight of the window half a revolution away, where a planet tooth meets its other mate.

    Raises:
        InputError: A value out of range.
    """

    records: int = 32
    nuisance: int = 6
    window: float = 2.0
    mate: float = 0.5

    def __post_init__(self) -> None:
        check_whole(1, records=self.records)
        check_whole(0, nuisance=self.nuisance)
        check_range("[1, 5]", window=self.window)
        check_range("[0, 1]", mate=self.mate)


class HealthyBaseline:
    """The healthy signature, how it varies within and between days, and how large a drift each tooth would show.

    Args:
        aligned: Complex ``[n, orders]``, aligned residual spectra of healthy records.
        teeth: Teeth of the gear.
        blocks: Int ``[n]``, the day of each record, two or more; parts of the day where there is only one.
        config: Parameters of the map.
        planet: Whether a tooth meets two mates, half a revolution apart.

    Raises:
        InputError: Too few records, or a single block.

    Examples:
        >>> import numpy as np
        >>> from toothwise.healthmap.deviation import HealthyBaseline
        >>> rng = np.random.default_rng(0)
        >>> healthy = rng.standard_normal(60) + 0.1 * rng.standard_normal((40, 60)) + 0j
        >>> baseline = HealthyBaseline(healthy, 15, np.arange(40) // 10)
        >>> baseline.contrast(healthy).shape
        (15, 40)
    """

    def __init__(
        self,
        aligned: np.ndarray,
        teeth: int,
        blocks: np.ndarray,
        config: DeviationConfig | None = None,
        *,
        planet: bool = False,
    ) -> None:
        self.teeth, self.config, self.planet = teeth, config or DeviationConfig(), planet
        n = len(aligned)
        ids, block, size_of = np.unique(blocks, return_inverse=True, return_counts=True)
        if n < self.config.nuisance + 8:
            raise InputError(
                f"a healthy baseline needs {self.config.nuisance + 8} records or more to learn {self.config.nuisance} "
                f"healthy variations, but got {n}"
            )
        if len(ids) < 2:
            raise InputError("a healthy baseline needs two days or parts of a day to learn how they differ, but got 1")
        self.samples = 16 * teeth * int(np.ceil(aligned.shape[1] / (4 * teeth)))
        size = np.linalg.norm(aligned, axis=1)
        # two passes: the plain mean finds the gains, the gains make the mean
        self.signature = np.mean(aligned / size[:, None], axis=0) * np.median(size)
        self.signature = np.mean(aligned / self._gain(aligned)[:, None], axis=0)
        residual = aligned / self._gain(aligned)[:, None] - self.signature
        means = np.stack([residual[block == b].mean(axis=0) for b in range(len(ids))])
        inside = residual - means[block]
        # robust: a record with three times the noise must not widen every order
        self.within = np.median(np.abs(inside) ** 2, axis=0) / np.log(2.0) * n / (n - len(ids))
        carried = self.within > 1e-6 * self.within.max()  # orders that the averaging kept at all
        self.between = _between(means, self.within * np.mean(1.0 / size_of), carried)
        variance = self.within / self.config.records + self.between
        floor = 0.1 * np.median(variance[carried])
        self.weight = np.where(carried, 1.0 / np.sqrt(np.maximum(variance, floor)), 0.0)
        orders = np.arange(aligned.shape[1])
        # a small turn of the record moves the signature along its derivative: never a sign of damage
        turn = _stack(2j * np.pi * orders * self.signature * self.weight)
        basis = [turn / np.linalg.norm(turn)]
        flat = _stack(inside * self.weight)
        flat = flat - np.outer(flat @ basis[0], basis[0])
        if self.config.nuisance:
            # outliers must not choose the basis: rows are cut to the median length
            length = np.linalg.norm(flat, axis=1, keepdims=True)
            flat = flat * np.minimum(1.0, np.median(length) / length)
            basis.extend(np.linalg.svd(flat, full_matrices=False)[2][: self.config.nuisance])
        self.basis = np.array(basis)
        # drift is as local as the signature, noise is not: shares of their energy say how much a tooth is to deviate
        noise = np.sum(self.weight**2 * self.within) / self.config.records
        drift = np.sum(self.weight**2 * self.between)
        local = self._energy((self.signature * self.weight)[None])[0]
        self.expected = (noise + drift * local / local.mean()) / (noise + drift)

    def _gain(self, aligned: np.ndarray) -> np.ndarray:
        """Gain of each record against the signature: the median over teeth, so that no single tooth sets it."""
        own = self._teeth_of(to_samples(self.signature, self.samples))
        theirs = self._teeth_of(to_samples(aligned, self.samples))
        per_tooth = np.sum(theirs * own, axis=-1) / np.sum(own * own, axis=-1)
        size = np.linalg.norm(aligned, axis=1) / np.linalg.norm(self.signature)
        return np.maximum(np.median(per_tooth, axis=-1), 0.1 * size)

    def _teeth_of(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:-1], self.teeth, x.shape[-1] // self.teeth)

    def deviation(self, aligned: np.ndarray) -> np.ndarray:
        """Whitened deviation spectra ``[n, orders]`` of records, variation within days removed, not averaged."""
        return self._projected((aligned / self._gain(aligned)[:, None] - self.signature) * self.weight)

    def _projected(self, white: np.ndarray) -> np.ndarray:
        flat = _stack(white)
        flat = flat - (flat @ self.basis.T) @ self.basis
        half = flat.shape[1] // 2
        return flat[:, :half] + 1j * flat[:, half:]

    def level(self, aligned: np.ndarray) -> np.ndarray:
        """Log amplitude of each tooth's averaged deviation over what it is expected to be, float64 ``[teeth, n]``.

        Record n uses the records before it in ``aligned`` and none after it.
        """
        return self._level(trailing_mean(self.deviation(aligned), self.config.records))

    def contrast(self, aligned: np.ndarray) -> np.ndarray:
        """The same over that of the median tooth: what lifts all teeth is no tooth."""
        level = self.level(aligned)
        return np.asarray(level - np.median(level, axis=0))

    def drift_contrast(self, draws: int, rng: np.random.Generator, *, records: int = 1) -> np.ndarray:
        """The same of drawn days that drift as the healthy ones do and carry no damage, ``[teeth, draws * records]``.

        Of each day so many records one after the other: its drift stays, noise comes and goes. A day has random phases,
        the between-day variance at every order, and follows the loudness of the signature around the gear. Later days
        lie further away than a few healthy days tell, so that the amplitude is 1 to 4 times what these show
        (log-uniform).

        Examples:
            >>> import numpy as np
            >>> from toothwise.healthmap.deviation import HealthyBaseline
            >>> rng = np.random.default_rng(0)
            >>> healthy = rng.standard_normal(60) + 0.1 * rng.standard_normal((40, 60)) + 0j
            >>> baseline = HealthyBaseline(healthy, 15, np.arange(40) // 10)
            >>> height = np.quantile(baseline.drift_contrast(500, rng).max(axis=0), 0.99)
            >>> bool(0.2 < height < 2.0)
            True
        """

        turned = np.exp(1j * np.angle(self.signature))  # random phases count from the signature's, wherever tooth 0 is

        def drawn(count: int, variance: np.ndarray) -> np.ndarray:
            z = rng.standard_normal((count, len(variance))) + 1j * rng.standard_normal((count, len(variance)))
            return z * turned * np.sqrt(variance / 2.0) * self.weight

        local = np.square(to_samples(self.signature * self.weight, self.samples))
        around = np.fft.irfft(np.fft.rfft(local) * np.fft.rfft(self._kernel(2.0)), self.samples)
        envelope = np.sqrt(np.maximum(around, 0.0) / around.mean())
        far = np.log(_FURTHEST) * (rng.permutation(draws) + rng.random(draws)) / draws  # as many of every size
        envelope = np.multiply.outer(np.exp(far), envelope)
        drift = order_spectrum(to_samples(drawn(draws, self.between), self.samples) * envelope)[:, : len(self.weight)]
        length = self.config.records
        if records == 1:
            noise = drawn(draws, self.within / length)
        else:
            each = drawn(draws * (records + length - 1), self.within).reshape(draws, -1, len(self.weight))
            noise = np.concatenate([trailing_mean(day, length)[length - 1 :] for day in each])
        level = self._level(self._projected(np.repeat(drift, records, axis=0) + noise))
        return np.asarray(level - np.median(level, axis=0))

    def _level(self, deviation: np.ndarray) -> np.ndarray:
        return np.asarray(0.5 * np.log(np.maximum(self._energy(deviation), 1e-30) / self.expected).T)

    def _kernel(self, width: float) -> np.ndarray:
        """A Hann window of so many teeth around sample 0, ``[samples]``, that sums to 1."""
        length = round(width * self.samples / self.teeth)
        kernel = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
        return np.roll(np.pad(kernel / kernel.sum(), (0, self.samples - length)), -(length // 2))

    def _energy(self, deviation: np.ndarray) -> np.ndarray:
        """Mean square in each tooth's window, of a planet with its share of the other contact, ``[n, teeth]``."""
        energy = np.square(to_samples(deviation, self.samples))
        spectrum = np.fft.rfft(energy, axis=-1) * np.conj(np.fft.rfft(self._kernel(self.config.window)))
        filtered = np.fft.irfft(spectrum, self.samples, axis=-1)
        if self.planet:
            filtered = filtered + self.config.mate * np.roll(filtered, self.samples // 2, axis=-1)
        per_tooth = self.samples // self.teeth
        return filtered[:, per_tooth // 2 + per_tooth * np.arange(self.teeth)]


def _between(means: np.ndarray, noise: np.ndarray, carried: np.ndarray) -> np.ndarray:
    """Variance between days at every order, ``[orders]``, from the days' means ``[days, orders]`` and their noise.

    Few days tell it poorly at a single order, so it is drawn towards that of the neighbouring orders.
    """
    days = len(means)
    own = np.maximum(np.sum(np.abs(means - means.mean(axis=0)) ** 2, axis=0) / (days - 1) - noise, 0.0)
    kernel = np.hanning(2 * _NEIGHBOURS + 3)[1:-1]
    known = np.convolve(carried.astype(float), kernel, "same")
    nearby = np.convolve(np.where(carried, own, 0.0), kernel, "same") / np.maximum(known, 1e-9)
    return np.asarray(((days - 1) * own + _PRIOR * nearby) / (days - 1 + _PRIOR))


def _stack(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x.real, x.imag], axis=-1)


def trailing_mean(x: np.ndarray, records: int) -> np.ndarray:
    """Mean over this row and those before it, so many rows at most, ``[n, ...]``.

    Examples:
        >>> trailing_mean(np.array([1.0, 3.0, 5.0, 7.0]), 2).tolist()
        [1.0, 2.0, 4.0, 6.0]
    """
    total = np.cumsum(np.concatenate([np.zeros((1, *x.shape[1:]), x.dtype), x]), axis=0)
    last = np.arange(1, len(x) + 1)
    first = np.maximum(last - records, 0)
    return np.asarray((total[last] - total[first]) / (last - first).reshape(-1, *([1] * (x.ndim - 1))))

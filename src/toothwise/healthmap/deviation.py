"""From aligned records to a tooth-by-record map: how far each tooth's waveform is from its healthy one.

A damaged tooth may grow quieter before it grows louder, so its level alone cannot be trusted. What is measured here
is the size of the *difference* between a record's waveform and the healthy one, tooth by tooth: it rises whichever
way the waveform changes. Before that, what changes without damage is taken out: the gain of the whole record, the
main ways in which healthy records differ among themselves (load, small turns), and orders are weighted by how
little they scatter (a free tone of another shaft scatters wholly).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.spectrum import to_samples

__all__ = ["DeviationConfig", "HealthyBaseline"]


@dataclass(frozen=True)
class DeviationConfig:
    """Parameters of the map.

    Attributes:
        smoothing: records over which the deviation waveform is averaged, coherently and backwards in time
            (exponential weights; 1 = none). A lasting change adds up, noise does not.
        nuisance: main healthy variations that are projected out.
        window: width of a tooth's window in teeth (Hann; neighbouring windows overlap).
    """

    smoothing: float = 16.0
    nuisance: int = 6
    window: float = 3.0

    def __post_init__(self) -> None:
        if not self.smoothing >= 1:
            raise InputError(f"smoothing must be 1 record or more, but got {self.smoothing}")
        if self.nuisance < 0:
            raise InputError(f"nuisance must be 0 or more, but got {self.nuisance}")
        if not 1 <= self.window <= 5:
            raise InputError(f"window must be 1 to 5 teeth, but got {self.window}")


class HealthyBaseline:
    """The healthy signature, how it varies, and how big a deviation is by chance.

    Args:
        aligned: complex ``[n, orders]``, aligned residual spectra of healthy records.
        teeth: teeth of the gear.
        config: parameters of the map.
    """

    def __init__(self, aligned: np.ndarray, teeth: int, config: DeviationConfig | None = None) -> None:
        self.teeth, self.config = teeth, config or DeviationConfig()
        n = len(aligned)
        if n < self.config.nuisance + 8:
            raise InputError(
                f"a healthy baseline needs {self.config.nuisance + 8} records or more to learn {self.config.nuisance} "
                f"healthy variations, but got {n}"
            )
        self.samples = 16 * teeth * int(np.ceil(aligned.shape[1] / (4 * teeth)))
        size = np.linalg.norm(aligned, axis=1)
        # two passes: the plain mean finds the gains, the gains make the mean
        self.signature = np.mean(aligned / size[:, None], axis=0) * np.median(size)
        self.signature = np.mean(aligned / self._gain(aligned)[:, None], axis=0)
        residual = aligned / self._gain(aligned)[:, None] - self.signature
        scatter = np.median(np.abs(residual) ** 2, axis=0) / np.log(2.0)
        carried = scatter > 1e-6 * scatter.max()  # orders that the averaging kept at all
        floor = 0.1 * np.median(scatter[carried])
        self.weight = np.where(carried, 1.0 / np.sqrt(np.maximum(scatter, floor)), 0.0)
        white = residual * self.weight
        orders = np.arange(aligned.shape[1])
        # a small turn of the record moves the signature along its derivative: never a sign of damage
        turn = _stack(2j * np.pi * orders * self.signature * self.weight)
        basis = [turn / np.linalg.norm(turn)]
        flat = _stack(white)
        flat = flat - np.outer(flat @ basis[0], basis[0])
        if self.config.nuisance:
            # outliers must not choose the basis: rows are cut to the median length
            length = np.linalg.norm(flat, axis=1, keepdims=True)
            flat = flat * np.minimum(1.0, np.median(length) / length)
            basis.extend(np.linalg.svd(flat, full_matrices=False)[2][: self.config.nuisance])
        self.basis = np.array(basis)
        chance = self._tooth_energy(self.deviation(aligned))
        self.chance = np.sqrt(np.median(chance, axis=0))

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
        """Whitened deviation spectra ``[n, orders]`` of records, healthy variation removed, not smoothed."""
        white = (aligned / self._gain(aligned)[:, None] - self.signature) * self.weight
        flat = _stack(white)
        flat = flat - (flat @ self.basis.T) @ self.basis
        half = flat.shape[1] // 2
        return flat[:, :half] + 1j * flat[:, half:]

    def tooth_deviation(self, aligned: np.ndarray) -> np.ndarray:
        """Size of the smoothed deviation per tooth, float64 ``[teeth, n]``; record n uses records up to n only.

        In parts of what a single healthy record deviates by chance at that tooth (the median of the healthy records).
        """
        smooth = trailing_mean(self.deviation(aligned), self.config.smoothing)
        return (np.sqrt(self._tooth_energy(smooth)) / self.chance).T

    def _tooth_energy(self, deviation: np.ndarray) -> np.ndarray:
        """Mean square in each tooth's window, ``[n, teeth]``."""
        energy = np.square(to_samples(deviation, self.samples))
        per_tooth = self.samples // self.teeth
        width = round(self.config.window * per_tooth)
        position = (np.arange(width) + 0.5) / width
        kernel = np.sin(np.pi * position) ** 2
        kernel = np.pad(kernel / kernel.sum(), (0, self.samples - width))
        kernel = np.roll(kernel, -(width // 2))
        filtered = np.fft.irfft(np.fft.rfft(energy, axis=-1) * np.conj(np.fft.rfft(kernel)), self.samples, axis=-1)
        centres = per_tooth // 2 + per_tooth * np.arange(self.teeth)
        return np.maximum(filtered[:, centres], 0.0)


def _stack(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x.real, x.imag], axis=-1)


def trailing_mean(x: np.ndarray, length: float) -> np.ndarray:
    """Exponentially weighted mean over this and earlier rows, ``[n, ...]``, weights normalised at the start.

    ``length`` is the number of equal weights with the same variance of the mean; 1 = no smoothing.
    """
    if length <= 1:
        return x
    from scipy.signal import lfilter

    decay = (length - 1.0) / (length + 1.0)
    weight = 1.0 - decay
    total = lfilter([weight], [1.0, -decay], x, axis=0)
    norm = 1.0 - decay ** np.arange(1, len(x) + 1)
    return total / norm.reshape(-1, *([1] * (x.ndim - 1)))

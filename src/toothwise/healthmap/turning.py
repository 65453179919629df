"""Where in its hunting period a record begins, and a period that is turned to begin elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SURE = 0.999  # confidence from which a turn counts as known


@dataclass(frozen=True)
class Turn:
    """Where in its hunting period a record begins.

    Attributes:
        events: Mesh events by which it begins later than the healthy waveform; whole where pulses mark whole teeth.
        correlation: With the healthy waveform there.
        confidence: By how much less of the record is left over there than at the next best place, as a share of that.
        confidence_of: For the rows' gear and the columns': 1 less the chance that a place which numbers this gear's
            teeth differently fits as well. Below ``SURE`` the numbers are a guess.
        inverted: Whether it fits with the opposite sign: its sensor was turned round.
        offset: Mesh events by which it begins away from the places that its pulses leave possible.
    """

    events: float
    correlation: float
    confidence: float
    confidence_of: tuple[float, float] = (0.0, 0.0)
    inverted: bool = False
    offset: float = 0.0

    @property
    def sure(self) -> bool:
        """Whether the teeth of both gears may be named after this turn."""
        return min(self.confidence_of) >= SURE


def turned(x: np.ndarray, samples: float) -> np.ndarray:
    """A closed period ``[..., n]`` that begins ``samples`` later; between samples by its spectrum.

    Examples:
        >>> turned(np.array([0.0, 1.0, 2.0, 3.0]), 1).tolist()
        [1.0, 2.0, 3.0, 0.0]
    """
    if samples == 0.0:
        return x
    if float(samples).is_integer():
        return np.roll(x, -int(samples), axis=-1)
    n = x.shape[-1]
    phase = np.exp(2j * np.pi * np.arange(n // 2 + 1) * samples / n)
    return np.fft.irfft(np.fft.rfft(x, axis=-1) * phase, n, axis=-1).astype(x.dtype, copy=False)


def of_gears(x: np.ndarray, samples_per_tooth: int, teeth: tuple[int, int]) -> np.ndarray:
    """The orders of either gear of a hunting period ``[n]``: what repeats with every mate, and little of the noise.

    Examples:
        >>> x = np.random.default_rng(0).standard_normal(2 * 3 * 4)  # 2 and 3 teeth, 4 samples each
        >>> by_gear = of_gears(x, 4, (2, 3))
        >>> tooth = by_gear.reshape(3, 2, 4).mean(axis=0)  # of the first gear, over its mates
        >>> bool(np.allclose(tooth, x.reshape(3, 2, 4).mean(axis=0)))
        True
    """
    spectrum, events = np.fft.rfft(x), len(x) // samples_per_tooth
    bins = np.arange(len(spectrum))
    spectrum[np.all([bins % (events // n) > 0 for n in teeth], axis=0)] = 0.0
    return np.fft.irfft(spectrum, len(x))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of two signals ``[n]``; 0 where one of them is silent.

    Examples:
        >>> correlation(np.array([1.0, 0.0]), np.array([2.0, 0.0])), correlation(np.zeros(2), np.ones(2))
        (1.0, 0.0)
    """
    return float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-300)

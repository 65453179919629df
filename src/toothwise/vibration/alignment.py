"""Circular alignment of revolutions whose start tooth is random.

The healthy signature of a gear repeats from revolution to revolution, so the turn that brings a record onto the
records before it is the maximum of their circular cross-correlation. Each order is weighted by how well its phase
has repeated so far (its coherence): a strong tone from another shaft turns freely between records and would
otherwise pull the maximum away. Records are taken in time order and each one sees only those before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.spectrum import shift_spectrum

_OVERSAMPLING = 8
# records after which an old record's weight in the reference has fallen to 1/e: it follows a signature that changes
_MEMORY = 100.0
_SURE = 0.05  # confidence below which a record is turned but does not enter the reference


@dataclass(frozen=True, eq=False)
class Alignment:
    """How records were turned onto the first one.

    Attributes:
        shift: float64 ``[n]``, teeth by which record n starts later than record 0, in [0, teeth).
        correlation: float64 ``[n]``, coherence-weighted correlation with the records before, at most 1; 1 for record 0.
        runner_up: float64 ``[n]``, the best correlation more than one tooth away from the chosen turn.
    """

    shift: np.ndarray
    correlation: np.ndarray
    runner_up: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """Correlation minus runner-up, float64 ``[n]``: near 0 = the start tooth is a guess."""
        return self.correlation - self.runner_up


def align_spectra(spectra: np.ndarray, teeth: int) -> tuple[np.ndarray, Alignment]:
    """Turn residual spectra onto the first one, each by the records before it only.

    Args:
        spectra: complex ``[n, orders]``, mesh harmonics removed (they repeat every tooth and say nothing).
        teeth: teeth of the gear that turns once per record.

    Returns:
        The turned spectra ``[n, orders]`` and the Alignment.

    Raises:
        InputError: no records, or a record without any residual.
    """
    spectra = np.asarray(spectra)
    if spectra.ndim != 2 or 0 in spectra.shape:
        raise InputError(f"spectra must be [records, orders], but the shape is {spectra.shape}")
    energy = np.linalg.norm(spectra, axis=1)
    if (energy == 0).any():
        raise InputError(f"record {int(np.argmin(energy))} has no residual besides mesh harmonics: cannot be aligned")
    n, orders = spectra.shape
    grid = 2 * _OVERSAMPLING * orders  # angles at which the correlation is evaluated
    aligned = np.empty_like(spectra)
    aligned[0] = spectra[0]
    shift, correlation, runner_up = np.zeros(n), np.ones(n), np.zeros(n)
    total = spectra[0] / energy[0]
    power = np.abs(total) ** 2
    weight_sum = 1.0
    decay = np.exp(-1.0 / _MEMORY)
    far = np.minimum(np.arange(grid), grid - np.arange(grid)) > grid / teeth
    for i in range(1, n):
        # shrunk coherence: with few records behind it, no order is trusted or dropped outright
        coherence = np.abs(total) ** 2 / np.maximum(weight_sum * power, 1e-300)
        weight = np.where(power > 0, coherence, 0.0)
        record, reference = spectra[i] / energy[i], total
        cross = weight * np.conj(reference) * record
        norm = np.sqrt(np.sum(weight * np.abs(reference) ** 2) * np.sum(weight * np.abs(record) ** 2))
        c = np.fft.irfft(np.pad(cross, (0, grid // 2 + 1 - orders)), grid) * (grid / 2) / norm
        peak = int(np.argmax(c))
        before, here, after = c[peak - 1], c[peak], c[(peak + 1) % grid]
        curvature = before - 2 * here + after
        fine = peak + (0.5 * (before - after) / curvature if curvature < 0 else 0.0)
        turn = fine / grid
        shift[i], correlation[i] = (turn * teeth) % teeth, here
        runner_up[i] = np.roll(c, -peak)[far].max()
        aligned[i] = shift_spectrum(spectra[i], turn)
        if here - runner_up[i] >= _SURE:
            unit = aligned[i] / energy[i]
            total = decay * total + unit
            power = decay * power + np.abs(unit) ** 2
            weight_sum = decay * weight_sum + 1.0
    return aligned, Alignment(shift, correlation, runner_up)

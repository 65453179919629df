"""Condition indicators of gear vibration, along the last axis.

Names and conventions are those of MATLAB's gearConditionMetrics: FM4, M6A and M8A of the difference signal, NA4 of the
residual, FM0 of the averaged and regular signals. Sources: Stewart 1977 (FM0, FM4), Martin 1989 (M6A, M8A), Zakrajsek,
Townsend and Decker 1993 (NA4).
"""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError

__all__ = ["crest_factor", "energy_ratio", "fm0", "fm4", "kurtosis", "m6a", "m8a", "na4", "rms"]


def _moment(x: np.ndarray, order: int) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return np.mean(centred**order, axis=-1)


def _normalised(x: np.ndarray, order: int) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    variance = _moment(x, 2)
    if (variance == 0).any():
        raise InputError("a constant signal has no normalised moment")
    return _moment(x, order) / variance ** (order / 2)


def rms(x: np.ndarray) -> np.ndarray:
    """Root mean square, ``[..., n]`` -> ``[...]``."""
    return np.sqrt(np.mean(np.square(np.asarray(x, dtype=np.float64)), axis=-1))


def kurtosis(x: np.ndarray) -> np.ndarray:
    """Fourth moment over squared variance, 3 for Gaussian noise; ``[..., n]`` -> ``[...]``."""
    return _normalised(x, 4)


def crest_factor(x: np.ndarray) -> np.ndarray:
    """Largest magnitude over RMS, ``[..., n]`` -> ``[...]``."""
    level = rms(x)
    if (level == 0).any():
        raise InputError("a signal that is zero everywhere has no crest factor")
    return np.max(np.abs(x), axis=-1) / level


def fm0(average: np.ndarray, mesh_amplitudes: np.ndarray) -> np.ndarray:
    """Peak-to-peak of the average ``[..., n]`` over the sum of its mesh amplitudes ``[..., harmonics]``."""
    return np.ptp(average, axis=-1) / np.sum(mesh_amplitudes, axis=-1)


def fm4(difference: np.ndarray) -> np.ndarray:
    """Kurtosis of the difference signal, ``[..., n]`` -> ``[...]``."""
    return _normalised(difference, 4)


def m6a(difference: np.ndarray) -> np.ndarray:
    """Sixth moment of the difference signal over variance cubed, 15 for Gaussian noise."""
    return _normalised(difference, 6)


def m8a(difference: np.ndarray) -> np.ndarray:
    """Eighth moment of the difference signal over the fourth power of variance, 105 for Gaussian noise."""
    return _normalised(difference, 8)


def na4(residual: np.ndarray) -> np.ndarray:
    """Fourth moment of each record over the square of the mean variance of the records so far.

    Args:
        residual: ``[records, n]`` in time order; record k is compared with records 0..k.
    """
    x = np.asarray(residual, dtype=np.float64)
    if x.ndim != 2:
        raise InputError(f"NA4 follows a sequence of records [records, n], but the shape is {x.shape}")
    running = np.cumsum(_moment(x, 2)) / np.arange(1, len(x) + 1)
    if running[0] == 0:
        raise InputError("a constant first record has no normalised moment")
    return _moment(x, 4) / running**2


def energy_ratio(difference: np.ndarray, regular: np.ndarray) -> np.ndarray:
    """Standard deviation of the difference over that of the regular signal, ``[..., n]`` each."""
    return np.std(difference, axis=-1) / np.std(regular, axis=-1)

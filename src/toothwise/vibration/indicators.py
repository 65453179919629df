"""Condition indicators of gear vibration, along the last axis.

Names and conventions are those of MATLAB's gearConditionMetrics: FM4, M6A and M8A of the difference signal, NA4 of the
residual, FM0 of the averaged and regular signals. Sources: Stewart 1977 (FM0, FM4), Martin 1989 (M6A, M8A), Zakrajsek,
Townsend and Decker 1993 (NA4), Zakrajsek, Handschuh and Decker 1994 (NB4).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.components import split

__all__ = [
    "crest_factor",
    "energy_ratio",
    "fm0",
    "fm4",
    "gear_condition_metrics",
    "kurtosis",
    "m6a",
    "m8a",
    "na4",
    "nb4",
    "rms",
    "sideband_energy_ratio",
]


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


def nb4(band: np.ndarray) -> np.ndarray:
    """NA4's quotient for the envelope of the band around a mesh harmonic.

    Args:
        band: complex ``[records, n]`` in time order, as ``components.narrowband`` gives it.
    """
    return na4(np.abs(np.asarray(band)))


def sideband_energy_ratio(
    average: np.ndarray, revolutions: float, mesh_order: float, *, sidebands: int = 6, spacing: float = 1.0
) -> np.ndarray:
    """SER: summed amplitudes of the first sidebands over the amplitude of the mesh line, ``[..., n]`` -> ``[...]``.

    Args:
        average: over a whole number of revolutions.
        revolutions: that it spans.
        mesh_order: in cycles per revolution.
        sidebands: on either side.
        spacing: of the sidebands in orders (1 = those of the averaged shaft).

    Raises:
        InputError: no mesh line, or orders beyond what the signal can carry.
    """
    spectrum = np.abs(np.fft.rfft(np.asarray(average, dtype=np.float64), axis=-1))
    away = spacing * np.concatenate([-np.arange(1, sidebands + 1), np.arange(1, sidebands + 1)])
    at = np.rint((mesh_order + away) * revolutions).astype(int)
    centre = round(mesh_order * revolutions)
    if at.min() < 1 or at.max() >= spectrum.shape[-1]:
        raise InputError(f"{sidebands} sidebands around order {mesh_order:g} are not within what the signal can carry")
    line = spectrum[..., centre]
    if (line == 0).any():
        raise InputError(f"there is no line at mesh order {mesh_order:g}: its sidebands have no ratio to it")
    return np.sum(spectrum[..., at], axis=-1) / line


def gear_condition_metrics(average: np.ndarray, revolutions: float, mesh_orders: Sequence[float]) -> dict[str, float]:
    """The condition indicators of one synchronous average, under MATLAB's names.

    RMS, Kurtosis and CrestFactor of the average; FM4, M6A and M8A of its difference signal; FM0 of average and regular
    signal; ER of difference and regular signal; SER of the first mesh order. NA4 and NB4 follow a sequence of records:
    see ``na4`` and ``nb4``.

    Args:
        average: ``[n]``.
        revolutions: that it spans.
        mesh_orders: in cycles per revolution.
    """
    parts = split(average, revolutions, mesh_orders)
    spectrum = np.abs(np.fft.rfft(average)) * 2.0 / len(average)
    lines = [k * order * revolutions for order in mesh_orders for k in (1, 2)]
    amplitudes = np.array([spectrum[round(at)] for at in lines if round(at) < len(spectrum)])
    found = {
        "RMS": rms(average),
        "Kurtosis": kurtosis(average),
        "CrestFactor": crest_factor(average),
        "FM0": fm0(average, amplitudes),
        "FM4": fm4(parts.difference),
        "M6A": m6a(parts.difference),
        "M8A": m8a(parts.difference),
        "ER": energy_ratio(parts.difference, parts.regular),
        "SER": sideband_energy_ratio(average, revolutions, mesh_orders[0]),
    }
    return {name: float(value) for name, value in found.items()}

"""Condition indicators of gear vibration, along the last axis."""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError


def rms(x: np.ndarray) -> np.ndarray:
    """Root mean square, ``[..., n]`` -> ``[...]``."""
    return np.sqrt(np.mean(np.square(np.asarray(x, dtype=np.float64)), axis=-1))


def kurtosis(x: np.ndarray) -> np.ndarray:
    """Fourth moment over squared variance, 3 for Gaussian noise; ``[..., n]`` -> ``[...]``."""
    x = np.asarray(x, dtype=np.float64)
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1)
    if (variance == 0).any():
        raise InputError("a constant signal has no normalised moment")
    return np.mean(centred**4, axis=-1) / variance**2


def fm4(difference: np.ndarray) -> np.ndarray:
    """Kurtosis of the difference signal (Stewart 1977), ``[..., n]`` -> ``[...]``."""
    return kurtosis(difference)

"""Order spectra of whole revolutions, and turning them."""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError


def check_revolutions(vibration: np.ndarray, teeth: int) -> np.ndarray:
    """One revolution per row as float64 ``[n, samples]``, samples a multiple of the teeth.

    Raises:
        InputError: wrong dimensions, NaN or infinite samples, a constant record, or teeth that do not divide.
    """
    x = np.asarray(vibration)
    if x.ndim != 2 or 0 in x.shape or x.dtype.kind not in "fiu":
        raise InputError(f"vibration must be numbers [records, samples], but got {x.dtype} {x.shape}")
    x = x.astype(np.float64)
    if teeth < 3 or x.shape[1] % teeth or x.shape[1] < 4 * teeth:
        raise InputError(
            f"a revolution of {teeth} teeth must have a multiple of {teeth} samples, 4 or more per tooth, "
            f"but a record has {x.shape[1]}: wrong number of teeth?"
        )
    bad = ~np.isfinite(x).all(axis=1)
    if bad.any():
        raise InputError(f"record {int(np.argmax(bad))} has NaN or infinite samples ({int(bad.sum())} records do)")
    constant = np.ptp(x, axis=1) == 0
    if constant.any():
        raise InputError(f"record {int(np.argmax(constant))} is constant ({int(constant.sum())} records are)")
    return x


def order_spectrum(vibration: np.ndarray) -> np.ndarray:
    """Complex amplitudes per order, ``[..., samples // 2 + 1]``; order k = k cycles per revolution.

    Scaled so that a cosine of amplitude 1 has magnitude 1 (``irfft(x * samples / 2)`` undoes it, the mean excepted).
    """
    return np.fft.rfft(vibration, axis=-1) * (2.0 / np.shape(vibration)[-1])


def shift_spectrum(spectrum: np.ndarray, revolutions: np.ndarray | float) -> np.ndarray:
    """Turn revolutions by a fraction of one: sample ``revolutions * samples`` becomes the first.

    Args:
        spectrum: ``[..., orders]``.
        revolutions: scalar or ``[...]``.
    """
    orders = np.arange(np.shape(spectrum)[-1])
    return spectrum * np.exp(2j * np.pi * np.multiply.outer(revolutions, orders))


def to_samples(spectrum: np.ndarray, samples: int) -> np.ndarray:
    """The revolution ``[..., samples]`` of a spectrum made by ``order_spectrum`` (it may end at any order)."""
    return np.fft.irfft(spectrum, samples, axis=-1) * (samples / 2.0)

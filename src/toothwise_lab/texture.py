"""How directional the texture of maps is: two entropies by which the domains of the research data were described."""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError

_BINS = 36
_INNER, _OUTER = 0.05, 0.95  # radii of the spectrum that count, in parts of the largest spatial frequency


def angular_power_entropy(maps: np.ndarray) -> np.ndarray:
    """Entropy of the spectrum's power over direction, 0 (one direction) to 1 (all alike).

    Each map loses its mean, gets a Hann window on both axes and is Fourier transformed. Power is summed in 36 bins
    of angle over a full turn (angle between the numbers of cycles along the two axes), for spatial frequencies of
    5-95 % of the largest one (cycles per tooth), and its Shannon entropy is divided by log 36.

    Args:
        maps: ``[n, rows, columns]``, finite.

    Returns:
        float64 ``[n]``.

    Raises:
        InputError: another shape, NaN, or a constant map.
    """
    x = _check(maps)
    rows, columns = x.shape[1:]
    window = np.outer(np.hanning(rows), np.hanning(columns))
    power = np.abs(np.fft.fft2((x - x.mean(axis=(1, 2), keepdims=True)) * window)) ** 2
    y, z = np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None]
    radius = np.hypot(y, z)
    used = (radius >= _INNER * radius.max()) & (radius <= _OUTER * radius.max())
    angle = np.arctan2(y * rows, z * columns) % (2.0 * np.pi)
    return _entropy(_histogram(angle[used] / (2.0 * np.pi), power[:, used]))


def orientation_entropy(maps: np.ndarray) -> np.ndarray:
    """Entropy of the gradient's orientation, 0 (one orientation) to 1 (all alike).

    Sobel gradients of 3 x 3 cells, 36 bins over half a turn, each cell weighted by the size of its gradient; Shannon
    entropy divided by log 36.

    Args:
        maps: ``[n, rows, columns]``, finite.

    Returns:
        float64 ``[n]``.

    Raises:
        InputError: another shape, NaN, or a constant map.
    """
    from scipy.ndimage import convolve1d

    x = _check(maps)
    # scipy's sobel would smooth from map to map as well
    dy = convolve1d(convolve1d(x, [1.0, 0.0, -1.0], axis=1), [1.0, 2.0, 1.0], axis=2)
    dx = convolve1d(convolve1d(x, [1.0, 0.0, -1.0], axis=2), [1.0, 2.0, 1.0], axis=1)
    orientation = (np.arctan2(dy, dx) % np.pi / np.pi).reshape(len(x), -1)
    size = np.hypot(dy, dx).reshape(len(x), -1)
    return _entropy(np.stack([_histogram(o, s[None])[0] for o, s in zip(orientation, size, strict=True)]))


def _check(maps: np.ndarray) -> np.ndarray:
    x = np.asarray(maps, dtype=np.float64)
    if x.ndim != 3 or min(x.shape) < 1 or min(x.shape[1:]) < 3:
        raise InputError(f"maps must be [n, rows, columns] with 3 rows and columns or more, but the shape is {x.shape}")
    if not np.isfinite(x).all():
        raise InputError("maps must be finite: the texture of a map with NaN (pairs that never mesh) is not defined")
    constant = np.ptp(x, axis=(1, 2)) == 0
    if constant.any():
        raise InputError(f"map {int(np.argmax(constant))} is constant: it has no texture")
    return x


def _histogram(turn: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weights ``[n, m]`` summed over 36 bins of the m places ``turn`` in 0..1, float64 ``[n, 36]``."""
    which = np.minimum((turn * _BINS).astype(np.int64), _BINS - 1)
    return np.stack([np.bincount(which, row, minlength=_BINS) for row in weight])


def _entropy(histogram: np.ndarray) -> np.ndarray:
    share = histogram / histogram.sum(axis=1, keepdims=True)
    return -np.sum(share * np.log(np.where(share > 0, share, 1.0)), axis=1) / np.log(_BINS)

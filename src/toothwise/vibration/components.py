"""Regular, residual and difference signal of a synchronous average, and bands around an order.

Conventions of MATLAB's Predictive Maintenance Toolbox: the regular signal holds the shaft orders and the mesh orders
with their harmonics (shaft order 1 always belongs to it), the residual is the average without them, the difference is
the residual without the first sidebands of the mesh harmonics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toothwise.errors import InputError

__all__ = ["Components", "narrowband", "split", "split_revolutions", "tsadifference", "tsaregular", "tsaresidual"]


@dataclass(frozen=True, eq=False)
class Components:
    """The parts of a synchronous average, float64 ``[..., n]`` each.

    Attributes:
        regular: mean, shaft and mesh harmonics.
        residual: the average without the regular part.
        difference: the residual without the first sidebands of the mesh harmonics.
    """

    regular: np.ndarray
    residual: np.ndarray
    difference: np.ndarray


def _bins(orders: Sequence[float] | np.ndarray, revolutions: float, n: int, bandwidth: float) -> np.ndarray:
    """Bins of a spectrum that belong to orders, bool ``[n // 2 + 1]``."""
    mask = np.zeros(n // 2 + 1, dtype=bool)
    half = 0.5 * bandwidth * revolutions
    for order in orders:
        centre = order * revolutions
        low, high = int(np.ceil(centre - half - 0.5 - 1e-9)), int(np.floor(centre + half + 0.5 - 1e-9))
        mask[max(low, 0) : max(min(high, n // 2) + 1, 0)] = True
    return mask


def _harmonics(order: float, count: int | None, revolutions: float, n: int) -> np.ndarray:
    most = int(np.floor(0.5 * n / revolutions / order + 1e-9))
    return order * np.arange(1, (most if count is None else min(count, most)) + 1)


def split(
    x: np.ndarray,
    revolutions: float,
    mesh_orders: Sequence[float],
    *,
    shaft_orders: Sequence[float] = (1.0,),
    pass_orders: Sequence[float] = (),
    num_harmonics: int | None = 2,
    num_sidebands: int = 1,
    shaft_harmonics: int = 2,
    bandwidth: float = 0.0,
) -> Components:
    """Split a synchronous average into regular, residual and difference signal.

    Over one hunting period every shaft and mesh order falls exactly on a bin of the spectrum, so that nothing leaks.

    Args:
        x: ``[..., n]``, equal steps of angle over a whole number of periods.
        revolutions: of the reference shaft that ``x`` spans.
        mesh_orders: mesh events per revolution of the reference shaft.
        shaft_orders: orders of the shafts whose harmonics are regular and whose sidebands are taken off; sidebands
            are removed at every one of them.
        pass_orders: further distances from each mesh harmonic at which sidebands are taken off (of planets that pass
            the sensor); they count as sidebands, not as shafts.
        num_harmonics: of each mesh order; None = all that the signal can carry.
        num_sidebands: on either side of each mesh harmonic, at every shaft order.
        shaft_harmonics: of each shaft order.
        bandwidth: orders around each line that belong to it, full width; 0 = one bin.

    Raises:
        InputError: no signal, or orders that the signal cannot carry.
    """
    x = np.asarray(x, dtype=np.float64)
    if x.ndim < 1 or x.shape[-1] < 4 or not np.isfinite(x).all():
        raise InputError(f"an average must be finite [..., n] of 4 samples or more, but the shape is {x.shape}")
    n = x.shape[-1]
    nyquist = 0.5 * n / revolutions
    if not mesh_orders or min(mesh_orders) <= 0 or max(mesh_orders) > nyquist:
        raise InputError(
            f"mesh orders must be above 0 and at most {nyquist:g}, which this signal can carry, but got "
            f"{list(mesh_orders)}"
        )
    mesh = np.concatenate([_harmonics(order, num_harmonics, revolutions, n) for order in mesh_orders])
    shaft = np.concatenate([_harmonics(order, shaft_harmonics, revolutions, n) for order in shaft_orders])
    regular = _bins([0.0, *mesh, *shaft], revolutions, n, bandwidth)
    away = np.concatenate(
        [order * np.arange(1, num_sidebands + 1) for order in shaft_orders] + [np.asarray(pass_orders)]
    )
    around = np.concatenate([mesh[:, None] - away, mesh[:, None] + away], axis=1).ravel()
    sideband = _bins(around[around > 0], revolutions, n, bandwidth)
    spectrum = np.fft.rfft(x, axis=-1)
    kept = np.fft.irfft(np.where(regular, spectrum, 0.0), n, axis=-1)
    difference = np.fft.irfft(np.where(regular | sideband, 0.0, spectrum), n, axis=-1)
    return Components(kept, x - kept, difference)


def split_revolutions(x: np.ndarray, teeth: int) -> Components:
    """Components of whole revolutions of one gear ``[..., n]``: mean and all mesh harmonics regular, no shaft order.

    For recordings that were averaged over one gear already.
    """
    return split(x, 1.0, [float(teeth)], num_harmonics=None, shaft_harmonics=0)


def _by_frequency(
    x: np.ndarray, sampling_rate: float, rpm: float, orders: Sequence[float], harmonics: int, sidebands: int
) -> tuple[Components, float]:
    if not (sampling_rate > 0 and rpm > 0):
        raise InputError(f"sampling rate and rpm must be positive, but got {sampling_rate!r} and {rpm!r}")
    revolutions = len(x) / sampling_rate * rpm / 60.0
    parts = split(
        x,
        revolutions,
        orders,
        num_harmonics=harmonics,
        num_sidebands=sidebands,
        shaft_harmonics=harmonics,
    )
    return parts, revolutions


def tsaregular(
    x: np.ndarray,
    sampling_rate: float,
    rpm: float,
    orders: Sequence[float],
    *,
    num_harmonics: int = 2,
    num_sidebands: int = 0,
) -> np.ndarray:
    """Regular signal of an average, ``[n]``; shaft order 1 is implied. Named and with defaults as in MATLAB.

    Args:
        x: average ``[n]`` over a whole number of revolutions.
        sampling_rate: hertz.
        rpm: of the shaft that was averaged over.
        orders: mesh orders.
        num_harmonics: of shaft and mesh orders.
        num_sidebands: of the mesh harmonics that are kept too.
    """
    if num_sidebands == 0:
        return _by_frequency(x, sampling_rate, rpm, orders, num_harmonics, 1)[0].regular
    return np.asarray(x) - _by_frequency(x, sampling_rate, rpm, orders, num_harmonics, num_sidebands)[0].difference


def tsaresidual(
    x: np.ndarray, sampling_rate: float, rpm: float, orders: Sequence[float], *, num_harmonics: int = 2
) -> np.ndarray:
    """Residual of an average, ``[n]``: without shaft and mesh harmonics. Arguments as ``tsaregular``."""
    return _by_frequency(x, sampling_rate, rpm, orders, num_harmonics, 1)[0].residual


def tsadifference(
    x: np.ndarray,
    sampling_rate: float,
    rpm: float,
    orders: Sequence[float],
    *,
    num_harmonics: int = 2,
    num_sidebands: int = 1,
) -> np.ndarray:
    """Difference signal of an average, ``[n]``: the residual without the first sidebands. As ``tsaregular``."""
    return _by_frequency(x, sampling_rate, rpm, orders, num_harmonics, num_sidebands)[0].difference


def narrowband(x: np.ndarray, revolutions: float, order: float, *, bandwidth: float) -> np.ndarray:
    """The band around an order, as an analytic signal (its magnitude is the envelope), complex ``[n]``.

    Args:
        x: average ``[n]`` over a whole number of revolutions.
        revolutions: that it spans.
        order: centre of the band, in cycles per revolution.
        bandwidth: full width in orders; twice the mesh order less one keeps all sidebands of one harmonic.

    Raises:
        InputError: the band reaches beyond what the signal can carry.
    """
    x = np.asarray(x, dtype=np.float64)
    low, high = order - 0.5 * bandwidth, order + 0.5 * bandwidth
    if not (low > 0 and high <= 0.5 * len(x) / revolutions):
        raise InputError(f"the band {low:g} to {high:g} must be between 0 and {0.5 * len(x) / revolutions:g} orders")
    spectrum = np.fft.fft(x)
    position = np.arange(len(x)) / revolutions
    return 2.0 * np.fft.ifft(np.where((position >= low) & (position <= high), spectrum, 0.0))

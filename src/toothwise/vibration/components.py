"""Regular, residual and difference signal of a synchronous average.

Conventions of MATLAB's Predictive Maintenance Toolbox: the regular signal holds the shaft orders and the mesh orders
with their harmonics (shaft order 1 always belongs to it), the residual is the average without them, the difference is
the residual without the first sidebands of the mesh harmonics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toothwise.errors import InputError


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

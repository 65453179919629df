"""Bursts and gaps in a recording: a loose cable, a radio, a knock. What no other hunting period repeats is no tooth."""

from __future__ import annotations

import warnings

import numpy as np

from toothwise.errors import SignalWarning

_TAIL, _CALM = 1.5, 3  # what is louder than so many times the usual, and so many meshes behind it, belong to a burst
_BURST = 4.0, 16.0  # times the energy of the same mesh in the other periods: 12 dB, by which no tooth changes, or less
_SCATTER = 10.0  # where meshes scatter little: ten standard deviations; healthy ones reach 5, pits at 20 % of speed 9
_GAP = 1e-3  # of that energy: the channel was off


def without_bursts(values: np.ndarray, rest: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Hunting periods in which a mesh that is far louder or quieter than in the others is replaced by the others' mean.

    A damaged tooth is loud in every period; a burst would be averaged into the teeth that happened to mesh. Of one
    period alone nothing can be said, so it stays as it is.

    Args:
        values: ``[periods, events * samples]``; changed in place where there is a burst.
        rest: ``[n]``, the begun period behind them; changed as well.
        samples: Per mesh event.

    Returns:
        The periods and the begun one, with a warning where there was a burst.

    Examples:
        >>> calm = np.tile([1.0, -1.0], (3, 4))
        >>> burst = calm.copy()
        >>> burst[1, 2:4] *= 20.0
        >>> with warnings.catch_warnings(record=True):
        ...     bool((without_bursts(burst, burst[0, :0], 2)[0] == calm).all())
        True
    """
    n, events = len(values), values.shape[1] // samples
    if n < 2:
        return values, rest
    begun = rest[: len(rest) // samples * samples].reshape(-1, samples)
    meshes = values.reshape(n, events, samples)
    energy = np.einsum("ijk,ijk->ij", meshes, meshes, dtype=np.float64)
    usual = np.partition(energy, (n - 1) // 2, axis=0)[(n - 1) // 2]
    usual = np.maximum(usual, np.median(usual))
    over = np.append(energy / usual, np.einsum("ij,ij->i", begun, begun, dtype=np.float64) / usual[: len(begun)])
    found, gap = over > _limit(energy), over < _GAP
    if not (found | gap).any():
        return values, rest
    from scipy.ndimage import binary_dilation, binary_propagation, uniform_filter1d

    found = binary_propagation(found, mask=binary_dilation(over > _TAIL, iterations=_CALM))  # they ring on
    found |= binary_dilation(gap)  # it begins and ends within a mesh
    loud = found[: energy.size].reshape(n, events)
    loud &= ~loud.all(axis=0)  # what every period has is the gearbox
    warnings.warn(
        f"bursts or gaps in {int(found.sum())} of {len(found)} meshes, which no other hunting period repeats, were "
        "left out",
        SignalWarning,
        stacklevel=3,
    )
    share = np.repeat(found.astype(np.float32), samples)
    for _ in range(2):  # faded over: a step would be heard in orders in which a gearbox is silent
        share = uniform_filter1d(share, samples)
    own = np.clip(share[: values.size].reshape(values.shape), 0.0, 1.0)
    mean = ((1.0 - own) * values).sum(axis=0) / np.maximum((1.0 - own).sum(axis=0), 1e-3)
    values += own * (mean - values)
    begun = rest[: share.size - values.size]
    begun += share[values.size :] * (mean[: len(begun)] - begun)
    return values, rest


def _limit(energy: np.ndarray) -> float:
    """From how many times the usual energy on a mesh is a burst: by how far meshes differ from period to period.

    Args:
        energy: ``[periods, events]``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.diff(np.log(energy), axis=0)
    steps = steps[np.isfinite(steps)]
    if not len(steps):
        return _BURST[1]
    sigma = 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / np.sqrt(2.0)
    return float(np.exp(np.clip(_SCATTER * sigma, *np.log(_BURST))))

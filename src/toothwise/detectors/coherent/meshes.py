"""A hunting period as the meshes of each tooth, in time and by mate."""

from __future__ import annotations

from math import gcd

import numpy as np

_TURNS = 4  # meshes of a tooth from which on their scatter is known


def events(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """The row and column of each mesh event of a hunting period, in time."""
    number = np.arange(rows * columns // gcd(rows, columns))
    return number % rows, number % columns


def lines(white: np.ndarray, teeth: int, samples: int) -> np.ndarray:
    """The waveform of each tooth at each of its meshes, ``[n, teeth, turns, samples]``, turns in time."""
    return white.reshape(len(white), -1, teeth, samples).transpose(0, 2, 1, 3)


def best_segment(lines: np.ndarray, length: int, mates: int) -> np.ndarray:
    """Energy of the sum over the best stretch of neighbouring mates ``[n, teeth]``, per mesh of the stretch."""
    turns = lines.shape[2]
    # a tooth meets its mates in steps of its own tooth number: sorted by mate, neighbours on the mate are neighbours
    order = np.argsort((np.arange(turns) * lines.shape[1]) % mates, kind="stable")
    ordered = lines[:, :, order]
    closed = np.concatenate([ordered, ordered[:, :, :length]], axis=2)
    total = np.cumsum(closed, axis=2)
    sums = total[:, :, length:] - total[:, :, :-length]
    return np.asarray((sums**2).sum(axis=3).max(axis=2) / length)


def half_a_turn(energy: np.ndarray) -> np.ndarray:
    """The energy half a revolution away; of an odd number of teeth the mean of the two teeth beside it."""
    teeth = energy.shape[1]
    near = np.roll(energy, -(teeth // 2), axis=1)
    return near if teeth % 2 == 0 else 0.5 * (near + np.roll(energy, -(teeth // 2) - 1, axis=1))


def change_of_gears(waveforms: np.ndarray) -> np.ndarray:
    """How far the usual tooth of either gear differs from its healthy waveform, ``[n, 2]``; 0 = as noise makes it.

    The logarithm of the energy of a tooth's mean waveform over what its meshes' scatter leaves in such a mean, both of
    the middle tooth of the gear. Noise and gain are in both. Wear that differs from tooth to tooth
    moves the middle one, and in the other gear it is scatter. Damage of one tooth moves it less, by what removed orders
    spread of it. Wear that is alike on all teeth changes the mesh alone, as load does, and is not seen.

    Args:
        waveforms: What each mesh holds beyond the healthy waveform, ``[n, rows, columns, samples]``.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> noise, worn = rng.standard_normal((1, 23, 37, 32)), rng.standard_normal((1, 23, 1, 32))
        >>> abs(change_of_gears(np.concatenate([noise, noise + worn])).round())
        array([[0., 0.],
               [4., 0.]])
    """
    i, j = events(*waveforms.shape[1:3])
    out = np.zeros((len(waveforms), 2))
    for k, one in enumerate(waveforms):
        signal = np.nan_to_num(one[i, j].astype(np.float64)).reshape(1, -1)
        for axis, teeth in enumerate(one.shape[:2]):
            meshes = lines(signal, teeth, one.shape[2])[0]
            turns = meshes.shape[1]
            if turns < _TURNS:
                continue
            mean = meshes.mean(axis=1)
            by_noise = np.square(meshes - mean[:, None]).sum(axis=(1, 2)) / (turns * (turns - 1))
            energy = np.median(np.square(mean).sum(axis=1)), np.median(by_noise)
            if min(energy) > 0:
                out[k, axis] = np.log(energy[0] / energy[1])
    return out

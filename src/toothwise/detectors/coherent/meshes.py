"""A hunting period as the meshes of each tooth, in time and by mate."""

from __future__ import annotations

from math import gcd

import numpy as np


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

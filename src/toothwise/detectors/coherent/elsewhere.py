"""At a condition that was not learned: the teeth of one record beside each other, and nothing of other records.

Another speed moves the housing's modes over the orders, so that neither what healthy records scatter at an order nor
how loud the gearbox is there holds any more. What holds is that one transfer path hears all teeth: the residual (the
healthy waveform taken off order by order, ``HealthyWaveform.residual``) is divided by its own level around each order,
and the teeth of a gear are compared with their median.
"""

from __future__ import annotations

import numpy as np

from toothwise.detectors.coherent.meshes import events, half_a_turn, lines
from toothwise.detectors.coherent.whitening import whitened

_AROUND = 0.5  # mesh orders over which the record's own level is taken


def among_teeth(
    rest: np.ndarray, live: np.ndarray, shape: tuple[int, ...], contacts: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Energy of each tooth's waveform, ``[n, rows]`` and ``[n, columns]``.

    Args:
        rest: Hunting periods ``[n, events * samples]``.
        live: Which bins hold anything.
        shape: Of waveforms, ``[n, rows, columns, samples]``.
        contacts: The axis whose teeth touch two mates half a revolution apart.
    """
    from scipy.ndimage import uniform_filter1d

    width = round(_AROUND * events(shape[1], shape[2])[0].size) | 1
    power = np.abs(np.fft.rfft(rest)) ** 2 * live
    near = uniform_filter1d(power, width, axis=1, mode="constant")
    near /= np.maximum(uniform_filter1d(live.astype(float), width, mode="constant"), 1.0 / width)
    white = whitened(rest, np.where(live, near, 0.0))
    found = []
    for axis, name in ((1, "rows"), (2, "columns")):
        energy = np.square(lines(white, shape[axis], shape[3]).mean(axis=2)).sum(axis=2)
        found.append(energy + 0.5 * half_a_turn(energy) if contacts == name else energy)
    return found[0], found[1]

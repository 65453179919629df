"""Gears whose damage cannot be seen, because healthy recordings number their teeth by a guess."""

from __future__ import annotations

import numpy as np

from toothwise.detectors.base import Detector
from toothwise.healthmap.core import HealthMapBatch
from toothwise.reference.records import tooth_zero_of

_TRIED = 12  # healthy maps, each with another damaged tooth
_LOUDER = 2.0  # times its healthy level that a damaged tooth must be seen at
_SEEN = 0.5  # share of those maps in which it must be


def unplaced_gears(detector: Detector, maps: HealthMapBatch) -> tuple[int, int]:
    """How many healthy maps number the teeth of the rows' gear and of the columns' by a guess; 0 = that does no harm.

    Where teeth differ, records at guessed places differ by what their teeth do, and damage drowns in that; where teeth
    are alike it stands out all the same. Which of the two it is shows in healthy maps with a tooth twice as loud.

    Args:
        detector: Fitted on the maps, with a threshold.
        maps: Healthy ones, whose table says how tooth 0 is known.
    """
    found = [0, 0]
    for axis, along in ((1, maps.rows), (2, maps.columns)):
        unknown = tooth_zero_of(maps.table, along.name.split()[0], len(maps)).count("unknown")
        if 2 * unknown > len(maps) and detector.threshold is not None:
            score = detector.predict(_with_damage(detector, maps, axis)).score
            if np.mean(score > detector.threshold.value) < _SEEN:
                found[axis - 1] = unknown
    return found[0], found[1]


def _with_damage(detector: Detector, maps: HealthMapBatch, axis: int) -> np.ndarray:
    """Some of the maps, or their waveforms, with a tooth that is louder by a waveform as the gearbox has them."""
    rng = np.random.default_rng(0)
    some = np.unique(np.linspace(0, len(maps) - 1, _TRIED).astype(int))
    seen = maps.waveforms if detector.can.waveforms else None
    out = np.array((maps.values if seen is None else seen)[some])
    for one in out:
        lines = one if axis == 1 else one.swapaxes(0, 1)  # a view
        line = lines[int(rng.integers(len(lines)))]
        if seen is None:
            line *= _LOUDER
            continue
        power = np.square(one).mean(axis=2)
        known = np.argwhere(np.isfinite(power))
        shape = one[tuple(known[int(rng.integers(len(known)))])]
        more = np.nanmean(np.square(line)) * (_LOUDER**2 - 1.0) / max(float(np.square(shape).mean()), 1e-300)
        line += shape * np.sqrt(more)
    return out

"""Maps at a condition that was not learned: which tooth stands out among the others of its gear.

Neither scores nor their threshold hold there. What holds at another speed or load is that one transfer path hears all
teeth of a record, so that they are compared with each other. Where cells scatter much more than those of any healthy
map, nothing holds but what is louder still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toothwise.healthmap.core import HealthMapBatch

if TYPE_CHECKING:
    from toothwise.detectors.base import Detector

_STANDS_OUT = 2.0  # log energy over the median tooth; of sound gears at other speeds, simulated, 1.9 was the most
_BY_CHANCE = 0.01  # of a record, below which a tooth stands out from the others of its gear however little that is
_HOLDS = ("speed", "load", "clipped")  # conditions at which teeth are still compared; elsewhere nothing holds
_SCATTERS = 1.5  # times as far as in any healthy map; another session of recordings, as published, makes it 1.4


def noise_not_learned(scatter_ratio: np.ndarray, score: np.ndarray, threshold: float | None) -> list[str | None]:
    """Per map why its noise was not learned: cells so scattered that damage would not be seen; None = it was.

    A map whose score is above the threshold shows damage all the same.

    Args:
        scatter_ratio: Of the maps ``[n]`` (``Detector.scatter_ratio``).
        score: Of the maps ``[n]``, by the detector.
        threshold: Above which a map alarms; None = none is known.
    """
    height = np.inf if threshold is None else threshold
    return [
        f"scatter of the map's cells, about {ratio:.1g} times as far as in any healthy map, was not learned"
        if ratio > _SCATTERS and not one > height
        else None
        for ratio, one in zip(scatter_ratio, score, strict=True)
    ]


def mark_noise(
    batch: HealthMapBatch, detector: Detector, score: np.ndarray, threshold: Callable[[], float | None]
) -> HealthMapBatch:
    """The batch, its table's ``not_learned`` with ``noise_not_learned`` of maps of which nothing else was said.

    ``threshold`` is asked for only where there is such a map, because it may cost seconds.
    """
    ratio = detector.scatter_ratio(batch.values)
    if not (ratio > _SCATTERS).any():
        return batch
    said = noise_not_learned(ratio, score, threshold())
    known = batch.table["not_learned"] if "not_learned" in batch.table else [None] * len(batch)
    both = [why if isinstance(why, str) and why else new for why, new in zip(known, said, strict=True)]
    if not any(both):
        return batch
    return replace(batch, table=batch.table.assign(not_learned=pd.Series(both, batch.table.index, dtype=object)))


def comparable(why: str | None) -> bool:
    """Whether teeth are compared in a map whose ``not_learned`` says why it cannot be judged otherwise."""
    return isinstance(why, str) and why.startswith(_HOLDS)


def chance_among(profile: np.ndarray) -> float:
    """Chance that the loudest of a sound gear's teeth lies so far above the others, which are its own null.

    Grubbs' test (Technometrics 11, 1969): Student's t of the largest against the rest, times the number of teeth. Both
    neighbours stay out of the rest, for a damaged tooth reaches into their meshes.

    Args:
        profile: Log energy or log contrast of each tooth ``[teeth]``.
    """
    from scipy.special import stdtr

    most, n = int(profile.argmax()), len(profile)
    rest = np.delete(profile, [(most - 1) % n, most, (most + 1) % n])
    if len(rest) < 3:
        return 1.0
    spread = float(rest.std(ddof=1)) * np.sqrt(1.0 + 1.0 / len(rest))
    above = float(profile[most] - rest.mean()) / max(spread, 1e-300)
    return min(1.0, n * float(stdtr(len(rest) - 1, -above)))


def loudest_gear(gears: Sequence[np.ndarray], chance: float = _BY_CHANCE) -> tuple[int, float]:
    """The gear one of whose teeth stands out most, and how far beyond what sound teeth do: 0 and more = it does.

    Args:
        gears: Log energy of each tooth over the median of its gear, one array a gear (``Detector.among_teeth``).
        chance: Below which a tooth stands out however little it is louder.

    Examples:
        >>> sound = np.sin(np.arange(20.0)), np.cos(np.arange(30.0))
        >>> loudest_gear(sound)[1] < 0.0
        True
        >>> sound[1][4] = 3.0
        >>> loudest_gear(sound)
        (1, 1.0)
    """
    heights = [float(gear.max()) - _STANDS_OUT for gear in gears]
    orders = [float(np.log10(chance / max(2.0 * chance_among(gear), 1e-300))) for gear in gears]
    found = heights if max(heights) >= 0.0 else orders
    return int(np.argmax(found)), max(found)

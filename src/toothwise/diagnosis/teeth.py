"""Teeth that are one: neighbours, contacts half a revolution apart, ring teeth a planet spacing apart, echoes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toothwise.gears import PlanetaryStage
from toothwise.healthmap.core import Axis
from toothwise.reference.map_statistics import point_spread


def gear_of(axis: Axis | None, fallback: str) -> str:
    """The gear that an axis counts the teeth of: "driving tooth" -> "driving"; "tooth" -> "gear"."""
    if axis is None:
        return fallback
    word = axis.name.split()[0] if axis.name.endswith("tooth") else fallback
    return "gear" if word == "tooth" else word


def clusters(teeth: Sequence[int], lines: int) -> list[list[int]]:
    """Teeth, strongest first, grouped around their peaks: what falls off beside a stronger tooth is its leak.

    Args:
        teeth: Of a gear of ``lines`` teeth, in falling order of evidence.
        lines: How many teeth the gear has.

    Examples:
        >>> clusters([4, 5, 9, 3, 6, 8], 12)
        [[4, 5, 3, 6], [9, 8]]
    """
    groups: list[list[int]] = []
    for tooth in teeth:
        beside = {(tooth - 1) % lines, (tooth + 1) % lines}
        home = next((group for group in groups if beside & set(group)), None)
        if home is None:
            groups.append([tooth])
        else:
            home.append(tooth)
    return groups


def opposite(one: float, other: float, lines: int) -> bool:
    """Whether two teeth of a gear lie half a revolution apart, to within one tooth.

    Half a revolution of an odd number of teeth ends between two of them: one beside either is within one tooth too.

    Examples:
        >>> [opposite(0, other, 20) for other in (8, 9, 11, 12)], [opposite(0, other, 21) for other in (8, 9, 12, 13)]
        ([False, True, True, False], [False, True, True, False])
    """
    away = min((one - other) % lines, (other - one) % lines)
    return abs(away - lines / 2.0) <= 1.0 + (lines % 2) / 2.0


def ring_spacing(gears: Any) -> tuple[float, ...]:
    """Ring teeth from the first planet of a stage to each of its planets; of other gears none.

    Examples:
        >>> from toothwise import GearPair, PlanetaryStage
        >>> ring_spacing(PlanetaryStage(16, 14, 44)), ring_spacing(GearPair(18, 35))
        ((0.0, 14.666666666666666, 29.333333333333332), ())
    """
    return tuple((gears.spacing * gears.ring).tolist()) if isinstance(gears, PlanetaryStage) else ()


def alike(one: int, other: int, spacing: Sequence[float], teeth: int) -> bool:
    """Whether two teeth of a ring lie as far apart as two of the planets do, to within one tooth.

    A map is filed under one planet: when another one passes the damaged tooth, that shows where the first one is then.

    Args:
        one, other: Teeth.
        spacing: As ``ring_spacing`` gives it.
        teeth: How many the ring has.

    Examples:
        >>> spacing = ring_spacing(PlanetaryStage(16, 14, 44))
        >>> [alike(5, other, spacing, 44) for other in (5, 8, 20, 34, 39)]
        [False, False, True, True, False]
    """
    gaps = [a - b for a in spacing for b in spacing if a != b]
    return any(abs((other - one - gap + teeth / 2.0) % teeth - teeth / 2.0) <= 1.0 for gap in gaps)


def middle(teeth: Sequence[int], evidence: Sequence[float], lines: int) -> float:
    """Where neighbouring teeth lie by their evidence: the loudest of them is not always in their middle.

    Args:
        teeth: Neighbours.
        evidence: Of each, not negative.
        lines: How many teeth the gear has.

    Examples:
        >>> middle([0, 34], [2.0, 2.0], 35), middle([4], [1.0], 35)
        (-0.5, 4.0)
        >>> beside = middle([28, 27, 26, 25], [4.0, 3.0, 3.0, 2.0], 35)
        >>> opposite(8, 28, 35), opposite(middle([8, 9], [3.0, 2.0], 35), beside, 35)
        (False, True)
    """
    away = (np.asarray(teeth) - teeth[0] + lines / 2.0) % lines - lines / 2.0
    weights = np.asarray(evidence, dtype=float)
    return float(teeth[0] + (away * weights).sum() / max(float(weights.sum()), 1e-300))


def echo(tooth: int, contrast: float, louder: Sequence[tuple[int, float]], teeth: int) -> bool:
    """Whether a tooth rises (or falls) by no more than what louder teeth of its gear leave at it.

    Taking mesh orders and sidebands out of the signal spreads the waveform of one tooth over its gear by a known share
    (``point_spread``): that is no second damaged tooth.

    Args:
        tooth, contrast: Of the tooth.
        louder: Tooth and contrast of those that change more.
        teeth: How many the gear has.

    Examples:
        >>> [echo(tooth, 1.2, [(2, 5.0)], 35) for tooth in (3, 4, 9)]
        [True, False, False]
    """
    spread = point_spread(teeth)
    left = sum(float(spread[(tooth - other) % teeth] ** 2) * abs(height**2 - 1.0) for other, height in louder)
    return abs(contrast**2 - 1.0) < left

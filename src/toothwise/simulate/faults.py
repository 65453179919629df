"""Gear faults and what each changes at a tooth, in micrometres and stiffness, not in freely chosen amplitudes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from toothwise.checks import check_choice, check_range, check_whole

# depth of a root crack (share of the tooth's root) -> drop of the pair's stiffness; module 3 (published figures)
_DEPTH = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_DROP = (0.0, 0.02, 0.06, 0.10, 0.15, 0.20, 0.27, 0.37, 0.52)

KINDS = ("crack", "pit", "chip", "broken", "wear", "eccentricity", "misalignment")
GEARS = ("driving", "driven", "planet", "ring", "sun")
_OF_TOOTH = ("crack", "pit", "chip", "broken")


def stiffness_drop(depth: float) -> float:
    """Drop of a tooth pair's stiffness for a root crack of a depth, both as shares; linear between published figures.

    Raises:
        InputError: a depth beyond 0 to 0.8, for which there are figures.
    """
    check_range("[0, 0.8]", depth_of_crack=depth)
    return float(np.interp(depth, _DEPTH, _DROP))


@dataclass(frozen=True)
class Fault:
    """One fault of one gear.

    Attributes:
        kind: "crack" (root crack: the pair gives way by its stiffness drop), "pit" and "chip" (material missing over a
            part of the flank or at the tip), "broken" (the tooth carries nothing), "wear" (the flanks' error grows on
            every tooth), "eccentricity" (once per revolution), "misalignment" (twice per revolution).
        gear: "driving" or "driven"; of a planetary stage "planet" (of planet 0), "ring" or "sun".
        tooth: from 0; not used by wear, eccentricity and misalignment.
        severity: 0 (none) to 1; of a crack its depth, at most 0.8.

    Raises:
        InputError: an unknown kind or gear, or a severity out of range.
    """

    kind: Literal["crack", "pit", "chip", "broken", "wear", "eccentricity", "misalignment"] = "crack"
    gear: Literal["driving", "driven", "planet", "ring", "sun"] = "driving"
    tooth: int = 0
    severity: float = 0.5

    def __post_init__(self) -> None:
        check_choice(KINDS, kind=self.kind)
        check_choice(GEARS, gear=self.gear)
        check_range("[0, 1]", severity=self.severity)
        check_whole(0, tooth=self.tooth)
        if self.kind == "crack":
            stiffness_drop(self.severity)

    @property
    def local(self) -> bool:
        """True where one tooth is damaged, not the whole gear."""
        return self.kind in _OF_TOOTH

    def stiffness(self) -> float:
        """Factor on the stiffness of pairs with this tooth."""
        if self.kind == "crack":
            return 1.0 - stiffness_drop(self.severity)
        if self.kind == "broken":
            return 1.0 - 0.98 * self.severity
        return 1.0

    def missing(self, position: np.ndarray) -> np.ndarray:
        """Material missing at places along the engagement, micrometres.

        Args:
            position: -1 (first contact) to 1 (last contact).
        """
        if self.kind == "pit":  # around the pitch point, down to 40 micrometres
            return 40.0 * self.severity * np.exp(-0.5 * (position / 0.12) ** 8)
        if self.kind == "chip":  # from the tip: the end of the engagement
            return 60.0 * self.severity / (1.0 + np.exp(-(position - (1.0 - self.severity)) / 0.03))
        return np.zeros_like(position)

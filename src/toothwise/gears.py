"""Gears and their tooth arithmetic. Pure: no I/O, no signal."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, lcm

from toothwise.errors import InputError

__all__ = ["GearPair", "PlanetaryStage"]


def _check_teeth(**teeth: int) -> None:
    for name, value in teeth.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 3:
            raise InputError(f"{name} must be a whole number of teeth, 3 or more, but got {value!r}")


@dataclass(frozen=True)
class GearPair:
    """Two gears in mesh; a map of the pair has the driving tooth as row and the driven tooth as column."""

    driving: int
    driven: int

    def __post_init__(self) -> None:
        _check_teeth(driving=self.driving, driven=self.driven)

    @property
    def hunting_period(self) -> int:
        """Mesh events until the same tooth pair meets again."""
        return lcm(self.driving, self.driven)

    @property
    def hunts(self) -> bool:
        """True when every tooth meets every tooth of the mate (coprime tooth numbers)."""
        return gcd(self.driving, self.driven) == 1


@dataclass(frozen=True)
class PlanetaryStage:
    """Sun, planets and ring; the planet tooth is the one that a tooth-by-record map follows."""

    sun: int
    planet: int
    ring: int
    planets: int = 3

    def __post_init__(self) -> None:
        _check_teeth(sun=self.sun, planet=self.planet, ring=self.ring)
        if isinstance(self.planets, bool) or not isinstance(self.planets, int) or self.planets < 1:
            raise InputError(f"planets must be a whole number, 1 or more, but got {self.planets!r}")

    @property
    def hunting_period(self) -> int:
        """Mesh events until the same planet tooth meets the same ring tooth again."""
        return lcm(self.planet, self.ring)

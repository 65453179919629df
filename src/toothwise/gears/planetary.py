"""A planetary stage whose ring stands still: sun, planets on a carrier, ring.

The sun drives and the carrier is driven, or the other way round. A mesh event is one tooth of the ring passed by a
planet; every planet passes all ring teeth once per revolution of the carrier, so planet tooth n * N_ring mod N_planet
is in mesh when the planet passes the same ring tooth for the n-th time. A planet tooth touches the sun half a planet
revolution away from the ring.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import pi, sin

import numpy as np

from toothwise.checks import check_whole
from toothwise.errors import GearWarning, InputError
from toothwise.gears.pair import GearPair, Meshing, check_teeth, speed_of

_COAXIAL_MISMATCH = 2  # teeth that profile shift can make up for


@dataclass(frozen=True)
class PlanetaryStage(Meshing):
    """Sun, planets and a ring that stands still; a map of it has the planet tooth as row, the ring tooth as column.

    Attributes:
        sun, planet, ring: teeth.
        planets: number of planets on the carrier.

    Raises:
        InputError: teeth that cannot form a stage, with the reason. What profile shift (ring and sun + 2 planet
            differing by up to 2 teeth) or unequal planet spacing make possible is accepted with a GearWarning.
    """

    sun: int
    planet: int
    ring: int
    planets: int = 3

    def __post_init__(self) -> None:
        check_teeth(sun=self.sun, planet=self.planet, ring=self.ring)
        check_whole(1, planets=self.planets)
        teeth = f"sun {self.sun}, planet {self.planet}, ring {self.ring}"
        coaxial = self.sun + 2 * self.planet
        if abs(self.ring - coaxial) > _COAXIAL_MISMATCH:
            raise InputError(
                f"{teeth} cannot mesh on one axis: the ring must have sun + 2 planet = {coaxial} teeth, at most "
                f"{_COAXIAL_MISMATCH} more or fewer with profile shift"
            )
        room, need = (self.sun + self.planet) * sin(pi / self.planets), self.planet + 2
        if self.planets > 1 and room <= need:
            raise InputError(
                f"{self.planets} planets of {self.planet} teeth do not fit around a sun of {self.sun}: neighbours are "
                f"{room:.1f} modules apart and need more than {need}"
            )
        unusual = []
        if self.ring != coaxial:
            unusual.append(
                f"the ring has {self.ring}, sun + 2 planet is {coaxial}; accepted as a profile-shifted stage"
            )
        if (self.sun + self.ring) % self.planets:
            unusual.append(
                f"{self.planets} planets cannot be equally spaced, (sun + ring) / planets = "
                f"{(self.sun + self.ring) / self.planets:g} is no whole number; accepted as unequally spaced"
            )
        for text in unusual:
            warnings.warn(f"{teeth}: {text}", GearWarning, stacklevel=3)

    @property
    def axes(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Name and teeth of a map's rows and of its columns."""
        return ("planet tooth", self.planet), ("ring tooth", self.ring)

    @property
    def shafts(self) -> dict[str, float]:
        """Revolutions of each shaft per revolution of the sun; "planet" is counted on the turning carrier."""
        carrier = self.sun / (self.sun + self.ring)
        return {"sun": 1.0, "carrier": carrier, "planet": carrier * self.ring / self.planet}

    @property
    def ratio(self) -> float:
        """Gear ratio: revolutions of the sun per revolution of the carrier, 1 + ring / sun."""
        return 1.0 + self.ring / self.sun

    @property
    def ring_pair(self) -> GearPair:
        """Planet and ring as a pair (row = planet tooth, column = ring tooth)."""
        return GearPair(self.planet, self.ring)

    @property
    def sun_pair(self) -> GearPair:
        """Sun and planet as a pair (row = sun tooth, column = planet tooth)."""
        return GearPair(self.sun, self.planet)

    @property
    def hunting_revolutions(self) -> int:
        """Revolutions of the carrier in one hunting period."""
        return self.hunting_period // self.ring

    @property
    def spacing(self) -> np.ndarray:
        """Carrier angle of each planet behind the first one, float64 ``[planets]`` in revolutions.

        A planet fits only at whole multiples of 1 / (sun + ring) revolution: the multiple nearest to equal spacing.
        """
        slots = self.sun + self.ring
        return np.floor(np.arange(self.planets) * slots / self.planets + 0.5) / slots

    def events_per_revolution(self, shaft: str = "carrier") -> float:
        """Mesh events of one planet with the ring per revolution of a shaft.

        Raises:
            InputError: unknown shaft.
        """
        return self.shafts["carrier"] * self.ring / speed_of(self.shafts, shaft)

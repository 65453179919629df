"""Two gears in mesh: which teeth meet when, and at which orders they are heard.

At mesh event m (counted from the event at which tooth 0 meets tooth 0) driving tooth m mod N1 meets driven tooth
m mod N2. The same two teeth meet again after lcm(N1, N2) events, the hunting period. Orders are cycles per revolution
of a named shaft; frequencies are orders times the speed of that shaft.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, lcm
from typing import Any

import numpy as np

from toothwise.checks import check_choice, check_whole
from toothwise.errors import InputError

_FEWEST_TEETH = 3
_MOST_TEETH = 10_000  # no gear has so many; a slip of the keyboard must not ask for a map of billions of pixels


def check_teeth(**teeth: int) -> None:
    """Refuse what is no number of teeth."""
    for name, value in teeth.items():
        check_whole(_FEWEST_TEETH, **{name: value})
        if value > _MOST_TEETH:
            raise InputError(f"{name} must be {_MOST_TEETH} teeth or fewer, but got {value!r}")


class Meshing:
    """What a pair and a planetary stage share: two gears (their ``axes``) whose teeth meet in turn."""

    @property
    def axes(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Name and teeth of a map's rows and of its columns."""
        raise NotImplementedError

    @property
    def assembly_phases(self) -> int:
        """gcd of the teeth: groups of tooth pairs, of which an assembly uses one. 1 = the gears hunt."""
        (_, rows), (_, columns) = self.axes
        return gcd(rows, columns)

    @property
    def hunting_period(self) -> int:
        """Mesh events until the same tooth pair meets again."""
        (_, rows), (_, columns) = self.axes
        return lcm(rows, columns)

    def pair_at(self, event: Any, start: tuple[int, int] = (0, 0)) -> tuple[Any, Any]:
        """The teeth of rows and columns (driving and driven, planet and ring) at a mesh event.

        Args:
            event: whole number or array of them; negative ones lie before the start.
            start: teeth in mesh at event 0.
        """
        m, ((_, rows), (_, columns)) = np.asarray(event), self.axes
        i, j = (m + start[0]) % rows, (m + start[1]) % columns
        return (int(i), int(j)) if m.ndim == 0 else (i, j)


@dataclass(frozen=True)
class GearPair(Meshing):
    """Two gears in mesh; a map of the pair has the driving tooth as row and the driven tooth as column.

    Attributes:
        driving, driven: teeth.

    Raises:
        InputError: no whole number of teeth, fewer than 3, or more than 10,000.
    """

    driving: int
    driven: int

    def __post_init__(self) -> None:
        check_teeth(driving=self.driving, driven=self.driven)

    @property
    def axes(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Name and teeth of a map's rows and of its columns."""
        return ("driving tooth", self.driving), ("driven tooth", self.driven)

    @property
    def shafts(self) -> dict[str, float]:
        """Revolutions of each shaft per revolution of the driving shaft."""
        return {"driving": 1.0, "driven": self.driving / self.driven}

    @property
    def ratio(self) -> float:
        """Gear ratio: revolutions of the driving shaft per revolution of the driven one."""
        return self.driven / self.driving

    @property
    def hunting_revolutions(self) -> int:
        """Revolutions of the driving shaft in one hunting period."""
        return self.hunting_period // self.driving

    def events_per_revolution(self, shaft: str = "driving") -> float:
        """Mesh events per revolution of a shaft.

        Raises:
            InputError: unknown shaft.
        """
        return self.driving / speed_of(self.shafts, shaft)


def speed_of(shafts: dict[str, float], shaft: str) -> float:
    """The speed of a shaft by its name.

    Raises:
        InputError: unknown shaft.
    """
    check_choice(shafts, shaft=shaft)
    return shafts[shaft]


def few_meet(gears: Any) -> bool:
    """Whether fewer than half of a pair's tooth pairs meet: a map of pairs would be mostly empty.

    Examples:
        >>> few_meet(GearPair(20, 40)), few_meet(GearPair(18, 32))
        (True, False)
    """
    return isinstance(gears, GearPair) and gears.assembly_phases > 2


def hunting_text(gears: Any) -> str:
    """What is to be known of gears that do not hunt: which pairs meet, and what cannot be told apart; "" = they hunt.

    Args:
        gears: A pair or a planetary stage.

    Examples:
        >>> hunting_text(GearPair(18, 35))
        ''
        >>> print(hunting_text(GearPair(20, 40)).split(":")[0])
        20 and 40 teeth share the divisor 20
    """
    (first, n), (second, m) = ((name.split()[0], teeth) for name, teeth in gears.axes)
    shared = gcd(n, m)
    if shared == 1:
        return ""
    text = (
        f"{n} and {m} teeth share the divisor {shared}: only {lcm(n, m)} of {n * m} tooth pairs meet, {first} tooth k "
        f"and {second} teeth k, k + {shared}, ... (counted round)"
    )
    if max(n, m) == shared:
        return f"{text}; a damaged tooth cannot be told from its only mate"
    for one, other, mates in ((second, first, n // shared), (first, second, m // shared)):
        if mates == 1:
            alike = f"in a map its damage looks like that of the {other} tooth it meets, not to a learned waveform"
            return f"{text}; each {one} tooth has one mate: {alike}"
    return f"{text}; damage of a {second} tooth shows at {n // shared} {first} teeth, {shared} apart"

"""What a named tooth cannot be told from, by the arithmetic of its gears and of its shaft, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any

from toothwise.diagnosis.verdict import Diagnosis
from toothwise.diagnosis.words import gear_word, in_english
from toothwise.gears import GearPair, PlanetaryStage
from toothwise.gears.pair import few_meet
from toothwise.messages import Message, say

_PART = 3  # share of a gear's teeth, as one over it, from which on those that differ may be the sound ones
_FEW_MATES = 4  # ring teeth that a planet's tooth meets, below which one of them may be all that is heard


def alike_words(found: Diagnosis, gears: Any, *, by_waveform: bool = False) -> tuple[Message, ...]:
    """What the named tooth cannot be told from, by the arithmetic of its gears.

    Args:
        found: A diagnosis.
        gears: The pair or the planetary stage of its maps; None = not known.
        by_waveform: Each tooth was compared with each of its mates. It then looks like a mate only where neither has
            another one.

    Examples:
        >>> from types import SimpleNamespace
        >>> from toothwise import GearPair, PlanetaryStage
        >>> ring = SimpleNamespace(gear="ring", pattern="one tooth", colour="RED")
        >>> for said in alike_words(ring, PlanetaryStage(20, 20, 60, 4)):
        ...     print(said)
        Ring teeth one planet spacing (15 teeth) apart look alike: it may be any one of them.
        These gears do not hunt: damage of a planet tooth that this tooth meets looks alike, so it may be there.
        Teeth of the sun are not watched: damage of one of them may show at teeth that it meets, or not at all.
        >>> driving = SimpleNamespace(gear="driving", pattern="several teeth", colour="RED")
        >>> driving.teeth = [SimpleNamespace(gear="driving", doubtful=False)] * 7
        >>> alike_words(driving, GearPair(18, 35))
        ()
        >>> print(*alike_words(driving, GearPair(18, 35), by_waveform=True))  # doctest: +ELLIPSIS
        So many teeth of the driving gear differ from its others that it may be the others which have changed: ...
    """
    named = found.gear is not None and found.pattern.endswith(("tooth", "teeth"))
    if isinstance(gears, PlanetaryStage):
        # a sensor hears a planet's teeth where they pass it: of few ring teeth that they meet often one alone
        few = gears.ring // gears.assembly_phases < _FEW_MATES
        mates = _of_mates(found, gears) if named and few else ()
        return (*_of_stage(found, gears), *mates, *_of_sun(found, gears))
    if not named or not isinstance(gears, GearPair):
        return ()
    part = _of_part(found, gears) if by_waveform else ()
    if not few_meet(gears) or (by_waveform and gears.driving != gears.driven):
        return part
    return (*part, *_of_mates(found, gears))


def _of_part(found: Diagnosis, gears: GearPair) -> tuple[Message, ...]:
    """That what tells many teeth from the others does not tell which of them have changed: their mesh is taken off."""
    named = [t.gear for t in found.teeth if not t.doubtful]
    return tuple(
        say(
            "So many teeth of the {gear} gear differ from its others that it may be the others which have changed: "
            "wear of part of the gear.",
            gear=gear_word(gear),
        )
        for gear, size in (("driving", gears.driving), ("driven", gears.driven))
        if _PART * named.count(gear) >= size
    )


def _of_mates(found: Diagnosis, gears: Any) -> tuple[Message, ...]:
    """That it may be a tooth which the named one meets."""
    names = [axis.split()[0] for axis, _ in gears.axes]
    return tuple(
        say(
            "These gears do not hunt: damage of a {gear} tooth that this tooth meets looks alike, so it may be there.",
            gear=gear_word(other),
        )
        for other in names
        if found.gear in names and other != found.gear
    )


def _of_stage(found: Diagnosis, gears: PlanetaryStage) -> tuple[Message, ...]:
    """Which planet, and which of the ring teeth that planets pass together."""
    if gears.planets < 2 or found.gear is None or not found.pattern.endswith(("tooth", "teeth")):
        return ()
    if found.gear != "ring":
        return (say("Which of the {planets} planets it is stays unknown.", planets=gears.planets),)
    return (
        say(
            "Ring teeth one planet spacing ({spacing} teeth) apart look alike: it may be any one of them.",
            spacing=f"{gears.ring / gears.planets:.3g}",
        ),
    )


def _of_sun(found: Diagnosis, gears: PlanetaryStage) -> tuple[Message, ...]:
    """What a damaged tooth of the sun, which no row or column of a map is of, makes of planets and ring."""
    if found.colour == "UNKNOWN":
        return ()
    if found.pattern == "several teeth":
        for name, size in (("planet", gears.planet), ("ring", gears.ring)):
            common = gcd(size, gears.sun)
            own = [n for t in found.teeth if t.gear == name and t.tooth is not None for n in (t.tooth, *t.alike)]
            if common > 1 and len(own) > 1 and len({n % common for n in own}) == 1:
                return (
                    say(
                        "The {gear} teeth that stand out are all met by one tooth of the sun: more likely it is that.",
                        gear=gear_word(name),
                    ),
                )
    if found.pattern == "sensor or condition changed":
        return (say("A damaged tooth of the sun may look like this too: its teeth are not watched one by one."),)
    return (
        say("Teeth of the sun are not watched: damage of one of them may show at teeth that it meets, or not at all."),
    )


def with_alike(
    found: Diagnosis, gears: Any, *, by_waveform: bool, turning_with: Mapping[str, Sequence[tuple[str, str, str]]]
) -> Diagnosis:
    """The diagnosis with what its tooth cannot be told from, by its gears (``alike_words``).

    ``turning_with``: by gear, those of other stages on its shaft (``GearTrain.turning_with``).
    """
    more = alike_words(found, gears, by_waveform=by_waveform)
    if found.pattern.endswith(("tooth", "teeth")):
        more += tuple(
            say(
                "The {gear} gear of stage {stage} turns with the same shaft ({shaft}): damage of one of its teeth "
                "shows here as well, so it may be there.",
                gear=gear_word(gear),
                stage=stage,
                shaft=shaft,
            )
            for shaft, stage, gear in turning_with.get(found.gear or "", ())
        )
    return in_english(found, {"verdict": (*found.messages["verdict"], *more)}) if more else found

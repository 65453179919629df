"""How tooth 0 of each gear is known: by an index pulse, from the healthy waveform, by the user's word, or not at all.

One pulse per revolution marks one tooth of the gear on that shaft and of no other gear. In mesh events, counted from
where tooth 0 of both gears meets, revolution 0 of such a record lies at a multiple of that gear's teeth. N equal pulses
leave multiples of the N-th part of it. Everything follows from that step by arithmetic: a gear of n teeth is then known
up to the step's greatest common divisor with n.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd
from typing import Literal

from toothwise.gears import GearPair, PlanetaryStage

Known = Literal["index", "waveform", "given", "unknown"]
_DENOMINATOR = 10**6  # ratios of teeth have small denominators; what needs a larger one was rounded by hand
_FINEST = 64  # positions per tooth: what is finer than that is no grid


@dataclass(frozen=True)
class ToothZero:
    """How tooth 0 of one gear is known.

    Attributes:
        known: ``index`` = a pulse marks it; ``waveform`` = found from the healthy waveform, whose first record numbers
            the teeth; ``given`` = the user vouches for it; ``unknown`` = tooth numbers of this record cannot be
            compared with those of another one.
        positions: How many positions of tooth 0 remain possible: 1 where it is known, None where any angle is.
        step: Teeth (mesh events) between the possible positions; None where any angle is possible.
        confidence: Of a turn onto the healthy waveform, tried or accepted: 1 less the chance that the second best
            position is the right one; None where there was no waveform.

    Examples:
        >>> zero = ToothZero("unknown", positions=4, step=5.75)
        >>> zero.is_known, zero.positions
        (False, 4)
    """

    known: Known
    positions: int | None = 1
    step: float | None = None
    confidence: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether tooth numbers may be named."""
        return self.known != "unknown"

    def found(self, confidence: float, *, sure: bool) -> ToothZero:
        """The same gear's tooth zero after a turn onto the healthy waveform."""
        if self.is_known:
            return self
        confidence = round(confidence, 6)
        return ToothZero("waveform", confidence=confidence) if sure else replace(self, confidence=confidence)


def fraction_of(number: float | Fraction) -> Fraction:
    """A ratio of whole numbers, such as a ratio of teeth, from its nearest float.

    Examples:
        >>> fraction_of(23 / 56)
        Fraction(23, 56)
    """
    return number if isinstance(number, Fraction) else Fraction(number).limit_denominator(_DENOMINATOR)


def event_step(gears: GearPair | PlanetaryStage, zero_step: Fraction | None) -> Fraction | None:
    """Mesh events between the places in the hunting period where a record's revolution 0 may lie.

    Args:
        gears: A pair or a planetary stage.
        zero_step: Revolutions of the reference shaft (driving, carrier) between possible zeros; None = any angle.

    Returns:
        A divisor of the hunting period; None where any angle is possible.

    Examples:
        An index on the driving shaft, four pulses there, and an index on the driven shaft:

        >>> pair = GearPair(23, 56)
        >>> [str(event_step(pair, Fraction(step))) for step in (1, "1/4", "56/23")]
        ['23', '23/4', '56']
    """
    if zero_step is None:
        return None
    period = gears.hunting_period
    # all multiples of the step on a circle of one hunting period are the multiples of their common divisor with it
    step = _gcd(zero_step * Fraction(period, gears.hunting_revolutions), Fraction(period))
    return None if step < Fraction(1, _FINEST) else step


def tooth_zeros(
    gears: GearPair | PlanetaryStage, zero_step: Fraction | None, zero_by: Known = "index"
) -> dict[str, ToothZero]:
    """What an angle says of tooth 0 of both gears of a map, by the names of its axes.

    Args:
        gears: A pair or a planetary stage.
        zero_step: As ``event_step``.
        zero_by: What marks the zeros: "index" or "given".

    Examples:
        >>> zeros = tooth_zeros(GearPair(23, 56), Fraction(1))
        >>> zeros["driving"].known, zeros["driven"].known, zeros["driven"].positions
        ('index', 'unknown', 56)
    """
    step = event_step(gears, zero_step)
    found = {}
    for axis, teeth in gears.axes:
        name = axis.split()[0]
        if step is None:
            found[name] = ToothZero("unknown", None, None)
            continue
        apart = _gcd(step, Fraction(teeth))
        positions = int(teeth / apart)
        found[name] = ToothZero(zero_by) if positions == 1 else ToothZero("unknown", positions, float(apart))
    return found


def _gcd(a: Fraction, b: Fraction) -> Fraction:
    """Greatest common divisor of two ratios: the largest of which both are whole multiples."""
    return Fraction(gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)

"""Units of time, rate and angle in the spellings that files use, and numbers as people write them."""

from __future__ import annotations

import math
import re
from contextlib import suppress

from toothwise.errors import InputError

_TIMES: tuple[tuple[float, str], ...] = (
    (1.0, "s sec secs second seconds"),
    (1e-3, "ms msec msecs millis millisec millisecs millisecond milliseconds"),
    (1e-6, "us usec usecs micros microsec microsecs microsecond microseconds"),
    (1e-9, "ns nsec nsecs nanosec nanosecs nanosecond nanoseconds"),
    (60.0, "min mins minute minutes"),
    (3600.0, "h hr hrs hour hours"),
)
_RATES: tuple[tuple[float, str], ...] = (
    (1.0, "hz hertz 1/s s/s sa/s sps samples/s samples/sec samples/second 1/sec s^-1 s-1"),
    (1e3, "khz kilohertz ks/s ksa/s ksps ksamples/s 1/ms"),
    (1e6, "mhz megahertz ms/s msa/s msps 1/us"),
)
_ANGLES: tuple[tuple[float, str], ...] = (
    (1 / 360, "deg degs degree degrees °"),
    (1 / math.tau, "rad rads radian radians"),
    (1.0, "rev revs revolution revolutions turn turns cycle cycles"),
    (0.0, "count counts cnt cnts tick ticks pulse pulses inc increments"),  # per revolution: said elsewhere
)
_TIME_OF, _RATE_OF, _ANGLE_OF = (
    {word: factor for factor, words in table for word in words.split()} for table in (_TIMES, _RATES, _ANGLES)
)
_QUANTITY = re.compile(r"^\s*([+-]?[\d.,'\u00a0\u202f ]*\d(?:e[+-]?\d+)?)\s*([a-zµμ°%/].*?)?\s*$", re.IGNORECASE)


def _plain(unit: str) -> str:
    """A unit in small letters, with one code point for micro."""
    return unit.strip().strip(".[]()").replace("\u00b5", "u").replace("\u03bc", "u").lower().strip()


def time_seconds(unit: str, what: str) -> float:
    """Seconds per unit of time.

    Raises:
        InputError: an unknown unit; ``what`` has it.

    Examples:
        >>> time_seconds("msec", "the time column"), time_seconds("\\u00b5s", "the time column")
        (0.001, 1e-06)
    """
    return _factor(_TIME_OF, unit, what, "s, ms, us, ns, min, h", "time")


def is_time(unit: str) -> bool:
    """Whether a word is a unit of time."""
    return _plain(unit) in _TIME_OF


def rate_hertz(unit: str, what: str) -> float:
    """Hertz per unit of a rate.

    Raises:
        InputError: an unknown unit.
    """
    return _factor(_RATE_OF, unit, what, "Hz, kHz, MHz, S/s, kS/s", "rate")


def angle_turns(unit: str) -> float | None:
    """Revolutions per unit of angle; 0 for counts, whose number per revolution is said elsewhere; None = no angle.

    Examples:
        >>> angle_turns("Degrees") == 1 / 360, angle_turns("V")
        (True, None)
    """
    return _ANGLE_OF.get(_plain(unit))


def _factor(table: dict[str, float], unit: str, what: str, allowed: str, kind: str) -> float:
    factor = table.get(_plain(unit))
    if factor is None:
        raise InputError(
            f"{what} has the unit {unit!r}, which is no unit of {kind} that is known: allowed are {allowed}"
        )
    return factor


def number_of(text: str) -> tuple[float, str] | None:
    """A number and its unit in a text; None where it holds something else.

    Commas that part thousands are told from a decimal comma by their places: ``12,800`` is twelve thousand eight
    hundred, ``12,8`` and ``12.800,5`` have a decimal comma.

    Examples:
        >>> number_of("12,800 Hz"), number_of("12,8"), number_of("25.6 kHz"), number_of("today")
        ((12800.0, 'Hz'), (12.8, ''), (25.6, 'kHz'), None)
    """
    match = _QUANTITY.match(text)
    if match is None:
        return None
    digits, unit = re.sub(r"['\u00a0\u202f ]", "", match[1]), (match[2] or "").strip()
    if digits.count(",") and "." in digits and digits.rfind(",") > digits.rfind("."):
        digits = digits.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", digits):
        digits = digits.replace(",", "")
    else:
        digits = digits.replace(",", ".")
    with suppress(ValueError):
        return float(digits), unit
    return None

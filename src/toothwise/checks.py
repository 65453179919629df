"""Values that a caller chose against what is allowed; the error says name, value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

from toothwise.errors import InputError


def check_choice(allowed: Collection[Any], **given: Any) -> None:
    """Refuse values that are not among those allowed.

    Raises:
        InputError: One of the values is another.

    Examples:
        >>> check_choice(("rows", "columns"), lines="rows")
    """
    for name, value in given.items():
        if value not in allowed:
            raise InputError(f"{name} must be one of {', '.join(map(repr, allowed))}, but got {value!r}")


def check_whole(least: int, **given: Any) -> None:
    """Refuse values that are no whole numbers, or that are smaller than ``least``; of a list each of its items.

    Raises:
        InputError: One of the values is no such number.

    Examples:
        >>> check_whole(1, teeth=2, lengths=[4, 8])
    """
    for name, value in given.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, bool) or not isinstance(item, Integral) or item < least:
                raise InputError(f"{name} must be a whole number, {least} or more, but got {item!r}")


def check_range(interval: str, **given: Any) -> None:
    """Refuse values that are no numbers within an interval.

    Args:
        interval: Its ends, such as "(0, 1]": a round bracket leaves the end out, "inf" is no end at all.
        given: The values by their names.

    Raises:
        InputError: One of the values lies outside, or is no number.

    Examples:
        >>> check_range("(0, 1]", recall=0.9)
        >>> check_range("[0, inf)", weight=-1.0)
        Traceback (most recent call last):
        toothwise.errors.InputError: weight must be a number, 0 or more, but got -1.0
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    for name, value in given.items():
        good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        good = good and (low <= value if interval[0] == "[" else low < value)
        if not good or not (value <= high if interval[-1] == "]" else value < high):
            words = f"{low:g} or more" if interval[0] == "[" else f"above {low:g}"
            allowed = f"a number in {interval}" if math.isfinite(high) else f"a number, {words}"
            raise InputError(f"{name} must be {allowed}, but got {value!r}")

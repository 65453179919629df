"""Conditions that a healthy waveform was learned at, and what lies outside them.

A gearbox at another speed or load moves other housing modes: its sound teeth differ from those that were learned, and
what differs would be taken for damage. Such a record is not compared with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from toothwise.vibration.periods import Periods

__all__ = ["Conditions", "learned_conditions", "not_learned"]

Conditions = dict[str, tuple[float, float]]
_NEAR = 0.1  # share of a value by which a record may lie outside what was learned
_UNITS = {"speed": " rev/s", "load": ""}


def _conditions(periods: Periods) -> dict[str, float]:
    """Speed of the reference shaft, and the load where the recording says it."""
    found = {"speed": float(np.mean(periods.angle.speed()))}
    load = periods.condition.get("load")
    return found | ({"load": float(load)} if isinstance(load, int | float) and np.isfinite(load) else {})


def learned_conditions(periods: Sequence[Periods]) -> Conditions:
    """Lowest and highest value of each condition that all records say.

    Args:
        periods: Of the healthy records.
    """
    each = [_conditions(one) for one in periods]
    known = set.intersection(*map(set, each))
    return {name: (min(one[name] for one in each), max(one[name] for one in each)) for name in sorted(known)}


def not_learned(learned: Mapping[str, tuple[float, float]], periods: Periods) -> str:
    """Which condition of a record lies outside those that were learned; "" = none.

    Args:
        learned: As ``learned_conditions`` gives it.
        periods: Of the record.
    """
    for name, value in _conditions(periods).items():
        low, high = learned.get(name, (value, value))
        margin = _NEAR * max(abs(low), abs(high))
        if not low - margin <= value <= high + margin:
            return f"{name} {value:.4g}{_UNITS[name]} was not learned ({low:.4g} to {high:.4g})"
    return ""

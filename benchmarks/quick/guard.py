"""Ratios of today beside committed ones: what moved by more than is noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

TOLERANCE = 0.2


@dataclass(frozen=True)
class Moved:
    """A ratio then and now; None where it is missing. All ratios are costs: larger is worse."""

    name: str
    before: float | None
    now: float | None

    @property
    def factor(self) -> float:
        """Now over then: above 1 = worse, infinite where it is gone, 0 where it is new."""
        if self.before is None:
            return 0.0
        return math.inf if self.now is None else self.now / self.before

    @property
    def worse(self) -> bool:
        """It grew; a ratio that is gone is no better."""
        return self.factor > 1.0

    def __str__(self) -> str:
        if self.before is None:
            return f"new       {self.name}: {self.now:.3g}"
        if self.now is None:
            return f"gone      {self.name}: was {self.before:.3g}"
        word = "worse" if self.worse else "better"
        return f"{word:<9} {self.name}: {self.before:.3g} -> {self.now:.3g} ({self.factor - 1.0:+.0%})"


def compare(before: Mapping[str, float], now: Mapping[str, float], tolerance: float = TOLERANCE) -> list[Moved]:
    """What moved by more than ``tolerance``, either way by the same factor, and what is new or gone; worst first.

    Args:
        before: committed ratios, above 0.
        now: measured ones, above 0.
        tolerance: 0.2 = above 1.2 times or below 1 / 1.2 times.
    """
    moved = [Moved(name, before.get(name), now.get(name)) for name in {**before, **now}]
    kept = [m for m in moved if not 1.0 / (1.0 + tolerance) <= m.factor <= 1.0 + tolerance]
    return sorted(kept, key=lambda m: -m.factor)


def told(before: Mapping[str, float], now: Mapping[str, float], tolerance: float = TOLERANCE) -> str:
    """The comparison in words."""
    moved = compare(before, now, tolerance)
    if not moved:
        return f"No ratio of {len(now)} moved by more than {tolerance:.0%}."
    return "\n".join([f"Moved by more than {tolerance:.0%}, new or gone, of {len(now)} ratios:", *map(str, moved)])

"""Times of several ways to do one thing, taken in turns, so that a busy moment hits all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Times:
    """Seconds of each round.

    Attributes:
        wall: by the clock.
        cpu: that this process computed. On a machine that others use too this is what can be compared; where the
            work is done elsewhere (a GPU, processes of its own) it says nothing.
    """

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    def facts(self, base: Times, *, clock: str = "cpu", digits: int = 3) -> dict[str, Any]:
        """Medians, and the ratio of the times that ``clock`` names to those of another way: median and quartiles."""
        ratios = [a / b for a, b in zip(getattr(self, clock), getattr(base, clock), strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        return {
            "cpu_ms": round(1e3 * statistics.median(self.cpu), digits),
            "wall_ms": round(1e3 * statistics.median(self.wall), digits),
            "ratio": round(middle, 4),
            "ratio_quartiles": [round(low, 4), round(high, 4)],
        }


def paired(ways: Mapping[str, Callable[[], Any]], *, rounds: int, warm_up: int = 2) -> dict[str, Times]:
    """Run each way once per round; who begins changes from round to round.

    Args:
        ways: what is run; a way that starts work elsewhere waits for it.
        rounds: that count.
        warm_up: rounds before, that do not.
    """
    names = list(ways)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for number in range(warm_up + rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            wall, cpu = time.perf_counter(), time.process_time()
            ways[name]()
            spent = (time.perf_counter() - wall, time.process_time() - cpu)
            if number >= warm_up:
                taken[name].append(spent)
    return {name: Times(tuple(w for w, _ in spent), tuple(c for _, c in spent)) for name, spent in taken.items()}

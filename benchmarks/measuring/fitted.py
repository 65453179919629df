"""The power that a cost grows with."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["exponent"]


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Slope of log cost over log size, by least squares over the larger half of the sizes, three at least.

    Args:
        sizes: rising.
        costs: above 0.
    """
    keep = max(3, (len(sizes) + 1) // 2)
    x, y = ([math.log(v) for v in values[-keep:]] for values in (sizes, costs))
    centre, level = sum(x) / len(x), sum(y) / len(y)
    return sum((a - centre) * (b - level) for a, b in zip(x, y, strict=True)) / sum((a - centre) ** 2 for a in x)

"""What a training logs step by step, for whoever wants to look at it afterwards."""

from __future__ import annotations

from collections import defaultdict
from contextlib import AbstractContextManager

from toothwise.detectors.innermost import innermost

Curves = defaultdict[str, list[tuple[int, float]]]  # step and value by name; of several trainings those of the last

_active: list[Curves] = []


def recorder() -> Curves | None:
    """The curves of the innermost ``recorded_curves`` block, or None."""
    return _active[-1] if _active else None


def recorded_curves() -> AbstractContextManager[Curves]:
    """Trainings in this block record their loss, what else they log, and the gradient's norm in each layer."""
    return innermost(_active, defaultdict(list))

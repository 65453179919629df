"""What a training logs step by step, for whoever wants to look at it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Curves:
    """Values by name and step. Where a detector trains several times, the last training counts."""

    def __init__(self) -> None:
        self.values: dict[str, list[tuple[int, float]]] = {}

    def begin(self) -> None:
        """A training begins."""
        self.values = {}

    def add(self, name: str, step: int, value: float) -> None:
        """One value of one curve."""
        self.values.setdefault(name, []).append((step, value))


_active: list[Curves] = []


def recorder() -> Curves | None:
    """The curves of the innermost ``recorded_curves`` block, or None."""
    return _active[-1] if _active else None


@contextmanager
def recorded_curves() -> Iterator[Curves]:
    """Trainings in this block record their loss, what else they log, and the gradient's norm in each layer."""
    curves = Curves()
    _active.append(curves)
    try:
        yield curves
    finally:
        _active.pop()

"""Fitted detectors that a process keeps for the next trials that train on the same: only their test maps differ."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Fit = TypeVar("Fit")
_held: OrderedDict[str, object] = OrderedDict()
_count: list[int] = []


@contextmanager
def reused_fits(count: int) -> Iterator[None]:
    """Keep this many fitted detectors of this process from one such block to the next; 0 = none."""
    _count.append(count)
    try:
        yield
    finally:
        _count.pop()


def fit_once(key: str, fit: Callable[[], Fit]) -> Fit:
    """``fit()``, or what it gave for the same key before, where fits are kept.

    Args:
        key: all that the fit depends on.
        fit: called where there is none.
    """
    count = _count[-1] if _count else 0
    if count < 1:
        return fit()
    if key not in _held:
        _held[key] = fit()
    _held.move_to_end(key)
    while len(_held) > count:
        _held.popitem(last=False)
    return _held[key]  # type: ignore[return-value]

"""What holds within a block of code, for whoever asks while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def innermost(stack: list[Item], item: Item) -> Iterator[Item]:
    """``item`` is the last of a stack within this block.

    Examples:
        >>> stack = ["outer"]
        >>> with innermost(stack, "inner"):
        ...     stack[-1]
        'inner'
        >>> stack
        ['outer']
    """
    stack.append(item)
    try:
        yield item
    finally:
        stack.pop()

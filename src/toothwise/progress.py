"""Progress of long work: a callback that is passed in."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Called with what is being done, and the share of it that is done (0 to 1) where that is known."""

    def __call__(self, text: str, share: float | None = None) -> None:
        """Take note of what is being done."""


def silent(text: str, share: float | None = None) -> None:
    """Says nothing.

    Examples:
        >>> silent("fit", 0.5)
    """

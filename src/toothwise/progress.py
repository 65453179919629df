"""Progress of long work: a callback that is passed in."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with what is being done, and the share of it that is done (0 to 1) where that is known."""

    def __call__(self, text: str, share: float | None = None) -> None:
        """Take note of what is being done."""


def silent(text: str, share: float | None = None) -> None:
    """Says nothing.

    Examples:
        >>> silent("fit", 0.5)
    """


def share_of(progress: Progress, step: int, steps: int, fixed: str | None = None) -> Progress:
    """The progress of one step of several, as that of the whole.

    Args:
        progress: Of the whole.
        step: Counted from 0.
        steps: How many there are.
        fixed: Said instead of what the step says.

    Examples:
        >>> part = share_of(lambda text, share: print(text, share), 1, 4, "second of four")
        >>> part("training", 0.5)
        second of four 0.375
    """

    def part(text: str, share: float | None = None) -> None:
        progress(text if fixed is None else fixed, (step + min(share or 0.0, 1.0)) / steps)

    return part

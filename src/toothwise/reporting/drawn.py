"""Figures as pictures of a document: drawn and saved in the report's style, sharp enough for print."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toothwise.reporting.document import Picture
from toothwise.reporting.figures import png
from toothwise.reporting.fonts import plot_style

__all__ = ["drawn"]

_PIXELS = 1320  # wide: 186 per inch at the width of the printed text


def drawn(caption: str, make: Callable[..., Any], *arguments: Any) -> Picture:
    """Draw a figure by ``make(*arguments)`` as a picture with this caption."""
    with plot_style():
        figure = make(*arguments)
        width, height = figure.get_size_inches()
        return Picture(png(figure, dpi=round(_PIXELS / width)), caption, float(width), float(height))

"""Figures as pictures of a document: drawn in the report's style, as pixels for the screen and as vectors for print."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toothwise.reporting.document import Picture
from toothwise.reporting.figures import png
from toothwise.reporting.fonts import plot_style
from toothwise.reporting.vector import svg

__all__ = ["drawn"]

_PIXELS = 1320  # wide: sharp on a screen of twice the usual pixels, small enough to be mailed


def drawn(caption: str, make: Callable[..., Any], *arguments: Any, **options: Any) -> Picture:
    """Draw a figure by ``make(*arguments, **options)`` as a picture with this caption."""
    with plot_style():
        figure = make(*arguments, **options)
        width, height = figure.get_size_inches()
        pixels = png(figure, dpi=round(_PIXELS / width))
        return Picture(pixels, svg(figure), caption, float(width), float(height))

"""A figure as SVG that fpdf2 draws as Matplotlib does."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["svg"]

_DPI = 300  # of heat maps, the only part that stays a raster
_TOLD: dict[str, str | None] = {"Creator": None, "Date": None, "Format": None, "Type": None}
_IMAGE = re.compile(r'<image ([^>]*?)transform="([^"]*)"([^>]*?)/>')


def svg(figure: Figure) -> bytes:
    """Lines and letters as vectors; the same figure gives the same bytes.

    Letters are outlines of the report's font, so that they need no font where the figure is placed.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "toothwise"}):
        figure.savefig(buffer, format="svg", dpi=_DPI, metadata=_TOLD)
    # Matplotlib turns an image over by a transform of its own, which fpdf2 passes over: heat maps would stand upside
    # down beside axes that do not. The transform of a group it follows.
    return _IMAGE.sub(r'<g transform="\2"><image \1\3/></g>', buffer.getvalue()).encode()

"""Figures of a report: drawn in one style, as pixels for the screen and as vectors for print."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from toothwise.reporting.fonts import plot_style

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by people with any common colour vision
ORANGE, BLUE, GREEN, RED, GREY = "#E69F00", "#0072B2", "#009E73", "#D55E00", "#8A8A8A"
WIDTH = 6.0  # inches of every figure of a report
_NARROW = 3.7  # inches of the same figure on a telephone, where letters would be too small
_PIXELS = 1320  # wide: sharp on a screen of twice the usual pixels, small enough to be mailed
_width = ContextVar("width", default=WIDTH)
_DPI = 300  # of heat maps in print, the only part that stays a raster
_METADATA: dict[str, str | None] = {"Creator": None, "Date": None, "Format": None, "Type": None}
_IMAGE = re.compile(r'<image ([^>]*?)transform="([^"]*)"([^>]*?)/>')


def panels(height: float, rows: int = 1) -> tuple[Figure, Any]:
    """A new figure of the report's width and ``height`` inches, and its axes, one below the other ``[rows]``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_width.get(), height), layout="constrained")
    return figure, figure.subplots(rows, 1, squeeze=False)[:, 0]


def legend(axes: Any) -> None:
    """The legend above the axes, in as many columns as there is room for."""
    columns = 3 if _width.get() == WIDTH else 2
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, frameon=False, handlelength=1.4)


def note(axes: Any, text: str, at: tuple[Any, Any], offset: tuple[float, float], **look: Any) -> None:
    """A text beside a point of the axes, so many points of print away from it."""
    axes.annotate(text, at, offset, textcoords="offset points", **look)


def scale_of_ratios(
    figure: Figure, image: Any, axes: Any, log2: np.ndarray | Sequence[float], label: str, **look: Any
) -> None:
    """The colour bar of an image of base-2 logarithms, marked at ``log2`` with the ratios that they stand for."""
    bar = figure.colorbar(image, ax=axes, **look)
    bar.set_ticks(list(log2), labels=[f"{2.0**t:.2f}" for t in log2])
    bar.set_label(label)
    bar.outline.set_visible(False)


def png(figure: Figure, *, dpi: int = 110) -> bytes:
    """The figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def save(figure: Figure, path: Any, kind: str) -> None:
    """Write the figure as a file of its own, "png", "pdf" or "svg"; the same figure gives the same bytes."""
    metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
    figure.savefig(path, format=kind, dpi=110, metadata=metadata[kind])


def _svg(figure: Figure) -> bytes:
    """The figure as SVG that fpdf2 draws as Matplotlib does; the same figure gives the same bytes.

    Letters are outlines of the report's font, so that they need no font where the figure is placed.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "toothwise"}):
        figure.savefig(buffer, format="svg", dpi=_DPI, metadata=_METADATA)
    # Matplotlib flips an image by a transform of its own, which fpdf2 ignores: heat maps would be upside down beside
    # axes that are not. fpdf2 does follow the transform of a group.
    return _IMAGE.sub(r'<g transform="\2"><image \1\3/></g>', buffer.getvalue()).encode()


class Picture:
    """A figure as a report shows it; the caption says what to see in it.

    It is laid out once, and rendered when its pixels or vectors are asked for: a page alone needs no vectors.

    Attributes:
        caption: What to see in it.
        width, height: In inches.
    """

    def __init__(self, caption: str, make: Callable[..., Figure], *arguments: Any, **options: Any) -> None:
        self.caption = caption
        self._make = partial(make, *arguments, **options)
        with plot_style():
            self._figure, self._dpi = _laid_out(self._make)
        self.width, self.height = (float(v) for v in self._figure.get_size_inches())

    @cached_property
    def png(self) -> bytes:
        """Its pixels."""
        with plot_style():
            return png(self._figure, dpi=self._dpi)

    @cached_property
    def narrow(self) -> bytes:
        """The same in pixels for a screen that is a hand wide."""
        before = _width.set(_NARROW)
        try:
            with plot_style():
                return png(_laid_out(self._make)[0], dpi=round(_PIXELS / WIDTH))
        finally:
            _width.reset(before)

    @cached_property
    def svg(self) -> bytes:
        """Its lines and letters, with heat maps as pixels in it."""
        with plot_style():
            return _svg(self._figure)


def _laid_out(make: Callable[[], Figure]) -> tuple[Figure, int]:
    figure = make()
    dpi = round(_PIXELS / float(figure.get_size_inches()[0]))
    figure.set_dpi(dpi)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    return figure, dpi

"""Fonts that figures and PDF share: parts of Noto Sans CJK KR (SIL Open Font License, see OFL.txt and README.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["BOLD", "REGULAR", "plot_style"]

REGULAR = Path(__file__).parent / "NotoSansKR-Regular.ttf"
BOLD = Path(__file__).parent / "NotoSansKR-Bold.ttf"


@cache
def _family() -> str:
    from matplotlib import font_manager

    font_manager.fontManager.addfont(str(REGULAR))
    return font_manager.FontProperties(fname=str(REGULAR)).get_name()


@contextmanager
def plot_style() -> Iterator[None]:
    """Matplotlib with the report's font and sizes, for what is drawn and saved within."""
    import matplotlib as mpl

    style: Any = {
        "font.family": [_family(), "DejaVu Sans"],
        "font.size": 8.0,
        "axes.titlesize": 9.0,
        "axes.labelsize": 8.0,
        "xtick.labelsize": 7.5,
        "ytick.labelsize": 7.5,
        "legend.fontsize": 7.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.7,
    }
    with mpl.rc_context(style):
        yield

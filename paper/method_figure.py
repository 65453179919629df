"""The figure of the method: where direction sits in both networks."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from figures import COLOURS, STYLE, WIDTH, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from toothwise.simulate.maps import LineShape, generate

_PLAIN, _DIRECTED = "#f2f2f2", "#d6e8f5"
_HEIGHT = 2.35  # inches; one unit of both axes is an inch


def write_method_figure() -> None:
    """Reconstruction above, decision below; what attends along rows and columns is blue in both."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, _HEIGHT))
        axis = figure.add_axes((0, 0, 1, 1))
        axis.set(xlim=(0, WIDTH), ylim=(0, _HEIGHT))
        axis.axis("off")
        values = generate("C", 1, True, seed=3, contrast=(1.5, 1.5), split="test", line=LineShape(length=(60, 94)))[0][
            0
        ]
        _reconstruction(axis, np.log(values))
        _decision(axis, np.log(values))
        save_figure(
            figure,
            "method",
            "Where direction sits. (a) Directional Dinomaly attends along rows and columns in the first decoder layers that reconstruct what the encoder saw. (b) The line network decides at the map's own teeth: it adds what its blocks learned to the likelihood of lines in noise of a learned spectrum.",
        )


def _reconstruction(axis: Axes, levels: np.ndarray) -> None:
    y, height = 1.62, 0.52
    axis.text(0.02, 2.22, "(a) in the reconstruction", fontsize=8, fontweight="bold")
    _picture(axis, levels, 0.05, y)
    parts = (
        (1.05, 0.78, "frozen encoder,\n$h \\times w$ tokens", _PLAIN),
        (1.98, 0.72, "bottleneck\nwith dropout", _PLAIN),
        (2.85, 0.84, "", _DIRECTED),
        (3.71, 0.6, "layers 4 to 8,\nglobal", _PLAIN),
        (4.46, 0.99, "$1-\\cos$ per token;\nlargest 1 %,\nor best line", _PLAIN),
    )
    for x, width, words, colour in parts:
        _box(axis, x, y, width, height, words, colour)
    axis.text(3.13, y + height / 2, "layers\n1 to 3", ha="center", va="center", fontsize=6.5)
    _cross(axis, 3.38, y + 0.13, 0.26)
    for start, end in ((0.93, 1.05), (1.83, 1.98), (2.7, 2.85), (4.31, 4.46)):
        _arrow(axis, start, y + height / 2, end, y + height / 2)
    axis.plot((1.44, 1.44, 4.95), (y, y - 0.1, y - 0.1), color="0.3", linewidth=0.7)
    _arrow(axis, 4.95, y - 0.1, 4.95, y)
    axis.text(3.2, y - 0.12, "targets: the encoder's middle layers", fontsize=6.5, color="0.35", ha="center", va="top")


def _decision(axis: Axes, levels: np.ndarray) -> None:
    top, low, height = 0.72, 0.08, 0.46
    axis.text(0.02, 1.24, "(b) in the decision", fontsize=8, fontweight="bold")
    _picture(axis, levels, 0.05, 0.36)
    _box(axis, 1.15, top, 1.5, height, "whitening by the\nlearned spectrum", _PLAIN)
    _box(axis, 2.8, top, 1.2, height, "likelihood of every\nrow and column", _PLAIN)
    _box(axis, 1.15, low, 0.75, height, "5 channels,\nown grid", _PLAIN)
    _box(axis, 2.02, low, 1.98, height, "", _DIRECTED)
    axis.text(2.36, low + height / 2, "circular\n$3\\times3$", ha="center", va="center", fontsize=6.5)
    _cross(axis, 2.76, low + 0.1, 0.26)
    axis.text(3.28, low + height / 2, "MLP", ha="center", va="center", fontsize=6.5)
    axis.text(3.75, low + height / 2, "two\nblocks", ha="center", va="center", fontsize=6.5)
    axis.text(
        4.23,
        0.625,
        "$+$",
        fontsize=9,
        ha="center",
        va="center",
        bbox={"boxstyle": "circle,pad=0.1", "fc": "w", "lw": 0.7},
    )
    _box(axis, 4.46, 0.33, 0.99, 0.6, "log odds of cells,\nrows, columns, map;\ncontrast and spread", _PLAIN)
    for start, end in (((0.93, 0.7), (1.15, 0.92)), ((0.93, 0.55), (1.15, 0.33))):
        _arrow(axis, *start, *end)
    for x0, x1, y in ((2.65, 2.8, top + height / 2), (1.9, 2.02, low + height / 2)):
        _arrow(axis, x0, y, x1, y)
    _arrow(axis, 4.0, 0.92, 4.17, 0.7)
    _arrow(axis, 4.0, 0.33, 4.17, 0.55)
    _arrow(axis, 4.31, 0.625, 4.46, 0.625)
    _arrow(axis, 1.55, top, 1.55, low + height)
    axis.text(4.03, 0.155, "zero at\nthe start", fontsize=6.5, color="0.35", va="center")


def _picture(axis: Axes, levels: np.ndarray, x: float, y: float) -> None:
    inside = axis.inset_axes((x, y, 0.86, 0.52), transform=axis.transData)
    inside.imshow(levels, aspect="auto", cmap="cividis", interpolation="nearest")
    inside.set(xticks=[], yticks=[])


def _box(axis: Axes, x: float, y: float, width: float, height: float, words: str, colour: str) -> None:
    style = "round,pad=0,rounding_size=0.04"
    axis.add_patch(
        FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=colour, edgecolor="0.3", linewidth=0.7)
    )
    axis.text(x + width / 2, y + height / 2, words, ha="center", va="center", fontsize=6.5)


def _cross(axis: Axes, x: float, y: float, size: float) -> None:
    """A grid of tokens whose middle attends to its row and its column."""
    step = size / 5
    for r in range(5):
        for c in range(5):
            colour = COLOURS[1] if (r, c) == (2, 2) else COLOURS[0] if 2 in (r, c) else "white"
            axis.add_patch(
                Rectangle((x + c * step, y + r * step), step, step, facecolor=colour, edgecolor="0.6", linewidth=0.4)
            )


def _arrow(axis: Axes, x0: float, y0: float, x1: float, y1: float) -> None:
    arrow = {"arrowstyle": "-|>", "color": "0.3", "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7}
    axis.annotate("", (x1, y1), (x0, y0), arrowprops=arrow)

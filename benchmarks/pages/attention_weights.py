"""docs/images/attention-weights.svg: what two tokens take from their column and row, from results/attention_view.json."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from engine import ROOT, read
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

DAMAGED, SOUND = "#D55E00", "#0072B2"  # Okabe and Ito
STYLES, MARKERS = ("-", "--", ":"), ("o", "s", "^")


def _whole_map(axis, found: dict) -> None:
    values, damage = np.array(found["map"]), found["damage"]
    low, high = np.quantile(values, (0.005, 0.995))
    look = {"aspect": "auto", "origin": "lower", "cmap": "cividis", "interpolation": "nearest"}
    image = axis.imshow(values, vmin=low, vmax=high, **look)
    axis.figure.colorbar(image, ax=axis, label="map value", pad=0.01)
    corner = damage["start"] - 0.5, damage["tooth"] - 0.5
    axis.add_patch(Rectangle(corner, damage["length"], damage["teeth"], fill=False, ec="white", lw=1.2))
    rows, columns = values.shape
    high, wide = rows / found["grid"][0], columns / found["grid"][1]
    for (row, column), colour in zip(found["tokens"], (DAMAGED, SOUND), strict=True):
        place = column * wide - 0.5, row * high - 0.5
        axis.add_patch(Rectangle(place, wide, high, fill=False, lw=1.8, ec=colour))
    axis.set_xlabel("driven tooth")
    axis.set_ylabel("driving tooth")
    axis.set_title("The map; white: the damaged teeth, orange and blue: the two tokens", loc="left")


def _along(axis, found: dict, name: str) -> None:
    """Weights along one axis, a colour per token and a style per layer, over the teeth."""
    k = "yx".index(name)
    teeth = np.array(found["map"]).shape[k]
    for number, layer in enumerate(found["layers"]):
        for token, (weights, colour) in enumerate(zip(layer["weights"][name], (DAMAGED, SOUND), strict=True)):
            share = np.array(weights) / np.mean(weights)
            place = (np.arange(len(share)) + 0.5) * teeth / len(share) - 0.5
            label = None if token else f"layer {layer['layer']}"
            wide = (2.8, 1.0)[token]  # curves that lie on each other both show
            axis.plot(place, share, color=colour, ls=STYLES[number], marker=MARKERS[number], ms=3, lw=wide, label=label)
            own = found["tokens"][token][k]
            axis.plot(place[own], share[own], "o", ms=8, mfc="none", mec=colour, mew=1.0)
    axis.axhline(1.0, color="#8A8A8A", lw=0.8, zorder=0.5)
    axis.set_xlim(-0.5, teeth - 0.5)
    axis.set_xlabel(("driving tooth, along the column (y)", "driven tooth, along the row (x)")[k])
    axis.set_ylabel("times an equal share")


def draw_weights(path: Path) -> None:
    """The map with two tokens, and what each takes along its lines."""
    found = read("attention_view")["result"]
    style = {
        "svg.hashsalt": "toothwise",
        "svg.fonttype": "path",
        "font.size": 9,
        "axes.titlesize": 9,
        "legend.fontsize": 8,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(9, 5.2), layout="constrained")
        panels = figure.subplot_mosaic([["map", "map"], ["y", "x"]])
        _whole_map(panels["map"], found)
        panels["x"].sharey(panels["y"])
        for name in "yx":
            _along(panels[name], found, name)
        panels["y"].set_ylim(min(panels["y"].get_ylim()[0], 0.9), max(panels["y"].get_ylim()[1], 1.1))
        panels["x"].legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw_weights(ROOT / "docs" / "images" / "attention-weights.svg")

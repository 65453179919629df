"""docs/images/attention-weights.svg: what two tokens take from their column and row, from results/attention_view.json."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from engine import ROOT, read
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

DAMAGED, SOUND = "#D55E00", "#0072B2"  # Okabe and Ito
NAMES = ("cell on the damaged tooth", "cell on a sound tooth")
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
        for width in ((3.2, "white"), (1.8, colour)):
            place = column * wide - 0.5, row * high - 0.5
            axis.add_patch(Rectangle(place, wide, high, fill=False, lw=width[0], ec=width[1]))
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
            label = f"layer {layer['layer']}" if token == 0 else None
            wide = (2.8, 1.0)[token]  # curves that lie on each other both show
            axis.plot(place, share, color=colour, ls=STYLES[number], marker=MARKERS[number], ms=3, lw=wide, label=label)
            own = found["tokens"][token][k]
            axis.plot(place[own], share[own], "o", ms=8, mfc="none", mec=colour, mew=1.0)
    axis.axhline(1.0, color="#8A8A8A", lw=0.8, zorder=0.5)
    axis.set_xlim(-0.5, teeth - 0.5)
    axis.set_xlabel(("driving tooth, along the column (y)", "driven tooth, along the row (x)")[k])
    axis.set_ylabel("times an equal share")


def _layers(alpha, entropy, found: dict) -> None:
    number = [layer["layer"] for layer in found["layers"]]
    alpha.plot(number, [np.mean(layer["alpha"]) for layer in found["layers"]], "ko", ms=5)
    alpha.axhline(0.5, color="#8A8A8A", lw=0.8, zorder=0.5)
    alpha.set_ylim(0, 1)
    alpha.set_ylabel("alpha (1 = column only)")
    for name, marker, text in (("y", "o", "along columns (y)"), ("x", "s", "along rows (x)")):
        entropy.plot(number, [layer["entropy"][name] for layer in found["layers"]], f"k{marker}", ms=5, label=text)
        entropy.get_lines()[-1].set_markerfacecolor("black" if name == "y" else "white")
    entropy.axhline(1.0, color="#8A8A8A", lw=0.8, zorder=0.5)
    entropy.set_ylabel("entropy (1 = equal weights)")
    low = min(min(layer["entropy"].values()) for layer in found["layers"])
    entropy.set_ylim(min(0.9, low - 0.02), 1.01)  # weights that are all but equal must look so
    entropy.legend(frameon=False, loc="lower right")
    for axis in (alpha, entropy):
        axis.set_xticks(number)
        axis.set_xlim(number[0] - 0.4, number[-1] + 0.4)
        axis.set_xlabel("decoder layer, 0 = next to the bottleneck")


def draw_weights(path: Path) -> None:
    """The map with two tokens, what each takes along its lines, alpha and entropy by layer."""
    found = read("attention_view")["result"]
    style = {
        "svg.hashsalt": "toothwise",
        "svg.fonttype": "path",
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.fontsize": 8,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(9, 7.2), layout="constrained")
        panels = figure.subplot_mosaic([["map", "map"], ["y", "x"], ["alpha", "entropy"]], height_ratios=(1.25, 1.2, 1))
        _whole_map(panels["map"], found)
        for name in "yx":
            _along(panels[name], found, name)
        low = min(panels[name].get_ylim()[0] for name in "yx")
        high = max(panels[name].get_ylim()[1] for name in "yx")
        for name in "yx":
            panels[name].set_ylim(min(low, 0.9), max(high, 1.1))
        lines = panels["y"].get_legend_handles_labels()
        tokens = [mpl.lines.Line2D([], [], color=c, lw=2.5) for c in (DAMAGED, SOUND)]
        styles = [
            mpl.lines.Line2D([], [], color="black", ls=s, marker=m, ms=3) for s, m in zip(STYLES, MARKERS, strict=True)
        ]
        panels["x"].legend(tokens + styles[: len(lines[1])], [*NAMES, *lines[1]], frameon=False, ncols=2, loc="best")
        _layers(panels["alpha"], panels["entropy"], found)
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw_weights(ROOT / "docs" / "images" / "attention-weights.svg")

"""Attention along the line of a finding, in tooth numbers, and alpha of every layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.diagnosis.explain import MapExplanation
from toothwise.messages import Language, say
from toothwise.reporting.drawing import BLUE, GREEN, GREY, ORANGE, RED, panels
from toothwise.reporting.names import axis_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (BLUE, ORANGE, GREEN, RED, "#56B4E9", "#CC79A7", "#8A8A8A", "#000000")
_STYLES = ("-", "--", "-.", ":")


def attention_figure(why: MapExplanation, about: Mapping[str, Any], language: Language) -> Figure:
    """Weights along column and row by layer, in parts of an equal share; alpha by layer."""
    axes_used = [a for a in ("y", "x") if any(a in layer.weights for layer in why.attention)]
    figure, rows = panels(2.1 * len(axes_used) + 1.8, len(axes_used) + 1)
    for ax, axis in zip(rows, axes_used, strict=False):
        k = 0 if axis == "y" else 1  # along a column one meets the rows' teeth
        teeth = why.values.shape[k]
        for number, layer in enumerate(why.attention):
            if axis not in layer.weights:
                continue
            weight, label = layer.weights[axis], language.say("layer {layer}", layer=layer.layer)
            place = (np.arange(len(weight)) + 0.5) * teeth / len(weight) - 0.5
            look = {"color": _COLOURS[number % len(_COLOURS)], "ls": _STYLES[number % len(_STYLES)]}
            share = weight * len(weight) / max(float(weight.sum()), 1e-12)
            ax.plot(place, share, marker="o", ms=2.5, label=label, **look)
        if why.token is not None and why.grid is not None:
            at = (why.token[k] + 0.5) * teeth / why.grid[k] - 0.5
            ax.axvline(at, color=GREY, lw=1.0, ls=":", label=language.say("the cell itself"))
        ax.axhline(1.0, color=GREY, lw=0.8, zorder=0.5)
        ax.set_xlim(-0.5, teeth - 0.5)
        low, high = ax.get_ylim()
        ax.set_ylim(min(low, 0.9), max(high, 1.1))  # weights that are all but equal must look so
        name = axis_name(about["axes"][k]["name"], language)
        along = say("{axis}, along the column", axis=name), say("{axis}, along the row", axis=name)
        ax.set(xlabel=language.text(along[k]), ylabel=language.say("times an equal share"))
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    last = rows[-1]
    for layer in why.attention:
        last.plot([layer.layer] * len(layer.alpha), layer.alpha, "o", color=BLUE, ms=5)
    last.axhline(0.5, color=GREY, lw=0.8, zorder=0)
    last.set(ylim=(-0.05, 1.05), xticks=[layer.layer for layer in why.attention])
    last.set(xlabel=language.say("decoder layer, 0 = next to the bottleneck"), ylabel=language.say("alpha (columns)"))
    return figure

"""Pictures of a trial: a few maps with their anomaly maps, and what directional layers attend to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.reporting.drawing import BLUE, ORANGE, png

if TYPE_CHECKING:
    from toothwise.detectors.dinomaly.attention_view import AttentionView, LayerView

_NAMES = ("most anomalous", "ordinary")


def draw_trial(examples: Mapping[str, np.ndarray], view: AttentionView | None) -> dict[str, bytes]:
    """Pictures of a trial by file name: its examples, and what directional layers attend to on the first map.

    Args:
        examples: See ``draw_examples``.
        view: Of their ``maps``, or None where the detector has no directional layers.
    """
    pictures = {"examples.png": draw_examples(examples)}
    if view is not None:
        pictures["attention_layers.png"] = draw_layers(view)
        pictures["attention_map_0.png"] = draw_map(view, examples["maps"], 0)
    return pictures


def draw_examples(examples: Mapping[str, Any]) -> bytes:
    """A PNG: one row per map, the map on the left, its anomaly map on the right, damage outlined.

    Args:
        examples: ``maps`` and ``anomaly`` ``[n, rows, columns]``, ``masks`` bool of that shape where they are known.
    """
    from matplotlib.figure import Figure

    maps, anomaly = np.asarray(examples["maps"]), np.asarray(examples["anomaly"])
    masks = examples.get("masks")
    wide = maps.shape[2] / maps.shape[1]
    figure = Figure(figsize=(9.0, len(maps) * max(4.2 / wide, 1.2) + 0.4), layout="constrained")
    axes = figure.subplots(len(maps), 2, squeeze=False)
    for k, (left, right) in enumerate(axes):
        for ax, image, title in ((left, maps[k], "map"), (right, anomaly[k], "anomaly map")):
            shown = ax.imshow(image, aspect="auto", origin="lower", cmap="cividis", interpolation="nearest")
            figure.colorbar(shown, ax=ax, pad=0.01)
            ax.set_xticks([])
            ax.set_yticks([])
            if k == 0:
                ax.set_title(title, fontsize=9)
            if masks is not None and np.any(masks[k]):
                ax.contour(np.asarray(masks[k], dtype=float), levels=[0.5], colors=ORANGE, linewidths=0.8)
    return png(figure)


def draw_map(view: AttentionView, maps: np.ndarray, which: int) -> bytes:
    """A PNG of one map: its chosen tokens, and what each layer lets them take from their column and row.

    Weights are in parts of an equal share: 1 = as much as every other token of the line.

    Args:
        view: of the maps.
        maps: ``[n, rows, columns]``.
        which: number of the map.
    """
    from matplotlib.figure import Figure

    tokens = view.tokens[which]
    columns = 1 + len(tokens)
    figure = Figure(figsize=(2.9 * columns, 1.5 * (1 + len(view.layers))), layout="constrained")
    axes = figure.subplots(1 + len(view.layers), columns, squeeze=False)
    rows, cols = maps.shape[1:]
    axes[0, 0].imshow(maps[which], aspect="auto", origin="lower", cmap="cividis", interpolation="nearest")
    axes[0, 0].set_title(f"map {which}, tokens of {view.grid[0]} x {view.grid[1]}", fontsize=9)
    h, w = view.grid
    for k, (row, column) in enumerate(tokens):
        centre = ((column + 0.5) * cols / w - 0.5, (row + 0.5) * rows / h - 0.5)
        axes[0, 0].plot(*centre, "s", ms=9, mfc="none", mec=(ORANGE, BLUE)[k % 2], mew=1.6)
    for k in range(len(tokens)):
        ax = axes[0, 1 + k]
        shown = ax.imshow(view.anomaly[which], aspect="auto", origin="lower", cmap="cividis", interpolation="nearest")
        ax.plot(tokens[k][1], tokens[k][0], "s", ms=9, mfc="none", mec=(ORANGE, BLUE)[k % 2], mew=1.6)
        figure.colorbar(shown, ax=ax, pad=0.01)
        name = _NAMES[k] if len(tokens) == len(_NAMES) else "chosen"
        ax.set_title(f"distance per token; {name} token", fontsize=9)
    fields = [[_field(layer, which, k, token, view.grid) for k, token in enumerate(tokens)] for layer in view.layers]
    reach = max(float(np.nanmax(np.abs(np.asarray(fields) - 1.0))), 1e-6)  # one scale, or even layers would look uneven
    look = {"aspect": "auto", "origin": "lower", "interpolation": "nearest", "cmap": "PuOr"}
    for line, layer in enumerate(view.layers, start=1):
        axes[line, 0].axis("off")
        axes[line, 0].text(0.02, 0.5, _about(layer), fontsize=9, va="center", transform=axes[line, 0].transAxes)
        for k, token in enumerate(tokens):
            ax = axes[line, 1 + k]
            ax.set_facecolor("#BDBDBD")  # the tokens that are not looked at
            shown = ax.imshow(fields[line - 1][k], vmin=1.0 - reach, vmax=1.0 + reach, **look)
            ax.plot(token[1], token[0], "s", ms=7, mfc="none", mec=(ORANGE, BLUE)[k % 2], mew=1.4)
    figure.colorbar(shown, ax=axes[1:, -1], pad=0.01, label="weight, 1 = an equal share")
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
    return png(figure)


def _about(layer: LayerView) -> str:
    alpha = ", ".join(f"{a:.3f}" for a in layer.alpha)
    entropy = "\n".join(f"entropy along {axis}: {value:.4f}" for axis, value in layer.entropy.items())
    return f"decoder layer {layer.layer}\nalpha (weight of y): {alpha}\n{entropy}"


def _field(layer: LayerView, which: int, k: int, token: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Weights on the grid, in parts of an equal share: along the token's column, along its row; NaN elsewhere.

    The token itself stands in both lines and shows the mean.
    """
    field = np.full(grid, np.nan)
    both = []
    for axis, line in (("y", (slice(None), token[1])), ("x", (token[0], slice(None)))):
        if axis in layer.weights:
            weight = layer.weights[axis][which, k]
            field[line] = weight * len(weight)
            both.append(field[token[0], token[1]])
    field[token[0], token[1]] = np.mean(both)
    return field


def draw_layers(view: AttentionView) -> bytes:
    """A PNG of alpha and entropy by layer."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    number = [layer.layer for layer in view.layers]
    for layer in view.layers:
        left.plot([layer.layer] * len(layer.alpha), layer.alpha, "o", color=BLUE, ms=5)
    left.axhline(0.5, color="#BBBBBB", lw=0.8, zorder=0)
    left.set_ylim(0, 1)
    left.set_ylabel("alpha: 1 = columns (y), 0 = rows (x)")
    for axis, colour in (("y", ORANGE), ("x", BLUE)):
        if all(axis in layer.entropy for layer in view.layers):
            right.plot(
                number, [layer.entropy[axis] for layer in view.layers], "o-", color=colour, label=f"along {axis}"
            )
    right.set_ylabel("entropy, 1 = equal weights")
    right.legend(fontsize=8)
    for ax in (left, right):
        ax.set_xticks(number)
        ax.set_xlabel("decoder layer, 0 = next to the bottleneck")
    return png(figure)

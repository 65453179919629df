"""A few maps of a trial, where they are damaged, and what the detector made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from toothwise.reporting.figures import ORANGE, png

__all__ = ["draw_examples"]


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

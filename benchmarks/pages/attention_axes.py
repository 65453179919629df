"""docs/images/attention-axes.svg: which tokens a token takes from."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from engine import ROOT
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

SIZE = (6, 9)
TOKEN = (2, 5)
ROW = 2  # the damaged tooth's


def draw_axes() -> None:
    """Four grids: the damaged row, the token, and what it attends to."""
    rows, columns = np.indices(SIZE)
    seen = {
        "global: all tokens": np.ones(SIZE, dtype=bool),
        "y: its column": columns == TOKEN[1],
        "x: its row": rows == TOKEN[0],
        "both: alpha * y + (1 - alpha) * x": (columns == TOKEN[1]) | (rows == TOKEN[0]),
    }
    with mpl.rc_context({"svg.hashsalt": "toothwise", "svg.fonttype": "path", "font.size": 9}):
        figure = Figure(figsize=(9, 2.2), layout="constrained")
        for axis, (title, mask) in zip(figure.subplots(1, 4), seen.items(), strict=True):
            # 0 not seen, 1 seen and healthy, 2 not seen but damaged, 3 seen and damaged
            kind = mask.astype(int) + 2 * (rows == ROW)
            axis.pcolormesh(
                kind,
                cmap=ListedColormap(["#f2f2f2", "#9ecae1", "#fde0c5", "#D55E00"]),
                vmin=0,
                vmax=3,
                edgecolors="white",
                linewidth=1.5,
            )
            axis.plot(TOKEN[1] + 0.5, TOKEN[0] + 0.5, marker="o", color="black", markersize=6)
            axis.set_title(title, fontsize=9)
            axis.set_aspect("equal")
            axis.invert_yaxis()
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_xlabel("driven tooth")
            axis.set_ylabel("driving tooth")
        figure.savefig(ROOT / "docs" / "images" / "attention-axes.svg", metadata={"Date": None})


if __name__ == "__main__":
    draw_axes()

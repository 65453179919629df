"""The figure of "baselines": AUROC over time per map, every detector by its name."""

from __future__ import annotations

from engine import Data
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

NEAR = 5
# where a name may stand, in points from its point: nearest first
_OFFSETS = [
    (side * dx, dy)
    for dy in (0, 7, -7, 14, -14, 21, -21, 28, -28, 35, -35, 42, -42)
    for dx in (NEAR, 20)
    for side in (1, -1)
]


def over_time(found: Data) -> Figure:
    """A panel for each group; up and left is better. Bars are the 95 % interval of the AUROC."""
    points: dict[str, dict[str, tuple[Data, Data]]] = {}
    rows = {(r["group"], r["arm"], r["metric"]): r for r in found["result"]["table"] if r["mean"] is not None}
    for (group, arm, metric), row in rows.items():
        time = rows.get((group, arm, "predict_ms_median"))
        if metric == "auroc" and time is not None:
            points.setdefault(group, {})[arm] = time, row
    figure = Figure(figsize=(9.8, 4.8 * len(points)), layout="constrained")
    axes = figure.subplots(len(points), 1, squeeze=False)[:, 0]
    for axis, (group, mine) in zip(axes, points.items(), strict=True):
        for time, auroc in mine.values():
            error = [[max(auroc["mean"] - auroc["low"], 0)], [max(auroc["high"] - auroc["mean"], 0)]]
            axis.errorbar(time["mean"], auroc["mean"], yerr=error, fmt="o", color="#0072B2", ecolor="0.8", markersize=4)
        axis.set_xscale("log")
        axis.margins(x=0.12, y=0.08)
        axis.set_xlabel("ms per map")
        axis.set_ylabel("AUROC")
        axis.set_title(group, loc="left", fontsize=9)
        axis.grid(color="0.93")
        axis.set_axisbelow(True)
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # names are laid out on the final axes
    for axis, mine in zip(axes, points.values(), strict=True):
        _name(axis, {arm: (time["mean"], auroc["mean"]) for arm, (time, auroc) in mine.items()})
    return figure


def _name(axis: Axes, points: dict[str, tuple[float, float]]) -> None:
    """Names beside their points, each at the first place that no point and no other name takes."""
    frame = axis.get_window_extent()
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in axis.transData.transform(list(points.values()))]
    for arm, at in sorted(points.items(), key=lambda item: -item[1][1]):
        for dx, dy in _OFFSETS:
            text = axis.annotate(
                arm.replace("_", " "), at, (dx, dy), textcoords="offset points", fontsize=7, va="center",
                ha="left" if dx > 0 else "right",
            )  # fmt: skip
            box = text.get_window_extent()
            inside = frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
            if (inside and not any(box.overlaps(other) for other in taken)) or (dx, dy) == _OFFSETS[-1]:
                break
            text.remove()
        taken.append(box)
        text.set_in_layout(False)
        if dy or abs(dx) > NEAR:
            line = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3}
            axis.annotate("", at, (dx, dy), textcoords="offset points", arrowprops=line).set_in_layout(False)

"""One figure per study: mean and 95 % interval of every arm, colours for what arms are crossed with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from engine import RESULTS, ROOT, Data, read
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from study_pairs import alpha_starts
from study_time_figure import over_time

WORDS: dict[str, str] = {
    "auroc": "AUROC",
    "auroc_lines": "AUROC of the best line",
    "auroc_cold": "AUROC on cold maps",
    "auroc_cold_lines": "AUROC of the best line, cold maps",
    "tpr_at_1_fpr": "TPR at 1 % FPR",
    "tpr_at_1_fpr_lines": "TPR at 1 % FPR of the best line",
    "tpr_at_1_fpr_cold": "TPR at 1 % FPR, cold maps",
    "tpr_at_1_fpr_cold_lines": "TPR at 1 % FPR of the best line, cold maps",
    "false_alarms_cold": "false alarms on cold maps",
    "false_alarms_warm": "false alarms on warm maps",
    "tooth_accuracy": "tooth accuracy (+-1)",
    "tooth_accuracy_lines": "tooth accuracy of the best line",
    "predict_ms_median": "ms per map",
    "peak_memory_mib": "peak memory, MiB",
    "parameters": "parameters",
    "severity_spearman": "Spearman correlation of severity",
    "severity_kendall": "Kendall correlation of severity",
    "pixel_auroc": "AUROC of pixels",
    "aupro": "AUPRO",
    "consistent_place": "place of the alarm from which it stays",
    "first_sustained_place": "place of the first sustained alarm",
    "false_alarm_rate": "false alarm rate",
    "flagged_days_19_20": "records of days 19 and 20 flagged",
    "alarmed": "share of runs with an alarm",
}
# Okabe and Ito: told apart with any kind of colour vision; markers differ as well
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v")
_STYLE = {"svg.hashsalt": "toothwise", "svg.fonttype": "path", "font.size": 9}


# arms whose name does not say what they are; of severity the loss's weight, the share of maps with lines, pooling, head
LABELS = {("severity", "default"): "default (0.1, 30 %, lines, 256-64)"}


def panels_of(name: str, found: Data) -> list[tuple[str, str, str]]:
    """Part, group and metric: for each part and group its first metric; of direction the second too, the own score."""
    metrics: dict[tuple[str, str], dict[str, None]] = {}
    for row in found["result"]["table"]:
        metrics.setdefault((row["part"], row["group"]), {})[row["metric"]] = None
    count = 2 if name == "direction" else 1
    return [(*place, metric) for place, names in metrics.items() for metric in list(names)[:count]]


def draw_all() -> None:
    """Write docs/images/study-NAME.svg of every study that has results."""
    for path in sorted((RESULTS / "studies").glob("*.json")):
        found = read(f"studies/{path.stem}")
        with mpl.rc_context(_STYLE):
            figure = over_time(found) if path.stem == "baselines" else _means(path.stem, found)
            figure.savefig(ROOT / "docs" / "images" / f"study-{path.stem}.svg", metadata={"Date": None})


def _means(name: str, found: Data) -> Figure:
    """Arms down, a panel for each part and group; an arm without a mean stays, with a word in its place."""
    ran: dict[tuple[str, str, str], int] = {}
    for r in found["result"]["table"]:
        ran[_arm(r)] = max(ran.get(_arm(r), 0), r["seeds"])
    table = [r for r in found["result"]["table"] if ran[_arm(r)]]
    panels = [panel for panel in panels_of(name, found) if any(_place(r) == panel and r["seeds"] for r in table)]
    rows = {panel: [r for r in table if _place(r) == panel] for panel in panels}
    learned = name == "alpha" and bool(found["result"]["alpha"])
    count = len(panels) + learned
    columns = min(2, count)
    sizes = [len({_split(r["arm"])[0] for r in rows[panel]}) for panel in panels]
    sizes += [len(found["result"]["alpha"])] * learned
    heights = [max(sizes[k : k + columns]) for k in range(0, count, columns)]
    figure = Figure(figsize=(4.2 * columns + 1.4, sum(0.27 * h + 1.0 for h in heights)), layout="constrained")
    axes = figure.subplots(
        len(heights), columns, squeeze=False, sharex=name == "direction", height_ratios=[h + 3 for h in heights]
    )
    for axis in axes.flat[count:]:
        axis.axis("off")
    kinds = list(dict.fromkeys(_split(r["arm"])[1] for panel in panels for r in rows[panel]))
    handles: dict[str, Any] = {}
    for axis, panel in zip(axes.flat, panels, strict=False):
        _panel(axis, name, panel, rows[panel], ran, kinds, handles)
    if learned:
        _learned(axes.flat[len(panels)], found)
    if len(kinds) > 1:
        figure.legend(
            [handles[kind] for kind in kinds if kind in handles], [kind.replace("_", " ") for kind in kinds if kind in handles],
            loc="outside upper center", ncols=len(kinds), frameon=False,
        )  # fmt: skip
    return figure


def _place(row: Data) -> tuple[str, str, str]:
    return row["part"], row["group"], row["metric"]


def _arm(row: Data) -> tuple[str, str, str]:
    return row["part"], row["group"], row["arm"]


def _panel(
    axis: Axes,
    name: str,
    panel: tuple[str, str, str],
    rows: list[Data],
    ran: dict[tuple[str, str, str], int],
    kinds: list[str],
    handles: dict[str, Any],
) -> None:
    """One panel; ``ran`` = seeds that each arm was run with, ``handles`` gets what the legend shows."""
    arms = list(dict.fromkeys(_split(r["arm"])[0] for r in rows))
    for row in rows:
        arm, kind = _split(row["arm"])
        k = kinds.index(kind)
        at = arms.index(arm) + (k - (len(kinds) - 1) / 2) * 0.7 / max(len(kinds), 2)
        if row["mean"] is None:
            word = {"consistent_place": "none stays", "first_sustained_place": "no alarm"}.get(panel[2], "none")
            side = axis.get_yaxis_transform()
            axis.text(0.02, at, word, transform=side, va="center", fontsize=7, color=COLOURS[k % len(COLOURS)])
            continue
        low, high = (row["mean"] if row[s] is None else row[s] for s in ("low", "high"))
        handles[kind] = axis.errorbar(
            row["mean"], at, xerr=[[max(row["mean"] - low, 0)], [max(high - row["mean"], 0)]],
            fmt=MARKERS[k % len(MARKERS)], color=COLOURS[k % len(COLOURS)], markersize=4, capsize=2, linewidth=1,
        )  # fmt: skip
        if row["seeds"] < ran[_arm(row)]:
            words = f"{row['seeds']} of {ran[_arm(row)]} seeds"
            axis.annotate(
                words, (row["mean"], at), (-6, 0), textcoords="offset points", ha="right", va="center", fontsize=7
            )
    labels = [LABELS.get((name, arm), arm).replace("_", " ") for arm in arms]
    axis.set_yticks(range(len(arms)), labels)
    axis.set_ylim(len(arms) - 0.4, -0.6)
    axis.set_xlabel(WORDS.get(panel[2], panel[2]))
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)
    axis.set_title(", ".join(word for word in (panel[0], panel[1]) if word), loc="left", fontsize=9)


def _learned(axis: Axes, found: Data) -> None:
    """Learned alpha less where it started, a marker per layer; it moves too little to be seen beside the starts."""
    starts, alpha = alpha_starts(found), found["result"]["alpha"]
    layers = sorted({layer for arm in alpha.values() for layer in arm}, key=int)
    for at, arm in enumerate(alpha):
        for k, layer in enumerate(layers):
            mean, spread = alpha[arm][layer]
            axis.errorbar(
                mean - starts[arm], at + (k - 1) * 0.22, xerr=spread, fmt=MARKERS[k], color=COLOURS[k], markersize=3,
                capsize=2, linewidth=1, label=f"layer {layer}" if not at else None,
            )  # fmt: skip
    axis.axvline(0, color="0.6", linewidth=0.8)
    axis.set_yticks(range(len(alpha)), [arm.replace("_", " ").replace("/", ", ") for arm in alpha])
    axis.set_ylim(len(alpha) - 0.4, -0.6)
    axis.set_xlabel("learned alpha less its start")
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.legend(fontsize=7, frameon=False, loc="best")
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)


def _split(arm: str) -> tuple[str, str]:
    head, slash, last = arm.rpartition("/")
    return (head, last) if slash else (arm, "")


def figure(value: float | None, spread: float | None = None) -> str:
    """A mean with its spread, in the digits that it deserves."""
    if value is None or not np.isfinite(value):
        return "-"
    shape: Callable[[float], str] = (lambda v: f"{v:.3f}") if abs(value) < 10 else (lambda v: f"{v:,.0f}")
    return shape(value) + (f" ± {shape(spread)}" if spread is not None else "")

"""One figure per study: mean and 95 % interval of every arm, colours for what arms are crossed with."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from common import ROOT, Data
from matplotlib.figure import Figure

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


def panels_of(found: Data) -> list[tuple[str, str, str]]:
    """Part, group and metric: for each part and group its first metric."""
    first: dict[tuple[str, str], str] = {}
    for row in found["result"]["table"]:
        first.setdefault((row["part"], row["group"]), row["metric"])
    return [(*place, metric) for place, metric in first.items()]


def draw(name: str, found: Data) -> str:
    """Write docs/images/study-NAME.svg; its path as seen from docs/."""
    panels = panels_of(found)
    rows = {
        panel: [r for r in found["result"]["table"] if (r["part"], r["group"], r["metric"]) == panel]
        for panel in panels
    }
    rows = {panel: [r for r in all_rows if r["mean"] is not None] for panel, all_rows in rows.items()}
    panels = [panel for panel in panels if rows[panel]]
    columns = min(2, len(panels))
    heights = [
        max(len({_split(r["arm"])[0] for r in rows[panel]}) for panel in panels[k : k + columns])
        for k in range(0, len(panels), columns)
    ]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.2 * columns + 1.4, sum(0.27 * h + 1.0 for h in heights)), layout="constrained")
        axes = figure.subplots(len(heights), columns, squeeze=False, height_ratios=[h + 3 for h in heights])
        for axis in axes.flat[len(panels) :]:
            axis.axis("off")
        kinds = list(dict.fromkeys(_split(r["arm"])[1] for panel in panels for r in rows[panel]))
        handles = {}
        for axis, panel in zip(axes.flat, panels, strict=False):
            arms = list(dict.fromkeys(_split(r["arm"])[0] for r in rows[panel]))
            for row in rows[panel]:
                arm, kind = _split(row["arm"])
                k = kinds.index(kind)
                at = arms.index(arm) + (k - (len(kinds) - 1) / 2) * 0.7 / max(len(kinds), 2)
                low, high = (row["mean"] if row[s] is None else row[s] for s in ("low", "high"))
                handles[kind] = axis.errorbar(
                    row["mean"], at, xerr=[[max(row["mean"] - low, 0)], [max(high - row["mean"], 0)]],
                    fmt=MARKERS[k % len(MARKERS)], color=COLOURS[k % len(COLOURS)], markersize=4, capsize=2, linewidth=1,
                )  # fmt: skip
            axis.set_yticks(range(len(arms)), [arm.replace("_", " ") for arm in arms])
            axis.set_ylim(len(arms) - 0.4, -0.6)
            axis.set_xlabel(WORDS[panel[2]])
            axis.grid(axis="x", color="0.9")
            axis.set_axisbelow(True)
            axis.set_title(", ".join(word for word in (panel[0], panel[1]) if word), loc="left", fontsize=9)
        if len(kinds) > 1:
            figure.legend(
                [handles[kind] for kind in kinds], [kind.replace("_", " ") for kind in kinds],
                loc="outside upper center", ncols=len(kinds), frameon=False,
            )  # fmt: skip
        path = ROOT / "docs" / "images" / f"study-{name}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
    return f"images/{path.name}"


def _split(arm: str) -> tuple[str, str]:
    head, slash, last = arm.rpartition("/")
    return (head, last) if slash else (arm, "")


def figure(value: float | None, spread: float | None = None) -> str:
    """A mean with its spread, in the digits that it deserves."""
    if value is None or not np.isfinite(value):
        return "-"
    shape: Callable[[float], str] = (lambda v: f"{v:.3f}") if abs(value) < 10 else (lambda v: f"{v:,.0f}")
    return shape(value) + (f" ± {shape(spread)}" if spread is not None else "")

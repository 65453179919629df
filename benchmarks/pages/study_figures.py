"""One figure per study: mean and 95 % interval of every arm, colours for what arms are crossed with."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pandas as pd
from engine import RESULTS, ROOT, read
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from study_pairs import testable

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
STYLE = {"svg.hashsalt": "toothwise", "svg.fonttype": "path", "font.size": 9}


# arms whose name does not say what they are; of severity the loss's weight, the share of maps with lines, pooling, head
LABELS = {("severity", "default"): "default (0.1, 30 %, lines, 256-64)"}


def draw_all() -> None:
    """Write docs/images/study-NAME.svg of every study that compares arms: each part and group by its first metric."""
    there = sorted((RESULTS / "studies").glob("*.json"))
    for path in [one for one in there if testable(read(f"studies/{one.stem}"))]:
        table = pd.DataFrame(read(f"studies/{path.stem}")["result"]["table"]).dropna(subset=["mean"])
        first = table.groupby(["part", "group"])["metric"].transform("first")
        panels = list(table[table["metric"] == first].groupby(["part", "group"], sort=False))
        with mpl.rc_context(STYLE):
            lines, arms = (len(panels) + 1) // 2, max(len(rows) for _, rows in panels)
            figure = Figure(figsize=(9.8, lines * (1.2 + 0.16 * arms)), layout="constrained")
            axes = figure.subplots(lines, min(2, len(panels)), squeeze=False).ravel()
            for axis, (place, rows) in zip(axes, panels, strict=False):
                _panel(axis, rows)
                axis.set_title(", ".join(word for word in place if word), loc="left", fontsize=9)
            for axis in axes[len(panels) :]:
                axis.axis("off")
            figure.savefig(ROOT / "docs" / "images" / f"study-{path.stem}.svg", metadata={"Date": None})


def _panel(axis: Axes, rows: pd.DataFrame) -> None:
    """Arms down, with the 95 % interval of the mean; what they are crossed with beside each other."""
    parts = [_split(arm) for arm in rows["arm"]]
    arms = list(dict.fromkeys(arm for arm, _ in parts))
    for k, kind in enumerate(dict.fromkeys(kind for _, kind in parts)):
        own = rows[[other == kind for _, other in parts]]
        at = [arms.index(_split(arm)[0]) + 0.15 * k for arm in own["arm"]]
        ends = [(own["mean"] - own["low"]).fillna(0), (own["high"] - own["mean"]).fillna(0)]
        axis.errorbar(own["mean"], at, xerr=ends, fmt=MARKERS[k % 5], color=COLOURS[k % 5], ms=4, label=kind)
    if k:
        axis.legend(fontsize=7)
    axis.set_yticks(range(len(arms)), [arm.replace("_", " ") for arm in arms])
    axis.invert_yaxis()
    axis.set_xlabel(WORDS.get(rows["metric"].iloc[0], rows["metric"].iloc[0]))
    axis.grid(axis="x", color="0.9")


def _split(arm: str) -> tuple[str, str]:
    head, slash, last = arm.rpartition("/")
    return (head, last) if slash else (arm, "")


def figure(value: float | None, spread: float | None = None) -> str:
    """A mean with its spread, in the digits that it deserves."""
    if value is None or not np.isfinite(value):
        return "-"
    shape: Callable[[float], str] = (lambda v: f"{v:.3f}") if abs(value) < 10 else (lambda v: f"{v:,.0f}")
    return shape(value) + (f" ± {shape(spread)}" if spread is not None else "")

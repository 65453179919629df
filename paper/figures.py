"""Figures of the paper, drawn from results and from the simulator."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import tex
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tex import ROOT, Data, MissingResultError, read, write

from toothwise.simulate.maps import LineShape, generate

sys.path.append(str(ROOT / "benchmarks" / "pages"))
import study_curves

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v")
WIDTH = 5.5  # inches, of the text
PUBLISHED = 309  # test record of the consistent alarm with one sensor, Sawalhi, Wang and Blunt 2024
STYLE = {
    "pdf.fonttype": 42,
    "font.size": 8,
    "axes.titlesize": 8,
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
}


def write_figures(studies: dict[str, Data]) -> None:
    """All of them."""
    with mpl.rc_context(STYLE):
        _maps()
        _direction(studies["direction"])
        _detect(read("detectability"))
        _run_to_failure(read("hums2023"))
        _attention(read("attention_view"))
        _curves(read("studies/alpha_curves"))


def save_figure(figure: Figure, name: str, caption: str) -> None:
    """The picture as PDF and the float that includes it."""
    figure.savefig(tex.BUILD / f"{name}.pdf", metadata={"CreationDate": None})
    _float(name, f"{name}.pdf", caption)


def _float(name: str, file: str, caption: str, width: float = 1.0) -> None:
    write(
        f"figure_{name}.tex",
        f"\\begin{{figure}}[t]\n\\centering\n\\includegraphics[width={width:g}\\textwidth]{{build/{file}}}\n\\caption{{{caption}}}\n\\label{{fig:{name}}}\n\\end{{figure}}\n",
    )


def _curves(study: Data) -> None:
    """Loss, alpha and entropy by step."""
    curves = study["result"].get("curves")
    if not curves:
        raise MissingResultError("results/studies/alpha_curves.json: holds no curves")
    with mpl.rc_context({"font.size": 6, "axes.titlesize": 6, "legend.fontsize": 5}):
        figure = study_curves.draw(curves, width=WIDTH)
    steps = study["config"]["steps"][-1]
    save_figure(
        figure,
        "curves",
        f"The learned mix over {steps:,} steps, one seed: loss of both arms, the weight of the columns of every head, and the entropy of the attention by layer.",
    )


def _maps() -> None:
    """A healthy map, the same kind with a damaged driving tooth, and what each row says."""
    line = LineShape(length=(60, 94))
    healthy, _ = generate("C", 1, False, seed=3, condition="cold", split="test")
    faulty, truth = generate("C", 1, True, seed=3, condition="cold", split="test", contrast=(1.3, 1.3), line=line)
    figure = Figure(figsize=(WIDTH, 1.7), layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=[3, 3, 1.8], sharey=True)
    top = float(max(healthy.max(), faulty.max()))
    for axis, values, title in ((axes[0], healthy[0], "healthy"), (axes[1], faulty[0], "one damaged driving tooth")):
        shown = axis.imshow(values, aspect="auto", cmap="cividis", vmin=0, vmax=top, interpolation="nearest")
        axis.set_title(title)
        axis.set_xlabel("driven tooth")
    axes[0].set_ylabel("driving tooth")
    figure.colorbar(shown, ax=axes[1], label="health value")
    for values, label, colour in ((healthy[0], "healthy", COLOURS[0]), (faulty[0], "damaged", COLOURS[1])):
        levels = np.log(values) - np.median(np.log(values), axis=0)
        axes[2].plot(levels.mean(axis=1), np.arange(len(levels)), color=colour, label=label, linewidth=1)
    axes[2].set_xlabel("row mean of the\nlog level")
    axes[2].legend(frameon=False, fontsize=6, loc="upper right", handlelength=1, borderpad=0)
    tooth = int(truth.iloc[0]["tooth"])
    save_figure(
        figure,
        "maps",
        f"Simulated health data maps of domain C, cold. Driving tooth {tooth} is damaged, 1.3 times its background over most of its row; the row means on the right, column medians removed, show it.",
    )


def _direction(study: Data) -> None:
    """Every variant of direction, with and without line pooling."""
    rows = study["result"]["table"]
    figure = Figure(figsize=(WIDTH, 2.0), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    arms = list(dict.fromkeys(r["arm"] for r in rows))
    for axis, stem, title in ((axes[0], "tpr_at_1_fpr_cold", "TPR at 1 % FPR"), (axes[1], "auroc_cold", "AUROC")):
        for k, (metric, label) in enumerate(((stem, "own score"), (f"{stem}_lines", "best line"))):
            for row in rows:
                if row["metric"] != metric or row["mean"] is None:
                    continue
                at = arms.index(row["arm"]) + 0.16 * (2 * k - 1)
                error = [[max(row["mean"] - row["low"], 0)], [max(row["high"] - row["mean"], 0)]]
                axis.errorbar(
                    row["mean"],
                    at,
                    xerr=error,
                    fmt=MARKERS[k],
                    color=COLOURS[k],
                    markersize=3.5,
                    capsize=2,
                    linewidth=1,
                    label=label if row["arm"] == arms[0] else None,
                )
        axis.set_xlabel(f"{title}, cold maps of domain C")
        axis.grid(axis="x", color="0.9")
    axes[0].set_yticks(range(len(arms)), [a.replace("_", ", ") for a in arms])
    axes[0].set_ylim(len(arms) - 0.5, -0.5)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    seeds = len(study["config"]["seeds"])
    save_figure(
        figure,
        "direction",
        f"Directions of the attention, by the detector's own score and by the best line of its anomaly map; mean over {seeds} seeds with 95\\,\\% interval over seeds and maps.",
    )


def _series(axis: Axes, k: int, label: str, x: Sequence[float], y: Sequence[float]) -> None:
    """The k-th detector's course, with its own marker and colour."""
    axis.plot(x, y, marker=MARKERS[k], color=COLOURS[k], markersize=3, linewidth=1, label=label)


def _detect(found: Data) -> None:
    """Minimum detectable contrast against length, domain C."""
    shown = {
        "limit, one of these lengths": "likelihood ratio (bound)",
        "scan, rows, learned noise": "scan, learned noise",
        "scan, rows": "scan",
        "best row mean": "best row mean",
        "image mean": "image mean",
    }
    figure = Figure(figsize=(WIDTH, 1.9), layout="constrained")
    axes = figure.subplots(1, 4, sharey=True)
    for axis, domain in zip(axes, "ABCD", strict=True):
        for k, (name, label) in enumerate(shown.items()):
            mine = [
                r
                for r in found["result"]["contrasts"]
                if r["domain"] == domain and r["detector"] == name and r["contrast"]
            ]
            _series(axis, k, label, [r["length"] for r in mine], [r["contrast"] - 1 for r in mine])
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(f"domain {domain}")
        axis.set_xticks([8, 28, 94], ["8", "28", "94"])
        axis.minorticks_off()
        axis.set_xlabel("cells of the line")
    axes[0].set_ylabel("contrast less 1")
    axes[0].set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    save_figure(
        figure,
        "detect",
        "Minimum detectable contrast less 1: the contrast at which nine of ten lines are found at 1\\,\\% false alarms, over the length of the line (lower is better).",
    )


def _run_to_failure(found: Data) -> None:
    """Record of the alarm over the share of held-out records above its height, HUMS2023."""
    shown = {
        "coherent": "largest tooth",
        "deviation": "largest tooth, median kept",
        "RMS": "RMS",
        "NA4": "NA4",
        "scan": "scan, eight records",
    }
    figure = Figure(figsize=(WIDTH, 2.0), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, key, title in (
        (axes[0], "first", "first five records in a row above"),
        (axes[1], "consistent", "above from here to the end"),
    ):
        for k, (name, label) in enumerate(shown.items()):
            rows = found["result"]["alarms"][name]
            _series(axis, k, label, range(len(rows)), [r[key] for r in rows])
        axis.set_title(title)
        axis.set_xticks(range(len(rows)), [f"{100 * r['share']:g} %" if r["share"] else "none" for r in rows])
        axis.set_xlabel("held-out records above the height")
        axis.grid(axis="y", color="0.9")
    axes[1].axhline(PUBLISHED, color="0.4", linewidth=0.8, linestyle="--")
    axes[1].annotate("published, 309", (3, PUBLISHED), (0, 2), textcoords="offset points", ha="right", fontsize=7)
    axes[0].set_ylabel("test record of the alarm")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=5, frameon=False, columnspacing=1, handletextpad=0.4
    )
    save_figure(
        figure,
        "hums",
        "HUMS2023: when a score first stays above its height for five records, and from when on it stays there, over the share of held-out records of days 17 to 20 that exceed the height. Test records count from day 21 on, and the run ends with the failure; the published figure is of \\citet{sawalhi2024}.",
    )


def _attention(found: Data) -> None:
    """The picture that benchmarks/attention_view.py drew with these figures."""
    shutil.copy(tex.ROOT / "docs" / "images" / "attention-weights.png", tex.BUILD / "attention.png")
    damage, config = found["result"]["damage"], found["config"]
    steps, healthy = config["options"]["max_steps"], config["healthy"]
    _float(
        "attention",
        "attention.png",
        f"What two tokens of one damaged map attend to (driving teeth {damage['tooth']} and its neighbour, {config['contrast'][0]:g} times their background; {healthy} healthy maps, {steps} steps, one seed): weights along the token's row and column in parts of an equal share among the tokens of the line, of which the class token takes some. An illustration, no evidence.",
        width=0.86,
    )

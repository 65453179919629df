"""Tables of docs/line-network.md."""

from __future__ import annotations

from statistics import mean

import matplotlib as mpl
import pandas as pd
from engine import RESULTS, ROOT, Data, read, shown, table
from matplotlib.figure import Figure
from means import grouped
from study_figures import STYLE

from toothwise_lab.verdicts import UNDECIDED, judge_difference

_COLUMNS = {"auroc": "AUROC", "tpr_at_1_fpr": "TPR@1%FPR", "tooth_accuracy": "tooth (+-1)"}


def has(study: str) -> bool:
    """Whether a study has results."""
    return (RESULTS / "studies" / f"{study}.json").exists()


def primary(study: Data) -> Data:
    """The comparison that was written down before the runs."""
    told = study["config"]["primary"]
    wanted = (told["better"], told["than"], told["metric"])
    return next(c for c in study["result"]["comparisons"] if (c["a"], c["b"], c["metric"]) == wanted)


def verdict(study: Data, c: Data, margin: float) -> str:
    """What the primary comparison says; nothing before all its seeds are run."""
    planned = len(study["config"]["seeds"])
    if c["seeds"] < planned:
        return f"{UNDECIDED}, {c['seeds']} of {planned} seeds are run"
    return judge_difference(c["low"], c["high"], margin=margin, p_value=c["p_value"], seeds=c["seeds"])


def by_seed(study: Data) -> str:
    """Every trial's figures."""
    rows = [
        [
            f"`{t['arm']}`",
            t["seed"],
            *(shown(t[m], ".3f") for m in ("tpr_at_1_fpr_cold", "auroc_cold", "tpr_at_1_fpr", "auroc")),
        ]
        for t in study["result"]["seeds"]
    ]
    return table(["arm", "seed", "TPR@1%FPR, cold", "AUROC, cold", "TPR@1%FPR", "AUROC"], rows)


def _by_cell(study: Data) -> dict[str, dict[str, list[Data]]]:
    """Trials by cell and detector."""
    cells = grouped(study["result"]["seeds"], lambda t: t["group"])
    return {cell: grouped(trials, lambda t: t["arm"]) for cell, trials in cells.items()}


def limit(study: Data) -> str:
    """Means over seeds by cell, with the share of the gap that is closed."""
    rows = []
    limited = any("limit" in arms for arms in _by_cell(study).values())
    for cell, arms in _by_cell(study).items():
        area = {arm: mean(t["auroc"] for t in trials) for arm, trials in arms.items()}
        gap = area["limit"] - area["scan"] if {"limit", "scan"} <= set(area) else None
        for arm, trials in arms.items():
            share = None if not gap else (area[arm] - area["scan"]) / gap
            figures = [
                shown(mean(t[m] for t in trials), ".3f") if all(t.get(m) is not None for t in trials) else "-"
                for m in _COLUMNS
            ]
            rows.append([cell, f"`{arm}`", len(trials), *figures, *([shown(share, ".0%")] if limited else [])])
    return table(["maps", "detector", "seeds", *_COLUMNS.values(), *(["share"] if limited else [])], rows)


def crossed(study: Data) -> str:
    """Mean AUROC of each detector under each condition, of arms named condition/detector."""
    found = pd.DataFrame(study["result"]["seeds"])
    found[["condition", "detector"]] = found["arm"].str.split("/", expand=True)
    means = found.pivot_table("auroc", ["condition", "group"], "detector", sort=False)
    rows = [[f"`{name}`", maps, *(shown(v, ".3f") for v in row)] for (name, maps), *row in means.itertuples()]
    return table(["condition", "maps", *means.columns], rows)


def closed(study: Data, arm: str = "line_network", than: str = "scan_learned") -> Data:
    """Of the cells that have every detector: how many, share of the gap closed on average, least over ``than``."""
    shares, over = [], []
    for arms in _by_cell(study).values():
        if {arm, "scan", than, "limit"} <= set(arms):
            area = {name: mean(t["auroc"] for t in trials) for name, trials in arms.items()}
            shares.append((area[arm] - area["scan"]) / (area["limit"] - area["scan"]))
            over.append(area[arm] - area[than])
    return {"cells": len(shares), "share": mean(shares), "least": min(over), "above": sum(d > 0 for d in over)}


def told(study: Data) -> str:
    """``closed`` in words, beside what was asked, for each number of healthy maps."""
    seeds = len({t["seed"] for t in study["result"]["seeds"] if t["arm"] == "line_network"})
    words = [f"Shares of the gap closed on average, {seeds} seeds:"]
    for many, maps, asked in (("", "300", 70), ("_3000", "3,000", 85)):
        net, scan = (closed(study, arm + many, "scan_learned" + many) for arm in ("line_network", "scan_learned"))
        words.append(
            f"with {maps} healthy maps the line network {100 * net['share']:.0f} %, `scan_learned` "
            f"{100 * scan['share']:.0f} % (asked: {asked}), the network above `scan_learned` in {net['above']} of "
            f"{net['cells']} cells, the worst difference {net['least']:+.4f} (allowed: -.003){'.' if many else ';'}"
        )
    return " ".join(words)


def speed(found: Data) -> str:
    """Milliseconds by engine, single maps and batches of 32."""
    names = {"onnx": "ONNX Runtime", "openvino": "OpenVINO"}
    rows = []
    for name, times in found["result"].items():
        engine, _, kept = name.partition(", ")
        rows.append([names.get(engine, engine), kept, *(shown(times[f"batch_{n}"], ".2f") for n in (1, 32))])
    return table(["engine, float32", "correction", "one map", "in batches of 32"], rows)


_GAINS = {"fourth_root": "L^(1/4)", "as_they_are": "gain", "shuffled": "directions shuffled"}


def _gains(pooled: Data) -> pd.DataFrame:
    return pd.DataFrame(pooled["result"]["gain"]).groupby("length")[list(_GAINS)].mean()


def gains(pooled: Data) -> str:
    """Gain over the length of a segment, mean over seeds."""
    rows = [[k, *(shown(value, ".2f") for value in row)] for k, *row in _gains(pooled).itertuples()]
    return table(["tokens L", *_GAINS.values()], rows)


def draw_gains() -> None:
    """Write docs/images/coherent-gain.svg: the same as a picture."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.4), layout="constrained")
        axes, found = figure.subplots(), _gains(read("coherent_pooling"))
        for (name, values), style in zip(found.items(), ("k--", "o-", "s:"), strict=True):
            axes.plot(found.index, values, style, label=_GAINS[str(name)])
        axes.set(xscale="log", xticks=found.index, xticklabels=found.index, xlabel="tokens L of a segment")
        axes.set_ylabel("gain of adding vectors over adding squares")
        axes.minorticks_off()
        axes.grid(color="0.9")
        axes.legend()
        figure.savefig(ROOT / "docs" / "images" / "coherent-gain.svg", metadata={"Date": None})


def poolings(pooled: Data) -> str:
    """Scores of the same detector under every pooling, mean and spread over seeds."""
    found = pd.DataFrame(pooled["result"]["scores"]).groupby("pooling", sort=False)

    def cell(values: pd.Series) -> str:
        return shown(values.mean(), ".3f") + (f" ± {values.std():.3f}" if len(values) > 1 else "")

    rows = [[f"`{name}`", cell(rows["auroc"]), cell(rows["tpr_at_1_fpr"])] for name, rows in found]
    return table(["pooling of PaDiM", "AUROC", "TPR@1%FPR"], rows)

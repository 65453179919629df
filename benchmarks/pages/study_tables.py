"""Tables and counts of studies, for docs/results.md and the paper."""

from __future__ import annotations

import sys
from functools import lru_cache
from statistics import fmean
from typing import Any

import means
from engine import RESULTS, ROOT, Data, read, shown, table
from study_figures import LABELS, WORDS, figure
from study_pairs import SEEDS, alpha_starts, between, by_kind, counts, plain_less_lines, testable

LISTED = 8
SMALLEST = 0.001  # p-values below it are not told apart
ALPHA = 0.05
COSTS = ("peak_memory_mib", "predict_ms_median", "parameters")  # no detector "wins" a study by them


@lru_cache
def found() -> dict[str, Data]:
    """Results of every study that has been run, in the order of the page."""
    order = (
        *(
            "direction",
            "alpha",
            "alpha_curves",
            "direction_vit",
            "direction_vit_y",
            "crossover",
            "layers",
            "resolution",
        ),
        *("loss_input", "grey", "severity", "robustness", "resize", "transfer", "generalisation", "baselines"),
    )
    there = sorted(path.stem for path in (RESULTS / "studies").glob("*.json"))
    names = [name for name in order if name in there] + [name for name in there if name not in order]
    return {name: read(f"studies/{name}") for name in names}


def _claims() -> Any:
    sys.path.append(str(ROOT / "paper"))
    import claims

    return claims


@lru_cache
def claims() -> dict[str, Any]:
    """Verdicts by the tests and margins of paper/claims.yaml."""
    return dict(_claims().judge(found()))


@lru_cache
def pooled() -> Any:
    """Directional less plain Dinomaly over all pairs in one model."""
    return _claims().pooled(found())


def verdicts() -> str:
    """Claims, margins and what their tests say, as a table."""
    body = []
    for claim in _claims().read_claims():
        v = claims()[claim["name"]]
        figures = "see below" if v.low is None else f"{v.difference:+.3f} ({v.low:+.3f} to {v.high:+.3f})"
        if v.why == "not run yet":
            figures = v.why
        seeds = "-" if v.seeds is None else v.seeds
        body.append([claim["claim"], f"{claim['margin']:g}", claim["written"], figures, seeds, f"**{v.verdict}**"])
    return table(["claim", "margin", "written", "difference (95 % interval)", "seeds", "verdict"], body)


def all_metrics() -> str:
    """Detectors of the benchmark on C, matched, by every metric of the plan."""
    cells = [c for c in read("benchmark")["result"]["cells"] if (c["domain"], c["mode"]) == ("C", "matched")]
    metrics = {
        "auroc": "AUROC",
        "aupr": "AUPR",
        "f1_max": "F1-max",
        "precision_at_90_recall": "Precision@90%Recall",
        "tpr_at_1_fpr": "TPR@1%FPR",
        "auroc_lines": "AUROC, best line",
        "predict_ms_median": "ms per map",
        "peak_memory_mib": "peak MiB",
    }
    body = []
    for name in ("limit", "glr", "scan", "scan_learned", *means.DEEP, "mean"):
        mine = [c for c in cells if c["detector"] == name]
        shapes = [".3f"] * 6 + [".1f", ".0f"]
        values = [shown(means.mean(mine, metric), s) for metric, s in zip(metrics, shapes, strict=True)]
        body.append([f"`{name}`", len(mine), *values])
    return table(["detector", "seeds", *metrics.values()], body)


def fields() -> str:
    """Photographs of other fields: plain and directional Dinomaly, and the best of the others."""
    rows = {(r["group"], r["arm"]): r for r in found()["generalisation"]["result"]["table"] if r["metric"] == "auroc"}
    tested = {c["group"]: c for c in between(found()["generalisation"])}
    body = []
    for group in dict.fromkeys(g for g, _ in rows if g in tested):
        c = tested[group]
        others = {a: r["mean"] for (g, a), r in rows.items() if g == group and a not in ("plain", "both")}
        best = max(others, key=lambda a: others[a])
        invalid = _claims().invalid(c)
        body.append(
            [
                group,
                *(f"{rows[group, arm]['mean']:.3f}" for arm in ("plain", "both")),
                f"{c['difference']:+.3f} ({c['low']:+.3f} to {c['high']:+.3f})",
                f"{others[best]:.3f} (`{best}`)",
                "**invalid**: below chance" if invalid else "",
            ]
        )
    return table(["set", "plain", "directional", "difference (95 % interval)", "best of the others", ""], body)


def changed() -> list[str]:
    """Studies whose result file was made from a tree with changes that were not committed."""
    return [name for name, data in found().items() if "+" in data["revision"]]


def one(name: str, a: str, b: str, metric: str) -> Data:
    """A comparison that the study lists."""
    return next(
        c for c in read(f"studies/{name}")["result"]["comparisons"] if (c["a"], c["b"], c["metric"]) == (a, b, metric)
    )


def mean(name: str, arm: str, metric: str) -> float:
    """Of an arm."""
    return next(
        r["mean"] for r in read(f"studies/{name}")["result"]["table"] if (r["arm"], r["metric"]) == (arm, metric)
    )


def judged(name: str) -> Data:
    """How many of a study's own comparisons show a difference; costs and single recordings are none of them."""
    rows = [c for c in testable(found()[name]) if c["metric"] not in COSTS and c["seeds"] >= SEEDS]
    return {"all": len(rows), "shown": sum("is better" in c["verdict"] for c in rows)}


def against_scan(kind: str) -> Data:
    """Directional Dinomaly less the scan, AUROC of their own scores, on maps of a kind ("maps" or "images")."""
    rows = by_kind(found(), lambda data: data["result"]["direction"].get("scan, auroc", []))[kind]
    better, worse = counts(rows)
    return {"count": len(rows), "mean": fmean(c["difference"] for c in rows), "better": better, "worse": worse}


def own_less_lines() -> Data:
    """Plain Dinomaly's own score less the best line of its anomaly map, AUROC on gear maps."""
    values = [c["difference"] for c in by_kind(found(), plain_less_lines)["maps"]]
    above = sum(v > 0 for v in values)
    return {"count": len(values), "mean": fmean(values), "least": min(values), "most": max(values), "above": above}


def place(c: Data) -> str:
    """Part and group."""
    return ", ".join(w for w in (c["part"], c["group"]) if w)


def _signed(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:+.3f}" if abs(value) < 10 else f"{value:+.0f}"


def p_of(c: Data) -> str:
    """Corrected p; below SMALLEST its digits mean nothing."""
    p = c["p_holm"]
    return "-" if p is None else f"<{SMALLEST:g}" if p < SMALLEST else f"{p:.2g}"


def ordered(name: str) -> list[Data]:
    """A study's own comparisons: the primary one, then by corrected p and, among equals, by difference."""

    def rank(c: Data) -> tuple[bool, bool, float, float]:
        p = 2.0 if c["p_holm"] is None else max(c["p_holm"], SMALLEST)
        return c["role"] != "primary", c["seeds"] < SEEDS, p, -abs(c["difference"])

    return sorted((c for c in testable(found()[name]) if c["metric"] not in COSTS), key=rank)


def comparisons(name: str) -> str:
    """The first of them as a table."""
    rows = ordered(name)
    placed = len({(c["part"], c["group"]) for c in rows}) > 1
    body = [
        [
            f"{c['a']} - {c['b']}{' (primary)' if c['role'] == 'primary' else ''}",
            *([place(c)] if placed else []),
            WORDS.get(c["metric"], c["metric"]),
            _signed(c["difference"]),
            f"{_signed(c['low'])} to {_signed(c['high'])}",
            p_of(c),
            "-" if c["effect"] is None else f"{c['effect']:.1f}",
            c["seeds"],
        ]
        for c in rows[:LISTED]
    ]
    head = ["a - b", *(["on"] if placed else []), "metric", "difference", "95 % interval", "p, Holm", "d", "seeds"]
    return table(head, body)


def arms(name: str) -> str:
    """Arms down, metrics across; a study of several parts or groups says which, one metric set each."""
    out = []
    rows = found()[name]["result"]["table"]
    for part in dict.fromkeys(r["part"] for r in rows):
        mine = [r for r in rows if r["part"] == part]
        metrics = list(dict.fromkeys(r["metric"] for r in mine))
        by = {(r["group"], r["arm"], r["metric"]): r for r in mine}
        grouped = len({r["group"] for r in mine}) > 1
        body = []
        for group, arm in dict.fromkeys((r["group"], r["arm"]) for r in mine):
            cells = [by[group, arm, m] for m in metrics]
            seeds = max(c["seeds"] for c in cells)
            if seeds:
                label = LABELS.get((name, arm), arm)
                body.append([*([group] if grouped else []), label, seeds, *(_cell(c, seeds) for c in cells)])
        if body:
            head = [*(["on"] if grouped else []), "arm", "seeds", *(WORDS.get(m, m) for m in metrics)]
            out.append((f"*{part}*\n\n" if part else "") + table(head, body))
    return "\n\n".join(out)


def _cell(row: Data, seeds: int) -> str:
    """A mean; with how many seeds have one, where not all do, as with an alarm that came in one seed only."""
    few = f" ({row['seeds']} of {seeds} seeds)" if 0 < row["seeds"] < seeds else ""
    return figure(row["mean"], row["sd"]) + few


def alphas(name: str) -> str:
    """Learned alpha by arm and layer."""
    learned = found()[name]["result"]["alpha"]
    layers = sorted({layer for arm in learned.values() for layer in arm}, key=int)
    body = [
        [arm, *(f"{of[x][0]:.3f} ± {of[x][1]:.3f}" if x in of else "-" for x in layers)] for arm, of in learned.items()
    ]
    return table(["arm", *(f"layer {x}" for x in layers)], body)


def moved(name: str) -> float:
    """How far alpha ends from its start at most, where it is learned."""
    data = found()[name]
    starts = alpha_starts(data)
    return max(abs(v[0] - starts[a]) for a, of in data["result"]["alpha"].items() if a in starts for v in of.values())


def gradients() -> Data:
    """Norms by layer as a table, and how far directional ones are from those of *none*."""
    norms = found()["direction"]["result"]["gradients"]
    layers = list(norms["none"])
    body = [
        [a, *(" / ".join(f"{v:.2g}" for v in of[x]) if x in of else "-" for x in layers)] for a, of in norms.items()
    ]
    ratios = [
        v / plain for a, of in norms.items() if a != "none" for x in layers for v, plain in zip(of[x], norms["none"][x], strict=True)
    ]  # fmt: skip
    return {"table": table(["arm", *layers], body), "low": min(ratios), "high": max(ratios)}

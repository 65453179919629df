"""Tables and counts of studies, for docs/results.md and the paper."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from engine import RESULTS, ROOT, Data, read, table
from study_figures import LABELS, WORDS, figure
from study_pairs import KINDS, SEEDS, across, alpha_starts, between, by_kind, counts, plan, testable

LISTED = 8
SMALLEST = 0.001  # p-values below it are not told apart
ALPHA = 0.05
COSTS = ("peak_memory_mib", "predict_ms_median", "parameters")  # no detector "wins" a study by them


@lru_cache
def found() -> dict[str, Data]:
    """Results of every study that has been run, in the order of the page."""
    order = ("direction", "alpha", "layers", "resolution", "loss_input", "severity", "robustness", "resize")
    order = (*order, "transfer", "generalisation", "baselines")
    return {name: read(f"studies/{name}") for name in order if (RESULTS / "studies" / f"{name}.json").exists()}


def claims() -> dict[str, Any]:
    """Verdicts by the tests that were written down before the runs (paper/claims.yaml)."""
    sys.path.append(str(ROOT / "paper"))
    from claims import judge

    return judge(found())


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


def span(values: list[int]) -> str:
    """3, or 1 to 3."""
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def judged(name: str) -> Data:
    """How many of a study's own comparisons show a difference; costs and single recordings are none of them."""
    rows = [c for c in testable(found()[name]) if c["metric"] not in COSTS and c["seeds"] >= SEEDS]
    return {"all": len(rows), "shown": sum("is better" in c["verdict"] for c in rows)}


def direction(name: str) -> Data:
    """Directional less plain Dinomaly by AUROC: range, pairs, and what is shown by own score and by the best line."""
    rows, lines = between(found()[name]), between(found()[name], "auroc_lines")
    values = sorted(c["difference"] for c in rows)
    return {"pairs": len(rows), "least": values[0], "most": values[-1], "own": counts(rows), "lines": counts(lines)}


def gathered() -> Data:
    """Directional Dinomaly in all studies together, where there are the seeds that a claim needs."""
    studies = found()

    def against(rows_of: Callable[[Data], list[Data]]) -> Data:
        return _summed([(n, c) for n, data in studies.items() for c in rows_of(data) if c["seeds"] >= SEEDS])

    cold = sum(c["metric"] == "auroc_cold" for data in studies.values() for c in between(data))
    return {
        "own": against(between),
        "lines": against(lambda data: between(data, "auroc_lines")),
        "pooling": {k: _ranges(rows) for k, rows in by_kind(studies, lambda d: across(d, "directional")).items()},
        "pooled_plain": {k: _ranges(rows) for k, rows in by_kind(studies, lambda d: across(d, "plain")).items()},
        "scan": {
            k: _summed(rows) for k, rows in by_kind(studies, lambda d: d["result"]["direction"].get("scan, auroc", [])).items()
        },
        "cold": cold,
        "untested": [n for n, data in studies.items() if between(data) and "pooling" not in data["result"]],
    }  # fmt: skip


def _summed(rows: list[tuple[str, Data]]) -> Data:
    better, worse = counts([c for _, c in rows])
    name, largest = max(rows, key=lambda nc: ("is better" in nc[1]["verdict"], abs(nc[1]["difference"])))
    return {
        "count": len(rows),
        "studies": len({n for n, _ in rows}),
        "mean": sum(c["difference"] for _, c in rows) / len(rows),
        "better": better,
        "worse": worse,
        "largest": largest["difference"],
        "at": f"{name}: {place(largest)}: {largest['a']}",
    }


def _ranges(rows: list[tuple[str, Data]]) -> Data:
    """Differences between two ways to score, and what was tested of them."""
    values = sorted(c["difference"] for _, c in rows)
    tested = [c["tested"] for _, c in rows if c["tested"] is not None]
    shown = [c["difference"] > 0 for c in tested if c["p_holm"] <= ALPHA]
    return {
        "count": len(values),
        "mean": sum(values) / len(values),
        "least": values[0],
        "most": values[-1],
        "above": sum(v > 0 for v in values),
        "tested": len(tested),
        "better": sum(shown),
        "worse": len(shown) - sum(shown),
    }


def place(c: Data) -> str:
    """Part and group."""
    return ", ".join(w for w in (c["part"], c["group"]) if w)


def protocol() -> str:
    """What differs between studies."""
    from toothwise_lab.studies.cell_maps import Cell

    body = []
    for name, data in found().items():
        have = {(r["part"], r["arm"]) for r in data["result"]["table"] if r["seeds"]}
        for part in plan(name).parts:
            arms = [arm.settings for arm in part.arms if (part.name, arm.name) in have]
            if not arms:
                continue
            contrasts = sorted({"{:g} to {:g}".format(*a.get("contrast", Cell.contrast)) for a in arms})
            steps = sorted({a["options"]["max_steps"] for a in arms if "max_steps" in a.get("options", {})})
            learned, scored = (sorted({a[k] for a in arms if a.get(k)}) for k in ("n_train", "n_test"))
            body.append(
                [
                    f"{name}, {part.name}" if part.name else name,
                    ", ".join(contrasts) if part.kind == "maps" else "-",
                    "/".join(map(str, steps)) or "-",
                    len(part.seeds),
                    span(learned) if learned else "-",
                    ("up to " if part.kind == "images" else "") + span(scored) if scored else "-",
                ]
            )
    head = ["study", "contrast", "steps", "seeds planned", "maps to learn from", "healthy and faulty maps each"]
    return table(head, body)


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
            WORDS[c["metric"]],
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
            head = [*(["on"] if grouped else []), "arm", "seeds", *(WORDS[m] for m in metrics)]
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


GEAR, PHOTOGRAPHS = KINDS["maps"], KINDS["images"]

"""Pairs of arms that differ in the direction of the attention alone, and what studies found between them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from engine import ROOT, Data

from toothwise_lab.studies.config import Study, read_study

SEEDS = 3  # that a claim needs
# options that say nothing but the direction
DIRECTION = ("directional_layers", "axis", "mix", "alpha", "alpha_per", "alpha_rate")


def _is(settings: dict[str, Any]) -> str | None:
    """What a trial's detector is here: "directional", "plain", "scan", or None for any other."""
    options = settings.get("options", {})
    if settings["detector"] == "dinomaly_directional":
        return "directional" if len(options.get("directional_layers", [0])) else "plain"
    return {"dinomaly": "plain", "scan": "scan"}.get(settings["detector"])


def _rest(settings: dict[str, Any], options: bool) -> str:
    """Everything but the detector and its direction, to be compared."""
    kept = {k: v for k, v in settings.items() if k not in ("detector", "options")}
    if options:
        kept["options"] = {k: v for k, v in settings.get("options", {}).items() if k not in DIRECTION}
    return json.dumps(kept, sort_keys=True)


def pairs_in(study: Study, other: str) -> list[tuple[str, str]]:
    """Directional Dinomaly and ``other`` ("plain" or "scan") wherever the rest of their settings is the same.

    Two arms are plain and directional by their options: no directional layer, or one and more. The scan has options of
    its own, so only what is around the detector must be the same.
    """
    found = []
    for part in study.parts:
        arms = [(arm, _is(arm.settings), _rest(arm.settings, other == "plain")) for arm in part.arms]
        found += [
            (a.name, b.name)
            for a, kind, rest in arms
            if kind == "directional"
            for b, against, same in arms
            if against == other and same == rest
        ]
    return list(dict.fromkeys(found))


@lru_cache
def plan(name: str) -> Study:
    """The study as configs/studies has it."""
    return read_study(ROOT / "configs" / "studies" / f"{name}.yaml")


def kind_of(name: str, part: str) -> str:
    """Kind of the trials of a part: "maps", "images" or "run"."""
    return next((p.kind for p in plan(name).parts if p.name == part), "maps")


def between(data: Data, metric: str = "auroc") -> list[Data]:
    """Comparisons of directional with plain Dinomaly by AUROC, own score or lines.

    Where a study kept the AUROC of cold maps alone, as "layers" did, those of its own comparisons stand in.
    """
    found = list(data["result"]["direction"].get(f"plain, {metric}", []))
    have = {_place(c) for c in found}
    pairs = pairs_in(plan(data["config"]["study"]), "plain")
    cold = metric.replace("auroc", "auroc_cold")
    return found + [
        c
        for c in data["result"]["comparisons"]
        if c["metric"] == cold and (c["a"], c["b"]) in pairs and _place(c) not in have
    ]


def plain_less_lines(data: Data) -> list[Data]:
    """Plain Dinomaly by its own score less the best line of its anomaly map; an arm that stands in several pairs once."""
    lines = {(*_place(c), "cold" in c["metric"]): c for c in between(data, "auroc_lines")}
    found = {}
    for own in between(data, "auroc"):
        pooled = lines.get((*_place(own), "cold" in own["metric"]))
        if pooled is not None:
            difference = own["mean_b"] - pooled["mean_b"]
            found[own["part"], own["group"], own["b"]] = {**own, "difference": difference}
    return list(found.values())


def _place(c: Data) -> tuple[str, str, str, str]:
    return c["part"], c["group"], c["a"], c["b"]


def by_kind(found: dict[str, Data], rows_of: Callable[[Data], list[Data]]) -> dict[str, list[Data]]:
    """Rows of all studies with the seeds that a claim needs, by the kind of the trials of their part."""
    out: dict[str, list[Data]] = {}
    for name, data in found.items():
        for c in rows_of(data):
            if c["seeds"] >= SEEDS:
                out.setdefault(kind_of(name, c["part"]), []).append(c)
    return out


def testable(data: Data) -> list[Data]:
    """A study's own comparisons but those on a run to failure: one recording, in which seeds tell of the training alone."""
    name = data["config"]["study"]
    return [c for c in data["result"]["comparisons"] if kind_of(name, c["part"]) != "run"]


def counts(rows: list[Data]) -> tuple[int, int]:
    """How many show the first arm to be better, and how many worse."""
    better, worse = (sum(c["verdict"] == f"{c[k]} is better" for c in rows) for k in ("a", "b"))
    return better, worse


def rotated(data: Data, arm: str, metric: str) -> tuple[float, float, float, bool] | None:
    """How much more direction loses in ``arm`` than plain does: difference of differences, 95 % interval, exact or not.

    Exact where each seed's figures were kept. Else the interval is no narrower than the true one over seeds: the spread
    of a difference is at most the sum of the spreads of its two terms, and there are two ways to take them.
    """
    clean = {c["a"]: c for c in between(data, metric)}
    both, plain, home = f"{arm}/both", f"{arm}/plain", "clean/both"
    for c in data["result"].get("interactions", []):
        if (c["metric"], c["a"], c["reference"]) == (metric, both, home):
            return c["difference"], c["low"], c["high"], True
    own = {(c["a"], c["b"]): c for c in data["result"]["comparisons"] if c["metric"] == metric}
    terms = [(clean.get(both), clean.get(home)), (own.get((both, home)), own.get((plain, "clean/plain")))]
    if any(c is None for pair in terms for c in pair):
        return None
    spreads = [sum(_spread(c) for c in pair) for pair in terms]
    (first, second), seeds = terms[0], min(c["seeds"] for pair in terms for c in pair)
    from scipy.stats import t

    if seeds < SEEDS:
        return None
    half = float(t.ppf(0.975, seeds - 1)) * min(spreads) / seeds**0.5
    difference = first["difference"] - second["difference"]
    return difference, difference - half, difference + half, False


def _spread(c: Data) -> float:
    """Over seeds, of a difference: what its effect size was divided by."""
    return abs(c["difference"] / c["effect"]) if c["effect"] else float("inf")


def alpha_starts(data: Data) -> dict[str, float]:
    """Alpha at the start of the training, of arms that learn it."""
    arms = plan(data["config"]["study"]).parts[0].arms
    options = {arm.name: arm.settings["options"] for arm in arms}
    return {
        name: float(o.get("alpha", 0.5))
        for name, o in options.items()
        if o.get("mix", "learned") == "learned"
        and o.get("axis", "both") == "both"
        and len(o.get("directional_layers", [0]))
    }

"""The claims of claims.yaml and the verdicts of their tests, by ``toothwise_lab.verdicts``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tex import ROOT, Data, MissingResultError, number, p_value

from toothwise_lab.comparison import holm
from toothwise_lab.pooled_pairs import PairDifference, PooledDifference, pool_pairs
from toothwise_lab.verdicts import CONTRADICTED, EQUIVALENT, SUPPORTED, UNDECIDED, judge_difference

sys.path.append(str(ROOT / "benchmarks" / "pages"))
from study_pairs import SEEDS, between, counts

FIELDS = ("kolektor_sdd", "magnetic_tile", "brain_mri", "rsscn7")
PRIMARY = {  # claim -> study that decides it
    "mix": "alpha",
    "encoder": "direction_vit",
    "columns": "direction_vit_y",
    "decision": "line_direction",
}


@dataclass(frozen=True)
class Verdict:
    """What a claim's test says.

    Attributes:
        verdict: one of the words of ``toothwise_lab.verdicts``.
        why: the numbers, as LaTeX.
        difference, low, high, p_value, seeds: behind it; None where there is not one interval.
    """

    verdict: str
    why: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    seeds: int | None = None


def read_claims() -> list[dict[str, Any]]:
    """Name, title, claim, test, margin and when they were written."""
    text = (Path(__file__).parent / "claims.yaml").read_text(encoding="utf-8")
    return [
        {k: " ".join(v.split()) if isinstance(v, str) else v for k, v in claim.items()}
        for claim in yaml.safe_load(text)
    ]


def judge(studies: dict[str, Data]) -> dict[str, Verdict]:
    """All verdicts.

    Args:
        studies: results by name of study; "direction" must be there.

    Raises:
        MissingResultError: the study that a test needs lacks what it needs.
    """
    margins = {claim["name"]: float(claim["margin"]) for claim in read_claims()}
    direction = studies["direction"]["result"]
    primary = _primary(studies["direction"])
    axes = next(iter(direction["axes"]), None)
    if primary is None or axes is None:
        raise MissingResultError("results/studies/direction.json: has no primary comparison, or none of y and x")
    corrected = holm([primary["p_value"], axes["p_value"]])[1]
    out = {
        "attention": _gain(primary, primary["p_value"], margins["attention"]),
        "physics": _gain(axes, float(corrected), margins["physics"]),
        "breadth": _breadth(studies.get("generalisation"), margins["breadth"]),
        "consistency": _consistency(studies, margins["consistency"]),
    }
    for name, study in PRIMARY.items():
        data = studies.get(study)
        found = None if data is None else _primary(data)
        if data is None or found is None:
            out[name] = Verdict(UNDECIDED, "not run yet")
        else:
            out[name] = _gain(found, found["p_value"], margins[name], planned=len(data["config"]["seeds"]))
    return out


def _primary(study: Data) -> Data | None:
    return next((c for c in study["result"]["comparisons"] if c["role"] == "primary"), None)


def _gain(one: Data, p: float, margin: float, planned: int = 0) -> Verdict:
    done = f"{one['seeds']} of {planned}" if one["seeds"] < planned else f"{one['seeds']}"
    if one["low"] is None or one["high"] is None:
        return Verdict(UNDECIDED, f"no interval from {done} seeds")
    why = (
        f"{number(one['difference'], signed=True)} (95\\,\\% interval {number(one['low'], signed=True)} to "
        f"{number(one['high'], signed=True)}, $p{'' if p < 0.001 else '='}{p_value(p)}$, {done} seeds)"
    )
    said = judge_difference(one["low"], one["high"], margin=margin, p_value=p, seeds=one["seeds"])
    if one["seeds"] < planned:  # nothing is said before all that was planned has run
        said = UNDECIDED
    return Verdict(said, why, one["difference"], one["low"], one["high"], p, one["seeds"])


def invalid(one: Data) -> bool:
    """Both arms are below chance: what scores rise with there is not what is anomalous."""
    return max(one["mean_a"], one["mean_b"]) < 0.5


def _breadth(study: Data | None, margin: float) -> Verdict:
    fields = [c for c in ([] if study is None else between(study)) if c["group"] in FIELDS and c["seeds"] >= SEEDS]
    rows = [c for c in fields if not invalid(c)]
    if len(fields) < len(FIELDS):
        return Verdict(UNDECIDED, f"run on {len(fields)} of {len(FIELDS)} sets with three seeds so far")
    better, worse = counts(rows)
    span = sorted(c["difference"] for c in rows)
    left = ", ".join(c["group"].replace("_", " ") for c in fields if invalid(c))
    why = (
        f"better on {better} and worse on {worse} of {len(rows)} valid sets, differences of AUROC "
        f"{number(span[0], signed=True)} to {number(span[-1], signed=True)}"
        + (f"; invalid, both below chance: {left}" if left else "")
    )
    if all(judge_difference(c["low"], c["high"], margin=margin) == EQUIVALENT for c in rows):
        return Verdict(EQUIVALENT, why)
    return Verdict(SUPPORTED if better >= 2 and not worse else UNDECIDED, why)


def pooled(studies: dict[str, Data], rows_of: Callable[[Data], list[Data]] = between) -> PooledDifference | None:
    """Directional less plain Dinomaly over the valid pairs of all studies in one model; None for fewer than ten."""
    rows = [(name, c) for name, data in studies.items() for c in rows_of(data) if c["seeds"] >= SEEDS]
    pairs = [
        PairDifference(
            c["difference"],
            (name, c["part"], c["group"], c["a"], c["b"]),
            (name, c["part"], c["group"]),
            (name, c["part"], c["group"], c["a"]),
            (name, c["part"], c["group"], c["b"]),
        )
        for name, c in rows
        if not invalid(c)
    ]
    return pool_pairs(pairs) if len(pairs) >= 10 else None


def _consistency(studies: dict[str, Data], margin: float) -> Verdict:
    found = pooled(studies)
    if found is None:
        return Verdict(UNDECIDED, "fewer than ten pairs with three seeds so far")
    why = (
        f"{number(found.mean, signed=True, digits=4)} AUROC on average over {found.pairs} pairs (95\\,\\% interval "
        f"{number(found.low, signed=True, digits=4)} to {number(found.high, signed=True, digits=4)}), "
        f"{number(found.between_pairs, digits=4)} between pairs"
    )
    said = judge_difference(found.low, found.high, margin=margin, p_value=found.p_value)
    return Verdict(said, why, found.mean, found.low, found.high, found.p_value)


def summary(verdicts: dict[str, Verdict]) -> str:
    """One sentence over all of them."""
    words = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight")
    parts = []
    for kind in (SUPPORTED, CONTRADICTED, EQUIVALENT, UNDECIDED):
        count = sum(v.verdict == kind for v in verdicts.values())
        if count or kind == SUPPORTED:
            parts.append(f"{words[count]} {'is' if count < 2 else 'are'} {kind}")
    return f"Of {words[len(verdicts)]} claims, each with a test and a margin, {', '.join(parts[:-1])} and {parts[-1]}."

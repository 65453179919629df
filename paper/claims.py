"""The four claims of claims.yaml and the verdicts of their tests: supported, not supported, undecided."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from tex import ROOT, Data, MissingResultError, number, p_value

from toothwise_lab.comparison import holm

sys.path.append(str(ROOT / "benchmarks" / "pages"))
from study_pairs import between, counts

SMALLEST_GAIN = 0.05
ALPHA = 0.05
FIELDS = ("kolektor_sdd", "magnetic_tile", "brain_mri", "rsscn7")
# studies with pairs of directional and plain Dinomaly; until all are run the last claim stays open
PAIRED = ("direction", "layers", "loss_input", "resolution", "robustness", "transfer", "generalisation", "baselines")
SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"


@dataclass(frozen=True)
class Verdict:
    """What a claim's test says.

    Attributes:
        verdict: one of the three words.
        why: the numbers, as LaTeX.
    """

    verdict: str
    why: str


def read_claims() -> list[dict[str, str]]:
    """Name, title, claim, test and what refutes it, as written beforehand."""
    text = (Path(__file__).parent / "claims.yaml").read_text(encoding="utf-8")
    return [{k: " ".join(v.split()) for k, v in claim.items()} for claim in yaml.safe_load(text)]


def judge(studies: dict[str, Data]) -> dict[str, Verdict]:
    """All four verdicts.

    Args:
        studies: results by name of study; "direction" must be there.

    Raises:
        MissingResultError: the study that a test needs lacks what it needs.
    """
    direction = studies["direction"]["result"]
    primary = next((c for c in direction["comparisons"] if c["role"] == "primary"), None)
    axes = next(iter(direction["axes"]), None)
    if primary is None or axes is None:
        raise MissingResultError("results/studies/direction.json: has no primary comparison, or none of y and x")
    corrected = holm([primary["p_value"], axes["p_value"]])[1]
    return {
        "attention": _gain(primary, primary["p_value"]),
        "physics": _gain(axes, float(corrected)),
        "breadth": _breadth(studies.get("generalisation")),
        "consistency": _consistency(studies),
    }


def _gain(one: Data, p: float) -> Verdict:
    why = (
        f"{number(one['difference'], signed=True)} (95\\,\\% interval {number(one['low'], signed=True)} to "
        f"{number(one['high'], signed=True)}, $p={p_value(p)}$, {one['seeds']} seeds)"
    )
    if one["seeds"] < 3:
        return Verdict(UNDECIDED, f"{why}: three seeds are needed")
    if p <= ALPHA:
        return Verdict(SUPPORTED if one["difference"] > 0 else NOT_SUPPORTED, why)
    return Verdict(NOT_SUPPORTED if one["high"] < SMALLEST_GAIN else UNDECIDED, why)


def _breadth(study: Data | None) -> Verdict:
    rows = [c for c in ([] if study is None else between(study)) if c["group"] in FIELDS and c["seeds"] >= 3]
    if len(rows) < len(FIELDS):
        return Verdict(UNDECIDED, f"run on {len(rows)} of {len(FIELDS)} sets with three seeds so far")
    better, worse = counts(rows)
    span = sorted(c["difference"] for c in rows)
    why = (
        f"better on {better} and worse on {worse} of {len(rows)} sets, differences of AUROC "
        f"{number(span[0], signed=True)} to {number(span[-1], signed=True)}"
    )
    if better >= 2 and not worse:
        return Verdict(SUPPORTED, why)
    return Verdict(UNDECIDED if better else NOT_SUPPORTED, why)


def _consistency(studies: dict[str, Data]) -> Verdict:
    rows = [c for data in studies.values() for c in between(data)]
    rows = [c for c in rows if c["seeds"] >= 3]
    held = sum(bool(between(data)) for data in studies.values())
    missing = [n for n in PAIRED if n not in studies or not any(c["seeds"] >= 3 for c in between(studies[n]))]
    if missing:
        return Verdict(
            UNDECIDED, f"run in {len(PAIRED) - len(missing)} of {len(PAIRED)} studies with three seeds so far"
        )
    better, worse = counts(rows)
    mean = sum(c["difference"] for c in rows) / len(rows)
    why = (
        f"better in {better} and worse in {worse} of {len(rows)} pairs in {held} studies, "
        f"{number(mean, signed=True)} AUROC on average"
    )
    if better > len(rows) / 2 and not worse:
        return Verdict(SUPPORTED, why)
    return Verdict(NOT_SUPPORTED if better < len(rows) / 10 else UNDECIDED, why)


def summary(verdicts: dict[str, Verdict]) -> str:
    """One sentence over all of them."""
    words = {0: "none", 1: "one", 2: "two", 3: "three", 4: "all four"}
    count = {kind: sum(v.verdict == kind for v in verdicts.values()) for kind in (SUPPORTED, NOT_SUPPORTED, UNDECIDED)}
    parts = [f"{words[n]} {'is' if n < 2 else 'are'} {kind}" for kind, n in count.items()]
    return f"Of four claims whose tests we wrote down beforehand, {parts[0]}, {parts[1]} and {parts[2]}."

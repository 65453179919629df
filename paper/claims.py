"""The four claims of claims.yaml and the verdicts of their tests: supported, not supported, undecided."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tex import Data, MissingResultError, number, p_value

from toothwise.evaluation import holm

SMALLEST_GAIN = 0.05
ALPHA = 0.05
FIELDS = ("kolektor_sdd", "magnetic_tile", "brain_mri", "rsscn7")
# studies with pairs of directional and plain Dinomaly; until all are run the last claim stays open
PAIRED = ("direction", "loss_input", "resolution", "robustness", "transfer", "generalisation", "baselines")
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


def _counts(rows: list[Data]) -> tuple[int, int]:
    """How many of the first arm are better, how many worse."""
    return tuple(sum(c["verdict"] == f"{c[k]} is better" for c in rows) for k in ("a", "b"))  # type: ignore[return-value]


def _pairs(study: Data | None) -> list[Any]:
    return [] if study is None else study["result"]["direction"].get("plain, auroc", [])


def _breadth(study: Data | None) -> Verdict:
    rows = [c for c in _pairs(study) if c["group"] in FIELDS and c["seeds"] >= 3]
    if len(rows) < len(FIELDS):
        return Verdict(UNDECIDED, f"run on {len(rows)} of {len(FIELDS)} sets with three seeds so far")
    better, worse = _counts(rows)
    span = sorted(c["difference"] for c in rows)
    why = (
        f"better on {better} and worse on {worse} of {len(rows)} sets, differences of AUROC "
        f"{number(span[0], signed=True)} to {number(span[-1], signed=True)}"
    )
    if better >= 2 and not worse:
        return Verdict(SUPPORTED, why)
    return Verdict(UNDECIDED if better else NOT_SUPPORTED, why)


def _consistency(studies: dict[str, Data]) -> Verdict:
    rows = [c for data in studies.values() for c in data["result"]["direction"].get("plain, auroc", [])]
    rows = [c for c in rows if c["seeds"] >= 3]
    held = sum(bool(data["result"]["direction"].get("plain, auroc")) for data in studies.values())
    missing = [name for name in PAIRED if not any(c["seeds"] >= 3 for c in _pairs(studies.get(name)))]
    if missing:
        return Verdict(
            UNDECIDED, f"run in {len(PAIRED) - len(missing)} of {len(PAIRED)} studies with three seeds so far"
        )
    better, worse = _counts(rows)
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

"""Whether what is said of one input agrees with itself, with the truth, and with what was said before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from toothwise.diagnosis.teeth import alike, ring_spacing
from toothwise.diagnosis.verdict import Diagnosis
from toothwise.messages import language
from toothwise.reporting.text import text_of


def disagree(found: Diagnosis) -> list[str]:
    """What outputs of one diagnosis contradict one another in: JSON, terminal, and the first sentence of a report."""
    data, text = found.as_json(), text_of(found)
    sentence = language("en").sentences(found.messages["verdict"])
    wrong = {
        "json": (data["colour"], data["tooth"], data["sentence"]) != (found.colour, found.tooth, found.sentence),
        "terminal": not text.startswith(f"{found.colour}: {found.sentence}"),
        "report": sentence != found.sentence,
        "tooth": found.tooth is not None and str(found.tooth) not in found.sentence,
        "green": found.colour == "GREEN" and bool(found.teeth),
        "never": "stands beyond its limit" in found.sentence and bool(found.rules["warning"].episodes),
    }
    return [name for name, is_wrong in wrong.items() if is_wrong]


def green_beside_lines(found: Diagnosis) -> bool:
    """GREEN although two maps show a line with a chance below one in a million."""
    return found.colour == "GREEN" and sum(any(f.p_value < 1e-6 for f in d.lines) for d in found.each) > 1


def named(found: Diagnosis, gear: str | None, right: Sequence[int], teeth: int) -> dict[str, Any]:
    """What is named and whether it is one of the right teeth, exactly and to within one tooth."""
    gaps = [] if found.tooth is None else [min((found.tooth - k) % teeth, (k - found.tooth) % teeth) for k in right]
    away = min(gaps, default=None)
    return {
        "named": found.tooth is not None,
        "exact": away == 0 and found.gear == gear,
        "near": away is not None and away <= 1 and found.gear == gear,
        "one_tooth": found.pattern == "one tooth",
    }


def one_of(first: Diagnosis, other: Diagnosis, gears: Any, size: int) -> bool:
    """Whether two records name one tooth, or ring teeth that are one."""
    a, b = first.tooth, other.tooth
    return a == b or (None not in (a, b) and first.gear == "ring" and alike(a, b, ring_spacing(gears), size))


def unexplained(before: Diagnosis, now: Diagnosis) -> list[str]:
    """What of an earlier verdict a later one takes back without saying so."""
    said, wrong = {m.id for m in now.messages["verdict"]}, []
    first, then = before.teeth[:1], now.teeth[:1]
    told = set(re.findall(r"tooth (\d+)", now.sentence.lower()))
    if now.colour == "GREEN" and before.colour in ("AMBER", "RED") and not any("has passed" in m for m in said):
        wrong.append("a colour is taken back")
    same = first and then and {first[0].tooth, first[0].contact} & {then[0].tooth, then[0].contact} - {None}
    if first and then and not same and str(first[0].tooth) not in told:
        wrong.append("another tooth")
    kept = {n for t in now.teeth for n in (t.tooth, *t.leak, *t.alike, t.contact) if n is not None}
    less = [t.tooth for t in before.teeth if not t.doubtful and t.tooth is not None]
    less = [n for n in less if not {n - 1, n, n + 1} & kept and str(n) not in told]
    if less and now.teeth:
        wrong.append("a tooth less")
    if first and not then and now.colour != "GREEN" and not any("by now the change of all teeth" in m for m in said):
        wrong.append("no tooth any more")
    early = now.since is not None and now.since.number <= before.records
    if early and before.colour == "GREEN" and not any("only in hindsight" in m for m in said):
        wrong.append("it was called healthy")
    return wrong

"""First screen and evidence of single maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toothwise.diagnosis.evidence import RunEvidence
from toothwise.diagnosis.explain import MapExplanation
from toothwise.diagnosis.words import chance, tooth_of
from toothwise.messages import Language
from toothwise.reporting.course_figures import among_healthy_figure, chances_figure
from toothwise.reporting.document import Block, Facts, Heading, Paragraph, Picture, Pictures, Table, Verdict
from toothwise.reporting.drawn import drawn
from toothwise.reporting.map_caption import map_caption
from toothwise.reporting.map_figures import map_figure
from toothwise.reporting.names import test_name
from toothwise.reporting.pattern_names import pattern_name

__all__ = ["map_evidence", "map_first", "teeth_table", "tests_table"]

_LISTED = 40  # maps of a table

One = Mapping[str, Any]


def map_first(data: Mapping[str, Any], evidence: RunEvidence, tell: Language) -> list[Block]:
    """Verdict, what to do, facts, the map, and where it lies among healthy maps."""
    each = data["each"]
    why = evidence.explained[0]
    one = next(m for m in each if m["record"] == why.record)
    calls = sum(m["pattern"] != "nothing" for m in each)
    verdict, *more = one["messages"]["verdict"]
    text, rest = tell.sentences([verdict]), tell.sentences(more)
    if len(each) > 1 and calls:
        rest = " ".join(part for part in (tell.say("Strangest map: {record}.", record=one["record"]), rest) if part)
        rest = tell.say(
            "{calls} of {maps} maps show something; each was judged on its own.", calls=calls, maps=len(each)
        ) + (f" {rest}" if rest else "")
    elif len(each) > 1:
        text = tell.say("Nothing stands out in any of {maps} maps: healthy maps may look like these.", maps=len(each))
    return [
        Verdict(text, pattern_name(one["pattern"], tell), _tone(one["pattern"]), rest),
        Paragraph(tell.sentences(one["messages"]["next_look"]), lead=tell.say("What to do:")),
        Facts(_facts(one, tell)),
        Pictures(
            (
                drawn(
                    map_caption(one, str(one["record"]), evidence.about, tell),
                    map_figure,
                    why,
                    one["lines"],
                    evidence.about,
                    tell,
                ),
                _place(each, one, why, evidence, tell),
            )
        ),
        Paragraph(tell.sentences(one["messages"]["confidence"]), lead=tell.say("How sure:")),
    ]


def _tone(pattern: str) -> str:
    if pattern == "nothing":
        return "quiet"
    return "warning" if pattern in ("transient", "sensor or condition changed") else "alarm"


def _facts(one: One, tell: Language) -> tuple[tuple[str, str], ...]:
    if not one["lines"]:
        test, p = min(one["p_values"].items(), key=lambda item: item[1])
        return (
            (tell.say("Finding"), pattern_name(one["pattern"], tell)),
            (tell.say("Strangest of the tests"), test_name(test, tell)),
            (tell.say("Chance on a healthy map"), tell.text(chance(p, one["healthy"]))),
        )
    line = one["lines"][0]
    low, high = line["interval"]
    return (
        (tell.say("Tooth"), tell.text(tooth_of(line["gear"], line["tooth"]))),
        (
            tell.say("Contrast (95 %)"),
            tell.say("{value:.2f} x background ({low:.2f} to {high:.2f})", value=line["contrast"], low=low, high=high),
        ),
        (tell.say("Chance on a healthy map"), tell.text(chance(line["p_value"], one["healthy"]))),
    )


def _place(each: Any, one: One, why: MapExplanation, evidence: RunEvidence, tell: Language) -> Picture:
    """Of one map its place among healthy ones, of several the chances of all."""
    if len(each) > 1:
        caption = tell.say(
            "Every map: how likely a healthy one looks so strange. Above the dashed line something is called."
        )
        return drawn(caption, chances_figure, each, tell)
    axes = sorted(why.evidence)
    axis = one["lines"][0]["axis"] if one["lines"] else max(axes, key=lambda a: float(why.evidence[a].max()))
    caption = tell.say(
        "The strongest tooth of this map (line) among those of held-out healthy maps (bars). Right of the dashed "
        "line a tooth is called."
    )
    value, healthy = float(why.evidence[axis].max()), evidence.healthy_best[axis]
    return drawn(caption, among_healthy_figure, axis, value, why.height.get(axis), healthy, evidence.about, tell)


def map_evidence(data: Mapping[str, Any], evidence: RunEvidence, tell: Language) -> list[Block]:
    """Tables of what was found and tested."""
    each = data["each"]
    blocks: list[Block] = [Heading(tell.say("Evidence"))]
    if len(each) > 1:
        found = [m for m in each if m["pattern"] != "nothing"]
        blocks.append(_maps_table(found[:_LISTED] or each[:_LISTED], tell))
        if len(found) > _LISTED:
            blocks.append(Paragraph(tell.say("{more} more in diagnosis.json.", more=len(found) - _LISTED), small=True))
        return blocks
    one = each[0]
    if one["lines"]:
        blocks.append(teeth_table(one, tell))
    blocks += [tests_table(one, tell)]
    return blocks


def _maps_table(maps: Any, tell: Language) -> Table:
    rows = []
    for one in maps:
        line = one["lines"][0] if one["lines"] else None
        rows.append(
            (
                str(one["record"]),
                pattern_name(one["pattern"], tell),
                "-" if line is None else tell.text(tooth_of(line["gear"], line["tooth"])),
                "-" if line is None else f"{line['contrast']:.2f}",
                f"{min(one['p_values'].values()):.1e}",
            )
        )
    head = (
        tell.say("Map"),
        tell.say("Finding"),
        tell.say("Strongest tooth"),
        tell.say("x background"),
        tell.say("p-value"),
    )
    return Table(head, tuple(rows), frozenset({3, 4}))


def teeth_table(one: One, tell: Language) -> Table:
    """Of each tooth found: p-value, contrast, extent, neighbours."""
    rows = []
    for line in one["lines"]:
        low, high = line["interval"]
        beside = [
            tell.say("{tooth}: {contrast:.2f} (raised)", tooth=n["tooth"], contrast=n["contrast"])
            if n["raised"]
            else f"{n['tooth']}: {n['contrast']:.2f}"
            for n in line["neighbours"]
        ]
        extent = tell.say(
            "{first} to {last} ({share:.0%})", first=line["first"], last=line["last"], share=line["share"]
        )
        rows.append(
            (
                tell.text(tooth_of(line["gear"], line["tooth"])),
                f"{line['p_value']:.1e}",
                tell.say("{value:.2f} ({low:.2f} to {high:.2f})", value=line["contrast"], low=low, high=high),
                extent,
                ", ".join(beside) or "-",
            )
        )
    head = (
        tell.say("Tooth"),
        tell.say("p-value"),
        tell.say("x background (95 %)"),
        tell.say("Extent along the line"),
        tell.say("Teeth beside, same extent"),
    )
    return Table(head, tuple(rows), frozenset({1}))


def tests_table(one: One, tell: Language) -> Table:
    """The tests of a map, each with its chance and the most that it may have."""
    from toothwise.diagnosis.peel import SHARES

    rows = []
    for name, p in one["p_values"].items():
        allowed = one["rate"] * SHARES[name]
        result = tell.say("stands out") if p <= allowed else tell.say("as healthy maps")
        rows.append((test_name(name, tell), f"{p:.2g}", f"{allowed:.2g}", result))
    head = (tell.say("Test"), tell.say("p-value"), tell.say("called at or below"), tell.say("Result"))
    return Table(head, tuple(rows), frozenset({1, 2}))

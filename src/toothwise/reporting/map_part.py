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
from toothwise.reporting.drawing import draw
from toothwise.reporting.map_figures import map_figure
from toothwise.reporting.names import pattern_name, test_name

__all__ = ["map_caption", "map_evidence", "map_first", "teeth_table", "tests_table"]

_LISTED = 40  # maps of a table

One = Mapping[str, Any]


def map_first(data: Mapping[str, Any], evidence: RunEvidence, language: Language) -> list[Block]:
    """Verdict, what to do, facts, the map, and where it lies among healthy maps."""
    each = data["each"]
    why = evidence.explained[0]
    one = next(m for m in each if m["record"] == why.record)
    calls = sum(m["pattern"] != "nothing" for m in each)
    verdict, *more = one["messages"]["verdict"]
    text, rest = language.sentences([verdict]), language.sentences(more)
    if len(each) > 1 and calls:
        rest = " ".join(
            part for part in (language.say("The most unusual map is {record}.", record=one["record"]), rest) if part
        )
        rest = language.say(
            "{calls} of {maps} maps show something; each was judged on its own.", calls=calls, maps=len(each)
        ) + (f" {rest}" if rest else "")
    elif len(each) > 1:
        text = language.say(
            "Nothing stands out in any of {maps} maps: healthy maps may look like these.", maps=len(each)
        )
    return [
        Verdict(text, pattern_name(one["pattern"], language), _tone(one["pattern"]), rest),
        Paragraph(language.sentences(one["messages"]["next_look"]), lead=language.say("What to do:")),
        Facts(_facts(one, language)),
        Pictures(
            (
                draw(
                    map_caption(one, str(one["record"]), evidence.about, language),
                    map_figure,
                    why,
                    one["lines"],
                    evidence.about,
                    language,
                ),
                _place(each, one, why, evidence, language),
            )
        ),
        Paragraph(language.sentences(one["messages"]["confidence"]), lead=language.say("How sure:")),
    ]


def _tone(pattern: str) -> str:
    if pattern == "nothing":
        return "quiet"
    return "warning" if pattern in ("transient", "sensor or condition changed") else "alarm"


def _facts(one: One, language: Language) -> tuple[tuple[str, str], ...]:
    if not one["lines"]:
        test, p = min(one["p_values"].items(), key=lambda item: item[1])
        return (
            (language.say("Finding"), pattern_name(one["pattern"], language)),
            (language.say("Most unusual test"), test_name(test, language)),
            (language.say("Probability on a healthy map"), language.text(chance(p, one["healthy"]))),
        )
    line = one["lines"][0]
    low, high = line["interval"]
    return (
        (language.say("Tooth"), language.text(tooth_of(line["gear"], line["tooth"]))),
        (
            language.say("Contrast (95 %)"),
            language.say(
                "{value:.2f} x background ({low:.2f} to {high:.2f})", value=line["contrast"], low=low, high=high
            ),
        ),
        (language.say("Probability on a healthy map"), language.text(chance(line["p_value"], one["healthy"]))),
    )


def _place(each: Any, one: One, why: MapExplanation, evidence: RunEvidence, language: Language) -> Picture:
    """Of one map its place among healthy ones, of several the chances of all."""
    if len(each) > 1:
        caption = language.say(
            "Every map: how likely a healthy map is to look as unusual. Above the dashed line a finding is reported."
        )
        return draw(caption, chances_figure, each, language)
    axes = sorted(why.evidence)
    axis = one["lines"][0]["axis"] if one["lines"] else max(axes, key=lambda a: float(why.evidence[a].max()))
    caption = language.say(
        "The strongest tooth of this map (line) among those of held-out healthy maps (bars). Right of the dashed "
        "line a tooth is reported."
    )
    value, healthy = float(why.evidence[axis].max()), evidence.healthy_best[axis]
    return draw(caption, among_healthy_figure, axis, value, why.height.get(axis), healthy, evidence.about, language)


def map_evidence(data: Mapping[str, Any], evidence: RunEvidence, language: Language) -> list[Block]:
    """Tables of what was found and tested."""
    each = data["each"]
    blocks: list[Block] = [Heading(language.say("Evidence"))]
    if len(each) > 1:
        found = [m for m in each if m["pattern"] != "nothing"]
        blocks.append(_maps_table(found[:_LISTED] or each[:_LISTED], language))
        if len(found) > _LISTED:
            blocks.append(
                Paragraph(language.say("{more} more in diagnosis.json.", more=len(found) - _LISTED), small=True)
            )
        return blocks
    one = each[0]
    if one["lines"]:
        blocks.append(teeth_table(one, language))
    blocks += [tests_table(one, language)]
    return blocks


def _maps_table(maps: Any, language: Language) -> Table:
    rows = []
    for one in maps:
        line = one["lines"][0] if one["lines"] else None
        rows.append(
            (
                str(one["record"]),
                pattern_name(one["pattern"], language),
                "-" if line is None else language.text(tooth_of(line["gear"], line["tooth"])),
                "-" if line is None else f"{line['contrast']:.2f}",
                f"{min(one['p_values'].values()):.1e}",
            )
        )
    head = (
        language.say("Map"),
        language.say("Finding"),
        language.say("Strongest tooth"),
        language.say("x background"),
        language.say("p-value"),
    )
    return Table(head, tuple(rows), frozenset({3, 4}))


def teeth_table(one: One, language: Language) -> Table:
    """Of each tooth found: p-value, contrast, extent, neighbours."""
    rows = []
    for line in one["lines"]:
        low, high = line["interval"]
        beside = [
            language.say("{tooth}: {contrast:.2f} (raised)", tooth=n["tooth"], contrast=n["contrast"])
            if n["raised"]
            else f"{n['tooth']}: {n['contrast']:.2f}"
            for n in line["neighbours"]
        ]
        extent = language.say(
            "{first} to {last} ({share:.0%})", first=line["first"], last=line["last"], share=line["share"]
        )
        rows.append(
            (
                language.text(tooth_of(line["gear"], line["tooth"])),
                f"{line['p_value']:.1e}",
                language.say("{value:.2f} ({low:.2f} to {high:.2f})", value=line["contrast"], low=low, high=high),
                extent,
                ", ".join(beside) or "-",
            )
        )
    head = (
        language.say("Tooth"),
        language.say("p-value"),
        language.say("x background (95 %)"),
        language.say("Extent along the line"),
        language.say("Teeth beside, same extent"),
    )
    return Table(head, tuple(rows), frozenset({1}))


def tests_table(one: One, language: Language) -> Table:
    """The tests of a map, each with its chance and the most that it may have."""
    from toothwise.diagnosis.decompose import SHARES

    rows = []
    for name, p in one["p_values"].items():
        allowed = one["rate"] * SHARES[name]
        result = language.say("stands out") if p <= allowed else language.say("as healthy maps")
        rows.append((test_name(name, language), f"{p:.2g}", f"{allowed:.2g}", result))
    head = (language.say("Test"), language.say("p-value"), language.say("reported at or below"), language.say("Result"))
    return Table(head, tuple(rows), frozenset({1, 2}))


def map_caption(one: One, record: str, about: One, language: Language) -> str:
    """The caption of a map, for a reader who has never seen one: its cells, how damage looks, what is framed.

    Args:
        one: The map's diagnosis.
        record: The name of its record as it is shown.
        about: What the maps are.
        language: The language of the report.
    """
    if about["by_record"]:
        what = language.say(
            "The map of {record}: a row per tooth, the newest record on the right, bright = more vibration. A damaged "
            "tooth lights up its row.",
            record=record,
        )
    else:
        what = language.say(
            "The map of {record}: every pair of teeth, bright = more vibration. A damaged tooth lights up its row or "
            "column.",
            record=record,
        )
    if not one["lines"]:
        return f"{what} {language.say('Nothing stands out in this map by itself.')}"
    parts = [
        what,
        language.say(
            "Framed: what stands out in this map by itself. Teeth count from 0; Limits says which one is tooth 0."
        ),
    ]
    return " ".join([*parts, *_opposite(one, about, language)])


def _opposite(one: One, about: One, language: Language) -> list[str]:
    """Two framed teeth of a gear that may be a planet, half a revolution apart."""
    if not about["by_record"]:
        return []
    count = len(about["axes"][0]["labels"])
    teeth = [line["tooth"] for line in one["lines"] if line["axis"] == 1 and line["gear"] in ("gear", "planet")]
    for k, first in enumerate(teeth):
        for second in teeth[k + 1 :]:
            if abs(abs(first - second) - count / 2) <= 1.0:
                return [
                    language.say(
                        "{tooth} and tooth {other} are half a revolution apart: on a planet gear this may be one "
                        "tooth, seen at both of its contacts.",
                        tooth=language.sentences([tooth_of("gear", first)]),
                        other=second,
                    )
                ]
    return []

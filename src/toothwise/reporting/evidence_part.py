"""Evidence: every tooth over the records and what the rules say; of single maps what was found and tested."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from toothwise.diagnosis.decompose import SHARES
from toothwise.diagnosis.evidence import HEIGHTS
from toothwise.messages import Language, plain
from toothwise.reporting.beside_part import beside_part
from toothwise.reporting.course_figures import channel_name, teeth_figure, trend_figure
from toothwise.reporting.document import Block, Heading, Paragraph, Pictures, Table
from toothwise.reporting.drawing import draw
from toothwise.reporting.names import line_tooth, pattern_name, rule_name, test_name
from toothwise.reporting.shown import Data, Shown

_LISTED = 40  # maps of a table
_EPISODES = 12


def evidence_part(report: Shown) -> list[Block]:
    """Of a sequence its course and its rules, of several maps a table of them, of one map its teeth and tests."""
    language = report.language
    heading = Heading(language.say("Evidence"))
    if report.d["sequence"]:
        course = [*_course(report), *_episodes(report)]
        return [heading, *course, *beside_part(report), *_rules(report), *_happened(report)]
    if len(report.each) > 1:
        found = [one for one in report.each if one["pattern"] != "nothing"] or list(report.each)
        more = language.say("{more} more in diagnosis.json.", more=len(found) - _LISTED)
        rest = [Paragraph(more, small=True)] if len(found) > _LISTED else []
        return [heading, _maps_table(found[:_LISTED], language), *rest]
    one = report.each[0]
    teeth: list[Block] = [teeth_table(one, language)] if one["lines"] else []
    return [heading, *teeth, tests_table(one, language), *beside_part(report)]


def _course(report: Shown) -> list[Block]:
    d, course, language = report.d, report.course, report.language
    if course is None:
        return []
    caption = language.say(
        "Every tooth over the records: a damaged tooth is a line that begins at its onset (dotted). Where all teeth "
        "change together, it is wear, or another load, speed or sensor."
    )
    healthy = {} if report.records is None else report.records.healthy
    before = healthy.get("contrast", np.zeros((0, course.contrast.shape[1])))
    if len(before):
        caption += " " + language.say(
            "Before the first record: the healthy ones, each compared with those of other days or stretches of time."
        )
    pictures = [draw(caption, teeth_figure, d, course, before, report.about, language)]
    if d["teeth"] or d["growth"] is not None:
        g = d["growth"]
        trend = language.say("The trend of this tooth.")
        if g is not None:
            trend = language.sentences(
                [language.say("{what}.", what=part) for part in (g["messages"]["says"][0], g["messages"]["outlook"][0])]
            )
        pictures.append(draw(trend, trend_figure, d, course, healthy, language))
    return [Pictures(tuple(pictures))]


def _rules(report: Shown) -> list[Block]:
    d, language = report.d, report.language
    rows = []
    for key, rule in d["rules"].items():
        between = language.say("off") if rule["now"] == "off" else "-"
        if rule["interval"] is not None:
            low, high = (plain(value) for value in rule["interval"])
            between = language.say("{low} to {high}", low=low, high=high)
        first = "-" if rule["first"] is None else str(rule["first"]["number"])
        name = rule_name(key, language)
        rows.append((name, first, str(rule["episodes"]), plain(rule["stated"], 3), between))
    head = (
        language.say("Rule"),
        language.say("first at record"),
        language.say("episodes"),
        language.say("false alarms stated per 1,000"),
        language.say("confirmed by healthy records (95 %)"),
    )
    about = language.say(
        "Three channels share the stated rates: one record by itself, several records together, and slow growth; the "
        "counts of a channel are those of its warnings. An episode is one signal from beginning to end. The last "
        "column is what the known healthy records confirm of the stated rate."
    )
    return [
        Heading(language.say("What the rules say"), 3),
        Table(head, tuple(rows), frozenset({2, 3})),
        Paragraph(about, small=True),
    ]


def _episodes(report: Shown) -> list[Block]:
    """When what is watched stood at a warning or an alarm, from its first record to its last."""
    course, language = report.course, report.language
    if course is None:
        return []
    step = course.statistic.max(axis=1)
    on = np.concatenate([[False], step >= HEIGHTS["warning"], [False]])
    begins, ends = np.flatnonzero(on[1:] & ~on[:-1]), np.flatnonzero(on[:-1] & ~on[1:]) - 1
    named = None
    if report.d["teeth"] and report.d["teeth"][0]["tooth"] is not None:
        named = course.channel(report.d["teeth"][0]["axis"], report.d["teeth"][0]["tooth"])
    rows = []
    for begin, end in zip(begins, ends, strict=True):
        stood = course.statistic[begin : end + 1]
        # what is highest may tie with the tooth of the verdict, as its other contact does
        peak = named if named is not None and stood[:, named].max() >= 1.0 else int(stood.sum(axis=0).argmax())
        red = step[begin : end + 1] >= HEIGHTS["alarm"]
        rows.append(
            (
                report.place(course.names[begin]),
                language.say("still on") if end == len(step) - 1 else report.place(course.names[end]),
                str(end - begin + 1),
                report.place(course.names[begin + int(red.argmax())]) if red.any() else "-",
                channel_name(course, peak, report.gears, language),
            )
        )
    if not rows:
        return []
    head = (
        language.say("First record"),
        language.say("Last record"),
        language.say("Records"),
        language.say("Alarm (RED) from"),
        language.say("Of"),
    )
    blocks: list[Block] = [Heading(language.say("Episodes"), 3), Table(head, tuple(rows[-_EPISODES:]), frozenset({2}))]
    if len(rows) > _EPISODES:
        left = language.say("{count} earlier ones are left out.", count=len(rows) - _EPISODES)
        blocks.append(Paragraph(left, small=True))
    return blocks


def _happened(report: Shown) -> Iterator[Block]:
    d, language = report.d, report.language
    if d["contrast_along"] is not None:
        along = language.text(d["messages"]["contrast_along"][0])
        text = language.say(
            "The level of the tooth now is the mean of the last ten records along {along}.", along=along
        )
        yield Paragraph(text)
    if d["transients"]:
        count = len(d["transients"])
        named = ", ".join(map(report.place, d["transients"][:8])) + (" ..." if count > 8 else "")
        text = language.say("Transients in time, no alarm, in {count} records: {records}.", count=count, records=named)
        yield Paragraph(text)
    for reset in d["resets"]:
        after = report.record(reset["after"]) if reset["after"] is not None else language.say("the beginning")
        yield Paragraph(language.say("New baseline after {record}: {reason}.", record=after, reason=reset["reason"]))
    if d["unjudged"]:
        text = language.say(
            "{count} records could not be judged: their condition has no baseline.", count=d["unjudged"]
        )
        yield Paragraph(text)


def _maps_table(maps: list[Data], language: Language) -> Table:
    rows = []
    for one in maps:
        line = one["lines"][0] if one["lines"] else None
        tooth = "-" if line is None else line_tooth(line, language)
        contrast = "-" if line is None else f"{line['contrast']:.2f}"
        pattern = pattern_name(one["pattern"], language)
        rows.append((str(one["record"]), pattern, tooth, contrast, plain(min(one["p_values"].values()))))
    head = (
        language.say("Map"),
        language.say("Finding"),
        language.say("Strongest tooth"),
        language.say("x background"),
        language.say("p-value"),
    )
    return Table(head, tuple(rows), frozenset({3, 4}))


def teeth_table(one: Data, language: Language) -> Table:
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
                line_tooth(line, language),
                plain(line["p_value"]),
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


def tests_table(one: Data, language: Language) -> Table:
    """The tests of a map, each with its p-value and the largest one that is reported."""
    rows = []
    for name, p in one["p_values"].items():
        allowed = one["rate"] * SHARES[name]
        result = language.say("stands out") if p <= allowed else language.say("as healthy maps")
        rows.append((test_name(name, language), plain(p), plain(allowed), result))
    head = (
        language.say("Test"),
        language.say("p-value"),
        language.say("reported at or below"),
        language.say("Result"),
    )
    return Table(head, tuple(rows), frozenset({1, 2}))

"""Evidence: every tooth over the records and what the rules say; of single maps what was found and tested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from toothwise.diagnosis.decompose import SHARES
from toothwise.diagnosis.evidence import HEIGHTS
from toothwise.messages import Language, Message, plain, say
from toothwise.reporting.beside_part import beside_part
from toothwise.reporting.course_figures import channel_name, named_channel, teeth_figure, trend_figure
from toothwise.reporting.document import Block, Heading, Paragraph, Pictures, Table
from toothwise.reporting.drawing import Picture
from toothwise.reporting.names import line_tooth, result_name
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
    pictures = [Picture(caption, teeth_figure, d, course, before, report.about, language)]
    if d["teeth"] or d["growth"] is not None:
        trend = [say("The trend of this tooth.")]
        if d["growth"] is not None:
            told = d["growth"]["messages"]
            trend = [say("{what}.", what=told[name][0]) for name in ("says", "outlook")]
        pictures.append(Picture(language.sentences(trend), trend_figure, d, course, healthy, language))
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
        name = result_name(key, language)
        rows.append((name, first, str(rule["episodes"]), plain(rule["stated"], 3), between))
    numbers = say("false alarms stated per 1,000"), say("confirmed by healthy records (95 %)")
    head = say("Rule"), say("first at record"), say("episodes"), *numbers
    about = language.say(
        "Three channels share the stated rates: one record by itself, several records together, and slow growth; the "
        "counts of a channel are those of its warnings. An episode is one signal from beginning to end. The last "
        "column is what the known healthy records confirm of the stated rate."
    )
    return [
        Heading(language.say("What the rules say"), 3),
        _table(head, rows, {2, 3}, language),
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
    named = named_channel(report.d, course)
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
    head = say("First record"), say("Last record"), say("Records"), say("Alarm (RED) from"), say("Of")
    blocks: list[Block] = [Heading(language.say("Episodes"), 3), _table(head, rows[-_EPISODES:], {2}, language)]
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
        pattern = result_name(one["pattern"], language)
        rows.append((str(one["record"]), pattern, tooth, contrast, plain(min(one["p_values"].values()))))
    head = say("Map"), say("Finding"), say("Strongest tooth"), say("x background"), say("p-value")
    return _table(head, rows, {3, 4}, language)


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
        span = {name: line[name] for name in ("first", "last", "share")}
        extent = language.say("{first} to {last} ({share:.0%})", **span)
        level = language.say("{value:.2f} ({low:.2f} to {high:.2f})", value=line["contrast"], low=low, high=high)
        tooth = line_tooth(line, language)
        rows.append((tooth, plain(line["p_value"]), level, extent, ", ".join(beside) or "-"))
    where = say("Extent along the line"), say("Teeth beside, same extent")
    return _table((say("Tooth"), say("p-value"), say("x background (95 %)"), *where), rows, {1}, language)


def tests_table(one: Data, language: Language) -> Table:
    """The tests of a map, each with its p-value and the largest one that is reported."""
    rows = []
    for name, p in one["p_values"].items():
        allowed = one["rate"] * SHARES[name]
        result = language.say("stands out") if p <= allowed else language.say("as healthy maps")
        rows.append((result_name(name, language), plain(p), plain(allowed), result))
    head = say("Test"), say("p-value"), say("reported at or below"), say("Result")
    return _table(head, rows, {1, 2}, language)


def _table(
    head: Iterable[Message], rows: Sequence[tuple[str, ...]], numbers: Iterable[int], language: Language
) -> Table:
    """A table whose columns ``numbers`` hold numbers."""
    return Table(tuple(map(language.text, head)), tuple(rows), frozenset(numbers))

"""First screen and evidence of a sequence of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toothwise.diagnosis.evidence import RunEvidence
from toothwise.diagnosis.single import gear_of
from toothwise.diagnosis.words import tooth_of
from toothwise.healthmap.core import Axis
from toothwise.messages import Language
from toothwise.reporting.course_figures import teeth_figure, timeline_figure, trend_figure
from toothwise.reporting.document import Block, Facts, Heading, Paragraph, Picture, Pictures, Table, Verdict
from toothwise.reporting.drawing import draw
from toothwise.reporting.map_figures import map_figure
from toothwise.reporting.map_part import map_caption
from toothwise.reporting.names import explained_map, pattern_name, record_name, sensors_of, state_name

__all__ = ["sequence_evidence_blocks", "sequence_first"]

_TONES = {"alarm": "alarm", "warning": "warning", "quiet": "quiet", "learning": "warning"}

Data = Mapping[str, Any]


def gears_of(about: Data) -> tuple[str, str]:
    """Names of the gears of rows and columns."""
    rows, columns = (Axis(axis["name"], tuple(axis["labels"])) for axis in about["axes"])
    return gear_of(rows, "driving"), gear_of(columns, "driven")


def sequence_first(data: Data, evidence: RunEvidence, language: Language, *, numbered: bool = False) -> list[Block]:
    """Verdict, what to do, facts, the map, and the alarm timeline; ``numbered``: records are told by numbers."""
    d = data
    verdict, *more = d["messages"]["verdict"]
    label = state_name(d["state"], language)
    if d["state"] in ("alarm", "warning"):
        label = f"{label} · {_pattern(d, language)}"
    pictures: list[Picture] = []
    for why in evidence.explained[:1]:
        one = explained_map(data)
        pictures.append(
            draw(
                map_caption(one, record_name(one["record"], language), evidence.about, language)
                + _of_one_sensor(data, language),
                map_figure,
                why,
                one["lines"],
                evidence.about,
                language,
            )
        )
    if evidence.sequence is not None:
        caption = language.say(
            "Alarm timeline: evidence summed over the records (CUSUM), in standard deviations of healthy records. A "
            "warning or an alarm begins where the curve reaches the line of that name."
        )
        if d["since"] is not None:
            caption += " " + language.say("Shaded: when the change began.")
        if numbered:
            caption += " " + language.say("Records are numbered from 1; their names are listed at the end.")
        gears = gears_of(evidence.about)
        pictures.append(draw(caption, timeline_figure, d, evidence.sequence, gears, language))
    return [
        Verdict(language.sentences([verdict]), label, _TONES[d["state"]], language.sentences(more)),
        Paragraph(language.sentences(d["messages"]["next_look"]), lead=language.say("What to do:")),
        Facts(_facts(d, language)),
        Pictures(tuple(pictures)),
        Paragraph(language.sentences(d["messages"]["confidence"]), lead=language.say("How sure:")),
    ]


def _of_one_sensor(data: Data, language: Language) -> str:
    """What a map's caption says of its sensor; "" where there is one."""
    fused = sensors_of(data)
    if not fused:
        return ""
    return " " + language.say(
        "Sensor {sensor}, one of {count} fused.", sensor=explained_map(data)["sensor"], count=len(fused)
    )


def _pattern(d: Data, language: Language) -> str:
    if d["pattern"] == "whole gear" and not d["teeth"] and d["state"] == "alarm" and "tooth" in (d["began_with"] or ""):
        return language.say("Whole gear, after one tooth")
    return pattern_name(d["pattern"], language)


def _facts(d: Data, language: Language) -> tuple[tuple[str, str], ...]:
    facts: list[tuple[str, str]] = []
    if d["teeth"]:
        named = ", ".join(language.text(tooth_of(t["gear"], t["tooth"])) for t in d["teeth"][:4])
        facts.append((language.say("Tooth"), named))
    if d["contrast"] is not None:
        low, high = d["contrast_interval"]
        now = language.say("{value:.2f} x healthy ({low:.2f} to {high:.2f})", value=d["contrast"], low=low, high=high)
        facts.append((language.say("Level of the tooth now (95 %)"), now))
    elif d["state"] in ("alarm", "warning"):
        facts.append((language.say("Level now"), language.say("{value:.2f} x healthy", value=d["level_change"])))
    if d["since"] is not None:
        low, high = (place["record"] for place in d["since_interval"])
        since = language.say("{record} ({low} to {high})", record=d["since"]["record"], low=low, high=high)
        facts.append((language.say("Began at record (95 %)"), since))
    alarm = d["rules"]["alarm"]["first"]
    if alarm is not None:
        first = record_name(alarm["record"], language)
        told = language.say("{record}: {what}", record=first, what=d["messages"]["began_with"][0])
        facts.append((language.say("First alarm"), told))
    g = d["growth"]
    if g is not None:
        low, high = g["interval"]
        grows = language.say(
            "x {value:.2f} per 100 records ({low:.2f} to {high:.2f})", value=g["per_100"], low=low, high=high
        )
        facts.append((language.say("Growth (95 %)"), grows))
        facts.append((language.say("Outlook"), outlook(g, language)))
    if not facts:
        facts.append((language.say("Records judged"), str(d["judged"])))
        facts.append((language.say("Level now"), language.say("{value:.2f} x healthy", value=d["level_change"])))
    return tuple(facts)


def outlook(g: Data, language: Language) -> str:
    """When the level is reached, or why that is not said."""
    if g["reached"] is None:
        return language.sentences(g["messages"]["why"])
    low, high = g["reached_interval"]
    return language.say(
        "{level:g} x healthy in {best:.0f} records ({low:.0f} to {high:.0f})",
        level=g["level"],
        best=g["reached"],
        low=low,
        high=high,
    )


def sequence_evidence_blocks(data: Data, evidence: RunEvidence, language: Language) -> list[Block]:
    """Tooth by record, the trend, the rules, and what happened on the way."""
    d, s = data, evidence.sequence
    blocks: list[Block] = [Heading(language.say("Evidence"))]
    if s is not None:
        caption = language.say(
            "Every tooth over the records: a damaged tooth is a line that begins at its onset (dotted). Where all "
            "teeth change together, it is wear, or another load, speed or sensor."
        )
        blocks.append(draw(caption, teeth_figure, d, s, evidence.about, language))
        if d["teeth"] or d["growth"] is not None:
            blocks.append(draw(_trend_caption(d, language), trend_figure, d, s, language))
    blocks += [Heading(language.say("What the rules say"), 3), _rules(data, language), _about_rules(language)]
    if d["began_with"] is not None:
        began = language.sentences(
            [language.say("The first alarm was about {what}.", what=d["messages"]["began_with"][0])]
        )
        blocks.append(Paragraph(began))
    if d["contrast"] is not None:
        along = language.text(d["messages"]["contrast_along"][0])
        blocks.append(
            Paragraph(
                language.say(
                    "The level of the tooth now is the mean of the last ten records along {along}.", along=along
                )
            )
        )
    blocks += _happened(d, language)
    return blocks


def _trend_caption(d: Data, language: Language) -> str:
    g = d["growth"]
    if g is None:
        return language.say("The trend of this tooth.")
    return language.sentences([language.say("The trend: {why}.", why=g["messages"]["why"][0])])


def _rules(data: Data, language: Language) -> Table:
    d = data
    names = {
        "warning": language.say("warning (CUSUM)"),
        "alarm": language.say("alarm (CUSUM)"),
        "in_a_row": language.say("cross-check: {run} in a row", run=data["settings"]["in_a_row"]),
        "bound": language.say("cross-check: proven bound (e-detector)"),
        "single": language.say("lines beyond doubt in single maps"),
    }
    rows = []
    for key, name in names.items():
        rule = d["rules"][key]
        between = language.say("a bound") if key == "bound" else "-"
        if rule["interval"] is not None:
            between = language.say("{low:.2g} to {high:.2g}", low=rule["interval"][0], high=rule["interval"][1])
        rows.append(
            (
                name,
                "-" if rule["first"] is None else str(rule["first"]["record"]),
                str(rule["episodes"]),
                f"{rule['stated']:g}",
                between,
            )
        )
    head = (
        language.say("Rule"),
        language.say("first at record"),
        language.say("episodes"),
        language.say("false alarms stated per 1,000"),
        language.say("confirmed by healthy records (95 %)"),
    )
    return Table(head, tuple(rows), frozenset({2, 3}))


def _about_rules(language: Language) -> Paragraph:
    return Paragraph(
        language.say(
            "Warning and alarm sum evidence over the records (CUSUM). Two other rules check them: one requires "
            "several records in a row above a limit; the e-detector is slower, but its false alarms have a proven "
            "bound. An episode is one signal of a rule from beginning to end. The stated rate is what a rule is set "
            "for; the last column is what the known healthy records confirm of it."
        ),
        small=True,
    )


def _happened(d: Data, language: Language) -> list[Block]:
    blocks: list[Block] = []
    if d["transients"]:
        shown = ", ".join(d["transients"][:8]) + (" ..." if len(d["transients"]) > 8 else "")
        text = language.say(
            "Transients in time, no alarm, in {count} records: {records}.", count=len(d["transients"]), records=shown
        )
        blocks.append(Paragraph(text))
    for reset in d["resets"]:
        after = record_name(reset["after"], language) if reset["after"] is not None else language.say("the beginning")
        text = language.say("New baseline after {record}: {reason}.", record=after, reason=reset["reason"])
        blocks.append(Paragraph(text))
    if d["unjudged"]:
        text = language.say(
            "{count} records could not be judged: their condition has no baseline.", count=d["unjudged"]
        )
        blocks.append(Paragraph(text))
    return blocks

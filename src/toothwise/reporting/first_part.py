"""The first screen: verdict, what to do, facts, the map, the alarm timeline, and how sure it is."""

from __future__ import annotations

from toothwise.diagnosis.words import chance, tooth_of
from toothwise.messages import Language, say
from toothwise.reporting.course_figures import among_healthy_figure, chances_figure, timeline_figure
from toothwise.reporting.document import Block, Facts, Paragraph, Picture, Pictures, Verdict
from toothwise.reporting.drawing import draw
from toothwise.reporting.map_figures import map_figure
from toothwise.reporting.names import colour_name, pattern_name, test_name
from toothwise.reporting.shown import Data, Shown

__all__ = ["first_part", "map_caption"]

_CHANGES = {
    "RED": say(
        "Records under the same condition in which what alarms is back at its healthy level, or an inspection that "
        "finds it sound."
    ),
    "AMBER": say(
        "More records under the same condition: as much evidence again makes it RED, records at the healthy level make "
        "it GREEN again."
    ),
    "GREEN": say("A record, or several together, that reach the limit of a warning."),
    "UNKNOWN": say("Healthy records under the condition of those that are to be judged."),
}


def first_part(report: Shown) -> list[Block]:
    """Everything that a reader in a hurry needs."""
    d, language = report.d, report.language
    verdict, *more = d["messages"]["verdict"]
    label = colour_name(d["colour"], language)
    if d["colour"] in ("RED", "AMBER"):
        label = f"{label} · {pattern_name(d['pattern'], language)}"
    return [
        Verdict(language.sentences([verdict]), label, d["colour"].lower(), language.sentences(more)),
        Paragraph(language.sentences(d["messages"]["next_look"]), lead=language.say("What to do:")),
        *_outlook(report),
        Paragraph(language.text(_CHANGES[d["colour"]]), lead=language.say("What would change this:")),
        Facts(tuple(_facts(report))),
        Pictures((*_maps(report), *_among(report))),
        Paragraph(language.sentences(d["messages"]["confidence"]), lead=language.say("How sure:")),
    ]


def _outlook(report: Shown) -> list[Block]:
    """When the level is reached, with its interval, or why that is not said; how it grows is in the verdict."""
    g, language = report.d["growth"], report.language
    if g is None:
        return []
    text = language.sentences([language.say("{what}.", what=g["messages"]["outlook"][0])])
    return [Paragraph(text, lead=language.say("Outlook:"))]


def _facts(report: Shown) -> list[tuple[str, str]]:
    d, language = report.d, report.language
    facts: list[tuple[str, str]] = []
    if d["teeth"]:
        named = ", ".join(language.text(tooth_of(t["gear"], t["tooth"])) for t in d["teeth"][:4])
        facts.append((language.say("Tooth"), named))
    if d["contrast"] is not None:
        low, high = d["contrast_interval"]
        size = {"value": d["contrast"], "low": low, "high": high}
        if d["sequence"]:
            now = language.say("{value:.2f} x healthy ({low:.2f} to {high:.2f})", **size)
            facts.append((language.say("Level of the tooth now (95 %)"), now))
        else:
            now = language.say("{value:.2f} x background ({low:.2f} to {high:.2f})", **size)
            facts.append((language.say("Contrast (95 %)"), now))
    return facts + (_since(report) if d["sequence"] else _single(report))


def _single(report: Shown) -> list[tuple[str, str]]:
    """Of maps that were judged each on its own."""
    language, one = report.language, report.explained[0][0]
    test, p = min(one["p_values"].items(), key=lambda item: item[1])
    facts = []
    if one["lines"]:
        p = one["lines"][0]["p_value"]
    else:
        facts = [
            (language.say("Finding"), pattern_name(one["pattern"], language)),
            (language.say("Most unusual test"), test_name(test, language)),
        ]
    return [*facts, (language.say("Probability on a healthy map"), language.text(chance(p, one["healthy"])))]


def _since(report: Shown) -> list[tuple[str, str]]:
    """Of a sequence of records."""
    d, language = report.d, report.language
    level = language.say("{value:.2f} x healthy", value=d["level_change"])
    facts = []
    if d["contrast"] is None and d["colour"] in ("RED", "AMBER"):
        facts.append((language.say("Level now"), level))
    if d["since"] is not None:
        low, high = (place["record"] for place in d["since_interval"])
        since = language.say("{record} ({low} to {high})", record=d["since"]["record"], low=low, high=high)
        facts.append((language.say("Began at record (95 %)"), since))
        course = report.course
        at = None if course is None else course.position(d["since_interval"][0])
        if course is not None and at:
            facts.append((language.say("Last record known good"), report.record(course.names[at - 1])))
    first = d["rules"]["alarm"]["first"]
    if first is not None and d["began_with"] is not None:
        began = d["messages"]["began_with"][0]
        text = language.say("{record}: {what}", record=report.record(first["record"]), what=began)
        facts.append((language.say("First alarm"), text))
    if not facts and not d["teeth"]:
        facts = [(language.say("Records judged"), str(d["judged"])), (language.say("Level now"), level)]
    return facts


def _maps(report: Shown) -> list[Picture]:
    """The map that matters most."""
    language = report.language
    pictures = []
    for one, why in report.explained[:1]:
        caption = map_caption(one, report.record(one["record"]), report.about, language)
        if len(report.sensors) > 1:
            sensor = language.say(
                "Sensor {sensor}, one of {count} fused.", sensor=one["sensor"], count=len(report.sensors)
            )
            caption = f"{caption} {sensor}"
        pictures.append(draw(caption, map_figure, why, one["lines"], report.about, language))
    return pictures


def _among(report: Shown) -> list[Picture]:
    """The alarm timeline; of several maps the probabilities of all, of one its place among healthy maps."""
    d, language = report.d, report.language
    if report.course is not None:
        caption = language.say(
            "Alarm timeline: the evidence of one record, of several, or of slow growth, whichever is nearest to its "
            "limit. A warning or an alarm begins where the curve reaches the line of that name."
        )
        if d["since"] is not None:
            caption += " " + language.say("Shaded: when the change began.")
        if report.names:
            caption += " " + language.say("Records are numbered from 1; their names are listed at the end.")
        return [draw(caption, timeline_figure, d, report.course, report.gears, language)]
    if len(report.each) > 1:
        caption = language.say(
            "Every map: how likely a healthy map is to look as unusual. Above the dashed line a finding is reported."
        )
        return [draw(caption, chances_figure, report.each, language)]
    if d["sequence"]:
        return []
    one, why = report.explained[0]
    axis = one["lines"][0]["axis"] if one["lines"] else max(why.evidence, key=lambda a: float(why.evidence[a].max()))
    caption = language.say(
        "The strongest tooth of this map (line) among those of held-out healthy maps (bars). Right of the dashed line "
        "a tooth is reported."
    )
    value, healthy = float(why.evidence[axis].max()), report.healthy_best[axis]
    return [draw(caption, among_healthy_figure, axis, value, why.height.get(axis), healthy, report.about, language)]


def map_caption(one: Data, record: str, about: Data, language: Language) -> str:
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
    framed = language.say(
        "Framed: what stands out in this map by itself. Teeth count from 0; Limits says which one is tooth 0."
    )
    return " ".join([what, framed, *_opposite(one, about, language)])


def _opposite(one: Data, about: Data, language: Language) -> list[str]:
    """Two framed teeth of a gear that may be a planet, half a revolution apart."""
    if not about["by_record"]:
        return []
    count = len(about["axes"][0]["labels"])
    teeth = [line["tooth"] for line in one["lines"] if line["axis"] == 1 and line["gear"] in ("gear", "planet")]
    pairs = [(a, b) for k, a in enumerate(teeth) for b in teeth[k + 1 :] if abs(abs(a - b) - count / 2) <= 1.0]
    return [
        language.say(
            "{tooth} and tooth {other} are half a revolution apart: on a planet gear this may be one tooth, seen at "
            "both of its contacts.",
            tooth=language.sentences([tooth_of("gear", first)]),
            other=second,
        )
        for first, second in pairs[:1]
    ]

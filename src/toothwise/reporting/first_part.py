"""The first screen: verdict, what to do, facts, the map, the alarm timeline, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterator

from toothwise.diagnosis.sequence_words import colour_word
from toothwise.diagnosis.words import chance, teeth_of, tooth_of
from toothwise.messages import Language, say
from toothwise.reporting.course_figures import among_healthy_figure, chances_figure, timeline_figure
from toothwise.reporting.document import Block, Facts, Paragraph, Pictures, Verdict
from toothwise.reporting.drawing import Picture
from toothwise.reporting.map_figures import map_figure
from toothwise.reporting.names import result_name
from toothwise.reporting.shown import Data, Shown

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
    "UNKNOWN": say(
        "Records that can be compared with healthy ones: of a condition and a sensor that were learned, and teeth "
        "that are numbered alike."
    ),
    "learning": say("The rest of the records that the new baseline is learned from."),
}


def first_part(report: Shown) -> list[Block]:
    """Everything that a reader in a hurry needs."""
    d, language = report.d, report.language
    verdict, *more = d["messages"]["verdict"]
    label = language.text(colour_word(d["state"], d["unknown_because"]))
    if d["colour"] in ("RED", "AMBER"):
        label = f"{label} · {result_name(d['pattern'], language)}"
    changes = _CHANGES.get(d["state"], _CHANGES[d["colour"]])
    return [
        Verdict(language.sentences([verdict]), label, d["colour"].lower(), language.sentences(more)),
        Paragraph(language.sentences(d["messages"]["next_look"]), lead=language.say("What to do:")),
        *_outlook(report),
        Paragraph(language.text(changes), lead=language.say("What would change this:")),
        Facts(tuple(_facts(report))),
        Pictures((*_maps(report), *_among(report))),
        Paragraph(language.sentences(d["messages"]["confidence"]), lead=language.say("How sure:")),
    ]


def _outlook(report: Shown) -> list[Block]:
    """When the level is reached, with its interval, or why that is not said; how it grows is in the verdict."""
    g, language = report.d["growth"], report.language
    if g is None:
        return []
    text = language.sentences([say("{what}.", what=g["messages"]["outlook"][0])])
    return [Paragraph(text, lead=language.say("Outlook:"))]


def _facts(report: Shown) -> Iterator[tuple[str, str]]:
    d, language = report.d, report.language
    if d["teeth"]:
        named = ", ".join(map(language.text, teeth_of([(t["gear"], t["tooth"]) for t in d["teeth"]])[:4]))
        yield language.say("Tooth"), named
    if d["contrast"] is not None:
        low, high = d["contrast_interval"]
        size = {"value": d["contrast"], "low": low, "high": high}
        name, now = say("Contrast (95 %)"), say("{value:.2f} x background ({low:.2f} to {high:.2f})", **size)
        if d["sequence"]:
            name = say("Level of the tooth now (95 %)")
            now = say("{value:.2f} x healthy ({low:.2f} to {high:.2f})", **size)
        yield language.text(name), language.text(now)
    yield from _on_the_metal(report)
    yield from _since(report) if d["sequence"] else _single(report)


def _single(report: Shown) -> Iterator[tuple[str, str]]:
    """Of maps that were judged each on its own."""
    language, one = report.language, report.explained[0][0]
    test, p = min(one["p_values"].items(), key=lambda item: item[1])
    if one["lines"]:
        p = one["lines"][0]["p_value"]
    else:
        yield language.say("Finding"), result_name(one["pattern"], language)
        yield language.say("Most unusual test"), result_name(test, language)
    yield language.say("Probability on a healthy map"), language.text(chance(p, one["healthy"]))


def _since(report: Shown) -> list[tuple[str, str]]:
    """Of a sequence of records."""
    d, language = report.d, report.language
    level = language.say("{value:.2f} x healthy", value=d["level_change"])
    facts = []
    if d["contrast"] is None and d["colour"] in ("RED", "AMBER"):
        facts.append((language.say("Level now"), level))
    if d["since"] is not None:
        low, high = (place["number"] for place in d["since_interval"])
        record = report.place(d["since"]["record"])
        since = language.say("{record} (95 %: {low} to {high})", record=record, low=low, high=high)
        facts.append((language.say("Began at record"), since))
        at = None if report.course is None else report.course.position(d["since_interval"][0])
        if report.course is not None and at is not None:
            good = language.say("the last healthy one, before record 1")
            if at:
                good = report.place(report.course.names[at - 1])
            facts.append((language.say("Last record known good"), good))
    for name, title in (("warning", language.say("First warning")), ("alarm", language.say("First alarm"))):
        rule = d["rules"][name]
        if rule["first"] is not None and rule["about"] is not None:
            about = language.text(rule["messages"]["about"][0])
            facts.append((title, f"{report.place(rule['first']['record'])}: {about}"))
    if not facts and not d["teeth"]:
        facts = [(language.say("Records judged"), str(d["judged"]))]
        facts += [(language.say("Level now"), level)] if d["judged"] else []  # nothing is known of a level otherwise
    return facts


def _on_the_metal(report: Shown) -> Iterator[tuple[str, str]]:
    """Where tooth 0 of the gear in question is, and which planet it is of."""
    d, about, language = report.d, report.about, report.language
    gear = d["gear"] or (report.explained[0][0]["lines"][0]["gear"] if report.explained[0][0]["lines"] else None)
    if gear is None:
        return
    known = about.get("tooth_zero", {})
    positions, sure = (known.get(f"tooth_zero_{gear}_{what}") for what in ("positions", "confidence"))
    zero = d["tooth_zero"] if d["gear"] else known.get(f"tooth_zero_{gear}", "given")
    if zero == "index":
        where = language.say("at the index pulse")
    elif zero == "waveform" and sure is not None:
        share = min(int(sure * 10_000) / 100, 99.99)  # a confidence is never 1
        where = language.say("found from the healthy waveform ({share:g} % sure)", share=share)
    elif zero == "waveform":
        where = language.say("found from the healthy waveform")
    elif zero == "given" and about["by_record"]:
        where = language.say("where the first record begins; unknown on the metal")
    elif zero == "given":
        where = language.say("as the maps number it")
    elif positions:
        where = language.say("unknown: {positions:.0f} places are possible", positions=positions)
    else:
        where = language.say("unknown")
    yield language.say("Tooth 0"), where
    if planets := about.get("planets"):
        one = language.say("unknown, one of {planets}: one sensor hears all", planets=planets)
        yield language.say("Planet"), one


def _maps(report: Shown) -> Iterator[Picture]:
    """The map that matters most."""
    language = report.language
    for one, why in report.explained[:1]:
        caption = map_caption(one, report.record(one["record"]), report.about, language)
        if len(report.sensors) > 1:
            words = {"sensor": one["sensor"], "count": len(report.sensors)}
            caption += " " + language.say("Sensor {sensor}, one of {count} fused.", **words)
        caption += _contact(report, one)
        yield Picture(caption, map_figure, why, one["lines"], report.about, language)


def _among(report: Shown) -> list[Picture]:
    """The alarm timeline; of several maps the probabilities of all, of one its place among healthy maps."""
    d, language = report.d, report.language
    if report.course is not None:
        caption = language.say(
            "Alarm timeline: the evidence of one record, of several, or of slow growth, whichever is nearest to its "
            "limit. A warning or an alarm begins where the curve reaches the line of that name."
        )
        if d["teeth"]:
            caption += " " + language.say("A tooth's curve is the highest of it, its neighbours and its other contact.")
        if d["rules"]["several"]["now"] == "off":
            caption += " " + language.say("What a record shows by itself is drawn from the warning on.")
        if d["since"] is not None:
            caption += " " + language.say("Shaded: when the change began.")
        return [Picture(caption, timeline_figure, d, report.course, report.gears, language)]
    if len(report.each) > 1:
        caption = language.say(
            "Every map: how likely a healthy map is to look as unusual. Above the dashed line a finding is reported."
        )
        return [Picture(caption, chances_figure, report.each, language)]
    if d["sequence"]:
        return []
    one, why = report.explained[0]
    axis = one["lines"][0]["axis"] if one["lines"] else max(why.evidence, key=lambda a: float(why.evidence[a].max()))
    caption = language.say(
        "The strongest tooth of this map (line) among those of held-out healthy maps (bars). Right of the dashed line "
        "a tooth is reported."
    )
    value, healthy = float(why.evidence[axis].max()), report.healthy_best[axis]
    return [Picture(caption, among_healthy_figure, axis, value, why.height.get(axis), healthy, report.about, language)]


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
        return f"{what} {language.say('No tooth stands out in this map by itself.')}"
    framed = language.say(
        "Framed: what stands out in this map by itself. Teeth count from 0; Limits says which one is tooth 0."
    )
    return f"{what} {framed}{_opposite(one, about, language)}"


def _contact(report: Shown, one: Data) -> str:
    """Where the map's clearest tooth is the other contact of the verdict's tooth."""
    teeth, lines = report.d["teeth"], one["lines"]
    if not teeth or not lines or teeth[0]["contact"] is None or lines[0]["tooth"] == teeth[0]["tooth"]:
        return ""
    words = {"tooth": teeth[0]["tooth"], "contact": lines[0]["tooth"]}
    if abs(lines[0]["tooth"] - teeth[0]["contact"]) > 1:
        return ""
    return " " + report.language.say(
        "In this record tooth {contact} is clearer, where tooth {tooth} meets its other mate: one tooth.", **words
    )


def _opposite(one: Data, about: Data, language: Language) -> str:
    """Two framed teeth of a gear that may be a planet, half a revolution apart."""
    if not about["by_record"]:
        return ""
    count = len(about["axes"][0]["labels"])
    teeth = [line["tooth"] for line in one["lines"] if line["axis"] == 1 and line["gear"] in ("gear", "planet")]
    pairs = [(a, b) for k, a in enumerate(teeth) for b in teeth[k + 1 :] if abs(abs(a - b) - count / 2) <= 1.0]
    if not pairs:
        return ""
    return " " + language.say(
        "{tooth} and tooth {other} are half a revolution apart: on a planet gear this may be one tooth, seen at both "
        "of its contacts.",
        tooth=language.sentences([tooth_of("gear", pairs[0][0])]),
        other=pairs[0][1],
    )

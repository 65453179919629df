"""The diagnosis of a map in words that an engineer can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from toothwise.diagnosis.control_limits import ControlLimits
from toothwise.diagnosis.verdict import Diagnosis, LineFinding, MapDiagnosis
from toothwise.messages import Message, both, language, listed, plain, say

HARDLY = 1.1  # times its healthy level, or the background, from which on a tooth is said to be louder
_ROW = 3  # teeth in a row from which on they are told by the first and the last
_GEARS = {word.id: word for word in (say("driving"), say("driven"), say("planet"), say("ring"), say("sun"))}


def gear_word(gear: str) -> Message | str:
    """The name of a gear; one that is not known stays as it is."""
    return _GEARS.get(gear, gear)


def tooth_of(gear: str, tooth: int | None) -> Message:
    """A tooth with its gear: "driving tooth 7"; "tooth 7" where the map is of one gear; None = number unknown."""
    if tooth is None:
        return say("a {gear} tooth, number unknown", gear=gear_word(gear))
    if gear == "gear":
        return say("tooth {tooth}", tooth=tooth)
    return say("{gear} tooth {tooth}", gear=gear_word(gear), tooth=tooth)


def teeth_of(found: Sequence[tuple[str, int | None]]) -> tuple[Message, ...]:
    """Teeth with their gears; three and more in a row by the first and the last of them.

    Examples:
        >>> [str(one) for one in teeth_of([("driving", 6), ("driven", 4), ("driving", 5), ("driving", 7)])]
        ['driving teeth 5 to 7', 'driven tooth 4']
    """
    out: list[Message] = []
    told: set[tuple[str, int | None]] = set()
    for gear, tooth in found:
        if (gear, tooth) in told:
            continue
        first, last = tooth or 0, tooth or 0
        while tooth is not None and (gear, first - 1) in found:
            first -= 1
        while tooth is not None and (gear, last + 1) in found:
            last += 1
        if last - first + 1 < _ROW or gear == "gear":
            out.append(tooth_of(gear, tooth))
            continue
        told.update((gear, number) for number in range(first, last + 1))
        out.append(say("{gear} teeth {first} to {last}", gear=gear_word(gear), first=first, last=last))
    return tuple(out)


def named(line: LineFinding) -> Message:
    """The tooth of a finding."""
    return tooth_of(line.gear, number_of(line))


def number_of(line: LineFinding) -> int | None:
    """The number of a finding's tooth; None where tooth zero is unknown."""
    return None if line.tooth_zero == "unknown" else line.tooth


def contact_word(tooth: int | None, contact: int) -> Message:
    """That two teeth half a revolution apart are one."""
    return say(
        "Tooth {tooth} is seen at its contacts {tooth} and {contact}, half a revolution apart: one tooth.",
        tooth=tooth,
        contact=contact,
    )


def tooth_zero_word(gear: str, known: str) -> Message:
    """How the number of a tooth is known, or what gives it one."""
    if known == "index":
        return say("Tooth 0 of the {gear} gear is at the index pulse of its shaft.", gear=gear_word(gear))
    if known == "waveform":
        return say(
            "Tooth 0 of the {gear} gear was found from the healthy waveform: its teeth are numbered as in the first "
            "healthy recording.",
            gear=gear_word(gear),
        )
    return say(
        "Tooth zero of the {gear} gear is unknown: put one pulse per revolution on its shaft, or fit on recordings "
        "(toothwise fit RECORDINGS --gears FILE, MapBuilder.learn), which learns the healthy waveform.",
        gear=gear_word(gear),
    )


def chance(p: float, healthy: int) -> Message:
    """A chance in words, with what it rests on where it lies beyond what was measured."""
    if p >= 0.001:
        told = say("{percent} %", percent=plain(100 * p))
    elif p < 1e-6:
        told = say("less than one in a million")
    else:
        told = say("one in {many:,}", many=_round(1.0 / p))
    if p < 1.0 / (healthy + 1):
        return say("{chance}, extrapolated beyond the {healthy} healthy maps", chance=told, healthy=healthy)
    return told


def rests_of(rule: str, limits: ControlLimits, *, drifts: bool = False) -> Message:
    """What a rule's stated rate rests on, and whether a healthy gear drifts from day to day beside it."""
    if rule in limits.off and rule == "single":
        return say("off: single maps are compared with the healthy ones of before the new baseline")
    if rule in limits.off and drifts and "single" in limits.channels:
        return say("off: a drift may last for days, so that records do not add up; the other channels have its share")
    if rule in limits.off:
        return say("off: so few independent healthy records bear no limit for it; the other channels have its share")
    if rule == "single":
        return say("held-out healthy maps, and beyond them an exponential tail that is widened for how few they are")
    return say(
        "block bootstrap of healthy records, {blocks} blocks of {block}; the largest of all teeth is in it",
        blocks=limits.blocks,
        block=limits.block,
    )


def _round(x: float) -> int:
    digits = len(str(int(x))) - 2
    return int(round(x, -digits)) if digits > 0 else int(x)


def _where(line: LineFinding) -> Message:
    about = {"first": line.first, "last": line.last, "share": line.share}
    if line.gear == "gear":
        return say("records {first} to {last} ({share:.0%} of the map's)", **about)
    return say("mate teeth {first} to {last} ({share:.0%} of them)", **about)


def _one_tooth(line: LineFinding) -> Message:
    said = say(
        "{tooth} stands out: {contrast:.2f} times the background: quieter than the others "
        "(95 %: {low:.2f} to {high:.2f}) over {where}."
    )
    if 1.0 / HARDLY < line.contrast < HARDLY:
        said = say(
            "{tooth} stands out, though hardly by its level: {contrast:.2f} times the background (95 %: {low:.2f} "
            "to {high:.2f}) over {where}."
        )
    elif line.contrast >= 1:
        said = say(
            "{tooth} stands out: {contrast:.2f} times the background (95 %: {low:.2f} to {high:.2f}) over {where}."
        )
    low, high = line.interval
    about = {"tooth": named(line), "contrast": line.contrast, "low": low, "high": high, "where": _where(line)}
    return Message(said.id, about)


def _verdict(d: MapDiagnosis) -> Message:
    if d.pattern == "one tooth":
        return _one_tooth(d.lines[0])
    if d.pattern == "several teeth":
        teeth = [say("{tooth} ({contrast:.2f} x)", tooth=named(line), contrast=line.contrast) for line in d.lines]
        return say("Several teeth stand out: {teeth}.", teeth=listed(teeth))
    if d.pattern == "whole gear":
        if d.cycle_gear is None and d.uneven_gears:
            return say(
                "Many teeth of the {gear} gear are off and none stands out among them: wear or load, no single tooth.",
                gear=gear_word(d.uneven_gears[0]),
            )
        if d.cycle_gear in (None, "gear"):
            return say("The gear swings with its revolution: eccentricity, a bent shaft or misalignment.")
        return say(
            "The {gear} gear swings with its revolution: eccentricity, a bent shaft or misalignment.",
            gear=gear_word(d.cycle_gear),
        )
    if d.pattern == "sensor or condition changed" and len(d.uneven_gears) > 1:
        return say(
            "Many teeth of both gears are off and none stands out among them: noise, another load, speed or sensor, "
            "or wear; one map cannot tell them apart. No tooth."
        )
    if d.pattern == "sensor or condition changed" and d.level > 0:
        return say(
            "The whole map is louder than healthy ones ({level:+.1f} healthy standard deviations): noise, another "
            "load, speed or sensor, or wear; one map cannot tell them apart.",
            level=d.level,
        )
    if d.pattern == "sensor or condition changed":
        return say(
            "Sensor or condition changed: the whole map is quieter than healthy ones ({level:+.1f} sd).", level=d.level
        )
    if d.pattern == "transient" and d.diagonal is not None:
        row, column = d.diagonal["first_pair"]
        about = {"events": d.diagonal["events"], "row": row, "column": column, "contrast": d.diagonal["contrast"]}
        return say(
            "A transient in time: {events} mesh events from tooth pair {row}-{column} on are {contrast:.2f} times the "
            "background.",
            **about,
        )
    return say("Nothing stands out: a healthy map may look like this.")


def _confidence(d: MapDiagnosis) -> Message:
    known = {"healthy": d.healthy, "effective": d.effective}
    rests = say("known from {healthy} healthy maps, worth {effective:.0f} independent ones", **known)
    if d.pattern == "nothing":
        return say(
            "Of the {tests} things that are tested, the strangest here is as strange on {percent} % of healthy "
            "maps; damage fainter than this map's noise stays unseen ({rests}).",
            percent=plain(100 * min(d.p_values.values())),
            tests=len(d.p_values),
            rests=rests,
        )
    p = d.lines[0].p_value if d.lines else min(p for t, p in d.p_values.items() if t != "lines" or d.uneven_gears)
    strength = say("High") if p < 1e-4 else say("Good") if p < 1e-3 else say("Moderate")
    if d.effective < 100:  # 20 independent stretches of five maps, as in a sequence
        strength = say("Cannot be verified, because so little healthy data is known")
    return say(
        "{strength}: the chance that a healthy map looks like this is {chance}. At most {rate:.2g} % of healthy maps "
        "are said to show anything ({rests}).",
        strength=strength,
        chance=chance(p, d.healthy),
        rate=100 * d.rate,
        rests=rests,
    )


def _next(d: MapDiagnosis) -> Message:
    if d.pattern == "several teeth" and d.lines:
        return say("Take another record soon; if the same teeth stand out again, look at all of them.")
    if d.lines:
        line = d.lines[0]
        raised = [n.tooth for n in line.neighbours if n.raised and line.tooth_zero != "unknown"]
        if len(raised) > 1:
            return say(
                "Take another record soon; if {tooth} stands out again, look at it and at its neighbours {teeth}.",
                tooth=named(line),
                teeth=listed(raised),
            )
        if raised:
            return say(
                "Take another record soon; if {tooth} stands out again, look at it and at its neighbour {other}.",
                tooth=named(line),
                other=raised[0],
            )
        return say("Take another record soon; if {tooth} stands out again, look at it.", tooth=named(line))
    if d.pattern == "whole gear":
        return CHECK_GEAR if d.cycle_gear is None else CHECK_SHAFT
    if d.pattern == "sensor or condition changed" and d.level > 0:
        return say(
            "Compare load, speed and sensor with those of the healthy maps; if they agree, check wear and lubrication."
        )
    if d.pattern == "transient":
        return say("Look at the time signal of this record (load step, impact, radio noise); take another record.")
    if d.pattern == "sensor or condition changed":
        return say(
            "Check sensor, cable, mounting and operating point. If the change was intended, the detector has to be "
            "fitted on new healthy maps."
        )
    return say("Nothing special: take the next record as planned.")


CHECK_SHAFT = say("Check runout, mounting and alignment of that shaft; look at the sidebands around the mesh.")
CHECK_GEAR = say("Check lubrication, wear debris, runout and alignment; compare load and speed with the healthy ones.")
ALSO = {
    "whole gear": say("a gear swings with its revolution too"),
    "transient": say("there is a transient in time too"),
    "sensor or condition changed": say("the level of the whole map is off too"),
    "one tooth": say("one tooth stands out too"),
    "several teeth": say("several teeth stand out too"),
}


def words_of_map(d: MapDiagnosis) -> dict[str, tuple[Message, ...]]:
    """Sentences of the ``verdict`` (the first is the verdict), ``confidence``, and ``next_look``."""
    verdict = [_verdict(d)]
    of_teeth = d.pattern.endswith(("tooth", "teeth"))
    if d.lines and not of_teeth:
        verdict.append(
            say(
                "The evidence of {teeth} is above its limit too, which the same cause may explain: no finding of its "
                "own.",
                teeth=both([named(line) for line in d.lines]),
            )
        )
    elif not of_teeth and d.pattern != "nothing" and not d.uneven_gears:
        verdict.append(say("No tooth stands out."))
    if also := [ALSO[a] for a in d.also if of_teeth or not a.endswith(("tooth", "teeth"))]:
        verdict.append(say("Besides, {what}.", what=both(also)))
    if d.lines and of_teeth:
        verdict += [contact_word(one.tooth, one.contact) for one in d.lines if one.contact is not None]
        known = {line.gear: line.tooth_zero for line in d.lines}
        verdict += [tooth_zero_word(gear, how) for gear, how in known.items() if how != "given"]
    return {"verdict": tuple(verdict), "confidence": (_confidence(d),), "next_look": (_next(d),)}


def words_of_maps(each: Sequence[MapDiagnosis], strongest: MapDiagnosis) -> dict[str, tuple[Message, ...]]:
    """The same of several maps that were judged each on its own, by the strongest finding among them."""
    words = dict(strongest.messages)
    if len(each) > 1:
        count = sum(one.pattern != "nothing" for one in each)
        told = say("{calls} of {maps} maps show something; each was judged on its own.", calls=count, maps=len(each))
        if count:
            told = say("{told} The clearest is {record}:", told=told, record=strongest.record)
        words["verdict"] = (told, *(words["verdict"] if count else ()))
    return words


Said = TypeVar("Said", Diagnosis, MapDiagnosis)


def in_english(found: Said, words: Mapping[str, tuple[Message, ...]]) -> Said:
    """The diagnosis with what is said of it, or said anew: as messages, and in English."""
    messages, english = found.messages | dict(words), language("en")
    sentence, confidence, look = (english.sentences(messages[key]) for key in ("verdict", "confidence", "next_look"))
    return replace(found, messages=messages, sentence=sentence, confidence=confidence, next_look=look)

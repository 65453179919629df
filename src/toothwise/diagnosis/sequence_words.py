"""The diagnosis of a sequence in words that an engineer can act on."""

from __future__ import annotations

from toothwise.diagnosis.settings import MonitorSettings
from toothwise.diagnosis.verdict import Diagnosis, Place
from toothwise.diagnosis.words import tooth_of, tooth_zero_word
from toothwise.messages import Message, both, listed, say

__all__ = ["pattern_word", "record_word", "words_of_sequence"]

_PATTERNS = {
    "nothing": say("nothing"),
    "one tooth": say("one tooth"),
    "several teeth": say("several teeth"),
    "whole gear": say("whole gear"),
    "transient": say("transient"),
    "sensor or condition changed": say("sensor or condition changed"),
}


def pattern_word(pattern: str) -> Message:
    """A pattern by its name."""
    return _PATTERNS[pattern]


def record_word(name: str | None) -> Message | str:
    """A record by its name, which often says what it is already."""
    return str(name) if str(name).startswith("record") else say("record {name}", name=str(name))


def _first(place: Place | None) -> Message | str:
    return record_word(None if place is None else place.record)


def _since(d: Diagnosis) -> Message | str:
    if d.since is None or d.since_interval is None:
        return ""
    low, high = (place.record for place in d.since_interval)
    return say(" since about {record} (95 %: {low} to {high})", record=_first(d.since), low=low, high=high)


def _began_with_tooth(d: Diagnosis) -> Message | None:
    """The tooth that alarmed first where none is named now, else nothing."""
    known = d.state == "alarm" and not d.teeth and d.began_with is not None and "tooth" in d.began_with
    return d.messages["began_with"][0] if known else None


def _growth(d: Diagnosis) -> Message:
    g = d.growth
    if g is None:
        return say("too few records since onset to tell how it grows")
    low, high = g.interval
    if low <= 1.0 <= high:
        return say("whether it grows is open ({low:.2f} to {high:.2f} times per 100 records)", low=low, high=high)
    return say(
        "it grows by a factor of {factor:.2f} per 100 records ({low:.2f} to {high:.2f})",
        factor=g.per_100,
        low=low,
        high=high,
    )


def _quiet(d: Diagnosis) -> list[Message]:
    told = [
        say(
            "No alarm: no tooth and no gear has left its healthy level in {records} records.",
            records=d.judged,
        )
    ]
    if d.rules["alarm"].episodes:
        told.append(
            say("There was an alarm at {record}, which has passed.", record=_first(d.rules["alarm"].first)),
        )
    return told


def _teeth(d: Diagnosis) -> Message:
    """The verdict about one tooth or several."""
    about = {"since": _since(d), "growth": _growth(d)}
    if d.pattern == "several teeth":
        about["teeth"] = listed([tooth_of(t.gear, t.tooth) for t in d.teeth])  # type: ignore[assignment]
        if d.state == "alarm":
            return say("Several teeth are going bad: {teeth}{since}; {growth}.", **about)
        return say("Several teeth may be going bad (warning): {teeth}{since}; {growth}.", **about)
    now: Message = say("raised")
    if d.contrast is not None:
        now = say("{contrast:.2f} times its healthy level", contrast=d.contrast)
    about |= {"tooth": tooth_of(d.teeth[0].gear, d.teeth[0].tooth), "now": now}
    if d.state == "alarm":
        return say("{tooth} is going bad{since}: now {now}; {growth}.", **about)
    return say("{tooth} may be going bad (warning){since}: now {now}; {growth}.", **about)


def _whole_gear(d: Diagnosis) -> Message:
    change = say("its level is now {level:.2f} times healthy; {growth}", level=d.level_change, growth=_growth(d))
    about = {"since": _since(d), "change": change}
    first = _began_with_tooth(d)
    if first is not None:
        return say(
            "{first} alarmed first, at {record}; the whole gear has been off its healthy level{since} and by now rises "
            "more than any single tooth: {change}.",
            first=first,
            record=_first(d.rules["alarm"].first),
            **about,
        )
    if d.state == "alarm":
        return say("A whole gear is going bad{since}: wear or eccentricity, no single tooth; {change}.", **about)
    return say(
        "A whole gear may be going bad (warning){since}: wear or eccentricity, no single tooth; {change}.", **about
    )


def _verdict(d: Diagnosis) -> list[Message]:
    if d.state == "learning":
        return [
            say(
                "Learning: the baseline after '{reason}' is not complete; nothing can alarm yet.",
                reason=d.resets[-1].reason,
            )
        ]
    if d.state == "quiet":
        return _quiet(d)
    if d.pattern in ("one tooth", "several teeth"):
        told = [] if d.gear is None or d.tooth_zero == "given" else [tooth_zero_word(d.gear, d.tooth_zero)]
        return [_teeth(d), *told]
    if d.pattern == "whole gear":
        return [_whole_gear(d)]
    return [
        say(
            "Sensor or condition changed{since}: the level of all teeth is {level:.2f} times healthy.",
            since=_since(d),
            level=d.level_change,
        ),
        say("No tooth is named for it."),
    ]


def _confidence(d: Diagnosis, settings: MonitorSettings) -> list[Message]:
    low, high = d.rules["alarm"].interval or (0.0, 0.0)
    blocks = 0 if d.limits is None else d.limits.blocks
    told = [
        say(
            "The alarm is set for a false alarm rate of {rate:g} per 1,000 records; judged by the {healthy} healthy "
            "records that are known ({blocks} independent stretches), the rate may be {low:.2g} to {high:.2g} (95 %).",
            rate=settings.rate,
            healthy=d.healthy,
            blocks=blocks,
            low=low,
            high=high,
        )
    ]
    if blocks < 10:
        told.append(
            say("So few cannot confirm that number: it holds only if days to come differ no more than these did.")
        )
    if d.state in ("quiet", "learning"):
        return told
    if d.state == "warning":
        strength = say(
            "Low: a warning only; it is set so that a healthy gearbox gives {warning:g} per 1,000 records.",
            warning=settings.warning,
        )
    elif d.teeth and d.limits is not None and d.teeth[0].statistic < d.limits.cusum["warning"].height:
        strength = say(
            "Good: single maps show the tooth beyond doubt; the rules that sum evidence over records have not "
            "alarmed yet."
        )
    elif d.rules["in_a_row"].episodes and d.rules["bound"].episodes:
        strength = say(
            "High: both cross-checks alarm too ({run} records in a row far off; the slower rule whose false alarms are "
            "bounded by proof).",
            run=settings.in_a_row,
        )
    elif d.rules["in_a_row"].episodes:
        strength = say(
            "Good: one of two cross-checks alarms too ({run} records in a row far off).", run=settings.in_a_row
        )
    elif d.rules["bound"].episodes:
        strength = say(
            "Good: one of two cross-checks alarms too (the slower rule whose false alarms are bounded by proof)."
        )
    else:
        strength = say("Moderate: the evidence summed over the records alarms, but neither of two cross-checks yet.")
    return [strength, *told]


def _next(d: Diagnosis) -> list[Message]:
    if d.state == "learning":
        return [say("Go on recording under usual conditions.")]
    if d.state == "quiet":
        return [say("Nothing special: take the next record as planned.")]
    if d.pattern == "sensor or condition changed":
        return [
            say("Check sensor, cable, mounting and operating point."),
            say("If the change was intended, begin a new baseline with the option --rebaseline REASON."),
        ]
    first = _began_with_tooth(d)
    if d.pattern == "whole gear" and first is not None:
        return [
            say(
                "Inspect at the next stop: {first} first, then wear debris, runout and alignment of the gear.",
                first=first,
            )
        ]
    if d.pattern == "whole gear":
        return [
            say("Check lubrication, wear debris, runout and alignment; compare load and speed with the healthy ones.")
        ]
    sooner = say("Record more often")
    if d.growth is not None and d.growth.reached is not None and d.growth.reached_interval is not None:
        low, high = d.growth.reached_interval
        about = {"level": d.growth.level, "best": d.growth.reached, "low": low, "high": high}
        if low < 1:
            sooner = say(
                "Inspect now: averaged over its whole line of the map, the tooth is expected at {level:g} times its "
                "healthy level in {best:.0f} records (95 %: {low:.0f} to {high:.0f})",
                **about,
            )
        else:
            sooner = say(
                "Inspect within {within:.0f} records: averaged over its whole line of the map, the tooth is expected "
                "at {level:g} times its healthy level in {best:.0f} records (95 %: {low:.0f} to {high:.0f})",
                within=low,
                **about,
            )
    elif d.state == "alarm":
        sooner = say("Inspect at the next stop, and record more often until then")
    if not d.teeth:
        return [say("{what}.", what=sooner)]
    teeth = both([tooth_of(t.gear, t.tooth) for t in d.teeth[:4]])
    return [say("{what}; look at {teeth} and the teeth beside.", what=sooner, teeth=teeth)]


def _opposite(d: Diagnosis, teeth_of: dict[int, int]) -> Message | None:
    """A hint where two teeth of a gear that may be a planet stand half a revolution apart."""
    for a in d.teeth:
        for b in d.teeth:
            n = teeth_of.get(a.axis, 0)
            of_planet = a.axis == b.axis and a.gear in ("gear", "planet")
            if a.tooth is None or b.tooth is None:
                continue
            if of_planet and a.tooth < b.tooth and n and abs((b.tooth - a.tooth) - n / 2) <= 1.0:
                return say(
                    "{tooth} and {other} lie half a revolution apart: of a planet, one tooth seen through both of its "
                    "contacts.",
                    tooth=tooth_of(a.gear, a.tooth),
                    other=b.tooth,
                )
    return None


def words_of_sequence(
    d: Diagnosis, settings: MonitorSettings, *, teeth_of: dict[int, int] | None = None
) -> dict[str, tuple[Message, ...]]:
    """Sentences of the ``verdict`` (the first is the verdict), ``confidence``, and ``next_look``."""
    verdict = _verdict(d)
    opposite = _opposite(d, teeth_of or {})
    if opposite is not None:
        verdict.append(opposite)
    first = _began_with_tooth(d)
    if d.pattern == "sensor or condition changed" and first is not None:
        verdict.append(
            say(
                "The first alarm, at {record}, was about {first}.",
                record=_first(d.rules["alarm"].first),
                first=first,
            )
        )
    if d.also:
        verdict.append(say("Besides: {what}.", what=listed([pattern_word(a) for a in d.also])))
    if d.unjudged:
        verdict.append(
            say(
                "{unjudged} of {records} records could not be judged: their condition has no healthy baseline.",
                unjudged=d.unjudged,
                records=d.records,
            )
        )
    return {
        "verdict": tuple(verdict),
        "confidence": tuple(_confidence(d, settings)),
        "next_look": tuple(_next(d)),
    }

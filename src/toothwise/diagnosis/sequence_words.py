"""The diagnosis of a sequence in words that an engineer can act on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from toothwise.diagnosis.verdict import Diagnosis, Place
from toothwise.diagnosis.words import ALSO, CHECK_GEAR, CHECK_SHAFT, contact_word, teeth_of, tooth_of, tooth_zero_word
from toothwise.messages import Message, both, plain, say

_FEW = 20  # independent stretches below which no rate can be verified

_COLOURS = {
    "quiet": say("GREEN: no alarm"),
    "warning": say("AMBER: warning"),
    "alarm": say("RED: alarm"),
    "learning": say("UNKNOWN: a new baseline is being learned"),
    "condition": say("UNKNOWN: no healthy records of this speed, load or temperature"),
    "sound": say("UNKNOWN: the recordings do not sound like the healthy ones"),
    "gears": say("UNKNOWN: the teeth of a gear are not those that were learned"),
    "places": say("UNKNOWN: which tooth is which is a guess in the healthy recordings"),
}
_UNKNOWN_NEXT = {
    "learning": say("Go on recording under usual conditions: the baseline needs {learn} records."),
    "condition": say(
        "Record at a speed and load that were learned, or fit on healthy records of this condition too (with bins: "
        "take wider ones)."
    ),
    "sound": say(
        "Check sensor, cable, mounting, gain and channel; if they were changed on purpose, fit on healthy recordings "
        "made with them."
    ),
    "gears": say(
        "If the gearbox was taken apart or a gear exchanged, fit on healthy recordings made since; otherwise check the "
        "direction of rotation, the channel and the tachometer."
    ),
}

_BACK = 0.05  # log contrast within which a tooth is at its healthy level again


def _why(state: str, because: str | None) -> str:
    """The state, or of what is unjudged the reason: another condition, or a sensor that hears something else."""
    if state != "unjudged":
        return state
    if "a guess" in str(because):
        return "places"
    if str(because).startswith("pattern"):
        return "gears"
    return "sound" if str(because).startswith(("level", "correlation", "scatter")) else "condition"


def colour_word(state: str, because: str | None) -> Message:
    """The colour of a state with what it stands for; ``because`` is why records could not be judged."""
    return _COLOURS[_why(state, because)]


def record_word(place: Place) -> Message:
    """A record by its number in the whole run, from 1, and by its own name where that says something else."""
    if place.record in (str(place.number), f"record {place.number}"):
        return say("record {number}", number=place.number)
    return say('record {number} "{name}"', number=place.number, name=place.record)


def _first(place: Place | None) -> Message | str:
    return "" if place is None else record_word(place)


def _told(d: Diagnosis, name: str, usual: Message) -> Message:
    return d.messages.get(name, (usual,))[0]


def _since(d: Diagnosis) -> Message | str:
    if d.since is None or d.since_interval is None:
        return ""
    low, high = (place.number for place in d.since_interval)
    if high == 1:
        return say(" since the first record or earlier")
    if low == 1:
        latest = record_word(d.since_interval[1])
        return say(" since {high} at the latest, perhaps since before the first record", high=latest)
    return say(" since about {record} (95 %: {low} to {high})", record=record_word(d.since), low=low, high=high)


def _growth(d: Diagnosis) -> Message:
    if d.growth is None:
        return say("too few records since onset to tell how it grows")
    return d.growth.messages["says"][0]


def _quiet(d: Diagnosis) -> Iterator[Message]:
    warned = d.rules["warning"]
    if warned.episodes:
        rule = d.rules["alarm"] if d.rules["alarm"].episodes else warned
        yield say(
            "No alarm now. What stood out at {record} has passed: the records since then contradict it.",
            record=_first(rule.first),
        )
    elif d.judged == 1:
        yield say("No alarm: no tooth and no gear stands beyond its limit in the one record judged so far.")
    else:
        yield say("No alarm: no tooth and no gear stands beyond its limit in {records} records.", records=d.judged)
    if d.drawn and d.limits is not None and "several" in d.limits.off:
        yield say(
            "Each record is judged against how far a healthy gear may drift, which lasts for days, so that records do "
            "not add up: damage that stays within the drift would not have been seen."
        )
    elif d.limits is not None and "growth" in d.limits.off:
        yield say(
            "Slow growth cannot be judged with {healthy} healthy records: only what one record or a few show "
            "would have been seen.",
            healthy=d.healthy,
        )


def _teeth(d: Diagnosis) -> Message:
    """The verdict about one tooth or several."""
    about = {"since": _since(d), "growth": _growth(d)}
    if d.pattern == "several teeth":
        about["teeth"] = teeth_of([(t.gear, t.tooth) for t in d.teeth if not t.doubtful])  # type: ignore[assignment]
        if d.state == "alarm":
            return say("Several teeth are going bad: {teeth}{since}; {growth}.", **about)
        return say("Several teeth may be going bad (warning): {teeth}{since}; {growth}.", **about)
    level = say("{contrast:.2f} times its healthy level", contrast=d.contrast or 0.0)
    now = say("raised") if d.contrast is None else level
    change = _told(d, "shape", say("now {now}", now=now))
    about |= {"tooth": tooth_of(d.teeth[0].gear, d.teeth[0].tooth), "now": now, "change": change}
    # evidence may lie within what drift does while the level is up: then nothing is said to be healthy again
    if (d.held or "back" in d.messages) and d.contrast is not None and abs(float(np.log(d.contrast))) < _BACK:
        seen = d.messages["back"][0] if "back" in d.messages else about["growth"]
        return say("{tooth} stood out{since}, now {now}: {seen}.", **about | {"seen": seen})
    if d.state == "alarm":
        return say("{tooth} is going bad{since}: {change}; {growth}.", **about)
    return say("{tooth} may be going bad (warning){since}: {change}; {growth}.", **about)


def _memory(d: Diagnosis) -> Iterator[Message]:
    """What came before: what began it, what has joined it, whether it still shows."""
    yield from (contact_word(t.tooth, t.contact) for t in d.teeth if t.contact is not None)
    if doubtful := [tooth_of(t.gear, t.tooth) for t in d.teeth if t.doubtful]:
        yield say("Perhaps {teeth} too: the evidence is less than half of that of the first one.", teeth=both(doubtful))
    if "whole gear" in d.also and "swings" in d.messages:
        yield say(
            "The {gear} swings with its revolution too, as eccentricity and misalignment make it do and a badly "
            "damaged tooth may: look at runout and alignment as well.",
            gear=d.messages["swings"][0],
        )
    elif "whole gear" in d.also:
        yield say(
            "All teeth rise too: the level is {level:.2f} times healthy. That is taken for the progress of this "
            "tooth's damage, not for wear.",
            level=d.level_change,
        )
    yield from (*d.messages.get("led", _before(d)), *d.messages.get("left", ()), *_warned(d))
    if d.held:
        yield say(
            "The last records show it less or no more: it stays the leading hypothesis until records contradict "
            "it, and what two of them showed beyond doubt until a new baseline is begun (--rebaseline REASON)."
        )


def _named(d: Diagnosis) -> set[str]:
    """The teeth that the verdict names, each by every number it has."""
    return {str(tooth_of(t.gear, n)) for t in d.teeth for n in (t.tooth, *t.leak, *t.alike, t.contact)}


def _before(d: Diagnosis) -> Iterator[Message]:
    """What the first alarm was about, where that is not what the verdict names."""
    alarm = d.rules["alarm"]
    if alarm.about is None or alarm.about in _named(d) or (not d.teeth and "tooth" not in alarm.about):
        return
    about = {"record": _first(alarm.first), "first": alarm.messages["about"][0]}
    if d.judged == 1:  # one record has no history
        if not d.teeth or not d.also:
            yield say("Beside it stands out: {first}.", first=about["first"])
    elif d.teeth:
        yield say("The first alarm, at {record}, was about {first}; by now this tooth has the most evidence.", **about)
    else:
        yield say(
            "The first alarm, at {record}, was about {first}; by now the change of all teeth outweighs it.", **about
        )


def _warned(d: Diagnosis) -> Iterator[Message]:
    """What a warning was about that came before what alarms now stood beyond a limit."""
    warning, alarmed = d.rules["warning"], d.alarmed
    same = {str(tooth_of(t.gear, number)) for t in d.teeth for number in t.alike}
    if warning.first is None or alarmed is None or warning.about is None or warning.about in same:
        return
    if "led" not in d.messages and warning.about == d.rules["alarm"].about and any(_before(d)):
        return  # it began as the first alarm did, which is told
    if warning.first.number < alarmed.number:
        about = {"record": _first(warning.first), "first": warning.messages["about"][0]}
        if len(d.teeth) == 1 and warning.about not in _named(d):
            yield say(
                "The first warning, at {record}, was about {first}; by now this tooth has the most evidence.", **about
            )
        elif not d.teeth and "tooth" in warning.about:
            yield say(
                "The first warning, at {record}, was about {first}; by now the change of all teeth outweighs it.",
                **about,
            )
        else:
            yield say("The first warning, at {record}, was about {first}.", **about)


def _hindsight(d: Diagnosis) -> Iterator[Message]:
    """That records before the alarm were called healthy, where the change began before it."""
    if d.since is not None and d.alarmed is not None and d.since.number < d.alarmed.number:
        yield say(
            "{what} first stood beyond a limit at {record}; that it began before shows only in hindsight.",
            what=tooth_of(d.teeth[0].gear, d.teeth[0].tooth) if d.teeth else say("The change"),
            record=_first(d.alarmed),
        )


_WHOLE_GEAR = {  # as an alarm and as a warning
    "swings": (
        say(
            "The {gear} swings with its revolution{since}: eccentricity, a bent shaft or misalignment, no single tooth."
        ),
        say(
            "The {gear} may swing with its revolution (warning){since}: eccentricity, a bent shaft or misalignment, no "
            "single tooth."
        ),
    ),
    "changed": (
        say("Many teeth of the {gear} differ from healthy ones{since}: wear or another load, no single tooth."),
        say("Many teeth of the {gear} may differ from healthy ones (warning){since}: wear or load, no single tooth."),
    ),
    "level": (
        say(
            "A whole gear is going bad{since}: wear or eccentricity, or a rising noise floor, no single tooth; "
            "{change}."
        ),
        say(
            "A whole gear may be going bad (warning){since}: wear or eccentricity, or a rising noise floor, no single "
            "tooth; {change}."
        ),
    ),
}


def _whole_gear(d: Diagnosis) -> Message:
    level = say("its level is now {level:.2f} times healthy; {growth}", level=d.level_change, growth=_growth(d))
    name = next((name for name in ("swings", "changed") if name in d.messages), "level")
    about = {"gear": _told(d, name, level), "since": _since(d), "change": _told(d, "passed", level)}
    return Message(_WHOLE_GEAR[name][d.state != "alarm"].id, about)


def _stays(d: Diagnosis) -> Iterator[Message]:
    """That a change of all teeth is held."""
    if d.held or "passed" in d.messages:
        yield say(
            "The last records show it less or no more: it stays until more of them contradict it, or a new baseline is "
            "begun (--rebaseline REASON)."
        )


def _verdict(d: Diagnosis) -> Iterator[Message]:
    if d.state == "learning":
        yield say(
            "Learning: the baseline after '{reason}' is not complete; nothing can alarm yet.",
            reason=d.resets[-1].reason,
        )
    elif d.state == "unjudged" and d.unknown_because is not None:
        yield say("Nothing can be said: {reason}.", reason=d.unknown_because)
    elif d.state == "unjudged":
        yield say("Nothing can be said: no record is of a condition that has a healthy baseline.")
    elif "elsewhere" in d.messages:
        yield from d.messages["elsewhere"]
    elif d.state == "quiet":
        yield from _quiet(d)
    elif d.pattern in ("one tooth", "several teeth"):
        yield from (_teeth(d), *_hindsight(d), *_memory(d))
        if d.same_tooth is not None:
            same, of = d.same_tooth
            yield say("It is the same tooth in {same} of {of} records aligned with one another.", same=same, of=of)
        if d.gear is not None and d.tooth_zero != "given":
            yield tooth_zero_word(d.gear, d.tooth_zero)
    elif d.pattern == "whole gear":
        yield from (_whole_gear(d), *_hindsight(d), *_before(d), *_warned(d), *_stays(d))
    else:
        level = say("the level of all teeth is {level:.2f} times healthy", level=d.level_change)
        if "changed" in d.messages:
            level = say("many teeth of the {gear} differ from healthy ones", gear=both(d.messages["changed"]))
        yield say("Sensor or condition changed{since}: {change}.", since=_since(d), change=_told(d, "passed", level))
        yield say("Noise, load, speed, the sensor and wear look alike in this: no tooth is named for it.")
        yield from (*_hindsight(d), *_before(d), *_warned(d), *_stays(d))


def _confidence(d: Diagnosis) -> Iterator[Message]:
    few = d.stretches < _FEW
    if d.state in ("warning", "alarm") and "elsewhere" not in d.messages:
        by = [name for name in _CHANNELS if d.rules[name].now in ("AMBER", "RED")]
        if few:
            yield say("Cannot be verified, because so little healthy data is known.")
        elif d.state == "warning":
            yield say(
                "Low: a warning only; it is set so that a healthy gearbox gives {warning:g} per 1,000 records.",
                warning=d.settings.warning,
            )
        else:
            yield say("High: more than one channel alarms.") if len(by) > 1 else say("Good: one channel alarms.")
        if by:
            yield say("It shows in {channels}.", channels=both([_CHANNELS[name] for name in by]))
    low, high = d.rules["alarm"].interval or (0.0, 0.0)
    about: dict[str, Any] = {"rate": d.settings.rate, "healthy": d.healthy, "blocks": d.stretches}
    about |= {"low": plain(low), "high": plain(high)}
    if few:
        yield say(
            "The alarm is set for a false alarm rate of {rate:g} per 1,000 records. The {healthy} healthy records "
            "that are known ({blocks} independent stretches) cannot verify it: they only say that the rate is not "
            "above {high} (95 %), if days to come differ no more than these did.",
            **about,
        )
    else:
        yield say(
            "The alarm is set for a false alarm rate of {rate:g} per 1,000 records; judged by the {healthy} "
            "healthy records that are known ({blocks} independent stretches), the rate may be {low} to {high} "
            "(95 %).",
            **about,
        )
    if d.drawn and d.one_day:
        yield say(
            "Beside them stand {drawn} drawn records whose drift was taken from within the only healthy day: how "
            "other days differ is not known.",
            drawn=d.drawn,
        )
    elif d.drawn:
        yield say(
            "Beside them stand {drawn} records that were drawn from a model of how days drift, because so few days "
            "cannot show it.",
            drawn=d.drawn,
        )


_CHANNELS = {
    "single": say("the last record by itself"),
    "several": say("several records together"),
    "growth": say("slow growth over many records"),
}


def _next(d: Diagnosis) -> Iterator[Message]:
    if d.colour == "UNKNOWN":
        yield Message(_UNKNOWN_NEXT[_why(d.state, d.unknown_because)].id, {"learn": d.settings.learn})
    elif d.state == "quiet":
        yield say("Nothing special: take the next record as planned.")
    elif d.pattern == "sensor or condition changed":
        yield say("Check sensor, cable, mounting and operating point.")
        yield say("If the change was intended, begin a new baseline with the option --rebaseline REASON.")
    elif d.pattern == "whole gear":
        yield CHECK_SHAFT if "swings" in d.messages else CHECK_GEAR
    elif d.teeth:
        teeth = both(teeth_of([(t.gear, t.tooth) for t in d.teeth])[:4])
        yield say("{what}; look at {teeth} and the teeth beside.", what=_sooner(d), teeth=teeth)
    else:
        yield say("{what}.", what=_sooner(d))


def _sooner(d: Diagnosis) -> Message:
    """When to look, by how the tooth grows."""
    if d.growth is None or d.growth.reached is None or d.growth.reached_interval is None:
        soon = say("Inspect at the next stop, and record more often until then")
        return soon if d.state == "alarm" else say("Record more often")
    low, high = d.growth.reached_interval
    about = {"level": d.growth.level, "best": d.growth.reached, "low": low, "high": high}
    if low < 1:
        return say(
            "Inspect now: averaged over its whole line of the map, the tooth is expected at {level:g} times its "
            "healthy level in {best:.0f} records (95 %: {low:.0f} to {high:.0f})",
            **about,
        )
    return say(
        "Inspect within {within:.0f} records: averaged over its whole line of the map, the tooth is expected "
        "at {level:g} times its healthy level in {best:.0f} records (95 %: {low:.0f} to {high:.0f})",
        within=low,
        **about,
    )


def words_of_sequence(d: Diagnosis) -> dict[str, tuple[Message, ...]]:
    """Sentences of the ``verdict`` (the first is the verdict), ``confidence``, and ``next_look``."""
    verdict = [*_verdict(d)]
    told = ("whole gear", "sensor or condition changed") if "whole gear" in d.also else ()  # as the tooth's progress
    also = [ALSO[a] for a in d.also if a not in told or not d.teeth]
    verdict += [say("Besides, {what}.", what=both(also))] if also else []
    if d.unjudged and d.state != "unjudged" and "elsewhere" not in d.messages:
        verdict.append(
            say(
                "{unjudged} of {records} records could not be judged: their condition has no healthy baseline.",
                unjudged=d.unjudged,
                records=d.records,
            )
        )
    return {"verdict": tuple(verdict), "confidence": tuple(_confidence(d)), "next_look": tuple(_next(d))}

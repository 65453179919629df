"""The diagnosis of a sequence in words that an engineer can act on."""

from __future__ import annotations

from collections.abc import Sequence

from toothwise.diagnosis.verdict import SequenceDiagnosis, Tooth, WatchSettings

__all__ = ["words_of_sequence"]


def _named(tooth: Tooth) -> str:
    return f"tooth {tooth.tooth}" if tooth.gear == "gear" else f"{tooth.gear} tooth {tooth.tooth}"


def _record(name: str | None) -> str:
    """A record by its name, which often says what it is already."""
    return str(name) if str(name).startswith("record") else f"record {name}"


def _since(d: SequenceDiagnosis) -> str:
    if d.onset_record is None or d.onset_interval_records is None:
        return ""
    low, high = d.onset_interval_records
    return f" since about {_record(d.onset_record)} (95 %: {low} to {high})"


def _began_with_tooth(d: SequenceDiagnosis) -> str:
    """The tooth that alarmed first where none is named now, else nothing."""
    known = d.state == "alarm" and not d.teeth and d.began_with is not None and "tooth" in d.began_with
    return str(d.began_with) if known else ""


def _growth(d: SequenceDiagnosis) -> str:
    g = d.growth
    if g is None:
        return "too few records since onset to tell how it grows"
    low, high = g.interval
    if low <= 1.0 <= high:
        return f"growth not beyond doubt ({low:.2f} to {high:.2f} x per 100 records)"
    return f"it grows by a factor of {g.per_100:.2f} per 100 records ({low:.2f} to {high:.2f})"


def _verdict(d: SequenceDiagnosis) -> str:
    if d.state == "learning":
        return f"Learning: the baseline after '{d.resets[-1].reason}' is not complete; nothing can alarm yet."
    if d.state == "quiet":
        past = ""
        if d.alarm.episodes:
            past = f" There was an alarm at {_record(d.alarm.first_record)}, which has passed."
        return f"No alarm: no tooth and no gear has left its healthy level in {d.judged} records.{past}"
    word = "is going bad" if d.state == "alarm" else "may be going bad (warning)"
    if d.pattern == "one tooth":
        now = f"{d.contrast:.2f} times its healthy level" if d.contrast is not None else "raised"
        return f"{_named(d.teeth[0]).capitalize()} {word}{_since(d)}: now {now}; {_growth(d)}."
    if d.pattern == "several teeth":
        teeth = ", ".join(_named(t) for t in d.teeth)
        return f"Several teeth {word.replace('is', 'are')}: {teeth}{_since(d)}; {_growth(d)}."
    if d.pattern == "whole gear":
        change = f"level now {d.level_change:.2f} times healthy; {_growth(d)}"
        first = _began_with_tooth(d)
        if first:
            return (
                f"{first.capitalize()} alarmed first, at {_record(d.alarm.first_record)}; by now a whole gear is off "
                f"its healthy level{_since(d)}, and no single tooth stands out of that: {change}."
            )
        return f"A whole gear {word}{_since(d)}: wear or eccentricity, no single tooth; {change}."
    return (
        f"Sensor or condition changed{_since(d)}: the level of all teeth is {d.level_change:.2f} times healthy. "
        "No tooth is named for it."
    )


def _confidence(d: SequenceDiagnosis, settings: WatchSettings) -> str:
    low, high = d.alarm.interval or (0.0, 0.0)
    plural = "" if settings.rate == 1 else "s"
    rate = (
        f"The alarm is set for {settings.rate:g} false alarm{plural} per 1,000 records, as episodes of the final rule; "
        f"what {d.healthy} healthy records ({d.heights.blocks} blocks) can show of that is {low:.2g} to {high:.2g} "
        "(95 %)."
    )
    if d.heights.blocks < 10:
        rate += " So few do not support the stated rate: it holds only if days to come differ no more than these did."
    if d.state in ("quiet", "learning"):
        return rate
    agree = [name for name, rule in (("k in a row", d.row), ("the bounded e-detector", d.bound)) if rule.episodes]
    if d.state == "warning":
        strength = "Low, a warning only"
    elif len(agree) == 2:
        strength = "High: k in a row and the bounded e-detector alarm too"
    elif agree:
        strength = f"Good: {agree[0]} alarms too"
    else:
        strength = "Moderate: the CUSUM alone alarms"
    return f"{strength}. {rate}"


def _next(d: SequenceDiagnosis) -> str:
    if d.state == "learning":
        return "Go on recording under usual conditions."
    if d.state == "quiet":
        return "None needed: the next record as planned."
    if d.pattern == "sensor or condition changed":
        return (
            "Check sensor, cable, mounting and operating point. If the change is meant, re-baseline with "
            "--rebaseline REASON."
        )
    if d.pattern == "whole gear" and _began_with_tooth(d):
        return f"Inspect at the next stop: {d.began_with} first, then wear debris, runout and alignment of the gear."
    if d.pattern == "whole gear":
        return "Check lubrication, wear debris, runout and alignment; compare load and speed with the healthy ones."
    sooner = "Record more often"
    if d.growth is not None and d.growth.reached is not None and d.growth.reached_interval is not None:
        low, high = d.growth.reached_interval
        sooner = (
            f"Inspect within {max(low, 0):.0f} records: contrast {d.growth.level:g} along the line is expected in "
            f"{d.growth.reached:.0f} (95 %: {low:.0f} to {high:.0f})"
        )
    elif d.state == "alarm":
        sooner = "Inspect at the next stop, and record more often until then"
    if not d.teeth:
        return f"{sooner}."
    return f"{sooner}; look at {' and '.join(_named(t) for t in d.teeth[:4])} and the teeth beside."


def _opposite(d: SequenceDiagnosis, teeth_of: dict[int, int]) -> str:
    """A hint where two teeth of a gear that may be a planet stand half a revolution apart."""
    for a in d.teeth:
        for b in d.teeth:
            n = teeth_of.get(a.axis, 0)
            of_planet = a.axis == b.axis and a.gear in ("gear", "planet")
            if of_planet and a.tooth < b.tooth and n and abs((b.tooth - a.tooth) - n / 2) <= 1.0:
                return (
                    f" {_named(a).capitalize()} and {b.tooth} lie half a revolution apart: of a planet, one tooth seen "
                    "through both of its contacts."
                )
    return ""


def words_of_sequence(
    d: SequenceDiagnosis, settings: WatchSettings, names: Sequence[str], *, teeth_of: dict[int, int] | None = None
) -> tuple[str, str, str]:
    """Verdict in one sentence, confidence, and what to look at next."""
    verdict = _verdict(d) + _opposite(d, teeth_of or {})
    if d.pattern == "sensor or condition changed" and _began_with_tooth(d):
        verdict += f" The first alarm, at {_record(d.alarm.first_record)}, was about {d.began_with}."
    if d.also:
        verdict += f" Besides: {', '.join(d.also)}."
    if d.unjudged:
        verdict += (
            f" {d.unjudged} of {len(names)} records could not be judged: their condition has no healthy baseline."
        )
    return verdict, _confidence(d, settings), _next(d)

"""The diagnosis of a map in words that an engineer can act on."""

from __future__ import annotations

from toothwise.diagnosis.findings import LineFinding, MapDiagnosis

__all__ = ["chance", "named", "words_of_map"]


def chance(p: float, healthy: int) -> str:
    """A chance in words, with what it rests on where it lies beyond what was measured."""
    beyond = f", extrapolated beyond the {healthy} healthy maps" if p < 1.0 / (healthy + 1) else ""
    if p >= 0.001:
        return f"{100 * p:.2g} %{beyond}"
    if p < 1e-6:
        return f"less than one in a million{beyond}"
    return f"one in {_round(1.0 / p):,}{beyond}"


def _round(x: float) -> int:
    digits = len(str(int(x))) - 2
    return int(round(x, -digits)) if digits > 0 else int(x)


def named(line: LineFinding) -> str:
    """A tooth with its gear: "driving tooth 7"; "tooth 7" where the map is of one gear."""
    return f"tooth {line.tooth}" if line.gear == "gear" else f"{line.gear} tooth {line.tooth}"


def _where(line: LineFinding) -> str:
    mate = "records" if line.gear == "gear" else "mate teeth"
    return f"{mate} {line.first} to {line.last} ({line.share:.0%} of its line)"


def _verdict(d: MapDiagnosis) -> str:
    strongest = d.lines[0] if d.lines else None
    if d.pattern == "one tooth" and strongest is not None:
        way = "times the background" if strongest.contrast >= 1 else "times the background: quieter than the others"
        low, high = strongest.interval
        return (
            f"{named(strongest).capitalize()} stands out: {strongest.contrast:.2f} {way} "
            f"(95 %: {low:.2f} to {high:.2f}) over {_where(strongest)}."
        )
    if d.pattern == "several teeth":
        teeth = ", ".join(f"{named(line)} ({line.contrast:.2f} x)" for line in d.lines)
        return f"Several teeth stand out: {teeth}."
    if d.pattern == "whole gear" and d.cycle_gear is not None:
        gear = "gear" if d.cycle_gear == "gear" else f"{d.cycle_gear} gear"
        return f"The {gear} swings once per revolution: eccentricity or a bent shaft, no single tooth."
    if d.pattern == "whole gear":
        return (
            f"The whole map is louder than healthy ones ({d.level:+.1f} healthy standard deviations): wear, or another "
            "load, speed or sensor; one map cannot tell them apart."
        )
    if d.pattern == "sensor or condition changed":
        return f"Sensor or condition changed: the whole map is quieter than healthy ones ({d.level:+.1f} sd). No tooth."
    if d.pattern == "transient" and d.diagonal is not None:
        row, column = d.diagonal["first_pair"]
        return (
            f"A transient in time: {d.diagonal['events']} mesh events from tooth pair {row}-{column} on are "
            f"{d.diagonal['contrast']:.2f} times the background. No tooth."
        )
    return "Nothing stands out: a healthy map may look like this."


def _confidence(d: MapDiagnosis) -> str:
    rests = f"rests on {d.healthy} healthy maps, held out, worth {d.effective:.0f} independent ones"
    if d.pattern == "nothing":
        least = min(d.p_values.values())
        return (
            f"The strangest thing about it happens on {100 * least:.2g} % of healthy maps at one test of "
            f"{len(d.p_values)}; damage fainter than this map's noise stays unseen ({rests})."
        )
    p = (
        d.lines[0].p_value
        if d.lines
        else min(d.p_values[t] for t in ("diagonal", "one cycle", "level") if t in d.p_values)
    )
    strength = "High" if p < 1e-4 else "Good" if p < 1e-3 else "Moderate"
    if d.effective < 20:
        strength = "Low, because so little healthy data is known"
    return (
        f"{strength}: a healthy map shows as much with a chance of {chance(p, d.healthy)}; at most {d.rate:.2g} of "
        f"healthy maps are called anything at all ({rests})."
    )


def _next(d: MapDiagnosis) -> str:
    if d.lines:
        line = d.lines[0]
        raised = [n for n in line.neighbours if n.raised]
        text = f"Take another record soon; if {named(line)} stands out again, look at it"
        if raised:
            text += f" and at its neighbour{'s' if len(raised) > 1 else ''} {', '.join(str(n.tooth) for n in raised)}"
        if d.pattern == "several teeth":
            text = "Take another record soon; if the same teeth stand out again, look at all of them"
        return text + "."
    if d.pattern == "whole gear":
        if d.cycle_gear is not None:
            return "Check runout, mounting and alignment of that shaft; look at the sidebands around the mesh."
        return (
            "Compare load, speed and sensor with those of the healthy maps; if they agree, check wear and lubrication."
        )
    if d.pattern == "transient":
        return "Look at the time signal of this record (load step, impact, radio noise); take another record."
    if d.pattern == "sensor or condition changed":
        return "Check sensor, cable, mounting and operating point; with --rebaseline REASON if the change is meant."
    return "None needed: the next record as planned."


def words_of_map(d: MapDiagnosis) -> tuple[str, str, str]:
    """Verdict in one sentence, confidence, and what to look at next."""
    verdict = _verdict(d)
    extra = {
        "whole gear": "its level or one turn of it stands out too",
        "transient": "there is a transient in time too",
        "sensor or condition changed": "the whole map is quieter too",
        "one tooth": "one tooth stands out too",
        "several teeth": "several teeth stand out too",
    }
    if d.also:
        verdict += " Besides, " + " and ".join(extra[a] for a in d.also) + "."
    return verdict, _confidence(d), _next(d)

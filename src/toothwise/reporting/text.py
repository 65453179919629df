"""A diagnosis as text for a terminal: the verdict first, then evidence, confidence, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from toothwise.diagnosis.sequence_words import record_word
from toothwise.diagnosis.verdict import Diagnosis, LineFinding, MapDiagnosis, Place, Tooth
from toothwise.messages import plain

_SHOWN = 20  # maps that are described in full
_RULES = {
    "alarm": "RED",
    "warning": "AMBER",
    "single": "- one record",
    "several": "- several records",
    "growth": "- slow growth",
}


def text_of(found: Diagnosis) -> str:
    """The diagnosis in words, with a line break at its end."""
    lines = _sequence(found) if found.sequence else _each(found)
    lines += [f"skipped: {line}" for line in found.skipped]
    return "".join(f"{line}\n" for line in lines)


def _place(place: Place) -> str:
    return str(record_word(place)).removeprefix("record ")


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with columns of one width, the first row being the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def _gear(one: LineFinding | Tooth) -> str:
    if one.tooth is None or (isinstance(one, LineFinding) and one.tooth_zero == "unknown"):
        return f"{one.gear}, number unknown"
    return f"tooth {one.tooth}" if one.gear == "gear" else f"{one.gear} tooth {one.tooth}"


def _each(found: Diagnosis) -> list[str]:
    if len(found.each) == 1:
        return [f"{found.colour}: {found.sentence}", *_one(found.each[0])]
    calls = [one for one in found.each if one.pattern != "nothing"]
    lines = [f"{found.colour}: {found.sentence}"]
    for one in calls[:_SHOWN]:
        lines += ["", f"{one.record}: {one.sentence}", *_one(one)]
    if len(calls) > _SHOWN:
        lines += ["", f"... {len(calls) - _SHOWN} more; --output FILE.json or --json gives all"]
    return lines if calls else [*lines, f"Confidence: {found.confidence}", f"Next: {found.next_look}"]


def _one(one: MapDiagnosis) -> list[str]:
    rows = [("evidence", "p-value", "contrast (95 %)", "extent", "neighbours")]
    for line in one.lines:
        low, high = line.interval
        beside = ", ".join(f"{n.tooth}: {n.contrast:.2f}{' raised' if n.raised else ''}" for n in line.neighbours)
        contrast = f"{line.contrast:.2f} ({low:.2f} to {high:.2f})"
        extent = f"{line.first} to {line.last}, {line.cells} cells"
        rows.append((_gear(line), plain(line.p_value), contrast, extent, beside or "-"))
    tests = ", ".join(f"{name} {plain(p)}" for name, p in one.p_values.items())
    return [
        *(_table(rows) if one.lines else ()),
        f"p-values of the tests: {tests}; level {one.level:+.1f} healthy sd",
        f"Confidence: {one.confidence}",
        f"Next: {one.next_look}",
    ]


def _sequence(d: Diagnosis) -> list[str]:
    rows = [("colour, channel", "now", "first at record", "episodes", "stated per 1,000", "95 %")]
    for name, rule in d.rules.items():
        between = "-" if rule.interval is None else " to ".join(map(plain, rule.interval))
        first = "-" if rule.first is None else _place(rule.first)
        first += f": {rule.about}" if rule.about is not None else ""
        rows.append((_RULES[name], rule.now, first, str(rule.episodes), plain(rule.stated, 3), between))
    lines = [f"{d.colour}: {d.sentence}", *_table(rows)]
    for tooth in d.teeth:
        leak = f", with its neighbours {', '.join(map(str, tooth.leak))}" if tooth.leak else ""
        stands = f"stands at {tooth.statistic:.1f} (1 = AMBER, 2 = RED)"
        lines.append(f"{_gear(tooth).capitalize()}: {stands}, evidence {tooth.evidence:.1f}{leak}")
    if d.contrast is not None and d.contrast_interval is not None:
        low, high = d.contrast_interval
        lines.append(f"Contrast now: {d.contrast:.2f} ({low:.2f} to {high:.2f}) along {d.contrast_along}")
    if d.growth is not None:
        lines.append(f"Growth: {d.growth.says}; {d.growth.outlook}")
    if d.transients:
        shown = ", ".join(d.transients[:5]) + (" ..." if len(d.transients) > 5 else "")
        lines.append(f"Transients, no alarm: {len(d.transients)} records ({shown})")
    lines += [f"Re-baselined after record {reset.after}: {reset.reason}" for reset in d.resets]
    lines += [f"Confidence: {d.confidence}", f"Next: {d.next_look}"]
    return [*lines, f"{d.added} records added, {d.records} in all"]

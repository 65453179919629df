"""What ``toothwise diagnose`` prints: the verdict first, then evidence, confidence, and what to look at next."""

from __future__ import annotations

from typing import Any

from toothwise.cli.terminal import table

__all__ = ["text_of"]

_SHOWN = 20  # single maps that are told in full


def text_of(data: dict[str, Any]) -> str:
    """The result in words."""
    return _found(data) + "".join(f"skipped: {line}\n" for line in data.get("skipped", ()))


def _found(data: dict[str, Any]) -> str:
    if "each" in data:
        return _each(data["each"]) + _threshold(data)
    if "diagnosis" in data:
        return _sequence(data) + "\nRules on the detector's own threshold:\n" + _alarms(data)
    note = f"{data['note']}\n" if "note" in data else ""
    return _alarms(data) + note


def _alarms(data: dict[str, Any]) -> str:
    rows = []
    for key, what in (("first_sustained", "alarm raised"), ("consistent", "lasting from")):
        at = data[key]
        where = "never" if at is None else str(at.get("name", f"map {at['map']}"))
        number = "-" if at is None else str(at.get("number", at["map"]))
        rows.append((what, where, number, "-" if at is None else str(at["row"])))
    return table(("", "record", "number", "tooth"), rows, right=("number", "tooth")) + _threshold(data)


def _threshold(data: dict[str, Any]) -> str:
    watched = data["maps"] - data["fitted_on"]
    return f"{data['above']} of {watched} maps above the threshold {data['threshold']:.4g}\n"


def _each(maps: list[dict[str, Any]]) -> str:
    calls = [m for m in maps if m["pattern"] != "nothing"]
    if len(maps) == 1:
        return _one(maps[0])
    text = f"{len(calls)} of {len(maps)} maps show something; each was judged on its own.\n"
    for one in calls[:_SHOWN]:
        text += f"\n{one['record']}: {_one(one)}"
    if len(calls) > _SHOWN:
        text += f"\n... {len(calls) - _SHOWN} more; --output FILE.json or --json gives all\n"
    return text + ("\n" if calls else "")


def _gear(line: dict[str, Any]) -> str:
    return f"tooth {line['tooth']}" if line["gear"] == "gear" else f"{line['gear']} tooth {line['tooth']}"


def _one(one: dict[str, Any]) -> str:
    text = f"{one['verdict']}\n"
    rows = []
    for line in one["lines"]:
        low, high = line["interval"]
        beside = ", ".join(
            f"{n['tooth']}: {n['contrast']:.2f}{' raised' if n['raised'] else ''}" for n in line["neighbours"]
        )
        rows.append(
            (
                _gear(line),
                f"{line['p_value']:.2g}",
                f"{line['contrast']:.2f} ({low:.2f} to {high:.2f})",
                f"{line['first']} to {line['last']}, {line['cells']} cells",
                beside or "-",
            )
        )
    if rows:
        text += table(("evidence", "p-value", "contrast (95 %)", "extent", "neighbours"), rows, right=("p-value",))
    tests = ", ".join(f"{name} {p:.2g}" for name, p in one["p_values"].items())
    text += f"p-values of the tests: {tests}; level {one['level']:+.1f} healthy sd\n"
    return f"{text}Confidence: {one['confidence']}\nNext: {one['next_look']}\n"


def _sequence(data: dict[str, Any]) -> str:
    d = data["diagnosis"]
    text = f"{d['verdict']}\n"
    rows = []
    for key, name in (
        ("warning", "warning (CUSUM)"),
        ("alarm", "alarm (CUSUM)"),
        ("row", f"{data['settings']['run']} in a row"),
        ("bound", "bounded e-detector"),
    ):
        rule = d[key]
        between = "a bound" if rule["interval"] is None else f"{rule['interval'][0]:.2g} to {rule['interval'][1]:.2g}"
        first = "-" if rule["first_record"] is None else rule["first_record"]
        rows.append((name, str(first), str(rule["episodes"]), f"{rule['stated']:g}", between))
    text += table(
        ("rule", "first at record", "episodes", "stated per 1,000", "95 %"),
        rows,
        right=("episodes", "stated per 1,000"),
    )
    for tooth in d["teeth"]:
        leak = f", with its neighbours {', '.join(map(str, tooth['leak']))}" if tooth["leak"] else ""
        text += f"{_gear(tooth).capitalize()}: CUSUM {tooth['statistic']:.1f}{leak}\n"
    if d["began_with"] is not None:
        text += f"The first alarm was about {d['began_with']}\n"
    if d["contrast"] is not None:
        low, high = d["contrast_interval"]
        text += f"Contrast now: {d['contrast']:.2f} ({low:.2f} to {high:.2f}) along {d['contrast_along']}\n"
    growth = d["growth"]
    if growth is not None:
        if growth["reached"] is None:
            text += f"Trend: {growth['why']}\n"
        else:
            low, high = growth["reached_interval"]
            text += (
                f"Trend: contrast {growth['level']:g} along the line in {growth['reached']:.0f} records "
                f"(95 %: {low:.0f} to {high:.0f}), {growth['why']}\n"
            )
    if d["transients"]:
        shown = ", ".join(d["transients"][:5]) + (" ..." if len(d["transients"]) > 5 else "")
        text += f"Transients, no alarm: {len(d['transients'])} records ({shown})\n"
    for reset in d["resets"]:
        text += f"Re-baselined after record {reset['after']}: {reset['reason']}\n"
    text += f"Confidence: {d['confidence']}\nNext: {d['next_look']}\n"
    if "state" in data:
        text += (
            f"{data['state']['added']} records added to {data['state']['file']}, {data['state']['records']} in all\n"
        )
    return text

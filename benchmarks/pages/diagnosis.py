"""docs/diagnosis-results.md: what the diagnosis was measured to do."""

from __future__ import annotations

from typing import Any

from common import Data, origin, percent, read, table

RULES = {
    "alarm": "alarm (CUSUM)",
    "warning": "warning (CUSUM)",
    "row": "k in a row",
    "bound": "bounded e-detector",
}


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _rates(rates: Data) -> str:
    rows = []
    for rule, name in RULES.items():
        r = rates[rule]
        low, high = r["interval"]
        told = r.get("told_interval")
        rows.append(
            [
                name,
                f"{r['stated']:g}" + (" at most" if rule == "bound" else ""),
                f"{r['found']:.2f} ({low:.2f} to {high:.2f})",
                f"{r['episodes']} in {r['records']:,}",
                "yes" if r["inside"] else "below" if r["kept"] else "**no**",
                "-" if told is None else f"{told[0]:.1f} to {told[1]:.1f}",
            ]
        )
    head = [
        "rule",
        "stated per 1,000",
        "found (95 %)",
        "episodes in healthy records",
        "stated is inside",
        "told to the user",
    ]
    return table(head, rows)


def _confusion(kinds: Data, key: str, right: Data) -> str:
    names = ["nothing", "one tooth", "several teeth", "whole gear", "sensor or condition changed", "transient"]
    seen = [n for n in names if any(n in own[key] for own in kinds.values())]
    rows = [
        [kind, own["runs"], *(f"**{own[key].get(n, 0)}**" if n == right[kind] else own[key].get(n, 0) for n in seen)]
        for kind, own in kinds.items()
    ]
    return table(["put in", "runs", *seen], rows)


def _found(kinds: Data) -> str:
    rows = []
    for kind, own in kinds.items():
        if kind in ("healthy", "transients"):
            continue

        def delay(rule: str, own: Data = own) -> str:
            d = own["delay"][rule]
            return "never" if d["median"] is None else f"{d['median']:.0f} ({d['found']})"

        rows.append(
            [
                kind,
                own["runs"],
                percent(own["tooth_right_at_alarm"], 0),
                percent(own["tooth_right"], 0),
                *(delay(rule) for rule in RULES),
                _number(own["contrast_at_alarm"]),
            ]
        )
    head = ["put in", "runs", "tooth right at the alarm", "at the end", *(f"{n}: delay" for n in RULES.values())]
    return table([*head, "contrast at the alarm"], rows)


def _course(kinds: Data) -> str:
    rows = []
    for kind, own in kinds.items():
        if kind in ("healthy", "transients"):
            continue
        rows.append(
            [
                kind,
                f"{own['onset_median_error']:+.0f}",
                percent(own["onset_inside"], 0),
                _number(own["onset_width"], 0),
                _number(own["contrast_mae"]),
                "-" if own["contrast_bias"] is None else f"{own['contrast_bias']:+.2f}",
                percent(own["contrast_inside"], 0),
                percent(own["predicts"], 0),
            ]
        )
    head = ["put in", "onset: median error", "interval holds it", "its width", "contrast: mean abs. error", "bias"]
    return table([*head, "interval holds it", "runs with a prediction"], rows)


def _single(found: Data) -> str:
    names = ["nothing", "one tooth", "several teeth", "whole gear", "sensor or condition changed", "transient"]
    rows = [[kind, *(percent(calls.get(n, 0.0)) for n in names)] for kind, calls in found["confusion"].items()]
    text = table(["put in", *names], rows)
    rows = [
        [
            kind,
            percent(own["named"]),
            percent(own["tooth_right"]),
            _number(own["contrast_mae"]),
            f"{own['contrast_bias']:+.2f}",
            percent(own["contrast_inside"], 0),
        ]
        for kind, own in found["lines"].items()
    ]
    head = [
        "put in",
        "a tooth is named",
        "of these the right one",
        "contrast: mean abs. error",
        "bias",
        "interval holds it",
    ]
    return text + "\n" + table(head, rows)


def _vibration(found: Data) -> str:
    rows = []
    for r in found["runs"]:
        rows.append(
            [
                "faulty" if r["faulty"] else "healthy",
                r.get("tooth", "-"),
                r.get("onset", "-"),
                r["state"],
                r["pattern"],
                ", ".join(map(str, r["teeth"])) or "-",
                r["began_with"] or "-",
                "-" if r["first"] is None else r["first"],
                r["episodes"],
                "-" if r["onset_interval"] is None else " to ".join(map(str, r["onset_interval"])),
            ]
        )
    head = [
        "run",
        "tooth",
        "onset",
        "state at the end",
        "pattern",
        "teeth named",
        "began with",
        "first alarm",
        "episodes",
        "onset, 95 %",
    ]
    return table(head, rows)


def _vibration_words(found: Data) -> str:
    healthy = [r for r in found["runs"] if not r["faulty"]]
    faulty = [r for r in found["runs"] if r["faulty"]]
    early = sum(r["first"] is not None and r["first"] < r["onset"] for r in faulty)
    episodes, records = sum(r["episodes"] for r in healthy), sum(r["records"] for r in healthy)
    right = sum(bool(r["tooth_right"]) for r in faulty)
    return (
        f"The tooth named at the end is right in {right} of {len(faulty)} faulty runs; {early} of them had an alarm before "
        f"onset. The healthy runs raised {episodes} alarms in {records:,} records, {1000 * episodes / records:.2f} per 1,000 "
        "where 1 is stated."
    )


def _place(found: Any) -> str:
    if found is None:
        return "never"
    number = f"test record {found['test_record']}" if found["test_record"] else "before the test part"
    return f"{number} (day {found['day']})"


def _hums(found: Data) -> str:
    rows = [
        [name, _place(found[rule]["first"]), found[rule]["episodes"]] for rule, name in RULES.items() if rule in found
    ]
    low, high = found["onset_interval"] or (None, None)
    low_rate, high_rate = found["alarm_interval"]
    growth = "-"
    if found["growth_per_100"] is not None:
        slow, fast = found["growth_interval"]
        growth = (
            f"{found['growth_per_100']:.2f} times per 100 records ({slow:.2f} to {fast:.2f}); {found['prediction']}"
        )
    teeth = ", ".join(map(str, found["teeth"])) or "none"
    right = "it is named" if found["tooth_at_failure"] in found["teeth"] else "it is **not** named at the end"
    return f"""- State at the end: {found["state"]}, pattern: {found["pattern"]}; teeth named: {teeth} (tooth {found["tooth_at_failure"]} fails: {right}).
- The first alarm was about {found["began_with"]}.
- Onset: {_place(found["onset"])}, 95 %: {_place(low)} to {_place(high)}.
- Growth of what is named: {growth}.
- {found["healthy"]} healthy windows make {found["blocks"]} blocks of {found["block"]}; what they can show of 1 false alarm per 1,000 records is
  {low_rate:.2g} to {high_rate:.2g}, and that counts only days like the two that are known.

{table(["rule", "first alarm", "episodes"], rows)}"""


def diagnosis() -> str:
    """The page."""
    found = read("diagnosis")
    config, result = found["config"], found["result"]
    kinds, single = result["kinds"], result["single_maps"]
    whole, tooth = result["all_faults"], result["with_a_damaged_tooth"]
    alarms = whole["states"].get("alarm", 0)
    rates = result["false_alarms"]
    kept = [RULES[r] for r in RULES if rates[r]["kept"]]
    broken = [RULES[r] for r in RULES if not rates[r]["kept"]]
    hums = result.get("hums2023")
    return f"""# What the diagnosis does

How it works is told in [Diagnosis](diagnosis.md). Here is what it was measured to do, with the default settings of
`toothwise diagnose` and the scan: {config["settings"]["rate"]:g} false alarm per 1,000 records for the alarm, {config["settings"]["warning"]:g} for the warning.

## 200 runs to failure

Tooth-pair maps of a gearbox each: two gear pairs, the textures of domains A to D, a pattern of its own, a level that drifts.
{config["healthy"]} healthy records to learn from, {config["watched"]} watched; damage begins at record 80 to 200 and grows with the first or second
power of time to a contrast of 1.3 to 2 over half of the line or more, on the driving or the driven gear.

- {alarms} of {whole["runs"]} faulty runs are in alarm at the end; where a tooth was damaged the right one (+-1, right gear) is
  named in {percent(tooth["tooth_right"])} at the end and in {percent(tooth["tooth_right_at_alarm"])} at the first record of the alarm.
- Median delay from onset to alarm: {whole["delay"]["alarm"]["median"]:.0f} records; to the bounded e-detector's {whole["delay"]["bound"]["median"]:.0f}, to k in a row {whole["delay"]["row"]["median"]:.0f}.
- False alarms against the stated rate: kept by {", ".join(kept) or "none"}{f"; **not kept** by {', '.join(broken)}" if broken else ""}.

### False alarms

Episodes of the final rule in records before any damage, and in healthy runs and runs with transients throughout. Intervals by bootstrap over
gearboxes ("below": fewer than stated). The last column is the mean of the intervals that the program tells its user from 300 healthy records.
An earlier version of the CUSUM was judged on the runs of seed 0 and missed both of its rates (1.62 and 13.8 per 1,000 where 1 and 10 were
stated). Its heights are raised for their own uncertainty since then, as those of k in a row were before; that was checked on healthy runs of
another seed, and the runs here (seed {found["seed"]}) were new to it.

{_rates(rates)}
### Patterns at the end of the run

Runs that are quiet count as "nothing"; a warning counts as what it names. Bold = right.

{_confusion(kinds, "patterns", config["right"])}
The same at the first record of the alarm, where little can be seen yet: the first of several teeth is one tooth, and the beginning of
wear may look like a jump.

{_confusion(kinds, "patterns_at_alarm", config["right"])}
### Tooth and delay

Delay in records from onset, median over the runs in which the rule alarmed after it (their number in brackets).

{_found(kinds)}
### Onset, contrast, prediction

At the end of runs in alarm. Intervals should hold the truth in 95 %. The contrast is compared with what was put in over the extent, or along
the whole line where single maps do not show the extent.

{_course(kinds)}
## Single maps

{single["maps"]} maps of each kind in domains A and C each, contrast {single["contrast"][0]:g} to {single["contrast"][1]:g}, no gaps; the stated rate is {percent(single["rate"])}. Of {single["healthy_maps"]:,}
healthy maps {percent(single["healthy_called"])} are called anything. Driven teeth are columns, and columns differ in healthy maps
(stripes that are redrawn in every map): one map tells little of them. The level of one map tells little of wear for the same reason.

{_single(single)}
## Runs from vibration

Simulated recordings of one gear (`toothwise.simulate.runs`), 133 healthy records of two days, of which the windows of {result["vibration"]["blocks"]} blocks remain,
{result["vibration"]["runs"][0]["records"]} watched. {_vibration_words(result["vibration"])} Two days tell little of how days differ: heights come from the model
of other days, and the alarm is late. Records count from the first watched one.

{_vibration(result["vibration"])}
## HUMS2023

{_hums(hums) if hums else "Not run: no recordings were there."}
What that is worth: the settings were fixed on simulations, but it is not a blind result. A version under development was run on these recordings
once by mistake, before few healthy records were handled at all: every simulated run from vibration raised dozens of false alarms then, and
HUMS2023 one in its first watched records, with a whole gear as the pattern. What was changed after that was chosen on simulated runs alone. The
version whose CUSUM missed its rates was run on HUMS2023 too: first alarm at test record 63, a whole gear at the end, no tooth named there. That
the verdict tells what the first alarm was about was added after that run.
The healthy days are two and drift, so the stated rate is the model's word, not something that two days can show; see also
[HUMS2023](hums2023.md).

Command: `python benchmarks/diagnosis.py` ({result["seconds"]} s).

{origin(found)}"""

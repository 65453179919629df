"""docs/hums2023.md: every variant that was ever run on the HUMS2023 recordings."""

from __future__ import annotations

from collections.abc import Iterable

from common import Data, origin, percent, read, table


def hums2023() -> str:
    """Every variant that was ever run on the HUMS2023 recordings."""
    cheap, deep, choice = read("hums2023"), read("hums2023_deep"), read("run_parameters")
    larger = read("hums2023_deep_vit_small")

    def record(value: int | None) -> str:
        return "never" if value is None else str(value)

    def rows(found: Data, names: Iterable[tuple[str, str]], more: str = "") -> list[list[object]]:
        out = []
        for variant, name in names:
            entry = found["result"][variant][name]
            low, high = entry["false_alarm_rate_interval"]
            out.append(
                [
                    variant,
                    name + more,
                    entry.get("tooth", "-"),
                    record(entry["first_sustained"]),
                    record(entry["consistent"]),
                    entry.get("tooth_consistent") if entry.get("tooth_consistent") is not None else "-",
                    percent(entry["flagged_days_19_20"]),
                    f"{100 * low:.0f}-{100 * high:.0f} %",
                    f"{entry['seconds']:.1f}",
                ]
            )
        return out

    main = cheap["result"]["tolerance limit"]
    best = main["scan"]
    model, before = (found["result"]["tolerance limit"]["dinomaly_directional"] for found in (deep, larger))
    flagged, target = best["flagged_days_19_20"], 0.05
    met = "is met" if flagged <= target else "is missed"
    right = best["tooth_consistent"] == best["tooth_at_failure"]
    early = "is met" if right and best["consistent"] is not None and best["consistent"] <= 294 else "is missed"
    names = [(variant, "scan") for variant in cheap["result"]]
    others = [("tolerance limit", name) for name in main if name != "scan"]
    head = ["variant", "detector", "tooth", "first sustained", "consistent", "tooth then", "days 19-20 flagged"]
    head += ["false alarms, 95 % interval", "s"]
    tuned = [r for r in choice["result"] if r["variant"] in ("chosen", {"confidence": None})]
    return f"""# HUMS2023: a planet gear until it fails

808 recordings of one planet gear (35 teeth), days 17-27; a rim crack grows to failure. Records of the test part (days
21-27) count from 1; 0 = before it. *First sustained*: above the threshold five records running. *Consistent*: above it
from there to the end, the published definition. Published for this run by KU Leuven: consistent at test record 309 with
one sensor, at 294 with three sensors fused. The tooth that fails, by the largest rise of the residual over the last ten
records, is tooth {best["tooth_at_failure"]} as this project counts (tooth 0 begins at the first sample of record 1).

## What was found

- The scan names tooth {best["tooth"]} and is consistent at test record {record(best["consistent"])}: the target (294 or
  earlier with one sensor, the right tooth) **{early}**.
- It flags {percent(flagged)} of the records of days 19-20; the target (5 % at most) **{met}**. Nobody knows whether
  those days already carry the crack: with days 17-19 taken as healthy the alarm comes at
  {record(cheap["result"]["healthy days 17-19"]["scan"]["first_sustained"])} and stays from
  {record(cheap["result"]["healthy days 17-19"]["scan"]["consistent"])}; with days 17-20 it names tooth
  {
        cheap["result"]["healthy days 17-20"]["scan"]["tooth"]
    }, half a revolution from the failing one: sun and ring contact of
  one planet tooth lie half a revolution apart, and no single sensor tells them apart.
- `dinomaly_directional`, with the package's own encoder, names tooth {model["tooth"]} from test record {
        record(model["first_sustained"])
    }, flags
  {percent(model["flagged_days_19_20"])} of days 19-20, and is consistent: {
        record(model["consistent"])
    }. With a ViT-S it names tooth
  {before["tooth"]} from {record(before["first_sustained"])}, flags {
        percent(before["flagged_days_19_20"])
    }, and is consistent: {record(before["consistent"])} (in the last
  records of day 27 the whole map is anomalous, and its line contrast falls below the threshold).
- The healthy days bear little: {best["healthy_scores"]} healthy windows are worth
  {best["healthy_scores_effective"]:.1f} independent ones, so the 95 % interval of the false alarm rate reaches
  {percent(best["false_alarm_rate_interval"][1], 0)}. A stated 1 % cannot be shown on two days.

## Everything that was ever run on it

{
        table(
            head,
            rows(cheap, names)
            + rows(deep, [("tolerance limit", "dinomaly_directional")])
            + rows(larger, [("tolerance limit", "dinomaly_directional")], ", ViT-S"),
        )
    }
Classical indicators under the same rule and threshold ("envelope 2x" = envelope at twice the planet order):

{table(head, rows(cheap, others))}
The protocol asks for one run with everything frozen beforehand. What was done is less clean, in this order:

1. Before anything was frozen the alignment's correlation per day was looked at over the whole run, failure included.
   The simulator's default of day differences that fade was set after that look.
2. *Quantile threshold*: options chosen on simulated runs, run once. It missed the 5 % target.
3. *Tolerance limit*: thought of because of that miss, and adopted because it also lowers the share of healthy records
   flagged on simulated runs (below). Its figure on days 19-20 is thus no blind result.
4. `dinomaly_directional`, once, with options that had seen a single simulated run.
5. The tolerance limit with other healthy days, as the protocol asks.
6. `dinomaly_directional` once more when the package got an encoder of its own, with the settings of 4.

## How the threshold was chosen

{choice["config"]["runs"]} simulated healthy and faulty runs for each kind of drift between days:

{
        table(
            ["threshold", "drift", "healthy records flagged", "healthy runs with an alarm", "tooth right (consistent)"],
            [
                [
                    "tolerance limit" if r["variant"] == "chosen" else "quantile",
                    r["drift"],
                    percent(r["healthy_flagged"]),
                    percent(r["healthy_runs_with_alarm"], 0),
                    percent(r["consistent_tooth"], 0),
                ]
                for r in tuned
            ],
        )
    }
Commands: `python benchmarks/run_parameters.py`, `python benchmarks/hums2023.py`, the same with `--deep`.

{origin(cheap, deep, larger)}"""

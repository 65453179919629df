"""The diagnosis on simulated runs to failure whose truth is known, on single maps, and once on HUMS2023.

    OMP_NUM_THREADS=1 python benchmarks/diagnosis.py            # 200 runs, 12 runs from vibration, HUMS2023 where it is
    OMP_NUM_THREADS=1 python benchmarks/diagnosis.py --quick    # 24 runs, nothing written

Maps of tooth pairs (two gear pairs, four textures), the gearbox's own pattern, a level that drifts as a first-order
process; 300 healthy records to learn from, 300 watched ones. Settings are the defaults of ``toothwise diagnose``; the
method was developed on runs of other seeds (100 and 7000 up).

HUMS2023 was seen before: by mistake once during development, before few independent records were handled at all (then
every simulated run from vibration raised dozens of false alarms, and HUMS2023 an alarm in its first watched records),
and with the version that seed 0 was judged with. What was changed in between was chosen on simulated runs alone. That
version's CUSUM missed its stated rates on seed 0 (1.62 and 13.8 per 1,000 for 1 and 10); its heights are raised for
their own uncertainty since, and seed 1 is reported.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from diagnosis_maps import single_maps
from diagnosis_recordings import recordings, vibration_runs
from diagnosis_runs import HEALTHY, KINDS, RIGHT, WATCHED, Run, simulate

from toothwise import detectors
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.diagnosis.baseline import learn_baseline
from toothwise.diagnosis.control_limits import control_limits_for
from toothwise.diagnosis.judging import judge
from toothwise.diagnosis.rules import cusum, e_detector, e_process, in_a_row, line_episodes
from toothwise.diagnosis.settings import MonitorSettings
from toothwise.diagnosis.summary import summarize_records
from toothwise.diagnosis.verdict import Diagnosis
from toothwise.reference.healthy_reference import learn_reference
from toothwise.results import write_result

SETTINGS = MonitorSettings()
RULES = ("alarm", "warning", "row", "bound")


def near(tooth: int, actual: tuple[int, ...], teeth: int) -> bool:
    """Within one tooth of any of the damaged ones."""
    return any(min((tooth - a) % teeth, (a - tooth) % teeth) <= 1 for a in actual)


def right_teeth(d: Diagnosis, run: Run) -> bool | None:
    """Whether the strongest tooth is a damaged one of the right gear; None where a run has no damaged tooth."""
    if not run.teeth:
        return None
    if not d.teeth:
        return False
    size = run.watched.shape[1 if run.gear == "driving" else 2]
    return d.teeth[0].gear == run.gear and near(d.teeth[0].tooth, run.teeth, size)


def judge_run(run: Run) -> dict[str, Any]:
    """Fit on the healthy part, watch the rest, compare with the truth."""
    detector, _ = fit_with_threshold(lambda: detectors.create("scan"), run.healthy, 0.01)
    baseline = learn_baseline(learn_reference(detector, run.healthy))
    reference = learn_reference(detector, run.healthy)
    heights = control_limits_for(baseline, SETTINGS)
    table = pd.DataFrame({"record": np.arange(WATCHED)})
    seen, _ = summarize_records(run.watched, table, detector, reference, baseline)
    z = np.array([s.channels for s in seen])
    statistic = cusum(z)
    bound = e_detector(baseline.healthy[:, baseline.teeth], baseline.block)
    begins = {
        "alarm": line_episodes(statistic, heights.cusum["alarm"].height),
        "warning": line_episodes(statistic, heights.cusum["warning"].height),
        "row": in_a_row(z, heights.row["alarm"].height, SETTINGS.in_a_row),
        "bound": e_process(z[:, baseline.teeth], bound, 1000.0 / SETTINGS.rate)[1],
    }
    d = judge(seen, baseline, SETTINGS, limits=lambda learned: heights)
    out: dict[str, Any] = {"kind": run.kind, "gear": run.gear, "onset": run.onset, **run.about}
    # after a sensor has changed nothing is healthy any more, and nothing is damage either: not counted
    out["healthy_records"] = run.onset
    out["false"] = {rule: int((b < run.onset).sum()) for rule, b in begins.items()}
    out["delay"] = {
        r: int(b[b >= run.onset][0]) - run.onset if (b >= run.onset).any() else None for r, b in begins.items()
    }
    out["stated"] = {t: heights.cusum[t].interval for t in ("alarm", "warning")} | {
        "row": heights.row["alarm"].interval
    }
    out |= {"state": d.state, "pattern": d.pattern, "also": list(d.also), "tooth_right": right_teeth(d, run)}
    out["transients"] = len(d.transients)
    first = begins["alarm"][begins["alarm"] >= run.onset]
    if len(first):
        then = judge(seen[: int(first[0]) + 1], baseline, SETTINGS, limits=lambda learned: heights)
        out |= {"pattern_at_alarm": then.pattern, "tooth_right_at_alarm": right_teeth(then, run)}
        if run.teeth and right_teeth(then, run):
            out["log_contrast_at_alarm"] = float(run.log_contrast[int(first[0])])
    if d.state == "alarm" and d.since is not None and d.since_interval is not None and run.onset < WATCHED:
        low, high = (place.number - 1 for place in d.since_interval)
        out["onset_error"] = d.since.number - 1 - run.onset
        out["onset_inside"] = low <= run.onset <= high
        out["onset_width"] = high - low
    if d.contrast is not None and d.contrast_interval is not None and right_teeth(d, run):
        # along its whole line a contrast is thinned by the cells that the damage does not reach
        along = 1.0 if d.contrast_along != "its whole line" else float(run.about["share"])
        actual = float(np.exp(run.log_contrast[-10:].mean() * along))
        out["contrast_over_extent"] = d.contrast_along != "its whole line"
        out["contrast_error"] = d.contrast - actual
        out["contrast_inside"] = d.contrast_interval[0] <= actual <= d.contrast_interval[1]
    if d.growth is not None:
        out["predicts"] = d.growth.reached is not None
    return out


def rates(rows: list[dict[str, Any]], rng: np.random.Generator) -> dict[str, Any]:
    """False alarms per 1,000 healthy records of each rule, with a bootstrap interval over gearboxes."""
    records = np.array([r["healthy_records"] for r in rows], dtype=float)
    out = {}
    for rule in RULES:
        counts = np.array([r["false"][rule] for r in rows], dtype=float)
        draws = rng.integers(0, len(rows), (2000, len(rows)))
        drawn = 1000.0 * counts[draws].sum(axis=1) / records[draws].sum(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        if not counts.any():
            high = 3.689 * 1000.0 / records.sum()  # what seeing none excludes, as a Poisson mean
        stated = SETTINGS.warning if rule == "warning" else SETTINGS.rate
        out[rule] = {
            "stated": stated,
            "found": float(1000.0 * counts.sum() / records.sum()),
            "interval": [float(low), float(high)],
            "inside": bool(low <= stated <= high),
            "kept": bool(low <= stated),
            "episodes": int(counts.sum()),
            "records": int(records.sum()),
        }
        if rule != "bound":
            spans = [r["stated"][rule] for r in rows]
            out[rule]["told_interval"] = [float(np.mean([s[k] for s in spans])) for k in (0, 1)]
    return out


def of_kind(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of the tables."""

    def mean(key: str) -> float | None:
        values = [r[key] for r in rows if r.get(key) is not None]
        return float(np.mean(values)) if values else None

    def middle(rule: str) -> dict[str, Any]:
        found = [r["delay"][rule] for r in rows if r["delay"][rule] is not None]
        return {"found": len(found), "median": float(np.median(found)) if found else None}

    errors = [r["contrast_error"] for r in rows if "contrast_error" in r]
    return {
        "runs": len(rows),
        "states": dict(Counter(r["state"] for r in rows)),
        "patterns": dict(Counter(r["pattern"] if r["state"] != "quiet" else "nothing" for r in rows)),
        "patterns_in_alarm": dict(Counter(r["pattern"] if r["state"] == "alarm" else "nothing" for r in rows)),
        "patterns_at_alarm": dict(Counter(r.get("pattern_at_alarm", "nothing") for r in rows)),
        "tooth_right": mean("tooth_right"),
        "tooth_right_at_alarm": mean("tooth_right_at_alarm"),
        "contrast_at_alarm": None
        if mean("log_contrast_at_alarm") is None
        else float(np.exp(mean("log_contrast_at_alarm"))),
        "delay": {rule: middle(rule) for rule in RULES},
        "onset_median_error": float(np.median([r["onset_error"] for r in rows if "onset_error" in r] or [0])),
        "onset_inside": mean("onset_inside"),
        "onset_width": mean("onset_width"),
        "contrast_mae": float(np.mean(np.abs(errors))) if errors else None,
        "contrast_bias": float(np.mean(errors)) if errors else None,
        "contrast_inside": mean("contrast_inside"),
        "contrast_over_extent": mean("contrast_over_extent"),
        "predicts": mean("predicts"),
        "transients": mean("transients"),
    }


def main() -> None:
    """Run everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="3 runs of each kind, no vibration; nothing is written")
    parser.add_argument("--write", action="store_true", help="write the result even where it is partial")
    parser.add_argument("--runs", type=int, help="of each kind; None = 200 in all")
    args = parser.parse_args()
    begin = time.perf_counter()
    rows: list[dict[str, Any]] = []
    for kind, count in KINDS.items():
        for number in range(3 if args.quick else args.runs or count):
            rows.append(judge_run(simulate(kind, args.seed, number)))
        print(kind, of_kind([r for r in rows if r["kind"] == kind]), flush=True)
    groups = defaultdict(list)
    for row in rows:
        groups[row["kind"]].append(row)
    faulty = [r for r in rows if RIGHT[r["kind"]] not in ("nothing", "sensor or condition changed")]
    result: dict[str, Any] = {
        "false_alarms": rates(rows, np.random.default_rng(args.seed)),
        "kinds": {kind: of_kind(own) for kind, own in groups.items()},
        "all_faults": of_kind(faulty),
        "with_a_damaged_tooth": of_kind([r for r in rows if r["tooth_right"] is not None]),
        "single_maps": single_maps(args.seed, 100 if args.quick else 400),
    }
    print(result["false_alarms"], result["single_maps"], flush=True)
    if not args.quick and not args.runs:
        result["vibration"] = vibration_runs(args.seed, SETTINGS)
        print(result["vibration"], flush=True)
    data = os.environ.get("TOOTHWISE_DATA")
    if not (args.quick or args.runs) and data and (Path(data) / "hums2023").is_dir():
        result["hums2023"] = recordings(Path(data) / "hums2023", SETTINGS)
        print(result["hums2023"], flush=True)
    result["seconds"] = round(time.perf_counter() - begin)
    print(result["seconds"], "s")
    if args.quick or (args.runs and not args.write):
        return
    config = {
        "kinds": KINDS,
        "right": RIGHT,
        "healthy": HEALTHY,
        "watched": WATCHED,
        "settings": vars(SETTINGS),
        "detector": "scan",
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }
    print(write_result(Path(__file__).parent / "results" / "diagnosis.json", config, result, seed=args.seed))


if __name__ == "__main__":
    main()

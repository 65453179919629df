"""Choose the parameters of the run protocol on simulated runs, not on recordings.

    python benchmarks/run_parameters.py            # the scan

Faulty and healthy simulated runs, three kinds of day-to-day drift. Of each variant: the share of healthy records
flagged, the share of healthy runs with a sustained alarm, and of faulty runs how far into the growth (0 = onset,
1 = last record, 1 = never) the alarm is raised and becomes lasting, and whether the tooth is right (+-1).
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from toothwise import detectors
from toothwise.healthmap.deviation import DeviationConfig
from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps
from toothwise.results import write_result
from toothwise.simulate.runs import RunConfig, simulate_run
from toothwise_lab.run_protocol import RunProtocol, consistent, episodes, run_detector

DRIFTS: dict[str, dict[str, float]] = {
    "as days 17-18": {},
    "days differ twice as much": {"day": 0.026},
    "days drift away (random walk)": {"memory": 1.0},
}
CHOSEN: dict[str, Any] = {
    "smoothing": 16.0,
    "window": 32,
    "lengths": [8, 16, 32],
    "nuisance": 6,
    "tooth_window": 3.0,
    "confidence": 0.95,
}
VARIANTS = [
    {},
    {"confidence": None},
    {"smoothing": 8.0},
    {"smoothing": 32.0},
    {"window": 16, "lengths": [4, 8, 16]},
    {"lengths": [32]},
    {"window": 48, "lengths": [12, 24, 48]},
    {"nuisance": 3},
    {"nuisance": 12},
    {"tooth_window": 2.0},
    {"tooth_window": 4.0},
]


def judge(variant: dict[str, Any], config: RunConfig, seed: int) -> dict[str, float]:
    """One simulated run under one variant."""
    v = CHOSEN | variant
    deviation = DeviationConfig(smoothing=v["smoothing"], nuisance=v["nuisance"], window=v["tooth_window"])
    protocol = RunProtocol(maps=RunMapConfig(window=v["window"], deviation=deviation), confidence=v["confidence"])
    records = simulate_run(config, seed=seed)
    maps = build_run_maps(records, protocol.maps)
    options = {"lines": "rows", "lengths": v["lengths"]}
    run = run_detector(maps, lambda: detectors.create("scan", **options), "scan", protocol)
    end = len(records) if not config.faulty else int(records.truth["onset"])
    healthy = (run.record >= maps.healthy.sum()) & (run.record < end)
    result = {"flagged": float(run.above[healthy].mean()), "alarms": float(len(episodes(run.above[healthy])) > 0)}
    if config.faulty:
        growth = np.flatnonzero(run.record >= end)
        above, raised = run.above[growth], episodes(run.above[growth])
        for name, at in (("sustained", raised[0] if len(raised) else None), ("consistent", consistent(above))):
            named = None if at is None else run.tooth_at(int(growth[at]))
            gap = 99 if named is None else abs(named - int(records.truth["tooth"])) % records.teeth
            result |= {
                name: 1.0 if at is None else at / len(growth),
                f"{name}_tooth": float(min(gap, records.teeth - gap) <= 1),
            }
    return result


def main() -> None:
    """Judge every variant and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=12, help="faulty and healthy runs per drift and variant")
    args = parser.parse_args()
    rows = []
    for variant in VARIANTS:
        for drift, options in DRIFTS.items():
            faulty = [judge(variant, RunConfig(**options), 20 + i) for i in range(args.runs)]
            healthy = [judge(variant, RunConfig(faulty=False, **options), 120 + i) for i in range(args.runs)]
            row = {
                "variant": variant or "chosen",
                "drift": drift,
                "healthy_flagged": float(np.mean([r["flagged"] for r in healthy])),
                "healthy_flagged_worst_run": float(np.max([r["flagged"] for r in healthy])),
                "healthy_runs_with_alarm": float(np.mean([r["alarms"] for r in healthy])),
                **{
                    k: float(np.mean([r[k] for r in faulty]))
                    for k in ("sustained", "sustained_tooth", "consistent", "consistent_tooth")
                },
            }
            rows.append(row)
            print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    config = {"chosen": CHOSEN, "runs": args.runs, "simulation": asdict(RunConfig())}
    print(write_result(Path(__file__).parent / "results" / "run_parameters.json", config, rows))


if __name__ == "__main__":
    main()

"""Choose how a run becomes tooth-by-record maps, on simulated runs, not on recordings.

    python benchmarks/run_parameters.py            # a few minutes

Healthy and faulty simulated runs of every kind of drift; how many days there are and how they differ is drawn. Of each
variant: the share of later healthy records above three heights (the 99 % quantile of held-out healthy records; what 1 %
and what 0.1 % of drawn days that drift exceed), the share of healthy runs with five in a row above the last, and of
faulty runs how far into the growth (0 = onset, 1 = last record, 1 = never) five in a row come, and whether the tooth is
right (+-1, either contact).

Options:

    --runs: faulty and healthy runs per kind of drift and variant
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from measuring.command import arguments, save

from toothwise.healthmap.deviation import DeviationConfig
from toothwise.healthmap.tooth_by_record import RunMapConfig, RunMaps, build_run_maps
from toothwise.simulate.runs import DRIFTS, RunConfig, simulate_run
from toothwise_lab.run_protocol import episodes

VARIANTS: dict[str, dict[str, Any]] = {
    "chosen": {},
    "8 records": {"records": 8},
    "16 records": {"records": 16},
    "64 records": {"records": 64},
    "no nuisance": {"nuisance": 0},
    "12 nuisance directions": {"nuisance": 12},
    "window of 3 teeth": {"window": 3.0},
    "one contact": {"mate": 0.0},
}


def largest(values: np.ndarray) -> np.ndarray:
    """Log contrast of the largest tooth of tooth x record."""
    level = np.log(values.astype(np.float64))
    return np.asarray((level - np.median(level, axis=0)).max(axis=0))


def judge(variant: dict[str, Any], drift: str, seed: int) -> dict[str, float]:
    """One healthy and one faulty run under one variant."""
    out: dict[str, float] = {}
    for faulty in (False, True):
        records = simulate_run(RunConfig(faulty=faulty, drift=drift), seed=seed)
        days = tuple(sorted({int(day) for day in records.day[records.healthy]}))
        maps = build_run_maps(records, RunMapConfig(healthy_days=days, deviation=DeviationConfig(**variant)))
        start = int(maps.healthy.sum())
        by_chance = maps.drift_chance <= 0.001
        if not faulty:
            held_out = largest(maps.recorded_windows.values[:, :, -1].T)
            out["held_out"] = float(np.mean(largest(maps.deviation.values[:, start:]) > np.quantile(held_out, 0.99)))
            out["one_percent"] = float(np.mean(maps.drift_chance[start:] <= 0.01))
            out["one_permille"] = float(np.mean(by_chance[start:]))
            out["runs_alarmed"] = float(len(episodes(by_chance[start:])) > 0)
            continue
        onset = int(records.truth["onset"])
        raised = episodes(by_chance[onset:])
        out["delay"] = float(raised[0] / (len(records) - onset)) if len(raised) else 1.0
        out["tooth_right"] = float(bool(len(raised)) and right(maps, int(raised[0]) + onset))
    return out


def right(maps: RunMaps, at: int) -> bool:
    """Whether the largest tooth of a record is the cracked one, at either contact, within one tooth."""
    teeth, truth = maps.records.teeth, maps.records.truth
    places = [0.0, teeth / 2] if truth["second_contact"] else [0.0]
    away = int(np.argmax(maps.deviation.values[:, at])) - truth["tooth"] - np.array(places)
    return bool((np.abs((away + teeth / 2) % teeth - teeth / 2) <= 1).any())


def main() -> None:
    """Judge every variant and write the table."""
    args = arguments(__doc__, runs=10)
    rows = []
    for name, variant in VARIANTS.items():
        for drift in DRIFTS:
            found = [judge(variant, drift, 7000 + k) for k in range(args.runs)]
            row: dict[str, Any] = {"variant": name, "drift": drift}
            row |= {key: float(np.mean([one[key] for one in found])) for key in found[0]}
            rows.append(row)
            print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    save(args, rows, variants=VARIANTS, simulation=asdict(RunConfig()))


if __name__ == "__main__":
    main()

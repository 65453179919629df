"""Runs from vibration for ``diagnosis.py``: simulated ones with their truth, and HUMS2023 once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toothwise import detectors
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.diagnosis.run_watch import watch_records
from toothwise.diagnosis.verdict import SequenceDiagnosis, WatchSettings
from toothwise.healthmap.hums2023 import read_hums2023
from toothwise.healthmap.tooth_by_record import RunMapConfig, RunMaps, build_run_maps
from toothwise.simulate.runs import RunConfig, simulate_run
from toothwise_lab.run_protocol import RUN_DETECTORS, tooth_at_failure

RUNS = 6  # faulty ones and as many healthy ones


def _watched(maps: RunMaps, settings: WatchSettings) -> SequenceDiagnosis:
    windows = maps.healthy_windows
    detector, _ = fit_with_threshold(
        lambda: detectors.create("scan", **RUN_DETECTORS["scan"]), windows, 0.01, blocks=windows.table["day"].to_numpy()
    )
    return watch_records(maps, detector, settings).found


def vibration_runs(seed: int, settings: WatchSettings) -> dict[str, Any]:
    """Simulated runs to failure of one gear, 133 healthy records, 675 watched."""
    rows = []
    for faulty in (True, False):
        for k in range(RUNS):
            records = simulate_run(RunConfig(faulty=faulty), seed=900 + 50 * seed + k + 20 * faulty)
            maps = build_run_maps(records, RunMapConfig(healthy_days=(17, 18)))
            d = _watched(maps, settings)
            start = int(maps.healthy.sum())
            row: dict[str, Any] = {"faulty": faulty, "state": d.state, "pattern": d.pattern, "records": d.records}
            row["teeth"], row["began_with"] = [t.tooth for t in d.teeth], d.began_with
            row["episodes"], row["first"], row["onset_interval"] = d.alarm.episodes, d.alarm.first, d.onset_interval
            row["bound"] = d.bound.first
            if faulty:
                onset = int(records.truth["onset"]) - start
                row |= {"onset": onset, "tooth": records.truth["tooth"]}
                gap = [abs(t - int(records.truth["tooth"])) % 35 for t in row["teeth"][:1]]
                row["tooth_right"] = bool(gap) and min(gap[0], 35 - gap[0]) <= 1
            rows.append(row)
    return {"runs": rows, "blocks": d.heights.blocks, "block": d.heights.block}


def recordings(folder: Path, settings: WatchSettings) -> dict[str, Any]:
    """HUMS2023 with the same settings."""
    maps = build_run_maps(read_hums2023(folder), RunMapConfig(healthy_days=(17, 18)))
    d = _watched(maps, settings)
    names = {
        str(n): (int(day), int(k))
        for n, day, k in zip(maps.records.name, maps.records.day, maps.records.number, strict=True)
    }

    def place(name: str | None) -> dict[str, int] | None:
        return None if name is None else {"day": names[name][0], "test_record": names[name][1]}

    return {
        "verdict": d.verdict,
        "confidence": d.confidence,
        "next_look": d.next_look,
        "state": d.state,
        "pattern": d.pattern,
        "teeth": [t.tooth for t in d.teeth],
        "began_with": d.began_with,
        "tooth_at_failure": tooth_at_failure(maps),
        "healthy": d.healthy,
        "block": d.heights.block,
        "blocks": d.heights.blocks,
        **{
            rule: {"first": place(getattr(d, rule).first_record), "episodes": getattr(d, rule).episodes}
            for rule in ("alarm", "warning", "row", "bound")
        },
        "alarm_interval": list(d.alarm.interval or ()),
        "onset": place(d.onset_record),
        "onset_interval": None
        if d.onset_interval_records is None
        else [place(name) for name in d.onset_interval_records],
        "contrast": d.contrast,
        "growth_per_100": None if d.growth is None else d.growth.per_100,
        "growth_interval": None if d.growth is None else list(d.growth.interval),
        "prediction": None if d.growth is None else d.growth.why,
        "level_change": float(np.round(d.level_change, 4)),
    }

"""Runs from vibration for ``diagnosis.py``: simulated ones with their truth, and HUMS2023 once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toothwise import Model, Monitor
from toothwise.diagnosis.settings import MonitorSettings
from toothwise.diagnosis.verdict import Diagnosis, Place
from toothwise.healthmap.hums2023 import read_hums2023
from toothwise.healthmap.tooth_by_record import RunMapConfig, RunMaps, build_run_maps
from toothwise.simulate.runs import DRIFTS, RunConfig, simulate_run
from toothwise_lab.run_protocol import RUN_DETECTORS, tooth_at_failure

RUNS = 6  # faulty ones and as many healthy ones


def _watched(maps: RunMaps, settings: MonitorSettings) -> Diagnosis:
    model = Model.fit(maps.healthy_windows, detector="scan", options=RUN_DETECTORS["scan"])
    return Monitor(model, settings).add(maps.windows)


def near(tooth: int, truth: dict[str, Any], teeth: int = 35) -> bool:
    """Within one tooth of the cracked one, at either of its contacts."""
    places = (0.0, teeth / 2) if truth["second_contact"] else (0.0,)
    return any(abs((tooth - truth["tooth"] - place + teeth / 2) % teeth - teeth / 2) <= 1 for place in places)


def vibration_runs(seed: int, settings: MonitorSettings) -> dict[str, Any]:
    """Simulated runs to failure of one gear, the kinds of drift in turn."""
    rows = []
    for faulty in (True, False):
        for k in range(RUNS):
            config = RunConfig(faulty=faulty, drift=DRIFTS[k % len(DRIFTS)])
            records = simulate_run(config, seed=900 + 50 * seed + k + 20 * faulty)
            days = tuple(sorted({int(day) for day in records.day[records.healthy]}))
            maps = build_run_maps(records, RunMapConfig(healthy_days=days))
            d = _watched(maps, settings)
            start = int(maps.healthy.sum())
            row: dict[str, Any] = {"faulty": faulty, "state": d.state, "pattern": d.pattern, "records": d.records}
            row["teeth"], row["began_with"] = [t.tooth for t in d.teeth], d.began_with
            first = {name: None if rule.first is None else rule.first.number - 1 for name, rule in d.rules.items()}
            row["episodes"], row["first"], row["bound"] = d.rules["alarm"].episodes, first["alarm"], first["bound"]
            row["onset_interval"] = None if d.since_interval is None else [p.number - 1 for p in d.since_interval]
            if faulty:
                onset = int(records.truth["onset"]) - start
                row |= {"onset": onset, "tooth": records.truth["tooth"]}
                row["tooth_right"] = any(near(t, records.truth) for t in row["teeth"][:1])
            rows.append(row)
    return {"runs": rows, "blocks": d.limits.blocks, "block": d.limits.block}


def recordings(folder: Path, settings: MonitorSettings) -> dict[str, Any]:
    """HUMS2023 with the same settings."""
    maps = build_run_maps(read_hums2023(folder), RunMapConfig(healthy_days=(17, 18, 19, 20)))
    d = _watched(maps, settings)
    names = {
        str(n): (int(day), int(k))
        for n, day, k in zip(maps.records.name, maps.records.day, maps.records.number, strict=True)
    }

    def place(found: Place | None) -> dict[str, int] | None:
        return None if found is None else {"day": names[found.record][0], "test_record": names[found.record][1]}

    return {
        "verdict": d.sentence,
        "confidence": d.confidence,
        "next_look": d.next_look,
        "state": d.state,
        "pattern": d.pattern,
        "teeth": [t.tooth for t in d.teeth],
        "began_with": d.began_with,
        "tooth_at_failure": tooth_at_failure(maps),
        "healthy": d.healthy,
        "block": d.limits.block,
        "blocks": d.limits.blocks,
        **{
            name: {"first": place(d.rules[rule].first), "episodes": d.rules[rule].episodes}
            for name, rule in (("alarm", "alarm"), ("warning", "warning"), ("row", "in_a_row"), ("bound", "bound"))
        },
        "alarm_interval": list(d.rules["alarm"].interval or ()),
        "onset": place(d.since),
        "onset_interval": None if d.since_interval is None else [place(found) for found in d.since_interval],
        "contrast": d.contrast,
        "growth_per_100": None if d.growth is None else d.growth.per_100,
        "growth_interval": None if d.growth is None else list(d.growth.interval),
        "prediction": None if d.growth is None else d.growth.outlook,
        "level_change": float(np.round(d.level_change, 4)),
    }

"""Numbers of saved examples, written down before the code behind them was moved: they must stay as they were.

``python tests/test_golden.py --write`` writes them anew, which needs a reason in the commit's message.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from toothwise import detectors
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.diagnosis.baseline import learn_baseline
from toothwise.diagnosis.judging import judge
from toothwise.diagnosis.single import diagnose_maps
from toothwise.diagnosis.summary import summarize_records
from toothwise.gears import GearPair
from toothwise.healthmap.build import build_map, learn_waveform
from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps
from toothwise.model.maps import gather
from toothwise.reference.healthy_reference import learn_reference
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.maps import generate
from toothwise.simulate.runs import simulate_run
from toothwise.vibration.periods import cut_periods

FILE = Path(__file__).parent / "golden" / "numbers.json"
CHEAP: dict[str, dict[str, Any]] = {
    "scan": {},
    "scan_learned": {},
    "healthy_distance": {},
    "pca": {},
    "mahalanobis": {},
    "row_kurtosis": {},
    "max": {},
}
DEEP: dict[str, dict[str, Any]] = {
    "patchcore": {"image_size": [112, 112]},
    "dinomaly_directional": {"image_size": [112, 112], "max_steps": 3},
}


def numbers(values: Any) -> list[float]:
    return [float(v) for v in np.asarray(values, dtype=float).ravel()]


def maps(n: int, *, faulty: bool, seed: int, shape: tuple[int, int] = (12, 17)) -> np.ndarray:
    return generate(domain="C", n=n, faulty=faulty, seed=seed, shape=shape, contrast=(1.2, 1.6))[0]


def of_detectors(chosen: dict[str, dict[str, Any]], n: int, shape: tuple[int, int]) -> dict[str, Any]:
    healthy, faulty = maps(n, faulty=False, seed=1, shape=shape), maps(6, faulty=True, seed=2, shape=shape)
    out: dict[str, Any] = {}
    for name, options in chosen.items():
        detector, held_out = fit_with_threshold(lambda n=name, o=options: detectors.create(n, **o), healthy, 0.01)
        found = detector.predict(faulty)
        assert detector.threshold is not None
        out[name] = {
            "held_out": numbers(held_out),
            "threshold": detector.threshold.value,
            "interval": numbers(detector.threshold.interval),
            "score": numbers(found.score),
            "row": numbers(found.row),
        }
    return out


def of_diagnoses() -> dict[str, Any]:
    healthy = maps(120, faulty=False, seed=3)
    detector, _ = fit_with_threshold(lambda: detectors.create("scan"), healthy, 0.01)
    reference = learn_reference(detector, healthy)
    single = diagnose_maps(maps(8, faulty=True, seed=4), detector, reference)
    baseline = learn_baseline(reference)
    later = np.concatenate([maps(20, faulty=False, seed=5), maps(20, faulty=False, seed=6)])
    later[15:, 5] *= np.linspace(1.1, 2.5, 25)[:, None].astype(np.float32)
    batch = replace(gather(later)[0], table=pd.DataFrame({"record": np.arange(40)}))
    seen, _ = summarize_records(batch, detector, reference, baseline)
    found = judge(seen, baseline)
    channels = found.limits.channels
    return {
        "single": [
            {
                "p": one.p_values,
                "pattern": one.pattern,
                "lines": [[f.axis, f.tooth, f.contrast, f.p_value] for f in one.lines],
            }
            for one in single
        ],
        "sequence": {
            "state": found.state,
            "alarm": found.rules["alarm"].first.number - 1,
            "warning": found.rules["warning"].first.number - 1,
            "onset": found.since.number - 1,
            "contrast": found.contrast,
            "teeth": [[t.axis, t.tooth, t.statistic] for t in found.teeth],
            "limits": {name: [own[tier].height for tier in ("alarm", "warning")] for name, own in channels.items()},
        },
    }


def of_recordings() -> dict[str, Any]:
    pair = GearPair(driving=9, driven=14)
    config = GearboxConfig(gears=pair, periods=6, sampling_rate=12800.0)
    records = [simulate_record(config, seed=k)[0] for k in range(3)]
    damaged = simulate_record(config, [Fault("crack", "driving", 4, 0.5)], seed=7)[0]
    waveform = learn_waveform([cut_periods(r, pair, samples_per_tooth=16) for r in records])
    plain = build_map(damaged, pair, samples_per_tooth=16)
    less = build_map(damaged, pair, samples_per_tooth=16, waveform=waveform)
    return {"plain": numbers(plain.values), "less_waveform": numbers(less.values)}


def of_runs() -> dict[str, Any]:
    run = build_run_maps(simulate_run(seed=0), RunMapConfig(healthy_days=(1, 2)))
    last = run.windows.values[-1]
    return {"rms": float(np.nanmean(run.rms.values)), "last": numbers(last[:, -1]), "windows": len(run.windows)}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "cheap": lambda: of_detectors(CHEAP, 48, (12, 17)),
    "deep": lambda: of_detectors(DEEP, 16, (31, 95)),
    "diagnoses": of_diagnoses,
    "recordings": of_recordings,
    "runs": of_runs,
}


def close(found: Any, wanted: Any, rtol: float, place: str = "") -> None:
    if isinstance(wanted, dict):
        assert set(found) == set(wanted), place
        for key in wanted:
            close(found[key], wanted[key], rtol, f"{place}/{key}")
    elif isinstance(wanted, list) and wanted and not isinstance(wanted[0], int | float):
        assert len(found) == len(wanted), place
        for k, (a, b) in enumerate(zip(found, wanted, strict=True)):
            close(a, b, rtol, f"{place}[{k}]")
    elif isinstance(wanted, str) or wanted is None:
        assert found == wanted, place
    else:
        np.testing.assert_allclose(found, wanted, rtol=rtol, atol=1e-12, err_msg=place)


@pytest.mark.parametrize("part", [pytest.param(p, marks=[pytest.mark.full] * (p == "deep")) for p in PARTS])
def test_numbers_stay_as_they_were(part):
    # other processors round otherwise: what a network computes agrees less well than what NumPy does
    rtol = {"deep": 2e-3, "cheap": 2e-4}.get(part, 1e-5)
    close(json.loads(json.dumps(PARTS[part]())), json.loads(FILE.read_text())[part], rtol)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python tests/test_golden.py --write")
    FILE.write_text(json.dumps({part: make() for part, make in PARTS.items()}, indent=1) + "\n")

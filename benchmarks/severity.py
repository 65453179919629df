"""Severity-aware Dinomaly: how well it tells the contrast of damage, and whether that rises until a gear fails.

    OMP_NUM_THREADS=1 python benchmarks/severity.py            # about 12 minutes on one core
    OMP_NUM_THREADS=1 python benchmarks/severity.py --quick    # fewer maps and steps, not written: 3 minutes

Simulated part: domain C, matched mode, training pool. The detector learns from healthy maps and its own synthetic
lines; the test lines are those of the map generator: contrast drawn evenly, 1-2 teeth, any length whatever the
contrast, rows and columns. So length tells nothing of contrast here, unlike in training. Errors are in contrast (1 =
healthy). Beside the severity stand its own anomaly score and simple statistics of the map, as far as order goes, and
the error of always answering the mean contrast of the test lines.

Run to failure (needs TOOTHWISE_DATA with hums2023): fitted on the windows of days 17-18, lines along rows (teeth).
Spearman correlation with time of what each record's trailing window of 32 gives, over days 24-27; beside it the RMS of
the record itself and its mean over the same 32 records, and the largest tooth mean of the window. One gear and one
run: windows overlap, so there is no meaningful p-value.

Options:

    --train-maps: healthy maps
    --test-lines: maps with a line
    --every: take every n-th record of the run's last days
    --quick: 40 maps, 20 steps, every 8th record, no file
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring.command import arguments, save

from toothwise import detectors
from toothwise.detectors.base import Detector
from toothwise.detectors.fused import line_contrast_of
from toothwise.healthmap.hums2023 import read_hums2023
from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps
from toothwise.simulate.maps import generate
from toothwise_lab.severity import kendall, mae, spearman

NAME = "dinomaly_severity"
CONTRAST = (1.02, 1.8)
SIMULATED: dict[str, Any] = {"precision": "bfloat16"}
RUN: dict[str, Any] = {
    "image_size": [560, 64],
    "pooling": "rows",
    "line_gear": "driving",
    "max_steps": 80,
    "precision": "bfloat16",
}
HEALTHY_DAYS, WATCHED_DAYS = (17, 18), (24, 25, 26, 27)


def order(values: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    """Rank correlations."""
    return {"spearman": round(spearman(values, actual), 4), "kendall": round(kendall(values, actual), 4)}


def with_time(values: np.ndarray) -> float | None:
    """Spearman correlation with time; None where all values are the same, as beyond the end of a scale."""
    return None if np.ptp(values) == 0 else spearman(values, np.arange(len(values), dtype=float))


def fit(options: dict[str, Any], maps: Any) -> tuple[Detector, dict[str, Any]]:
    """A fitted detector, with its time and what it says of itself."""
    start = time.perf_counter()
    detector = detectors.create(NAME, **options).fit(maps)
    return detector, {"fit_seconds": round(time.perf_counter() - start), "info": detector.info}


def simulated(args: argparse.Namespace) -> dict[str, Any]:
    """Severity of test lines of known contrast."""
    train, _ = generate("C", args.train_maps, False, seed=args.seed)
    options = SIMULATED | {"max_steps": args.steps, "seed": args.seed}
    detector, found = fit(options, train)
    maps, truth = generate("C", args.test_lines, True, contrast=CONTRAST, gear="both", seed=args.seed + 1)
    actual = truth["contrast"].to_numpy(dtype=float)
    long = truth["length"].to_numpy(dtype=float) >= 28
    lines = detector.predict(maps)
    scan = detectors.create("scan").fit(train).predict(maps)
    severity = lines.severity
    assert severity is not None
    assert scan.row_evidence is not None
    assert scan.column_evidence is not None
    measured = np.exp(line_contrast_of(maps, scan.row_evidence, scan.column_evidence))
    return found | {
        "lines": {"mae": mae(severity, actual), **order(severity, actual)},
        "lines_of_28_cells_or_more": {"mae": mae(severity[long], actual[long]), **order(severity[long], actual[long])},
        "measured_along_the_scans_line": {
            "mae": mae(measured, actual),
            "mae_28_cells_or_more": mae(measured[long], actual[long]),
            **order(measured[long], actual[long]),
        },
        "always_the_mean": {"mae": mae(np.full_like(actual, actual.mean()), actual)},
        "order_of_others": {
            "anomaly score": order(lines.score, actual),
            "map mean": order(maps.mean(axis=(1, 2)), actual),
            "map maximum": order(maps.max(axis=(1, 2)), actual),
            "scan": order(scan.score, actual),
            "contrast measured along the scan's line": order(measured, actual),
        },
    }


def run_to_failure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Whether severity rises with time over the last days."""
    records = read_hums2023(folder)
    maps = build_run_maps(records, RunMapConfig(healthy_days=HEALTHY_DAYS, window=32))
    options = RUN | {"max_steps": min(args.steps, RUN["max_steps"]), "seed": args.seed}
    detector, found = fit(options, maps.recorded_windows)
    watched = np.flatnonzero(np.isin(maps.windows.table["day"], WATCHED_DAYS))[:: args.every]
    windows = np.ascontiguousarray(maps.windows.values[watched])
    prediction = detector.predict(windows)
    healthy = detector.predict(np.ascontiguousarray(maps.recorded_windows.values[:: args.every]))
    assert prediction.severity is not None
    assert healthy.severity is not None
    scan = detectors.create("scan", lines="rows", lengths=[8, 16, 32]).fit(maps.recorded_windows).predict(windows)
    assert scan.row_evidence is not None
    no_column = np.full((len(windows), 1), -np.inf)  # columns of these maps are records
    measured = np.exp(line_contrast_of(windows, scan.row_evidence, no_column))
    last = maps.windows.table["record"].to_numpy()[watched]
    rms = np.sqrt(np.mean(np.square(records.vibration), axis=1))
    trailing = np.array([rms[at - maps.windows.values.shape[2] + 1 : at + 1].mean() for at in last])
    day = maps.windows.table["day"].to_numpy()[watched]

    def by_day(values: np.ndarray) -> dict[str, float]:
        return {str(d): float(values[day == d].mean()) for d in WATCHED_DAYS}

    return found | {
        "records": len(last),
        "spearman_with_time": {
            "severity": with_time(prediction.severity),
            "contrast measured along the scan's line": with_time(measured),
            "anomaly score": with_time(prediction.score),
            "RMS of the record": with_time(rms[last]),
            "RMS, mean of the window's records": with_time(trailing),
            "largest tooth mean of the window": with_time(windows.mean(axis=2).max(axis=1)),
        },
        "mean_severity_by_day": by_day(prediction.severity) | {"17-18 (fitted)": float(healthy.severity.mean())},
        "mean_measured_by_day": by_day(measured),
    }


def main() -> None:
    """Measure and write the table."""
    args = arguments(__doc__, train_maps=300, test_lines=300, steps=200, every=4, seed=0, quick=False)
    if args.quick:
        args.train_maps, args.test_lines, args.steps, args.every = 40, 40, 20, 8
    start = time.perf_counter()
    result: dict[str, Any] = {"simulated": simulated(args)}
    print(result["simulated"], flush=True)
    data = os.environ.get("TOOTHWISE_DATA")
    if data and (Path(data) / "hums2023").is_dir():
        result["hums2023"] = run_to_failure(Path(data) / "hums2023", args)
        print(result["hums2023"], flush=True)
    result["seconds"] = round(time.perf_counter() - start)
    config = {"contrast": CONTRAST, "simulated": SIMULATED, "run": RUN, "threads": os.environ.get("OMP_NUM_THREADS")}
    save(args, result, healthy_days=HEALTHY_DAYS, watched_days=WATCHED_DAYS, **config)


if __name__ == "__main__":
    main()

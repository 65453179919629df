"""How well severity tells the contrast of damage, and whether it rises until a gear fails.

    OMP_NUM_THREADS=1 python benchmarks/severity.py            # about 12 minutes on one core
    OMP_NUM_THREADS=1 python benchmarks/severity.py --quick    # fewer maps and steps, not written: 3 minutes

Three ways: the head of severity-aware Dinomaly, the contrast of the line network, and contrast measured along the line
that the scan names.

Simulated part: domain C, matched mode, training pool. Detectors learn from healthy maps and their own synthetic lines;
the test lines are those of the map generator: contrast drawn evenly, 1-2 teeth, any length whatever the contrast, rows
and columns. So length tells nothing of contrast here, unlike in the head's training. Errors are in contrast (1 =
healthy). Beside them stand the anomaly score and simple statistics of the map, as far as order goes, and the error of
always answering the mean contrast of the test lines. Of the line network: how often two standard deviations hold the
log contrast of the lines whose tooth it names.

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
from pathlib import Path
from typing import Any

import numpy as np
from measuring.command import arguments, data_set, save

from toothwise import detectors
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
ROWS: dict[str, Any] = {"lines": "rows", "lengths": [8, 16, 32]}
WAYS = ("head of `dinomaly_severity`", "contrast of `line_network`", "measured along the scan's line")
HEALTHY_DAYS, WATCHED_DAYS = (17, 18), (24, 25, 26, 27)


def order(values: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    """Rank correlations."""
    return {"spearman": round(spearman(values, actual), 4), "kendall": round(kendall(values, actual), 4)}


def with_time(values: np.ndarray) -> float | None:
    """Spearman correlation with time; None where all values are the same, as beyond the end of a scale."""
    return None if np.ptp(values) == 0 else spearman(values, np.arange(len(values), dtype=float))


def contrasts(train: Any, maps: np.ndarray, head: dict[str, Any], lines: dict[str, Any]) -> tuple[Any, ...]:
    """Severity-aware Dinomaly and line network, fitted; its prediction; contrast of the maps by each way."""
    detector = detectors.create(NAME, **head).fit(train)
    network: Any = detectors.create("line_network", **lines).fit(train)
    found, scan = detector.predict(maps), detectors.create("scan", **lines).fit(train).predict(maps)
    none = np.full((len(maps), 1), -np.inf)  # columns of the maps of a run are records
    evidence = [none if e is None else e for e in (scan.row_evidence, scan.column_evidence)]
    by = (found.severity, np.exp(network.contrast_of(maps)[0]), np.exp(line_contrast_of(maps, *evidence)))
    return detector, network, found, scan, dict(zip(WAYS, by, strict=True))


def simulated(args: argparse.Namespace) -> dict[str, Any]:
    """Severity of test lines of known contrast."""
    train, _ = generate("C", args.train_maps, False, seed=args.seed)
    maps, truth = generate("C", args.test_lines, True, contrast=CONTRAST, gear="both", seed=args.seed + 1)
    head = SIMULATED | {"max_steps": args.steps, "seed": args.seed}
    detector, network, lines, scan, by = contrasts(train, maps, head, {})
    actual, length, tooth, teeth = (truth[n].to_numpy(dtype=float) for n in ("contrast", "length", "tooth", "teeth"))
    long = length >= 28
    mean, spread = network.contrast_of(maps)
    said = network.predict(maps)
    line = np.concatenate([said.row_evidence, said.column_evidence], axis=1).argmax(axis=1)
    driving = (truth["gear"] == "driving").to_numpy()
    at = line - np.where(driving, 0, maps.shape[1]) - tooth
    named = (driving == (line < maps.shape[1])) & (at >= 0) & (at < teeth)
    others = {"map mean": maps.mean(axis=(1, 2)), "map maximum": maps.max(axis=(1, 2)), "scan": scan.score}
    return {
        "info": detector.info,
        "ways": {
            way: {"mae": mae(c, actual), "mae_28_cells_or_more": mae(c[long], actual[long]), **order(c, actual)}
            for way, c in by.items()
        },
        "spread": {
            "named": int(named.sum()),
            "held": float(np.mean(np.abs(mean - np.log(actual))[named] <= 2.0 * spread[named])),
        },
        "always_the_mean": {"mae": mae(np.full_like(actual, actual.mean()), actual)},
        "order_of_others": {n: order(v, actual) for n, v in ({"anomaly score": lines.score} | others).items()},
    }


def run_to_failure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Whether severity rises with time over the last days."""
    records = read_hums2023(folder)
    maps = build_run_maps(records, RunMapConfig(healthy_days=HEALTHY_DAYS, window=32))
    watched = np.flatnonzero(np.isin(maps.windows.table["day"], WATCHED_DAYS))[:: args.every]
    windows = np.ascontiguousarray(maps.windows.values[watched])
    head = RUN | {"max_steps": min(args.steps, RUN["max_steps"]), "seed": args.seed}
    detector, _, found, _, by = contrasts(maps.recorded_windows, windows, head, ROWS)
    healthy = detector.predict(np.ascontiguousarray(maps.recorded_windows.values[:: args.every]))
    assert healthy.severity is not None
    last = maps.windows.table["record"].to_numpy()[watched]
    rms = np.sqrt(np.mean(np.square(records.vibration), axis=1))
    trailing = np.array([rms[at - maps.windows.values.shape[2] + 1 : at + 1].mean() for at in last])
    day = maps.windows.table["day"].to_numpy()[watched]
    others = {
        "anomaly score": found.score,
        "RMS of the record": rms[last],
        "RMS, mean of the window's records": trailing,
        "largest tooth mean of the window": windows.mean(axis=2).max(axis=1),
    }
    return {
        "info": detector.info,
        "records": len(last),
        "spearman_with_time": {name: with_time(values) for name, values in (by | others).items()},
        "mean_by_day": {
            way: {str(d): float(values[day == d].mean()) for d in WATCHED_DAYS} for way, values in by.items()
        },
        "head_on_fitted_days": float(healthy.severity.mean()),
    }


def main() -> None:
    """Measure and write the table."""
    args = arguments(__doc__, train_maps=300, test_lines=300, steps=200, every=4, seed=0, quick=False)
    if args.quick:
        args.train_maps, args.test_lines, args.steps, args.every = 40, 40, 20, 8
    result: dict[str, Any] = {"simulated": simulated(args)}
    print(result["simulated"], flush=True)
    if folder := data_set("hums2023"):
        result["hums2023"] = run_to_failure(folder, args)
        print(result["hums2023"], flush=True)
    config = {"contrast": CONTRAST, "simulated": SIMULATED, "run": RUN, "threads": os.environ.get("OMP_NUM_THREADS")}
    save(args, result, healthy_days=HEALTHY_DAYS, watched_days=WATCHED_DAYS, **config)


if __name__ == "__main__":
    main()

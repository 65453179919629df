"""What the machinery of studies costs: many fast trials on 1 and on 2 workers; writes results/study_overhead.json.

    python benchmarks/study_overhead.py                       # 200 trials of about a second, twice: 6 minutes
    python benchmarks/study_overhead.py --trials 20 --output /tmp/try.json

Trials are real ones (a scan on simulated maps, every metric), written to disk, to results.jsonl and to MLflow.
*Overhead* is the time that workers had and trials did not use, as a share of what trials used: workers x wall time over
the sum of the trials' own seconds, less 1. It is told from the first trial handed over to the last one written, and for
the whole command with the start and end of Ray. *Speed-up* is the wall time on one worker over that on two. Trials that
share a busy machine slow each other down, which the speed-up shows and the overhead does not.

Options:

    --trials: a multiple of 4
    --maps: of each trial: sets how long it takes
    --tracking: 'none' = without MLflow
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring.command import arguments

from toothwise.progress import silent
from toothwise.results import write_result
from toothwise_lab.studies.config import read_study
from toothwise_lab.studies.opened import open_study
from toothwise_lab.studies.run import RunOptions, run_study

RESULT = Path(__file__).parent / "results" / "study_overhead.json"
PROMISED = {"overhead": 0.1, "speed_up": 1.7}
STUDY = """
title: Fast trials
base: {{detector: scan, n_train: 300, n_test: {maps}}}
domains: [A, B, C, D]
seeds: {seeds}
"""


def measure(study: Path, workers: int, tracking: str | None) -> dict[str, Any]:
    """One run of the study in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        report = run_study(read_study(study), Path(folder), RunOptions(workers=workers, tracking=tracking), silent)
        whole = time.perf_counter() - begin
        seconds = [row["seconds"] for _, row in open_study(Path(folder)).rows("done")]
    return {
        "workers": report.workers,
        "trials": len(seconds),
        "trial_seconds_median": statistics.median(seconds),
        "wall_seconds": report.wall_seconds,
        "overhead": workers * report.wall_seconds / sum(seconds) - 1.0,
        "whole_seconds": whole,
        "whole_overhead": workers * whole / sum(seconds) - 1.0,
    }


def main() -> None:
    """Run, print, write."""
    args = arguments(__doc__, trials=200, maps=500, tracking=str, output=RESULT)
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "fast.yaml"
        study.write_text(STUDY.format(maps=args.maps, seeds=max(1, args.trials // 4)), encoding="utf-8")
        runs = [measure(study, workers, args.tracking) for workers in (1, 2)]
    result = {
        "runs": runs,
        "speed_up": runs[0]["wall_seconds"] / runs[1]["wall_seconds"],
        "promised": PROMISED,
    }
    for run in runs:
        print(", ".join(f"{name} {value:.3g}" for name, value in run.items()))
    print(f"speed-up {result['speed_up']:.2f}")
    config = {"trials": args.trials, "maps": args.maps, "tracking": args.tracking or "mlflow"}
    print(write_result(args.output, config, result))


if __name__ == "__main__":
    main()

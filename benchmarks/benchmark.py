"""results/benchmark.json, which docs/benchmark.md is made from, out of the study of the simulated benchmark.

    toothwise study run configs/studies/benchmark.yaml
    python benchmarks/benchmark.py runs/studies/benchmark

The committed file holds the same cells as run by ``toothwise bench`` of version 0.1.
"""

from __future__ import annotations

import sys
from pathlib import Path

from studies import rounded

from toothwise_lab.results import write_result
from toothwise_lab.studies.opened import open_study

MAPS = ("n_train", "n_test", "contrast", "gear", "length")


def main(folder: Path) -> None:
    """One cell for each trial that is done, figures rounded to six digits."""
    rows = {row["key"]: row for _, row in open_study(folder).rows("done")}
    cells = [rounded(row["metrics"]) for row in rows.values()]
    settings = next(iter(rows.values()))["config"]
    path = Path(__file__).parent / "results" / "benchmark.json"
    write_result(path, {name: settings[name] for name in MAPS}, {"cells": cells}, seed=0)
    print(f"{path}: {len(cells)} cells")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""One benchmark result from several runs of ``toothwise bench`` (cheap detectors, the limit, deep detectors).

    python benchmarks/collect.py runs/cheap runs/limit runs/deep    # writes benchmarks/results/benchmark.json

The runs must have the same maps: contrast, gear, length and numbers of maps; domains, modes, detectors and seeds may
differ. Figures are rounded to six digits. The revision is that of the runs, which must be one.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from toothwise.errors import InputError
from toothwise.files import write_json

SAME = ("n_train", "n_test", "contrast", "gear", "length")


def collect(folders: list[Path]) -> dict[str, Any]:
    """The runs as one.

    Raises:
        InputError: runs of other maps or other code, or the same cell twice.
    """
    runs = [json.loads((folder / "bench.json").read_text(encoding="utf-8")) for folder in folders]
    first = runs[0]
    cells: dict[tuple[Any, ...], dict[str, Any]] = {}
    for folder, run in zip(folders, runs, strict=True):
        wrong = [key for key in SAME if run["config"][key] != first["config"][key]]
        if wrong or run["revision"] != first["revision"]:
            raise InputError(f"{folder}: {', '.join(wrong) or 'revision'} differs from that of {folders[0]}")
        for cell in run["result"]["cells"]:
            key = tuple(cell[k] for k in ("domain", "mode", "detector", "seed"))
            if key in cells:
                raise InputError(f"{folder}: the cell {key} is in another run too")
            cells[key] = {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in cell.items()}
    config = {key: first["config"][key] for key in SAME}
    config["runs"] = [{k: v for k, v in run["config"].items() if k not in SAME} for run in runs]
    return {**first, "config": config, "result": {"cells": list(cells.values())}}


def main() -> None:
    """Collect and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    args = parser.parse_args()
    try:
        found = collect(args.runs)
    except InputError as error:
        sys.exit(str(error))
    path = Path(__file__).parent / "results" / "benchmark.json"
    write_json(path, found)
    print(f"{path}: {len(found['result']['cells'])} cells")


if __name__ == "__main__":
    main()

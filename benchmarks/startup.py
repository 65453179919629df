"""Time of ``import toothwise`` and of ``toothwise --help``, each in a new process; writes results/startup.json.

    python benchmarks/startup.py
    python benchmarks/startup.py --quick    # few rounds; writes only where --output says so

The time of an interpreter that does nothing is measured in the same rounds, because it is part of both.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from toothwise.results import write_result

COMMANDS = {
    "python, nothing": [sys.executable, "-c", "pass"],
    "import toothwise": [sys.executable, "-c", "import toothwise"],
    "toothwise --help": [sys.executable, "-m", "toothwise.cli", "--help"],
    "toothwise fit --help": [sys.executable, "-m", "toothwise.cli", "fit", "--help"],
}
PROMISED = {"import toothwise": 0.3, "toothwise --help": 0.5}


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    """Measure in turns, so that a busy moment hits all commands alike; the first round only fills the file cache."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    rounds = args.rounds or (5 if args.quick else 15)
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(rounds + 1):
        for name, command in COMMANDS.items():
            value = seconds(command)
            if number:
                taken[name].append(value)
    result = {
        name: {
            "median_seconds": round(statistics.median(values), 4),
            "largest_seconds": round(max(values), 4),
            "promised_seconds": PROMISED.get(name),
        }
        for name, values in taken.items()
    }
    for name, row in result.items():
        print(f"{name:<22} {row['median_seconds']:.3f} s (largest {row['largest_seconds']:.3f} s)")
    nothing = result["python, nothing"]["median_seconds"]
    ratios = {
        f"{name} / python, nothing": round(row["median_seconds"] / nothing, 3)
        for name, row in result.items()
        if name != "python, nothing"
    }
    output = args.output or (None if args.quick else Path(__file__).parent / "results" / "startup.json")
    if output:
        print(write_result(output, {"rounds": rounds}, {**result, "ratios": ratios}))


if __name__ == "__main__":
    main()

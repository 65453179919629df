"""The quick set of benchmarks, and its ratios beside the committed ones: ``make bench``.

python benchmarks/quick             # under 10 minutes; prints ratios and what moved
python benchmarks/quick --strict    # exit 1 where a ratio is worse by more than 20 %
python benchmarks/quick --write     # and commit these ratios: benchmarks/results/quick.json

Ratios are compared and not times: both sides of a ratio were measured in turns in one process, so that they mean the
same on another machine or a busy one, as far as anything does. They are compared with those of the same kind of
processor only (matrix units for bfloat16, AVX-512, AVX2).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from guard import compare, told

from toothwise.processor import flags
from toothwise_lab.results import kind, write_result

HERE = Path(__file__).parents[1]
SCRIPTS = ("startup", "attention", "training", "inference")
COMMITTED = HERE / "results" / ("quick.json" if kind() == "amx" else f"quick_{kind()}.json")


def measure(names: tuple[str, ...]) -> dict[str, float]:
    """Ratios of the scripts' quick runs, each name begins with its script's."""
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            print(f"== {name}", flush=True)
            output, begin = Path(folder) / f"{name}.json", time.perf_counter()
            command = [sys.executable, "-W", "ignore", str(HERE / f"{name}.py"), "--quick", "--output", str(output)]
            subprocess.run(command, check=True)
            found = json.loads(output.read_text(encoding="utf-8"))["result"]["ratios"]
            ratios |= {f"{name}: {key}": value for key, value in found.items()}
            print(f"   {time.perf_counter() - begin:.0f} s", flush=True)
    return ratios


def main() -> int:
    """Measure, compare, say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="*", help=f"of {', '.join(SCRIPTS)} [all]")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    now = measure(tuple(args.scripts) or SCRIPTS)
    print("\nRatios (cost of ours over cost of what stands beside it):")
    for name, value in now.items():
        print(f"  {value:7.3f}  {name}")
    before: dict[str, float] = {}
    measured = {name.partition(":")[0] for name in now}
    if COMMITTED.exists():
        before = json.loads(COMMITTED.read_text(encoding="utf-8"))["result"]["ratios"]
        before = {name: value for name, value in before.items() if name.partition(":")[0] in measured}
        print("\n" + told(before, now))
    else:
        print(
            f"\nNo figures are stored for this kind of processor ({kind()}: {', '.join(flags())}); --write stores these"
        )
    if args.write:
        print(write_result(COMMITTED, {"scripts": sorted(measured)}, {"ratios": now}))
    return int(args.strict and any(m.worse for m in compare(before, now) if m.before is not None))


if __name__ == "__main__":
    sys.exit(main())

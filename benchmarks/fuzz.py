"""Damaged files for every reader, thousands of them; results/fuzz.json.

    python benchmarks/fuzz.py                                     # 400 inputs a reader, some minutes
    python benchmarks/fuzz.py --inputs 6 --output try.json        # seconds
    python benchmarks/fuzz.py --only 'recording, HDF5' --inputs 5000 --keep failures

Valid files are damaged by hypothesis: bits and bytes, edge numbers in headers, truncation, insertions, splices of two
files, JSON and YAML that say something else, the inside of archives whose checksums are made right again; and noise.
A reader must read an input or say in one of toothwise's own errors why not. Failures are: any other error, a process
that dies, more than 5 s of processor time, 256 MiB more memory, an endless message, a file written elsewhere or left
behind, a process started, a connection, something unpickled. Each reader runs in a process of its own; when that
dies its input is kept and another one goes on. Exit code 1 where there was any failure.

Options:

    --inputs: per reader; slow ones get fewer
    --only: readers whose name holds this
    --keep: folder for everything that is made
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from fuzzing.fixtures import write_fixtures
from fuzzing.judge import SECONDS, Failure, Judge, Target
from fuzzing.mutate import damaged, give_each
from fuzzing.targets import targets
from measuring.command import arguments, save

STILL = 90.0  # seconds after which a process that is at one input is ended
_MOST_DEATHS = 5


def fuzz(target: Target, inputs: int, seed: int, folder: Path) -> dict[str, Any]:
    """All inputs of a reader, in one process after the other as long as they die."""
    outcomes: Counter[str] = Counter()
    failures: dict[str, dict[str, str]] = {}
    for life in range(_MOST_DEATHS):
        place = folder / f"life-{life}"
        (place / "sandbox").mkdir(parents=True)
        work = (target, inputs - outcomes.total(), seed + 1000 * life, place)
        process = get_context("fork").Process(target=draw, args=work)  # everything is imported already
        process.start()
        process.join()
        found = [json.loads(line) for line in (place / "told").read_text(encoding="utf-8").splitlines()]
        outcomes.update(one["kind"] for one in found)
        failures |= {one["file"]: one for one in found if "file" in one}
        if process.exitcode == 0:
            break
        words = " | ".join((place / "errors").read_text(errors="replace").strip().splitlines()[:40])
        last = place / "current"
        if not last.exists():
            raise SystemExit(f"{target.name}: {words[-600:]}")
        kind = "hang" if "Timeout (" in words else f"died ({process.exitcode})"
        failures[str(last)] = {"kind": kind, "text": words, "file": str(last)}
    kinds = dict(sorted(outcomes.items()))
    return {"inputs": outcomes.total(), "outcomes": kinds, "failures": list(failures.values())}


def draw(target: Target, inputs: int, seed: int, place: Path) -> None:
    """In a process of its own: draws inputs, gives them to the reader, and writes a line of what came of each."""
    errors = os.open(place / "errors", os.O_CREAT | os.O_WRONLY)
    os.dup2(errors, 1)
    os.dup2(errors, 2)
    faulthandler.enable(errors)
    files: dict[tuple[str, str], Path] = {}
    with (place / "told").open("w", buffering=1, encoding="utf-8") as told:
        judge = Judge(target, place / "sandbox")
        judge.warm()

        def give(content: bytes) -> None:
            (place / "current").write_bytes(content)
            faulthandler.dump_traceback_later(STILL, exit=True, file=errors)
            found = judge(content)
            row = {"kind": found}
            if isinstance(found, Failure):
                file = files.setdefault((found.kind, found.text.rpartition(" at ")[2]), place / f"failure-{len(files)}")
                if not file.exists():
                    file.write_bytes(content)
                row = {**asdict(found), "file": str(file)}
            told.write(json.dumps(row) + "\n")

        give_each(damaged(target.seeds, target.kinds), inputs, seed, give)


def main() -> int:
    """Write valid files, damage them, write the result."""
    options = arguments(__doc__, inputs=400, seed=0, only="", keep=Path)
    with tempfile.TemporaryDirectory(prefix="toothwise-fuzz-") as name:
        folder = options.keep or Path(name)
        fixtures = folder / "fixtures"
        if not fixtures.exists():
            fixtures.mkdir(parents=True)
            write_fixtures(fixtures)
        readers = {}
        for k, (reader, target) in enumerate(targets(fixtures).items()):
            if options.only in reader:
                inputs = max(1, round(options.inputs * target.weight))
                readers[reader] = fuzz(target, inputs, options.seed, folder / f"reader-{k}")
                print(json.dumps({reader: readers[reader]}, ensure_ascii=False), flush=True)
    total = sum((Counter(found["outcomes"]) for found in readers.values()), Counter())
    failures, inputs = sum(len(found["failures"]) for found in readers.values()), total.total()
    result = {"inputs": inputs, "failures": failures, "outcomes": dict(total), "readers": readers}
    save(options, result, seconds=SECONDS)
    print(f"{inputs} inputs, {failures} failures: {dict(total)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

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
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
from fuzzing.fixtures import write_fixtures
from fuzzing.judge import SECONDS, Failure, Judge, Target
from fuzzing.mutate import damaged
from fuzzing.targets import targets
from measuring.command import arguments

from toothwise.results import write_result

HERE = Path(__file__).parent

STILL = 90.0  # seconds after which a process that tells nothing new is ended
_MOST_DEATHS = 5


def fuzz(target: Target, inputs: int, seed: int, folder: Path) -> dict[str, Any]:
    """All inputs of a reader, in one process after the other as long as they die."""
    total: dict[str, Any] = {"inputs": 0, "outcomes": Counter(), "failures": []}
    for life in range(_MOST_DEATHS):
        place = folder / f"life-{life}"
        place.mkdir(parents=True)
        pid = os.fork()  # everything is imported already
        if pid == 0:
            _child(target, inputs - total["inputs"], seed + 1000 * life, place)
        status, ended = _wait(pid, place / "told.json")
        told = json.loads((place / "told.json").read_text()) if (place / "told.json").exists() else {}
        total["inputs"] += told.get("inputs", 0)
        total["outcomes"].update(told.get("outcomes", {}))
        total["failures"] += told.get("failures", [])
        if status == 0:
            break
        words = " | ".join((place / "errors").read_text(errors="replace").strip().splitlines()[:40])
        if not (place / "current").exists():
            raise SystemExit(f"{target.name}: {words[-600:]}")
        total["failures"].append({"kind": ended or f"died ({status})", "text": words, "file": str(place / "current")})
    total["outcomes"] = dict(sorted(total["outcomes"].items()))
    return total


def _wait(pid: int, told: Path) -> tuple[int, str | None]:
    """Exit status of a process; one that tells nothing new for too long is ended."""
    last, since = -1.0, time.monotonic()
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), None
        time.sleep(0.02)
        now = told.stat().st_mtime if told.exists() else -1.0
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > STILL:
            os.kill(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "hang"


def _child(target: Target, inputs: int, seed: int, place: Path) -> NoReturn:
    """The process of a reader; never returns."""
    errors = os.open(place / "errors", os.O_CREAT | os.O_WRONLY)
    os.dup2(errors, 1)
    os.dup2(errors, 2)
    faulthandler.enable(open(2, "w", closefd=False))  # noqa: SIM115
    try:
        draw(target, inputs, seed, place)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(3)
    os._exit(0)


def draw(target: Target, inputs: int, seed: int, place: Path) -> None:
    """Draws inputs, gives them to the reader, and writes what came of them every second."""
    judge = Judge(target, _made(place / "sandbox"))
    judge.warm()
    outcomes: Counter[str] = Counter()
    failures: dict[str, dict[str, str]] = {}
    state = {"told": 0.0, "inputs": 0}

    def tell() -> None:
        found = {"inputs": state["inputs"], "outcomes": outcomes, "failures": list(failures.values())}
        (place / "telling").write_text(json.dumps(found))
        (place / "telling").replace(place / "told.json")

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=inputs,
        phases=[hypothesis.Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(damaged(target.seeds, target.kinds))
    def give(content: bytes) -> None:
        (place / "current").write_bytes(content)
        found = judge(content)
        state["inputs"] += 1
        outcomes[found.kind if isinstance(found, Failure) else found] += 1
        if isinstance(found, Failure):
            where = found.text.rpartition(" at ")[2] if " at " in found.text else found.text[:40]
            if f"{found.kind} {where}" not in failures:
                file = place / f"failure-{len(failures)}"
                file.write_bytes(content)
                failures[f"{found.kind} {where}"] = {"kind": found.kind, "text": found.text, "file": str(file)}
        if isinstance(found, Failure) or time.monotonic() - state["told"] > 1.0:
            state["told"] = time.monotonic()
            tell()

    give()
    tell()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def main() -> int:
    """Write valid files, damage them, write the result."""
    options = arguments(__doc__, inputs=400, seed=0, only="", keep=Path, output=HERE / "results" / "fuzz.json")
    with tempfile.TemporaryDirectory(prefix="toothwise-fuzz-") as name:
        folder = options.keep or Path(name)
        fixtures = _made(folder / "fixtures") if not (folder / "fixtures").exists() else folder / "fixtures"
        if not any(fixtures.iterdir()):
            write_fixtures(fixtures)
        readers = {}
        for k, (reader, target) in enumerate(targets(fixtures).items()):
            if options.only in reader:
                inputs = max(1, round(options.inputs * target.weight))
                readers[reader] = fuzz(target, inputs, options.seed, folder / f"reader-{k}")
                print(json.dumps({reader: readers[reader]}, ensure_ascii=False), flush=True)
    total: Counter[str] = Counter()
    for found in readers.values():
        total.update(found["outcomes"])
    failures = sum(len(found["failures"]) for found in readers.values())
    inputs = sum(found["inputs"] for found in readers.values())
    result = {"inputs": inputs, "failures": failures, "outcomes": dict(total), "readers": readers}
    config = {"inputs": options.inputs, "only": options.only, "seconds": SECONDS}
    write_result(options.output, config, result, seed=options.seed)
    print(f"{inputs} inputs, {failures} failures: {dict(total)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

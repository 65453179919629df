"""Damaged files lead a reader to no more than an error of toothwise; benchmarks/fuzz.py says how that is tried."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

for package in ("h5py", "pyarrow", "nptdms", "pyuff", "asammdf", "soundfile", "sqlalchemy", "fastapi"):
    pytest.importorskip(package)

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fuzz.py"


def fuzzed(tmp_path: Path, *words: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPT), "--output", str(tmp_path / "fuzz.json"), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
    return json.loads((tmp_path / "fuzz.json").read_text())["result"]


@pytest.mark.full
def test_every_reader_takes_some_damage(tmp_path):
    found = fuzzed(tmp_path, "--inputs", "8")
    assert found["failures"] == 0
    assert len(found["readers"]) > 55
    assert found["inputs"] > 300
    assert found["outcomes"]["InputError"] > 100
    assert found["outcomes"]["read"] > 10


@pytest.mark.full
def test_every_reader_takes_much_damage(tmp_path):
    found = fuzzed(tmp_path, "--inputs", "100", "--seed", "7")
    assert found["failures"] == 0
    assert found["inputs"] > 4000


# In a process of its own: what forks here must not fork threads of packages that other tests have loaded.
BAD = """
import json, os, signal, sys
from pathlib import Path

import fuzz
from fuzzing.judge import Target

folder = Path(sys.argv[1])


def read(place):
    content = (place / "f").read_bytes()
    what = 12 if content == b"good" else sum(content) % 12
    if what == 0:
        (folder / "outside").write_text("x")
    elif what == 1:
        (place / f"more-{len(content)}").write_text("x")
    elif what == 2 and not (folder / "died").exists():  # once: its deaths are counted too
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what < 8:
        raise KeyError(content)


found = fuzz.fuzz(Target("bad", "f", (b"good",), read), 150, 0, folder / "out")
print(json.dumps(found["failures"]))
"""


def test_a_reader_that_fails_is_told_with_its_input(tmp_path):
    (tmp_path / "bad.py").write_text(BAD)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "bad.py"), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(SCRIPT.parent), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    failures = json.loads(done.stdout)
    assert {one["kind"] for one in failures} == {"KeyError", "outside", "left behind", "died (-11)"}
    for one in failures:
        content = Path(one["file"]).read_bytes()
        assert content != b"good"
        assert sum(content) % 12 == 2 or one["kind"] != "died (-11)"

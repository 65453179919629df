"""Damaged files lead a reader to no more than an error of toothwise; benchmarks/fuzz.py says how that is tried."""

from __future__ import annotations

import json
import os
import signal
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


def test_a_reader_that_fails_is_told_with_its_input(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import fuzz
    from fuzzing.judge import Target

    def read(place: Path) -> None:
        content = (place / "f").read_bytes()
        if content == b"good":
            return
        what = sum(content) % 12
        if what == 0:
            (tmp_path / "outside").write_text("x")
        elif what == 1:
            (place / f"more-{len(content)}").write_text("x")
        elif what == 2 and not (tmp_path / "died").exists():  # once: its deaths are counted too
            (tmp_path / "died").touch()
            os.kill(os.getpid(), signal.SIGSEGV)
        elif what < 8:
            raise KeyError(content)

    found = fuzz.fuzz(Target("bad", "f", (b"good",), read), 150, 0, tmp_path / "out")
    kinds = {one["kind"] for one in found["failures"]}
    assert kinds == {"KeyError", "outside", "left behind", "died (-11)"}
    for one in found["failures"]:
        content = Path(one["file"]).read_bytes()
        assert content != b"good"
        assert sum(content) % 12 == 2 or one["kind"] != "died (-11)"

"""An exported folder at work where no training package can be imported, and on the command line."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from toothwise.cli import main
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.healthmap.io import write_map

_WITHOUT = """
import sys
TRAINING = {"torch", "torchvision", "timm", "anomalib", "lightning", "onnx", "onnxscript"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in TRAINING:
            raise ImportError(f"{name} must not be needed", name=name)

sys.meta_path.insert(0, Refuse())
import numpy as np
"""


def without_torch(code: str, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _WITHOUT + code, *map(str, words)],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def noise(n, seed, row=None):
    values = np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, 9, 14))).astype(np.float32)
    if row is not None:
        values[:, row] *= 2.0
    return values


@pytest.fixture
def file(tmp_path):
    values = np.concatenate([noise(2, 5), noise(2, 6, row=4)])
    teeth = Axis.teeth("driving tooth", 9), Axis.teeth("driven tooth", 14)
    return write_map(HealthMapBatch(values, *teeth), tmp_path / "maps.npz")


def test_it_runs_without_torch(network, tmp_path):
    maps = noise(20, 5, row=3)
    np.save(tmp_path / "maps.npy", maps)
    code = (
        "from toothwise import Model\n"
        "found = Model.open(sys.argv[1]).detector.predict(np.load(sys.argv[2]))\n"
        "np.savez(sys.argv[3], score=found.score, rows=found.row_evidence)\n"
        "assert not TRAINING & set(sys.modules)\n"
    )
    without_torch(code, network.exported, tmp_path / "maps.npy", tmp_path / "said.npz")
    expected = network.detector.predict(maps)
    with np.load(tmp_path / "said.npz") as said:
        np.testing.assert_allclose(said["score"], expected.score, rtol=1e-4)
        np.testing.assert_allclose(said["rows"], expected.row_evidence, atol=1e-4 * np.abs(expected.row_evidence).max())


def test_predict_takes_an_exported_folder_without_torch(network, file):
    code = (
        "from toothwise.cli import main\nfound = main(['predict', sys.argv[1], sys.argv[2], '--json'])\n"
        # a network and the monitor's limit run here: what only the scan's kin need would double the time of the start
        "assert {'onnxruntime', 'openvino'} & sys.modules.keys() and 'scipy.stats' not in sys.modules\nsys.exit(found)"
    )
    data = json.loads(without_torch(code, network.exported, file))
    assert data["detector"] == "padim"
    scores = [record["score"] for record in data["maps"]]
    with np.load(file) as maps:
        np.testing.assert_allclose(scores, network.detector.predict(maps["values"]).score, rtol=1e-4)
    limit = network.detector.threshold.value
    assert [record["alarm"] for record in data["maps"]] == [score > limit for score in scores]


def test_a_saved_network_without_torch_says_what_is_missing(network, file):
    code = "from toothwise.cli import main\nprint(main(['predict', sys.argv[1], sys.argv[2]]))"
    assert without_torch(code, network.saved, file).strip() == "2"


@pytest.mark.parametrize("verb", ["predict", "diagnose"])
def test_the_command_line_says_the_same_of_both(scan, file, verb, capsys):
    said = []
    for run in (scan.saved, scan.exported):
        assert main([verb, str(run), str(file), "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    for one in said:
        one.pop("run", None), one.pop("model", None)
    assert said[0] == said[1]
    if verb == "diagnose":
        assert said[1]["each"][2]["lines"][0]["tooth"] == 4
        assert (scan.exported / "healthy.npz").read_bytes() == (scan.saved / "healthy.npz").read_bytes()


def test_a_state_file_goes_on_with_the_exported_detector(scan, tmp_path, capsys):
    """A state belongs to a detector; its export is the same one."""
    teeth = Axis.teeth("driving tooth", 9), Axis.teeth("driven tooth", 14)
    for k, run in enumerate((scan.saved, scan.exported)):
        import pandas as pd

        table = pd.DataFrame(
            {"record": [f"r{k}{i}" for i in range(3)], "time": [f"2026-01-0{k + 1}T0{i}:00" for i in range(3)]}
        )
        write_map(HealthMapBatch(noise(3, 20 + k), *teeth, table), tmp_path / f"{k}.npz")
        words = ["diagnose", run, tmp_path / f"{k}.npz", "--state", tmp_path / "state.json", "--json"]
        assert main([str(word) for word in words]) == 0, capsys.readouterr().err
        assert json.loads(capsys.readouterr().out)["records"] == 3 * (k + 1)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["scan", "network"])
def test_score_says_the_same_of_both(kind, request, file, tmp_path, capsys):
    pandas, made = pytest.importorskip("pandas"), request.getfixturevalue(kind)
    pytest.importorskip("pyarrow")
    said = []
    for name in ("saved", "exported"):
        words = ["score", getattr(made, name), file, "--output", tmp_path / name, "--workers", 0]
        assert main([str(word) for word in words]) == 0, capsys.readouterr().err
        said.append(pandas.read_parquet(tmp_path / name).drop(columns="detector"))
    assert len(said[0]) == 4
    assert said[0]["score"].notna().all()
    pandas.testing.assert_frame_equal(said[0], said[1], rtol=1e-4, check_categorical=False)


@pytest.mark.full
def test_watch_says_the_same_of_both(scan, tmp_path, capsys):
    pytest.importorskip("sqlalchemy")
    teeth = Axis.teeth("driving tooth", 9), Axis.teeth("driven tooth", 14)
    for k in range(6):
        (tmp_path / "in" / "mill").mkdir(parents=True, exist_ok=True)
        values = noise(1, 30 + k, row=4 if k > 2 else None)
        write_map(HealthMapBatch(values, *teeth), tmp_path / "in" / "mill" / f"r{k}.npz")
    said = []
    for name in ("saved", "exported"):
        to = tmp_path / f"{name}.db"
        words = ["watch", getattr(scan, name), tmp_path / "in", "--to", to, "--poll", 0.05, "--idle", 0.5]
        assert main([str(word) for word in words]) == 0, capsys.readouterr().err
        with sqlite3.connect(to) as database:
            said.append(database.execute("select record, score, colour, tooth, sentence from diagnoses").fetchall())
    assert len(said[0]) == 6
    assert said[0][-1][3] == 4
    assert said[0] == said[1]

"""The benchmark on the command line: small grids, resumed, repeated."""

import json

import pytest

from toothwise_lab.studies import bench as module
from toothwise_lab.studies.cell import Cell, draw_maps, run_cell

SMALL = ["--n-train", "40", "--n-test", "32", "--seeds", "1", "--json"]


def test_a_grid_gives_a_table_json_and_cells(toothwise, tmp_path):
    run = toothwise("bench", "--domains", "A", "C", "--detectors", "scan", "mean", "glr", "--output", tmp_path, *SMALL)
    assert run.code == 0, run.err
    found = json.loads(run.out)
    assert found["cells"] == 2 * 2 * 3
    assert len(list((tmp_path / "cells").glob("*.json"))) == 12
    by = {(row["domain"], row["mode"], row["detector"]): row for row in found["summary"]}
    assert by["C", "matched", "glr"]["auroc"] > by["C", "matched", "mean"]["auroc"]
    whole = json.loads((tmp_path / "bench.json").read_text())
    assert {"revision", "versions", "machine", "config"} <= set(whole)
    cell = whole["result"]["cells"][0]
    assert 0 <= cell["auroc_low"] <= cell["auroc"] <= cell["auroc_high"] <= 1
    assert {"aupr", "f1_max", "precision_at_90_recall", "tpr_at_5_fpr", "pixel_auroc", "aupro"} <= set(cell)
    assert list(tmp_path.glob("bench.parquet")) + list(tmp_path.glob("bench.csv"))


def test_what_is_there_is_not_run_again(toothwise, tmp_path, monkeypatch):
    words = ["bench", "--mode", "matched", "--detectors", "mean", "max", "--output", tmp_path, *SMALL]
    first = json.loads(toothwise(*words).out)
    (next((tmp_path / "cells").glob("*max*"))).unlink()  # as if it had been killed before this one
    ran = []
    monkeypatch.setattr(module, "run_cell", lambda cell, maps: ran.append(cell.detector) or run_cell(cell, maps))
    second = json.loads(toothwise(*words).out)
    assert ran == ["max"]

    def numbers(found):
        return [{k: v for k, v in row.items() if "ms" not in k and "second" not in k} for row in found["summary"]]

    assert numbers(first) == numbers(second)
    toothwise(*words, "--contrast", "1.2", "1.4")
    assert ran == ["max", "mean", "max"]  # another configuration is another cell


def test_realistic_mode_compares_within_the_session():
    cell = Cell("C", "realistic", "mean", 0, n_train=64, n_test=200)
    maps = draw_maps(cell)
    row = run_cell(cell, maps)
    assert row["auroc"] < 0.7  # the level says little within a session
    assert row["auroc_across_sessions"] > row["auroc"] + 0.1  # across sessions it tells the session
    assert row["auroc_session"] > 0.6
    assert row["gear_accuracy"] is None


def test_tooth_and_gear_are_scored():
    cell = Cell("B", "matched", "scan", 1, n_train=100, n_test=60, contrast=(1.6, 1.6))
    row = run_cell(cell)
    assert row["gear_accuracy"] > 0.95
    assert row["tooth_accuracy"] > 0.95
    assert row["pixel_auroc"] > 0.9
    assert 0 <= row["false_alarms_cold"] <= 0.3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--domains", "E"], "domains must be among A, B, C, D, but got E"),
        (["--mode", "wild"], "modes must be among matched, realistic"),
        (["--detectors", "scan", "oracle"], "but got oracle"),
        (["--seeds", "0"], "seeds must be 1 or more"),
        (["--n-test", "3"], "n_test must be 32 or more"),
        (["--set", "lines=rows"], "--set takes DETECTOR.NAME=VALUE"),
        (["--set", "oracle.depth=3"], "options are given for oracle"),
    ],
)
def test_grids_that_cannot_be(toothwise, tmp_path, words, told):
    run = toothwise("bench", *words, "--output", tmp_path / "out")
    assert run.code == 2
    assert told in run.err
    assert not (tmp_path / "out" / "bench.json").exists()

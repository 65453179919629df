from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from toothwise import Model, detectors
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.healthmap.io import read_map, write_map


def test_fit_saves_what_the_library_would(toothwise, healthy, saved):
    maps = read_map(healthy)
    mine, _ = fit_with_threshold(
        lambda: detectors.create("scan", lines="rows", lengths=[4, 12]), maps, 0.01, blocks=maps.table["day"].to_numpy()
    )
    loaded = Model.open(saved).detector
    assert loaded.options == mine.options
    assert loaded.threshold.value == pytest.approx(mine.threshold.value)
    np.testing.assert_allclose(loaded.predict(maps).score, mine.predict(maps).score)


def test_fit_tells_threshold_and_place(toothwise, healthy, tmp_path):
    words = ("fit", healthy, "--output", tmp_path / "x", "--false-alarm-rate", 0.05)
    text = toothwise(*words)
    assert text.code == 0
    assert f"toothwise predict {tmp_path / 'x'} MAPS" in text.out
    data = json.loads(toothwise(*words, "--json").out)
    threshold = Model.open(tmp_path / "x").detector.threshold
    assert data["threshold"]["value"] == threshold.value
    assert data["threshold"]["false_alarm_rate"] == 0.05
    assert (data["maps"], data["left_out"], data["shape"]) == (60, 0, [7, 12])


def test_options_from_a_file_and_words_over_them(toothwise, healthy, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(f"maps: [{healthy}]\ndetector: scan\noptions: {{lines: columns, lengths: [3]}}\n")
    run = toothwise("fit", "--config", config, "--set", "lines=rows", "--output", tmp_path / "x")
    assert run.code == 0, run.err
    options = Model.open(tmp_path / "x").detector.options
    assert (options["lines"], options["lengths"]) == ("rows", [3])


def test_of_a_domain_folder_only_healthy_training_maps_are_fitted_on(toothwise, write_maps, write_folder, tmp_path):
    split = ["train"] * 40 + ["test"] * 10
    label = [0] * 40 + [0] * 5 + [1] * 5
    write_folder(read_map(write_maps("all.npz", 50, split=split, label=label)), tmp_path / "domain")
    run = toothwise("fit", tmp_path / "domain", "--output", tmp_path / "x", "--json")
    assert run.code == 0, run.err
    data = json.loads(run.out)
    assert (data["maps"], data["left_out"]) == (40, 10)
    run = toothwise("fit", tmp_path / "domain" / "train" / "good", "--output", tmp_path / "y", "--json")
    assert json.loads(run.out)["threshold"] == data["threshold"]


def test_faulty_maps_alone_cannot_be_fitted_on(toothwise, write_maps, tmp_path):
    file = write_maps("faulty.npz", 20, label=[1] * 20)
    run = toothwise("fit", file, "--output", tmp_path / "x")
    assert run.code == 2
    assert str(file) in run.err
    assert not (tmp_path / "x").exists()


def test_fit_replaces_a_saved_detector_but_nothing_else(toothwise, healthy, saved, tmp_path):
    assert toothwise("fit", healthy, "--output", saved).code == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    run = toothwise("fit", healthy, "--output", tmp_path / "mine")
    assert run.code == 2
    assert "something other than a model" in run.err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_predict_names_file_row_and_alarm(toothwise, saved, write_maps, tmp_path):
    bad = read_map(write_maps("bad.npz", 1, damaged_row=4))[0]
    good = read_map(write_maps("good.npz", 1, seed=3))[0]
    write_map(bad, tmp_path / "bad.tiff")
    write_map(good, tmp_path / "good.tiff")
    run = toothwise("predict", saved, tmp_path / "bad.tiff", tmp_path / "good.tiff")
    assert run.code == 0, run.err
    lines = run.out.splitlines()
    assert lines[0].split() == ["file", "score", "threshold", "alarm", "row", "column"]
    assert lines[2].split()[0] == str(tmp_path / "bad.tiff")
    assert lines[2].split()[3:5] == ["yes", "4"]
    assert lines[3].split()[3] == "no"
    assert lines[-1] == "2 maps, 1 above the threshold"


def test_json_csv_and_table_agree_with_the_library(toothwise, saved, write_maps, tmp_path):
    file = write_maps("many.npz", 12, damaged_row=2, day=list(range(12)))
    expected = Model.open(saved).detector.predict(read_map(file))
    data = json.loads(toothwise("predict", saved, file, "--json", "--output", tmp_path / "s.csv").out)
    np.testing.assert_allclose([m["score"] for m in data["maps"]], expected.score)
    assert [m["row"] for m in data["maps"]] == expected.row.tolist() == [2] * 12
    assert [m["index"] for m in data["maps"]] == [m["day"] for m in data["maps"]] == list(range(12))
    assert data["alarms"] == sum(m["alarm"] for m in data["maps"]) == 12
    with (tmp_path / "s.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(r["score"]) for r in rows] == [m["score"] for m in data["maps"]]
    assert {r["alarm"] for r in rows} == {"True"}
    assert toothwise("predict", saved, file, "--output", tmp_path / "s.json").code == 0
    assert json.loads((tmp_path / "s.json").read_text()) == data
    assert f"{file}[11]" in toothwise("predict", saved, file).out


def test_severity_is_shown_where_a_detector_tells_it(toothwise, healthy, write_maps, tmp_path):
    words = ["--detector", "fused", "--set", "parts=[scan,pca]", "--output", tmp_path / "run"]
    assert toothwise("fit", healthy, *words).code == 0
    maps = write_maps("m.npz", 3)
    found = json.loads(toothwise("predict", tmp_path / "run", maps, "--json").out)
    assert all(record["severity"] >= 1 for record in found["maps"])
    head, *_ = toothwise("predict", tmp_path / "run", maps).out.splitlines()
    assert head.split()[-1] == "severity"


def test_whole_numbers_stay_whole_beside_a_file_without_them(toothwise, saved, write_maps, tmp_path):
    one, two = write_maps("one.npz", 2, day=[5, 6]), write_maps("two.npz", 1)
    days = [m["day"] for m in json.loads(toothwise("predict", saved, one, two, "--json").out)["maps"]]
    assert days == [5, 6, None]
    assert [type(day) for day in days[:2]] == [int, int]


def test_a_threshold_on_the_command_line_takes_the_place_of_the_saved_one(toothwise, saved, write_maps):
    file = write_maps("many.npz", 5, damaged_row=2)
    assert json.loads(toothwise("predict", saved, file, "--threshold", 1e9, "--json").out)["alarms"] == 0


def test_a_detector_without_a_threshold_scores_but_does_not_alarm(toothwise, healthy, write_maps, tmp_path):
    Model(detectors.create("scan").fit(read_map(healthy))).save(tmp_path / "bare")
    file = write_maps("many.npz", 3)
    data = json.loads(toothwise("predict", tmp_path / "bare", file, "--json").out)
    assert data["threshold"] is data["alarms"] is data["maps"][0]["alarm"] is None
    assert "no threshold" in toothwise("predict", tmp_path / "bare", file).out


def test_the_printed_table_is_cut_but_says_so(toothwise, saved, write_maps):
    out = toothwise("predict", saved, write_maps("many.npz", 203)).out
    assert "... 3 more; --output FILE.csv or --json gives all" in out
    assert "203 maps, " in out


def test_predict_works_in_a_new_process_without_a_network(saved, write_maps):
    file = write_maps("bad.npz", 1, damaged_row=4)
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('the network was used')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from toothwise.cli import main\n"
        f"sys.exit(main(['predict', {str(saved)!r}, {str(file)!r}, '--json']))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert result.returncode == 0, result.stderr
    data = json.loads(result.stdout)
    assert data["maps"][0]["row"] == 4
    assert data["maps"][0]["alarm"] is True

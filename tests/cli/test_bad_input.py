"""Bad input: one clear line, exit code 2, nothing half-written."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.io
import tifffile

from toothwise.healthmap.io import read_map, write_map


@pytest.fixture
def fails(toothwise, tmp_path):
    """Run, check the form of the failure, and return its line."""

    def run(*words: object) -> str:
        before = sorted(p for p in tmp_path.rglob("*"))
        result = toothwise(*words)
        assert result.code == 2, result
        assert result.out == ""
        errors = [line for line in result.err.splitlines() if not line.startswith("toothwise: warning: ")]
        assert len(errors) == 1, result.err
        assert errors[0].startswith("toothwise: error: ")
        assert "Traceback" not in result.err
        assert sorted(p for p in tmp_path.rglob("*")) == before, "something was written"
        return errors[0]

    return run


def bad_files(folder):
    (folder / "empty.npz").write_bytes(b"")
    np.savez(folder / "wrong_key.npz", other=np.ones((3, 4)))
    (folder / "truncated.npz").write_bytes((folder / "healthy.npz").read_bytes()[:300])
    np.savez(folder / "objects.npz", values=np.array([{"a": 1}], dtype=object))
    np.savez(folder / "all_nan.npz", values=np.full((2, 7, 12), np.nan))
    np.savez(folder / "infinite.npz", values=np.full((2, 7, 12), np.inf))
    np.savez(folder / "flat.npz", values=np.ones(12))
    np.savez(folder / "text.npz", values=np.array([["a", "b"]]))
    scipy.io.savemat(folder / "wrong_key.mat", {"Ydata": np.ones((7, 12, 1, 3))})
    (folder / "empty.tiff").write_bytes(b"")
    (folder / "noise.tiff").write_bytes(bytes(range(256)))
    (folder / "noise.png").write_bytes(bytes(range(256)))
    (folder / "noise.mat").write_bytes(bytes(range(256)) * 3)
    (folder / "notes.txt").write_text("no map")
    (folder / "hollow").mkdir()


NAMES = [
    "empty.npz",
    "wrong_key.npz",
    "truncated.npz",
    "objects.npz",
    "all_nan.npz",
    "infinite.npz",
    "flat.npz",
    "text.npz",
    "wrong_key.mat",
    "empty.tiff",
    "noise.tiff",
    "noise.png",
    "noise.mat",
    "notes.txt",
    "hollow",
    "missing.npz",
]


def test_a_file_that_is_no_map_is_named(fails, saved, tmp_path):
    bad_files(tmp_path)
    for name in NAMES:
        assert name in fails("predict", saved, tmp_path / name)
    for name in NAMES[::4]:
        assert name in fails("fit", "--output", tmp_path / "x", tmp_path / name)


def test_no_maps_at_all(fails, saved, tmp_path):
    assert "MAPS" in fails("predict", saved)
    assert "MAPS" in fails("fit", "--output", tmp_path / "x")


def test_one_map_that_is_nan_among_good_ones(fails, saved, write_maps, tmp_path):
    values = read_map(write_maps("good.npz", 4)).values.copy()
    values[2] = np.nan
    np.savez(tmp_path / "hole.npz", values=values)
    assert "hole.npz: map 2 holds NaN only" in fails("predict", saved, tmp_path / "hole.npz")


def test_rows_of_nan_are_no_obstacle_but_never_the_culprit(toothwise, saved, write_maps, tmp_path):
    values = read_map(write_maps("bad.npz", 1, damaged_row=4)).values.copy()
    values[:, 1] = np.nan
    np.savez(tmp_path / "gap.npz", values=values)
    run = toothwise("predict", saved, tmp_path / "gap.npz", "--json")
    assert run.code == 0, run.err
    assert json.loads(run.out)["maps"][0]["row"] == 4


def test_a_constant_map_is_scored_with_a_warning(toothwise, saved, tmp_path):
    np.savez(tmp_path / "constant.npz", values=np.full((1, 7, 12), 0.3))
    run = toothwise("predict", saved, tmp_path / "constant.npz", "--json")
    assert run.code == 0
    assert json.loads(run.out)["maps"][0]["alarm"] is False
    assert run.err.startswith("toothwise: warning: ")
    assert "constant.npz" in run.err
    assert run.err.count("\n") == 1


def test_constant_maps_cannot_be_fitted_on(fails, tmp_path):
    np.savez(tmp_path / "constant.npz", values=np.full((30, 7, 12), 0.3))
    assert "constant.npz" in fails("fit", tmp_path / "constant.npz", "--output", tmp_path / "x")


@pytest.mark.parametrize("n", [1, 3, 15])
def test_too_few_maps_to_fit_on(fails, write_maps, tmp_path, n):
    line = fails("fit", write_maps("few.npz", n), "--output", tmp_path / "x")
    assert "few.npz" in line
    assert "16" in line


def test_a_wrong_number_of_teeth(fails, saved, healthy, tmp_path):
    tifffile.imwrite(tmp_path / "other.tiff", np.ones((8, 12), dtype=np.float32) + np.eye(8, 12, dtype=np.float32))
    for words in (("predict", saved), ("fit", healthy, "--output", tmp_path / "x")):
        line = fails(*words, tmp_path / "other.tiff")
        assert "other.tiff" in line
        assert "7 x 12" in line
        assert "8 x 12" in line


def test_recordings_without_gears_are_told_what_they_lack(fails, tmp_path):
    scipy.io.savemat(tmp_path / "record.mat", {"vibration": np.zeros(100), "fs": 1000.0})
    line = fails("fit", tmp_path / "record.mat", "--output", tmp_path / "x")
    assert "record.mat" in line
    assert "--gears" in line


def test_maps_that_the_detector_cannot_work_on(fails, saved, write_maps, tmp_path):
    values = read_map(write_maps("good.npz", 20)).values - 1.0
    np.savez(tmp_path / "signed.npz", values=values)
    assert "signed.npz" in fails("fit", tmp_path / "signed.npz", "--output", tmp_path / "x")
    assert "positive maps" in fails("predict", saved, tmp_path / "signed.npz")


def damage(folder, what):
    state, meta = folder / "state.safetensors", folder / "model.json"
    if what == "state missing":
        state.unlink()
    elif what == "state truncated":
        state.write_bytes(state.read_bytes()[:-40])
    elif what == "state empty":
        state.write_bytes(b"")
    elif what == "meta missing":
        meta.unlink()
    elif what == "meta not JSON":
        meta.write_text("{")
    elif what == "other format":
        meta.write_text(meta.read_text().replace('"format": 2', '"format": 99'))
    elif what == "other detector":
        meta.write_text(meta.read_text().replace('"detector": "scan"', '"detector": "oracle"'))


@pytest.mark.parametrize(
    "what",
    [
        "state missing",
        "state truncated",
        "state empty",
        "meta missing",
        "meta not JSON",
        "other format",
        "other detector",
    ],
)
def test_a_damaged_saved_detector(fails, saved, healthy, what):
    damage(saved, what)
    assert saved.name in fails("predict", saved, healthy) or what == "other detector"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--detector", "oracle"), "'oracle'"),
        (("--set", "lines=diagonal"), "'diagonal'"),
        (("--set", "colour=red"), "colour"),
        (("--set", "lines"), "NAME=VALUE"),
        (("--false-alarm-rate", "2"), "2"),
        (("--false-alarm-rate", "rare"), "rare"),
        (("--config", "none.yaml"), "none.yaml"),
    ],
)
def test_unsuitable_options_of_fit(fails, healthy, tmp_path, words, says):
    assert says in fails("fit", healthy, "--output", tmp_path / "x", *words)


def test_fit_without_an_output(fails, healthy):
    assert "output" in fails("fit", healthy)


def test_an_output_that_cannot_be_written(fails, saved, healthy, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        assert str(place) in fails("fit", healthy, "--output", place)
    assert "below.csv" in fails("predict", saved, healthy, "--output", tmp_path / "file" / "below.csv")
    assert ".txt" in fails("predict", saved, healthy, "--output", tmp_path / "scores.txt")


def test_a_folder_in_place_of_the_csv_file(fails, saved, healthy, tmp_path):
    (tmp_path / "scores.csv").mkdir()
    assert "scores.csv" in fails("predict", saved, healthy, "--output", tmp_path / "scores.csv")


def test_a_half_written_map_is_not_left_behind(tmp_path, write_maps):
    one = read_map(write_maps("one.npz", 1))[0]
    (tmp_path / "place.tiff").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OSError, match=r"place\.tiff"):
        write_map(one, tmp_path / "place.tiff")
    assert sorted(tmp_path.rglob("*")) == before

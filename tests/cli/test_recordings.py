"""simulate, inspect and build of recordings on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from toothwise import read_map, read_record, write_map, write_record
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.vibration.records import Tachometer, VibrationRecord

GEARBOX = "gears: {driving: 9, driven: 14}\nperiods: 2\nsampling_rate: 10000\nseries: {records: 3}\n"


@pytest.fixture(scope="module")
def gearbox(tmp_path_factory):
    path = tmp_path_factory.mktemp("gearbox") / "gearbox.yaml"
    path.write_text(GEARBOX)
    return path


@pytest.fixture
def folder(tmp_path, once, gearbox):
    (tmp_path / "gearbox.yaml").write_text(GEARBOX)
    return once(tmp_path / "made", "simulate", gearbox)


def test_simulate_writes_recordings_gears_and_truth(folder):
    assert sorted(p.name for p in folder.iterdir()) == [
        "gears.yaml",
        "record_0000.mat",
        "record_0001.mat",
        "record_0002.mat",
        "truth.json",
    ]
    truth = json.loads((folder / "truth.json").read_text())
    assert [r["file"] for r in truth["records"]] == [f"record_{k:04d}.mat" for k in range(3)]
    assert truth["gearbox"]["grade"] == 7
    assert read_record(folder / "record_0000.mat").unit == "g"


@pytest.mark.parametrize("kind", ["parquet", "npz"])
def test_simulate_in_other_formats_gives_the_same(folder, toothwise, tmp_path, kind):
    run = toothwise("simulate", tmp_path / "gearbox.yaml", "--format", kind, "--output", tmp_path / kind)
    assert run.code == 0, run.err
    one, other = (read_record(p) for p in (folder / "record_0001.mat", tmp_path / kind / f"record_0001.{kind}"))
    np.testing.assert_array_equal(one.channel(), other.channel())


def test_simulate_replaces_a_simulation_and_nothing_else(folder, toothwise, tmp_path):
    config = tmp_path / "gearbox.yaml"
    assert toothwise("simulate", config, "--records", "1", "--output", folder).code == 0
    assert len(list(folder.glob("*.mat"))) == 1
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("words")
    run = toothwise("simulate", config, "--output", tmp_path / "thesis")
    assert run.code == 2
    assert "other than a simulation" in run.err
    assert not list(tmp_path.glob(".tmp-*"))


def test_inspect_tells_and_draws(folder, toothwise, tmp_path):
    run = toothwise(
        "inspect",
        folder / "record_0000.mat",
        "--gears",
        folder / "gears.yaml",
        "--output",
        tmp_path / "a.png",
        "--json",
    )
    found = json.loads(run.out)
    assert run.code == 0
    assert found["mesh"]["stage"]["heard"]
    assert found["mesh"]["stage"]["order"] == 9
    assert found["speed"]["mean"] == pytest.approx(25, rel=0.03)
    assert found["tacho"]["pulses"] == 29
    assert found["problems"] == []
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def _written(tmp_path, name="a.npz", **changes):
    record, rate = np.random.default_rng(0).standard_normal(30_000), 10_000.0
    fields = {"channels": {"x": record}, "sampling_rate": rate, "tacho": None} | changes
    return write_record(VibrationRecord(**fields), tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "there is no tachometer"),
        ({"tacho": Tachometer("waveform", np.zeros(30_000))}, "the tachometer signal is flat"),
        ({"tacho": Tachometer("times", np.arange(75) / 25.0)}, "is not heard"),
        ({"tacho": Tachometer("times", np.delete(np.arange(75) / 25.0, 30))}, "lost 1 pulses and doubled 0"),
        ({"channels": {"x": np.ones(30_000)}}, "x is constant"),
        ({"channels": {"x": np.clip(np.random.default_rng(0).standard_normal(30_000), -0.3, 0.3)}}, "of its samples"),
        (
            {"channels": {"x": np.r_[np.nan, np.random.default_rng(0).standard_normal(29_999)]}},
            "x lacks 1 of 30000 samples",
        ),
    ],
)
def test_inspect_tells_what_is_wrong(folder, toothwise, tmp_path, changes, told):
    run = toothwise("inspect", _written(tmp_path, **changes), "--gears", folder / "gears.yaml")
    assert run.code == 0, run.err
    assert told in run.out


def test_build_many_at_once_skips_what_cannot_be_used(folder, toothwise, tmp_path):
    (folder / "broken.mat").write_bytes(b"nonsense")
    _written(folder, "bare.npz")
    run = toothwise(
        "build", folder, "--gears", folder / "gears.yaml", "--output", tmp_path / "maps", "--jobs", "2", "--json"
    )
    assert run.code == 3
    found = json.loads(run.out)
    assert found["built"] == 3
    errors = {row["record"].rpartition("/")[2]: row["error"] for row in found["records"] if "error" in row}
    assert set(errors) == {"broken.mat", "bare.npz"}
    assert "broken.mat" in errors["broken.mat"]
    assert "no tachometer" in errors["bare.npz"]
    assert sorted(p.name for p in (tmp_path / "maps").iterdir()) == [f"record_{k:04d}.npz" for k in range(3)]
    made = read_map(tmp_path / "maps" / "record_0000.npz")
    assert made.shape == (9, 14)
    assert made.provenance["path"].endswith("record_0000.mat")
    one = toothwise("build", folder / "record_0000.mat", "--gears", folder / "gears.yaml", "--output", tmp_path / "one")
    assert one.code == 0
    np.testing.assert_array_equal(read_map(tmp_path / "one" / "record_0000.npz").values, made.values)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--gears", "none.yaml"], "none.yaml: no such file"),
        (["--gears", "{gears}", "--map", "signal=raw"], "signal must be one of"),
        (["--gears", "{gears}", "--map", "sginal=raw"], "(allowed: signal"),
        (["--gears", "{gears}", "--map", "signal"], "--map takes NAME=VALUE"),
        (["--gears", "{gears}", "--read", "sampling"], "--read takes NAME=VALUE"),
        (["--gears", "{gears}", "--read", "colour=3"], "unknown option 'colour'"),
        (["--gears", "{gears}", "--stage", "second"], "stage must be one of 'stage'"),
        (["--gears", "{gears}", "--channel", "noise"], "no channel 'noise'"),
        (["--gears", "{gears}", "--jobs", "0"], "jobs must be 1 or more"),
        (["--gears", "{gears}", "--waveform", "none.npz"], "none.npz: no such file"),
        (["--gears", "{gears}", "--waveform", "a.npz", "--learn", "b.npz"], "exclude each other"),
        ([], "recordings need --gears"),
    ],
)
def test_build_says_what_is_wrong(folder, toothwise, tmp_path, words, told):
    words = [word.format(gears=folder / "gears.yaml") for word in words]
    run = toothwise(
        "build", folder / "record_0000.mat", folder / "record_0001.mat", *words, "--output", tmp_path / "maps"
    )
    assert run.code == 2
    assert told in run.err
    assert run.err.count("\n") <= 2
    assert not (tmp_path / "maps").exists()


def test_diagnose_takes_recordings_and_says_what_their_maps_would_say(folder, toothwise, tmp_path):
    gears = ["--gears", folder / "gears.yaml"]
    assert toothwise("build", folder, *gears, "--output", tmp_path / "maps").code == 0
    healthy = np.concatenate([read_map(tmp_path / "maps").values] * 10)
    healthy *= np.exp(0.05 * np.random.default_rng(0).standard_normal(healthy.shape)).astype(np.float32)
    axes = Axis.teeth("driving tooth", 9), Axis.teeth("driven tooth", 14)
    write_map(HealthMapBatch(healthy, *axes), tmp_path / "healthy.npz")
    assert toothwise("fit", tmp_path / "healthy.npz", "--output", tmp_path / "scan").code == 0
    of_maps, of_recordings = (
        json.loads(toothwise("diagnose", tmp_path / "scan", *words, "--sequence", "false", "--json").out)["each"]
        for words in ([tmp_path / "maps"], [folder, *gears])
    )
    assert [one["p_values"] for one in of_maps] == [one["p_values"] for one in of_recordings]
    assert [Path(one["record"]).stem for one in of_recordings] == ["record_0000", "record_0001", "record_0002"]
    (tmp_path / "broken.mat").write_bytes(b"MATLAB")
    run = toothwise(
        "diagnose", tmp_path / "scan", folder, tmp_path / "broken.mat", *gears, "--output", tmp_path / "run"
    )
    assert run.code == 3
    assert f"skipped: {tmp_path / 'broken.mat'}" in run.out
    about = (tmp_path / "run" / "diagnosis.json").read_text()
    assert "broken.mat" in about
    run = toothwise("diagnose", tmp_path / "scan", folder, "--channel", "x")
    assert (run.code, "need --gears" in run.err) == (2, True)


def test_build_reports_clipped_samples(folder, toothwise, tmp_path):
    record = read_record(folder / "record_0000.mat")
    x = np.clip(record.channel(), -0.5, 0.5)
    write_record(VibrationRecord({"vibration": x}, record.sampling_rate, record.tacho, "g"), tmp_path / "loud.npz")
    run = toothwise("build", tmp_path / "loud.npz", "--gears", folder / "gears.yaml", "--output", tmp_path / "maps")
    assert run.code == 0, run.err
    assert "of its samples" in run.out


def test_build_without_a_tachometer(folder, toothwise, tmp_path):
    record = read_record(folder / "record_0000.mat")
    write_record(VibrationRecord(record.channels, record.sampling_rate, None, "g"), tmp_path / "bare.npz")
    words = ["build", tmp_path / "bare.npz", "--gears", folder / "gears.yaml", "--output", tmp_path / "maps"]
    assert toothwise(*words).code == 2
    run = toothwise(*words, "--tacholess", "22", "28")
    assert run.code == 0, run.err
    assert "tooth zero is unknown; the mesh is followed at 0." in run.out
    assert read_map(tmp_path / "maps" / "bare.npz").provenance["tooth_zero"]["driving"]["known"] == "unknown"


def test_recordings_of_one_name_get_maps_of_their_own(folder, toothwise, tmp_path):
    write_record(read_record(folder / "record_0000.mat"), folder / "record_0000.npz")
    run = toothwise("build", folder, "--gears", folder / "gears.yaml", "--output", tmp_path / "maps")
    assert run.code == 0, run.err
    names = sorted(p.name for p in (tmp_path / "maps").iterdir())
    assert names == ["record_0000_mat.npz", "record_0000_npz.npz", "record_0001.npz", "record_0002.npz"]


def test_a_model_of_few_recordings_predicts_and_diagnoses(folder, toothwise, tmp_path):
    fit = toothwise("fit", folder, "--gears", folder / "gears.yaml", "--output", tmp_path / "few")
    assert fit.code == 0
    run = toothwise("predict", tmp_path / "few", folder, "--json")
    assert run.code == 0, run.err
    run = toothwise("diagnose", tmp_path / "few", folder)
    assert run.code == 0, run.err
    assert "Slow growth cannot be judged with 3 healthy records" in run.out


def test_fit_warns_of_wrong_teeth_as_build_does(folder, toothwise, tmp_path):
    (tmp_path / "wrong.yaml").write_text("driving: 13\ndriven: 17\n")
    run = toothwise("fit", folder, "--gears", tmp_path / "wrong.yaml", "--output", tmp_path / "model")
    assert run.code == 0, run.err
    assert "the mesh order 13" in run.out
    assert "3 of 3 recordings" in run.out

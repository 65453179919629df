"""One folder holds everything that a diagnosis needs, whoever made it; what does not belong to it is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from toothwise import GearPair, HealthMapBatch, MapBuilder, Model, Monitor, detectors, write_map, write_record
from toothwise.cli import main
from toothwise.errors import InputError
from toothwise.exported.manifest import digest
from toothwise.gears import GearTrain, write_gears
from toothwise.healthmap.core import Axis
from toothwise.simulate.gearbox import GearboxConfig, simulate_record

PAIR = GearPair(9, 14)


def batch(values: np.ndarray, **about: object) -> HealthMapBatch:
    rows, columns = values.shape[1:]
    return HealthMapBatch(values, Axis.teeth("driving tooth", rows), Axis.teeth("driven tooth", columns), **about)


@pytest.fixture(scope="module")
def healthy() -> np.ndarray:
    return np.random.default_rng(0).lognormal(0.0, 0.2, (40, 9, 14)).astype(np.float32)


@pytest.fixture(scope="module")
def model(healthy) -> Model:
    return Model.fit(batch(healthy, quantity="rms of difference", unit="g", gear=PAIR), detector="scan")


def test_what_is_opened_is_what_was_saved(model, healthy, tmp_path):
    opened = Model.open(model.save(tmp_path / "m"))
    np.testing.assert_array_equal(opened.predict(healthy).score, model.predict(healthy).score)
    assert opened.threshold == model.threshold
    assert opened.about == model.about
    assert opened.fingerprint == model.fingerprint
    assert opened.reference is not None
    assert opened.healthy is not None
    assert {p.name for p in (tmp_path / "m").iterdir()} >= {"model.json", "state.safetensors", "healthy.npz"}


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"quantity": "kurtosis of difference"}, "quantity is kurtosis of difference, but .* rms of difference"),
        ({"quantity": "rms of difference", "unit": "m/s2"}, "unit is m/s2, but .* g"),
        ({"gear": GearPair(14, 9)}, "gear is .*driving=14.*, but .*driving=9"),
    ],
)
def test_maps_of_anything_else_are_refused_in_one_line_that_names_both(model, healthy, about, words):
    with pytest.raises(InputError, match=words) as refused:
        model.predict(batch(healthy[:2], **about))
    assert "\n" not in str(refused.value)


def test_another_shape_is_refused(model, healthy):
    with pytest.raises(InputError, match=r"9 x 14 .*, but are 9 x 13"):
        model.check(healthy[:, :, 1:])


def test_recordings_are_built_as_the_healthy_ones_were(tmp_path):
    config = GearboxConfig(gears=PAIR, periods=2, sampling_rate=12800.0, start=None)
    for k in range(18):
        write_record(simulate_record(config, seed=k)[0], tmp_path / "healthy" / f"r{k}.mat")
    builder = MapBuilder.learn(PAIR, tmp_path / "healthy", options={"samples_per_tooth": 16, "quantity": "peak"})
    model = Model.open(Model.fit(tmp_path / "healthy", detector="scan", builder=builder).save(tmp_path / "model"))
    assert model.about.quantity == "peak of difference from healthy"
    record, _ = simulate_record(config, seed=99)
    maps, skipped = model.maps_of(record)
    assert not skipped
    np.testing.assert_array_equal(maps.values[0], builder.build(record).values)


@pytest.mark.parametrize("file", ["detector.json", "export.json"])
def test_a_folder_of_version_0_1_is_refused_with_what_makes_it_anew(tmp_path, file):
    (tmp_path / file).write_text("{}")
    with pytest.raises(InputError, match=r"written by version 0\.1; fit it again"):
        Model.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data["files"].pop("state.safetensors"), "lists no file 'state.safetensors'"),
        (lambda data: data["files"].pop("healthy.npz"), "lists no file 'healthy.npz'"),
        (lambda data: data["files"]["state.safetensors"].pop("sha256"), "sha256"),
        (lambda data: data.update(threshold="high"), "model.json"),
        (lambda data: data["threshold"].update(value="high"), "threshold: value must be a number"),
        (lambda data: data["options"].update(lengths=[1, 2, 3, 4, 5, 6, 7]), "lengths ask for"),
    ],
)
def test_a_folder_that_misstates_itself_is_refused_in_one_line(model, tmp_path, change, words):
    folder = model.save(tmp_path / "model")
    data = json.loads((folder / "model.json").read_text())
    change(data)
    (folder / "model.json").write_text(json.dumps(data | {"sha256": digest(data)}))
    with pytest.raises(InputError, match=words) as error:
        Model.open(folder)
    assert "\n" not in str(error.value)


def test_a_bare_detector_makes_a_model_without_a_reference(healthy, tmp_path):
    bare = Model(detectors.create("scan").fit(healthy))
    opened = Model.open(bare.save(tmp_path / "bare"))
    assert opened.reference is None
    assert opened.about.shape == (9, 14)
    with pytest.raises(InputError, match="fitted without a threshold"):
        _ = opened.threshold
    with pytest.raises(InputError, match="has not been fitted"):
        Model(detectors.create("scan"))


def test_recordings_need_a_model_that_knows_how_they_are_built(model, tmp_path):
    record, _ = simulate_record(GearboxConfig(gears=PAIR, periods=2), seed=1)
    with pytest.raises(InputError, match="fitted on maps"):
        model.predict(record)
    with pytest.raises(InputError, match="no such file"):
        model.predict(tmp_path / "none.npz")


@pytest.mark.full
def test_fit_export_score_watch(tmp_path, capsys):
    """A model fitted on recordings, exported, scores a fleet's maps and watches a machine's recordings."""
    config = GearboxConfig(gears=PAIR, periods=2, sampling_rate=12800.0)
    for k in range(24):
        write_record(simulate_record(config, seed=k)[0], tmp_path / "healthy" / f"r{k:02}.mat")
    for k in range(3):
        write_record(simulate_record(config, seed=100 + k)[0], tmp_path / "inbox" / f"new{k}.mat")
    write_gears(GearTrain.single(PAIR), tmp_path / "gears.yaml")

    def run(*words: object) -> dict:
        capsys.readouterr()
        assert main([str(word) for word in (*words, "--json")]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    run("fit", tmp_path / "healthy", "--gears", tmp_path / "gears.yaml", "--output", tmp_path / "model")
    run("export", tmp_path / "model", "--output", tmp_path / "exported")
    said = [run("predict", tmp_path / name, tmp_path / "inbox")["maps"] for name in ("model", "exported")]
    assert said[0] == said[1]
    maps, _ = Model.open(tmp_path / "exported").maps_of(tmp_path / "inbox")
    write_map(maps, tmp_path / "maps" / "new.npz")
    for k, one in enumerate(maps):
        write_map(one, tmp_path / "each" / f"{k}.npz")
    scored = run("score", tmp_path / "exported", tmp_path / "maps", "--output", tmp_path / "scores", "--workers", 0)
    assert (scored["maps"], scored["errors"]) == (3, 0)
    words = ("--to", tmp_path / "watch.db", "--idle", 0.5)
    watched = run("watch", tmp_path / "exported", tmp_path / "each", *words)
    assert (watched["new"], watched["bad"]) == (3, 0)


def test_a_state_that_another_version_wrote_is_refused(model, tmp_path, monkeypatch):
    """What this version does not know may have changed what the threshold was chosen for."""
    kept = model.detector._state() | {"old": np.zeros(1)}
    monkeypatch.setattr(model.detector, "_state", lambda: kept)
    folder = model.save(tmp_path / "m")
    with pytest.raises(InputError, match=r"state\.safetensors.*fit the model anew.*unknown: old"):
        Model.open(folder)


def test_a_broken_tooth_of_maps_by_revolution_is_above_its_limit_with_the_fewest_healthy_maps():
    values = np.random.default_rng(1).lognormal(0.0, 0.1, (19, 25, 8)).astype(np.float32)
    values[16:, 6] *= 3.5
    axes = Axis.teeth("driving tooth", 25), Axis("driving revolution", tuple(range(8)))
    maps = HealthMapBatch(values, *axes)
    model = Model.fit(maps[np.arange(16)])
    assert model.detector.options["clip"] is None
    found = Monitor(model).add(maps[np.arange(16, 19)])
    assert (found.colour, found.tooth) == ("RED", 6)
    cut = Model.fit(maps[np.arange(16)], options={"clip": 5.0})  # what is asked for stays
    assert cut.detector.options["clip"] == 5.0

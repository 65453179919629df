"""One folder holds everything that a diagnosis needs, whoever made it; what does not belong to it is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from toothwise import GearPair, HealthMapBatch, MapBuilder, Model, write_record
from toothwise.errors import InputError
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
        (
            {
                "gear": GearPair(
                    9,
                    14,
                )
                and GearPair(14, 9)
            },
            "gear is .*driving=14.*, but .*driving=9",
        ),
    ],
)
def test_maps_of_anything_else_are_refused_in_one_line_that_names_both(model, healthy, about, words):
    with pytest.raises(InputError, match=words) as refused:
        model.predict(batch(healthy[:2], **about))
    assert "\n" not in str(refused.value)


def test_another_shape_is_refused(model, healthy):
    with pytest.raises(InputError, match=r"9 x 14 .* but are 9 x 13"):
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


def test_a_folder_of_version_0_1_is_opened(model, healthy, tmp_path):
    folder = model.save(tmp_path / "old")
    meta = json.loads((folder / "model.json").read_text())
    old = {k: meta[k] for k in ("detector", "options", "shape", "threshold", "info", "toothwise", "state_sha256")}
    (folder / "detector.json").write_text(json.dumps(old | {"format": 1}))
    (folder / "model.json").unlink()
    np.testing.assert_array_equal(Model.open(folder).predict(healthy).score, model.predict(healthy).score)

"""A waveform that is the same with every mate is found where its energy is lost in what healthy meshes scatter."""

from __future__ import annotations

import json

import numpy as np
import pytest

from toothwise import GearPair, MapBuilder, Model, Monitor, detectors, write_map, write_record
from toothwise.detectors.coherent import Coherent
from toothwise.errors import InputError
from toothwise.exported.export import export
from toothwise.serving.service import Service
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record

SAMPLES = 8


def waveforms(n: int, seed: int, rows: int = 9, columns: int = 14) -> np.ndarray:
    """Healthy residuals: loud where the gearbox is heard (low orders), quiet elsewhere."""
    rng = np.random.default_rng(seed)
    events = np.arange(rows * columns // np.gcd(rows, columns))
    spectrum = np.fft.rfft(rng.standard_normal((n, events.size * SAMPLES)))
    spectrum /= 1.0 + np.arange(spectrum.shape[1]) / 20.0
    out = np.full((n, rows, columns, SAMPLES), np.nan)
    out[:, events % rows, events % columns] = np.fft.irfft(spectrum).reshape(n, events.size, SAMPLES)
    return out


def damaged(x: np.ndarray, axis: int, tooth: int, size: float, mates: slice = slice(None)) -> np.ndarray:
    """A tooth that adds the same quick ringing at each of its meshes with some mates."""
    x = x.copy()
    view = x[:, tooth, mates] if axis == 1 else x[:, mates, tooth]
    view += size * np.sin(2 * np.pi * 0.4 * np.arange(SAMPLES))
    return x


@pytest.fixture(scope="module")
def fitted() -> Coherent:
    return Coherent().fit(waveforms(40, 1))


@pytest.mark.parametrize(("axis", "tooth"), [(1, 4), (2, 11)])
def test_a_faint_tooth_is_named_exactly(fitted, axis, tooth):
    healthy = fitted.predict(waveforms(60, 2)).score
    found = fitted.predict(damaged(waveforms(30, 3), axis, tooth, 0.08))
    assert np.mean(healthy[:, None] < found.score) > 0.99
    assert ((found.row if axis == 1 else found.column) == tooth).all()
    # in the energy of a pixel there is nothing to be seen of it
    pixel = np.log((damaged(waveforms(30, 3), axis, tooth, 0.08) ** 2).mean(axis=3)).mean(axis=3 - axis)
    assert np.mean(pixel.argmax(axis=1) == tooth) < 0.5


def test_a_stretch_of_mates_is_enough(fitted):
    found = fitted.predict(damaged(waveforms(30, 4), 2, 6, 0.15, slice(2, 5)))
    assert np.mean(found.column == 6) > 0.9


def test_gain_and_a_healthy_line_that_all_teeth_share_change_little(fitted):
    x = waveforms(20, 5)
    np.testing.assert_allclose(fitted.predict(3.0 * x).score, fitted.predict(x).score, atol=1.5)


@pytest.mark.parametrize("n", [2, 4, 8])
def test_few_healthy_records_still_find_what_is_plain(n):
    detector = Coherent().fit(waveforms(n, 6))
    found = detector.predict(damaged(waveforms(10, 7), 2, 5, 0.2))
    assert (found.column == 5).all()
    assert found.score.min() > detector.predict(waveforms(30, 8)).score.max()


def test_gears_with_a_common_factor_have_pairs_that_never_meet():
    detector = Coherent().fit(waveforms(20, 9, rows=6, columns=9))
    found = detector.predict(damaged(waveforms(10, 10, rows=6, columns=9), 1, 3, 0.5))
    assert (found.row == 3).all()
    assert np.isnan(found.anomaly_map).sum() == 10 * (6 * 9 - 18)


def test_maps_without_waveforms_and_options_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="waveforms"):
        Coherent().fit(np.ones((5, 9, 14), dtype=np.float32))
    for wrong in ({"segments": (1.5,)}, {"contacts": "both"}):
        with pytest.raises(InputError, match="must be"):
            detectors.create("coherent", **wrong)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A model of recordings in a folder, and recordings of the same gearbox with a crack in driven tooth 5."""
    pair = GearPair(9, 14)
    config = GearboxConfig(gears=pair, periods=3, sampling_rate=12800.0, start=None)
    healthy = [simulate_record(config, seed=k)[0] for k in range(20)]
    builder = MapBuilder.learn(pair, healthy, options={"samples_per_tooth": 16})
    model = Model.fit(healthy, detector="coherent", builder=builder)
    faulty = [simulate_record(config, [Fault("crack", "driven", 5, 0.6)], seed=50 + k)[0] for k in range(3)]
    return model, model.save(tmp_path_factory.mktemp("coherent") / "model"), builder, faulty


def test_recordings_go_through_a_saved_and_an_exported_model_alike(recorded, tmp_path):
    model, folder, _, faulty = recorded
    found = Model.open(folder).predict(faulty)
    np.testing.assert_array_equal(found.score, model.predict(faulty).score)
    assert (found.score > model.threshold.value).all()
    assert len(set(found.column.tolist())) == 1  # one tooth in all, whatever number the first healthy record gives it
    export(folder, tmp_path / "exported")
    np.testing.assert_allclose(Model.open(tmp_path / "exported").predict(faulty).score, found.score, rtol=1e-6)


def test_predict_on_the_command_line_scores_recordings(recorded, toothwise, tmp_path):
    _, folder, _, faulty = recorded
    write_record(faulty[0], tmp_path / "today.mat")
    done = toothwise("predict", folder, tmp_path / "today.mat", "--json")
    assert json.loads(done.out)["alarms"] == 1, done.err


def test_whoever_judges_values_refuses_it_in_one_line(recorded, toothwise, tmp_path):
    model, folder, builder, faulty = recorded
    with pytest.raises(InputError, match="looks at their waveforms"):
        Monitor(model)
    with pytest.raises(InputError, match="looks at their waveforms"):
        Service.open(folder)
    write_map(builder.build(faulty[0]), tmp_path / "maps" / "a.npz")
    done = toothwise("score", folder, tmp_path / "maps", "--output", tmp_path / "out")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "looks at their waveforms" in done.err


def test_waveforms_of_other_samples_are_refused(fitted):
    with pytest.raises(InputError, match="fitted on waveforms of 8 samples"):
        fitted.predict(waveforms(2, 1)[..., :6])

"""The line network on mesh waveforms starts as ``coherent``, trains on damage added to them, and is saved."""

import numpy as np
import pytest

pytest.importorskip("anomalib")

from toothwise import Model, detectors
from toothwise.detectors.line_network.waveforms import LineWaveforms, WaveformDrawer
from toothwise.errors import InputError
from toothwise.exported.export import export

SAMPLES, SMALL = 8, {"dim": 4, "blocks": 1, "max_steps": 4, "batch_size": 8}


def waveforms(n, seed, rows=9, columns=14):
    rng = np.random.default_rng(seed)
    events = np.arange(rows * columns // np.gcd(rows, columns))
    spectrum = np.fft.rfft(rng.standard_normal((n, events.size * SAMPLES)))
    spectrum /= 1.0 + np.arange(spectrum.shape[1]) / 20.0
    out = np.full((n, rows, columns, SAMPLES), np.nan, dtype=np.float32)
    out[:, events % rows, events % columns] = np.fft.irfft(spectrum).reshape(n, events.size, SAMPLES)
    return out


def damaged(x, tooth, size):
    x = x.copy()
    x[:, tooth] += size * np.sin(2 * np.pi * 0.4 * np.arange(SAMPLES))
    return x


@pytest.mark.parametrize("shape", [(9, 14), (9, 12)])  # the second pair does not hunt: pairs are missing
def test_what_is_not_kept_leaves_coherent_and_what_is_kept_is_saved(shape, tmp_path):
    train, test = waveforms(24, 1, *shape), damaged(waveforms(6, 2, *shape), 4, 0.08)
    plain = detectors.create("coherent").fit(train).predict(test)
    found = detectors.create("line_waveforms", **SMALL, keep="all").fit(train)
    told = found.predict(test)
    assert told.row_evidence.shape == (6, shape[0])
    assert np.isfinite(told.score).all()
    assert np.abs(told.row_evidence - plain.row_evidence).max() > 1e-3
    again = LineWaveforms(**found.options)
    again.shape = found.shape
    again._restore(found._state())
    np.testing.assert_allclose(again.predict(test).score, told.score, rtol=1e-5)
    found._network.model.gain.fill_(0.0)
    np.testing.assert_array_equal(found.predict(test).row_evidence, plain.row_evidence)


def test_it_names_the_tooth_and_its_model_is_opened_but_not_exported(tmp_path):
    model = Model(detectors.create("line_waveforms", **SMALL).fit(waveforms(24, 1)))
    assert set(model.detector.info["held_out"]) >= {"gain", "correction_kept"}
    opened = Model.open(model.save(tmp_path / "model"))
    found = opened.detector.predict(damaged(waveforms(6, 3), 4, 0.1))
    assert (found.row == 4).all()
    with pytest.raises(InputError, match="cannot be exported as a network; it can be saved as it is"):
        export(tmp_path / "model", tmp_path / "exported")


def test_drawn_damage_repeats_along_its_line_and_is_as_large_as_said():
    train = waveforms(24, 1)
    detector = detectors.create("line_waveforms", **SMALL).fit(train)
    white = detector._learn(np.fft.rfft(detector._periods(train)), train.shape)[1]
    unit = detector._unit(white, train.shape)
    assert float(np.mean(unit**2)) == pytest.approx(1.0, rel=0.1)
    drawer = WaveformDrawer(detector._network.model.options, np.ones((9, 14)), detector._network._weight)
    rng = np.random.default_rng(0)
    faulty = np.arange(24) % 2 == 0
    found = drawer(0.0 * unit, rng, faulty=faulty, disturbed=False)
    assert not found.values[~faulty].any()
    size = np.linalg.norm(found.values[faulty].reshape(12, -1), axis=1)
    assert 0 < size.min() < size.max() <= 32.0 + 1e-3
    for k in np.flatnonzero(faulty):
        own = found.cells[k].astype(bool)
        assert (found.values[k][own] ** 2).mean() > (found.values[k][~own] ** 2).mean()
        assert found.contrast[k] == pytest.approx(0.5 * np.log1p((found.values[k][own] ** 2).mean()), rel=1e-3)


def test_maps_without_waveforms_or_too_few_are_refused():
    with pytest.raises(InputError, match="needs the mesh waveforms of maps"):
        detectors.create("line_waveforms", **SMALL).fit(np.ones((30, 9, 14), dtype=np.float32))
    with pytest.raises(InputError, match="needs 20 healthy maps or more, but got 19"):
        detectors.create("line_waveforms", **SMALL).fit(waveforms(19, 0))
    with pytest.raises(InputError, match="attention must be one of 'both', 'x'"):
        detectors.create("line_waveforms", attention="diagonal")

"""Numbers beside the judgement: indicators of teeth as their definitions say, healthy records held out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from toothwise import Model, Monitor
from toothwise.diagnosis.baseline import healthy_course, learn_baseline
from toothwise.diagnosis.evidence import load_evidence
from toothwise.diagnosis.store import JsonStore
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.reference.shown import healthy_waveforms, numbers_shown

ROWS, COLUMNS, SAMPLES = 7, 10, 12


def batch(n: int, seed: int, *, waveforms: bool = True, bump: float = 0.0) -> HealthMapBatch:
    waves = np.random.default_rng(seed).normal(size=(n, ROWS, COLUMNS, SAMPLES))
    waves[:, 3, :, 5] += bump  # once per revolution of tooth 3
    values = np.sqrt((waves**2).mean(axis=3))
    table = pd.DataFrame({"name": [f"r{seed}_{k}" for k in range(n)], "shaft_speed": 25.0, "clipped": np.arange(n)})
    axes = Axis.teeth("driving tooth", ROWS), Axis.teeth("driven tooth", COLUMNS)
    return HealthMapBatch(values, *axes, table, "rms of residual", "g", waveforms=waves if waveforms else None)


def test_the_indicators_are_those_of_the_average_over_the_mates():
    maps = batch(4, 1, bump=3.0)
    shown = numbers_shown(maps)
    tooth = maps.waveforms[2, 3].astype(float).mean(axis=0)
    away = tooth - tooth.mean()
    assert shown["tooth_rms"][2, 3] == pytest.approx(np.sqrt((tooth**2).mean()), rel=1e-5)
    assert shown["tooth_kurtosis"][2, 3] == pytest.approx((away**4).mean() / (away**2).mean() ** 2, rel=1e-5)
    revolution = maps.waveforms[2].astype(float).mean(axis=1).ravel()
    revolution -= revolution.mean()
    assert shown["gear_fm4"][2, 0] == pytest.approx((revolution**4).mean() / (revolution**2).mean() ** 2, rel=1e-5)
    assert (shown["gear_fm4"][:, 0] > 10).all()
    assert (shown["gear_fm4"][:, 1] < 6).all()
    assert shown["clipped"][:, 0].tolist() == [0, 1, 2, 3]


def test_teeth_that_are_not_heard_have_no_numbers_and_maps_without_waveforms_their_root_mean_square():
    maps = batch(2, 2)
    waves = maps.waveforms.copy()
    waves[:, 4] = np.nan
    values = maps.values.copy()
    values[:, 4] = np.nan
    shown = numbers_shown(HealthMapBatch(values, maps.rows, maps.columns, waveforms=waves))
    assert np.isnan(shown["tooth_rms"][:, 4]).all()
    assert np.isfinite(np.delete(shown["tooth_rms"], 4, axis=1)).all()
    assert np.isfinite(shown["gear_fm4"]).all()
    plain = numbers_shown(batch(2, 2, waveforms=False))
    assert set(plain) == {"tooth_value", "shaft_speed", "clipped"}
    assert plain["tooth_value"][1, 3] == pytest.approx(np.sqrt((maps.values[1, 3] ** 2).mean()), rel=1e-5)


def test_what_is_healthy_of_a_waveform():
    waves = batch(30, 3, bump=3.0).waveforms
    found = healthy_waveforms(waves)
    lines = waves.mean(axis=2)
    np.testing.assert_allclose(found["waveform_mean"][:ROWS], lines.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found["waveform_sd"][:ROWS], lines.std(axis=0, ddof=1), rtol=1e-3)


def test_healthy_records_are_shown_beside_the_other_blocks_not_beside_a_mean_of_themselves():
    maps = batch(32, 4, waveforms=False)
    values = maps.values.copy()
    values[:8, 2] *= 1.5  # one block of four in which a tooth is louder
    model = Model.fit(HealthMapBatch(values, maps.rows, maps.columns, maps.table), blocks=np.arange(32) // 8)
    index, contrast, level = healthy_course(model.reference, learn_baseline(model.reference))
    assert index.tolist() == list(range(32))
    assert level.shape == (32,)
    assert np.exp(contrast[:8, 2].mean() - contrast[8:, 2].mean()) == pytest.approx(1.5 ** (4 / 3), rel=0.1)


def test_a_state_keeps_the_numbers_and_a_report_gets_them(tmp_path):
    model = Model.fit(batch(24, 5))
    assert type(model.detector).__name__ == "Coherent"
    model = Model.open(model.save(tmp_path / "model"))
    Monitor(model, store=JsonStore(tmp_path / "state.json")).add(batch(3, 6))
    monitor = Monitor(model, store=JsonStore(tmp_path / "state.json"))
    found = monitor.add(batch(4, 7, bump=3.0))
    assert (found.colour, found.gear, found.tooth) == ("RED", "driving", 3)
    monitor.evidence().save(tmp_path)
    records = load_evidence(tmp_path).records
    assert records.number.tolist() == list(range(1, 8))
    np.testing.assert_allclose(
        records.numbers["tooth_rms"][3:], numbers_shown(batch(4, 7, bump=3.0))["tooth_rms"], rtol=1e-3
    )
    assert records.healthy["tooth_kurtosis"].shape == (24, ROWS + COLUMNS)
    (why,) = load_evidence(tmp_path).explained
    assert (why.tooth.axis, why.tooth.tooth) == (1, 3)
    assert why.tooth.now[1].argmax() == 5
    assert abs(why.tooth.mean[1, 5]) < 3 * why.tooth.sd[1, 5] < 1.0

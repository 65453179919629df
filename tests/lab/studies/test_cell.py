"""What a study varies of a cell: training maps, test maps, corruption, grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise_lab.studies.cell import try_cell
from toothwise_lab.studies.cell_maps import Cell, draw_maps
from toothwise_lab.studies.fitted import reused_fits
from toothwise_lab.studies.image_trial import ImageTrial
from toothwise_lab.studies.run_trial import RunTrial, measure_run

PLAIN = Cell("C", "matched", "scan", 3, n_train=24, n_test=40, contrast=(1.5, 1.8))


def maps_of(**changes):
    return draw_maps(replace(PLAIN, **changes))


def test_what_is_not_varied_stays_as_it_was():
    plain, again = maps_of(), maps_of(test_domain="C", strength=0.0, corruption="gaussian")
    for name in ("train", "healthy", "faulty", "masks"):
        assert np.array_equal(getattr(plain, name), getattr(again, name)), name
    assert Cell("C", "matched", "scan", 0, test_domain="C") == Cell("C", "matched", "scan", 0)


def test_contamination_puts_lines_into_a_share_of_the_training_maps():
    clean, dirty = maps_of().train, maps_of(contamination=0.25).train
    changed = (clean != dirty).any(axis=(1, 2))
    assert changed.sum() == 6
    ratio = (dirty / clean)[changed]
    assert ratio.min() > 0.999
    assert (ratio > 1.4).any(axis=2).sum(axis=1).max() <= 2  # a tooth or two


def test_training_and_test_maps_may_be_of_other_domains_and_states():
    home, away = maps_of(), maps_of(test_domain="A")
    assert np.array_equal(home.train, away.train)
    assert not np.array_equal(home.healthy, away.healthy)
    cold, warm = maps_of(train_condition="cold"), maps_of(train_condition="warm", test_condition="warm")
    assert cold.train.mean() < 0.9 * warm.train.mean()
    assert set(warm.condition) == {"warm"}
    row = try_cell(replace(PLAIN, test_condition="warm")).row
    assert row["auroc_cold"] is None
    assert row["auroc_warm"] == row["auroc"]


def test_maps_of_another_machine_come_on_the_grid_of_the_first():
    maps = maps_of(shape=(18, 35), test_shape=(31, 95), length=(8, 30))
    assert maps.train.shape[1:] == maps.healthy.shape[1:] == maps.masks.shape[1:] == (18, 35)
    assert maps.teeth == (31, 95)
    row = try_cell(replace(PLAIN, shape=(18, 35), test_shape=(31, 95), length=(25, 34), contrast=(3.0, 3.0))).row
    assert row["tooth_accuracy"] > 0.9  # named as the teeth of the machine that is tested


def test_a_coarser_store_blurs_and_the_method_matters():
    plain, half = maps_of(), maps_of(test_grid=(16, 48))
    assert np.array_equal(plain.train, half.train)
    assert half.healthy.std() < 0.8 * plain.healthy.std()
    near, even = (maps_of(test_grid=(62, 190), test_resize=method) for method in ("nearest", "area"))
    assert np.allclose(even.healthy, plain.healthy, rtol=1e-5)
    assert np.allclose(near.healthy, plain.healthy, rtol=1e-5)  # exact at twice the size
    assert maps_of(grid=(62, 190), train_grid=(16, 48)).train.shape[1:] == (62, 190)


def test_corruption_is_of_the_test_maps_alone_and_takes_masks_and_teeth_with_it():
    plain, turned = maps_of(), maps_of(corruption="cyclic_shift", strength=1.0)
    assert np.array_equal(plain.train, turned.train)
    assert not np.array_equal(plain.masks, turned.masks)
    assert np.array_equal(plain.masks.sum(axis=(1, 2)), turned.masks.sum(axis=(1, 2)))
    row = try_cell(replace(PLAIN, corruption="cyclic_shift", strength=1.0)).row
    assert row["tooth_accuracy"] is None
    assert row["pixel_auroc"] > 0.9
    lost = try_cell(replace(PLAIN, corruption="missing_rows", strength=0.1)).row
    assert lost["auroc"] < try_cell(PLAIN).row["auroc"]
    realistic = maps_of(mode="realistic", corruption="gain_drift", strength=0.5)
    assert realistic.other is not realistic.healthy


def test_scores_of_each_map_give_the_metrics_of_the_row():
    found = try_cell(replace(PLAIN, detector="mean"))
    assert set(found.scores) == {
        *("healthy", "faulty", "warm"),
        *("healthy_lines", "faulty_lines", "healthy_segments", "faulty_segments"),
    }
    assert found.examples["maps"].shape == (3, 31, 95)
    cold = ~found.scores["warm"]
    above = found.scores["faulty_lines"][cold][:, None] > found.scores["healthy_lines"][cold]
    assert found.row["auroc_cold_lines"] == pytest.approx(above.mean())


def test_a_fit_is_kept_for_trials_that_train_on_the_same(toys, monkeypatch):
    import study_toys

    fits = []
    monkeypatch.setattr(study_toys.Quick, "_fit", lambda self, values, progress: fits.append(len(values)))
    cell = replace(PLAIN, detector="study_toys:Quick")
    cells = [cell, replace(cell, corruption="gaussian", strength=0.1), replace(cell, contrast=(1.1, 1.2))]
    alone = [try_cell(c).row["auroc"] for c in cells]
    assert len(fits) == 3
    with reused_fits(2):
        kept = [try_cell(c).row["auroc"] for c in cells]
        assert len(fits) == 4
        try_cell(replace(cell, contamination=0.1))
        try_cell(replace(cell, n_train=25))
        assert len(fits) == 6
    assert kept == alone


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"n_train": 9}, "n_train must be a whole number, 10 or more"),
        ({"contamination": 0.6}, "contamination must be a number"),
        ({"corruption": "fog"}, "corruption must be one of"),
        ({"test_domain": "E"}, "test_domain must be one of"),
        ({"train_condition": "hot"}, "train_condition must be one of"),
        (
            {"detector": "limit", "contamination": 0.1},
            "'limit' knows the generator as it is: contamination must be off",
        ),
    ],
)
def test_cells_that_cannot_be(changes, told):
    with pytest.raises(InputError, match=told):
        replace(PLAIN, **changes)


def test_other_kinds_of_trials_refuse_unknown_names():
    with pytest.raises(InputError, match="image_set must be one of"):
        ImageTrial("moon", "scan", 0)
    with pytest.raises(InputError, match="data must be one of 'hums2023', 'simulated'"):
        RunTrial("moon", "scan", 0)
    with pytest.raises(InputError, match="fit_on must be one of"):
        RunTrial("simulated", "scan", 0, fit_on="moon")


@pytest.mark.parametrize("fit_on", ["own", "simulated_maps"])
def test_a_run_alarms_whatever_its_detector_was_fitted_on(fit_on):
    found = measure_run(RunTrial("simulated", "scan", 1, {"lines": "rows", "lengths": [8, 16, 32]}, fit_on=fit_on))
    row = found.row
    assert row["fit_on"] == fit_on
    assert row["alarmed"] in (0.0, 1.0)
    assert row["false_alarm_rate"] <= 0.05
    if row["alarmed"]:
        assert row["first_sustained_place"] > 132  # after the healthy days
    assert found.scores["score"].shape == found.scores["record"].shape

"""What is trained on, what is kept of it, and that the scan is never left behind."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("anomalib")
import torch

from toothwise import detectors
from toothwise.detectors import LineNetwork
from toothwise.detectors.line_likelihood import healthy_precision
from toothwise.detectors.line_network.drawn import MapDrawer
from toothwise.detectors.line_network.options import LineNetworkOptions
from toothwise.evaluation import auroc
from toothwise.simulate.maps import LineShape, generate

CONFIGS = Path(__file__).parents[3] / "configs"


def healthy(n, seed, shape=(12, 17)):
    return generate("C", n, False, seed=seed, shape=shape)[0]


def drawn(**options):
    maps = np.log(healthy(40, 0))
    drawer = MapDrawer(LineNetworkOptions(**options), healthy_precision(maps))
    faulty = np.arange(400) % 2 == 0
    rng = np.random.default_rng(0)
    return drawer(maps[rng.integers(0, 40, 400)], rng, faulty=faulty), faulty


def test_lines_are_of_both_gears_and_of_every_contrast():
    found, faulty = drawn(disturbed=0.0)
    assert not found.cells[~faulty].any()
    assert (found.contrast[~faulty] == 0).all()
    total = sum(teeth.sum(axis=1) for teeth in found.teeth.values())
    np.testing.assert_allclose(total, faulty, atol=1e-6)
    for axis, teeth in found.teeth.items():
        hit = teeth.any(axis=1)
        assert 60 < hit.sum() < 140
        counts = {int(c) for c in found.cells[hit].any(axis=3 - axis).sum(axis=1)}
        assert counts == {1, 2, 3}
        lengths = found.cells[hit].any(axis=axis).sum(axis=1)
        assert lengths.min() <= 4
        assert lengths.max() == (17 if axis == 1 else 12)
    size = np.abs(found.contrast[faulty])
    assert size.min() < 0.02
    assert size.max() > 0.5
    assert 0.02 < (found.contrast[faulty] < 0).mean() < 0.25
    assert not np.isnan(found.values).any()


def test_what_is_no_damage_is_drawn_on_healthy_maps_too():
    plain, _ = drawn(disturbed=0.0)
    found, faulty = drawn(disturbed=1.0)
    assert np.isnan(found.values[~faulty]).any()
    assert np.nanstd(found.values[~faulty]) > 1.2 * plain.values[~faulty].std()
    assert not found.cells[~faulty].any()


def test_the_same_seed_draws_the_same_and_only_rows_where_rows_are_asked_for():
    one, two = (drawn(lines="rows")[0] for _ in range(2))
    np.testing.assert_array_equal(one.values, two.values)
    assert set(one.teeth) == {1}


def area(name, train, test, **options):
    scores = detectors.create(name, **options).fit(train).predict(np.concatenate(test)).score
    return auroc(scores, np.repeat([0, 1], [len(t) for t in test]))


@pytest.mark.parametrize(("count", "steps"), [(20, 6), pytest.param(60, 12, marks=pytest.mark.full)])
def test_it_is_never_worse_than_scan_learned(count, steps):
    """Twenty maps decide nothing, so nothing is kept."""
    test = [generate("C", 150, bad, seed=50 + bad, shape=(12, 17), contrast=(1.1, 1.6))[0] for bad in (False, True)]
    small = {"dim": 4, "blocks": 1, "max_steps": steps, "learning_rate": 0.05}
    train = healthy(count, 1)
    assert area("line_network", train, test, **small) >= area("scan_learned", train, test) - 0.003


@pytest.mark.full
@pytest.mark.parametrize("domain", ["A", "C"])
@pytest.mark.parametrize("count", [20, 100])
def test_it_is_never_worse_than_scan_learned_at_full_size(domain, count):
    line = LineShape(length=(2, 94))
    test = [
        generate(domain, 300, bad, split="test", seed=70 + bad, contrast=(1.08, 1.3), line=line)[0]
        for bad in (False, True)
    ]
    train = generate(domain, count, False, seed=60)[0]
    assert area("line_network", train, test, max_steps=100) >= area("scan_learned", train, test) - 0.003


def test_what_is_kept_is_told_and_a_useless_correction_is_not():
    detector = detectors.create("line_network", dim=4, blocks=1, max_steps=2).fit(healthy(40, 0))
    found = detector.info["held_out"]
    assert found["correction_kept"] in (0.0, 0.5, 1.0)
    assert found["auroc"]["kept"] >= found["auroc"]["start"]
    assert found["gain"] == pytest.approx(found["auroc"]["kept"] - found["auroc"]["start"])
    assert (found["correction_kept"] == 0) == (found["gain"] == 0)


def test_contrast_comes_with_a_spread_that_holds_it():
    train = generate("C", 120, False, seed=0, shape=(16, 48))[0]
    detector = detectors.create("line_network", dim=4, blocks=1, max_steps=4, patience=0).fit(train)
    test, truth = generate("C", 200, True, seed=9, shape=(16, 48), contrast=(1.1, 1.9), gear="both")
    found = detector.predict(test)
    rows, columns = found.row_evidence, found.column_evidence
    named = np.where(rows.max(axis=1) > columns.max(axis=1), rows.argmax(axis=1), 100 + columns.argmax(axis=1))
    first = np.where(truth.gear == "driving", 0, 100) + truth.tooth.to_numpy(dtype=int)
    right = (named >= first) & (named < first + truth.teeth.to_numpy(dtype=int))
    mean, spread = detector.contrast_of(test)
    np.testing.assert_allclose(found.severity, np.exp(mean))
    wanted = np.log(truth.contrast.to_numpy(dtype=float))
    assert right.mean() > 0.6
    error = (mean - wanted)[right]
    assert np.abs(error).mean() < 0.75 * np.abs(wanted - wanted.mean()).mean()
    assert (
        abs(error.mean()) < 0.4 * spread[right].mean()
    )  # gaps dilute a line: unless that is learned, all is too faint
    assert 0.9 < (np.abs(error) < 2 * spread[right]).mean() < 0.99


def test_the_mix_of_directions_learns_faster_and_training_ends_early():
    module = LineNetwork((9, 14), dim=4, blocks=1, alpha_rate=7.0, learning_rate=0.01)
    module.learn(np.log(healthy(24, 0, (9, 14))))
    module.planned_steps = lambda: 10
    rates = [group["lr"] for group in module.configure_optimizers()["optimizer"].param_groups]
    assert rates[1] == pytest.approx(7 * rates[0])


@pytest.mark.full
def test_anomalib_train_with_the_shipped_config(anomalib_train):
    """The command of the documentation, two steps of a narrow network."""
    options = {"max_steps": 2, "dim": 4, "blocks": 1}
    checkpoint, state = anomalib_train("line_network.yaml", **options)
    assert state["global_step"] == 2
    loaded = LineNetwork.load_from_checkpoint(checkpoint, map_location="cpu").eval()
    torch.testing.assert_close(loaded.model.precision, state["state_dict"]["model.precision"])
    assert torch.isfinite(loaded.model(torch.ones(1, 3, 31, 95)).pred_score).all()

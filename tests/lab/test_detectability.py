import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from toothwise.errors import InputError
from toothwise.evaluation.metrics import tpr_at_fpr
from toothwise.simulate.lines import LineShape
from toothwise.simulate.maps import generate
from toothwise_lab.detectability import CONTRASTS, LineMaps, minimum_detectable_contrast
from toothwise_lab.likelihood_ratio import LikelihoodRatio, LimitConfig
from toothwise_lab.sweep import Sweep, added_energy, log_contrast_ratio, minimum_from_sweep, threshold_at


def gaussian_sweep(slope, contrasts, n=20_000, m=4000, seed=0):
    """Scores N(0, 1) and N(slope log c, 1): the answer is known in closed form."""
    rng = np.random.default_rng(seed)
    healthy, noise = rng.standard_normal(n), rng.standard_normal(m)
    contrasts = np.asarray(contrasts)
    return Sweep(contrasts, healthy, noise + slope * np.log(contrasts)[:, None])


def closed_form(slope, fpr=0.01, target=0.9):
    return np.exp((norm.isf(fpr) + norm.ppf(target)) / slope)


@pytest.mark.parametrize("slope", [4.0, 12.0])
def test_it_is_that_of_the_closed_form(slope):
    grid = np.exp(np.array([0.5, 0.8, 1.0, 1.1, 1.3]) * np.log(closed_form(slope)))
    found = minimum_from_sweep(gaussian_sweep(slope, grid))
    assert found.state == "found"
    assert found.low < closed_form(slope) < found.high
    assert np.log(found.value) == pytest.approx(np.log(closed_form(slope)), rel=0.03)
    assert found.low < found.value < found.high
    easier = minimum_from_sweep(gaussian_sweep(slope, grid), target=0.7, fpr=0.05)
    assert np.log(easier.value) == pytest.approx(np.log(closed_form(slope, 0.05, 0.7)), rel=0.04)


@pytest.mark.full
def test_the_interval_covers_the_truth_as_often_as_it_says():
    grid = np.exp(np.array([0.7, 0.9, 1.0, 1.1, 1.3]) * np.log(closed_form(5.0)))
    inside = 0
    for seed in range(40):
        found = minimum_from_sweep(gaussian_sweep(5.0, grid, 2000, 400, seed), resamples=150, level=0.9)
        inside += found.low <= closed_form(5.0) <= found.high
    assert 29 <= inside <= 40  # 36 expected


def test_nothing_is_extrapolated():
    late = minimum_from_sweep(gaussian_sweep(1.0, (1.1, 1.2, 1.4)))
    assert (late.state, late.value, late.high) == ("above", np.inf, np.inf)
    early = minimum_from_sweep(gaussian_sweep(20.0, (2.0, 3.0)))
    assert (early.state, early.value) == ("below", 2.0)
    assert json.loads(json.dumps(late.summary()))["contrast"] is None
    assert early.summary()["added_energy"] == 3.0


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=60),
    st.lists(st.integers(-5, 7), min_size=1, max_size=60),
    st.sampled_from([0.01, 0.1, 0.5]),
)
def test_the_rate_is_that_of_the_metric_ties_included(healthy, faulty, fpr):
    healthy, faulty = np.array(healthy, float), np.array(faulty, float)
    labels = np.repeat([0, 1], [len(healthy), len(faulty)])
    expected = tpr_at_fpr(np.concatenate([healthy, faulty]), labels, fpr=fpr)
    assert np.mean(faulty > threshold_at(healthy, fpr)) == pytest.approx(expected)
    assert np.mean(healthy > threshold_at(healthy, fpr)) <= fpr


def test_rates_that_fall_by_chance_are_pooled():
    # 300 faulty maps: 85 %, 92 %, 88 %, 97 % found; the middle two count as 90 %
    healthy = np.arange(100.0)
    faulty = np.array([np.where(np.arange(300) < k, 200.0, 0.0) for k in (255, 276, 264, 291)])
    found = minimum_from_sweep(Sweep(np.array([1.1, 1.2, 1.3, 1.4]), healthy, faulty), target=0.895)
    assert 1.1 < found.value < 1.2
    assert minimum_from_sweep(Sweep(np.array([1.1, 1.2, 1.3, 1.4]), healthy, faulty), target=0.91).value > 1.3


def test_a_detector_with_half_the_sensitivity_has_ratio_two():
    grid = np.exp(np.array([0.8, 0.9, 1.0, 1.1, 1.25]) * np.log(closed_form(8.0)))
    limit = minimum_from_sweep(gaussian_sweep(8.0, grid))
    worse = minimum_from_sweep(gaussian_sweep(4.0, grid**2))
    ratio = log_contrast_ratio(worse, limit)
    # the same draws: where the detectors rank maps alike the ratio is free of chance
    assert ratio.value == pytest.approx(2.0, abs=1e-9)
    assert ratio.high - ratio.low < 1e-9
    assert log_contrast_ratio(minimum_from_sweep(gaussian_sweep(0.1, grid)), limit).value == np.inf


def test_added_energy_is_that_of_the_cells():
    lines = LineMaps.draw(1, 8, seed=4)
    before, after = (np.sum(lines.at(c)[lines.mask].astype(float) ** 2) for c in (1.0, 1.3))
    assert after / before - 1 == pytest.approx(added_energy(1.3), rel=1e-6)


def test_line_maps_are_those_of_the_generator_at_every_contrast():
    lines = LineMaps.draw(5, 28, domain="D", seed=6)
    values, truth = generate("D", 5, True, contrast=1.37, seed=6, line=LineShape(length=(28, 28)))
    np.testing.assert_allclose(lines.at(1.37), values, rtol=1e-5)
    np.testing.assert_array_equal(lines.at(1.37, slice(2))[1], lines.at(1.37)[1])
    assert truth["length"].eq(28).all()


def test_a_search_looks_only_where_it_must_and_agrees_with_a_full_sweep():
    rng = np.random.default_rng(0)
    healthy = np.exp(0.5 * rng.standard_normal((4000, 1, 1)))
    lines = LineMaps(np.exp(0.5 * rng.standard_normal((1500, 1, 1))), np.ones((1500, 1, 1), bool))
    calls = []

    def score(maps):
        calls.append(len(maps))
        return np.log(maps[:, 0, 0]) * 5

    scores = score(healthy)
    calls.clear()
    found = minimum_detectable_contrast(score, healthy, lines, healthy_scores=scores, resamples=100)
    searched = calls.count(1500)
    contrasts = CONTRASTS[30:]
    sweep = Sweep(np.array(contrasts), scores, np.stack([score(lines.at(c)) for c in contrasts]))
    full = minimum_from_sweep(sweep, resamples=100)
    assert found.state == "found"
    assert found.value == pytest.approx(full.value, rel=1e-9)
    assert searched < 0.5 * (calls.count(1500) - searched)
    assert np.log(found.value) == pytest.approx(0.5 * (norm.isf(0.01) + norm.ppf(0.9)), rel=0.08)


def test_a_detector_that_sees_nothing_is_said_to_see_nothing():
    lines = LineMaps.draw(60, 8, seed=0)
    healthy, _ = generate("C", 200, False, seed=1)
    found = minimum_detectable_contrast(lambda m: m[:, 0, 0] * 0.0, healthy, lines, resamples=100)
    assert (found.state, found.value) == ("above", np.inf)


@pytest.mark.full
def test_the_likelihood_ratio_needs_less_than_the_row_mean():
    shape, line = (9, 20), LineShape(length=(8, 8))
    limit = LikelihoodRatio(LimitConfig("C", shape=shape, line=line))
    healthy, _ = generate("C", 1500, False, seed=2, shape=shape)
    lines = LineMaps.draw(300, 8, domain="C", seed=3, shape=shape)
    best = minimum_detectable_contrast(
        lambda m, c: limit.per_contrast(m, (c,))[:, 0], healthy, lines, told=True, resamples=100
    )
    simple = minimum_detectable_contrast(lambda m: m.mean(axis=2).max(axis=1), healthy, lines, resamples=100)
    assert best.state == "found"
    assert log_contrast_ratio(simple, best).low > 1


def test_bad_input():
    with pytest.raises(InputError, match="must increase"):
        Sweep(np.array([1.2, 1.1]), np.zeros(3), np.zeros((2, 3)))
    sweep = gaussian_sweep(4.0, (1.5, 2.0), 100, 100)
    for wrong in ({"fpr": 0}, {"target": 1}, {"level": 2}, {"resamples": 10}):
        with pytest.raises(InputError):
            minimum_from_sweep(sweep, **wrong)
    lines = LineMaps.draw(3, 8)
    for wrong_score in (lambda m: m.mean(), lambda m: np.full(len(m), np.nan)):
        with pytest.raises(InputError, match="one number per map"):
            minimum_detectable_contrast(wrong_score, lines.values, lines)

"""Onset, sudden or gradual, growth and its extrapolation."""

import numpy as np
import pytest

from toothwise.diagnosis.onset_growth import find_onset, fit_growth, sudden


def series(n, onset, end, power, seed):
    rng = np.random.default_rng(seed)
    since = np.clip((np.arange(n) - onset + 1.0) / (n - onset), 0.0, 1.0)
    shape = np.where(np.arange(n) >= onset, since**power if power else 1.0, 0.0)
    return end * shape + rng.standard_normal(n)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_interval_of_the_onset_holds_it(power):
    inside, width = [], []
    for seed in range(60):
        found = find_onset(series(120, 60, 6.0, power, seed), correlation=1.0)
        inside.append(found.interval[0] <= 60 <= found.interval[1])
        width.append(found.interval[1] - found.interval[0])
        assert found.interval[0] <= found.record <= found.interval[1]
    assert np.mean(inside) >= 0.85
    assert np.mean(width) < 60


def test_a_step_is_sudden_and_growth_is_not():
    steps = [sudden(series(100, 60, 5.0, 0.0, seed), correlation=1.0) for seed in range(30)]
    ramps = [sudden(series(100, 40, 8.0, 1.0, seed), correlation=1.0) for seed in range(30)]
    assert np.mean(steps) > 0.95
    assert np.mean(ramps) < 0.1


def test_growth_and_the_time_to_a_level_where_growth_supports_it():
    hits, inside = 0, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y = 0.008 * np.arange(60) + 0.05 * rng.standard_normal(60)
        found = fit_growth(y, level=2.0)
        inside.append(found.interval[0] <= np.exp(0.8) <= found.interval[1])
        if found.reached is not None:
            hits += 1
            low, high = found.reached_interval
            inside[-1] &= low <= np.log(2.0) / 0.008 - 59 <= high
    assert hits > 55
    assert np.mean(inside) > 0.85


def test_no_prediction_where_growth_does_not_support_one():
    rng = np.random.default_rng(0)
    flat = [fit_growth(0.2 + 0.1 * rng.standard_normal(50), level=2.0) for _ in range(100)]
    assert np.mean([f.reached is None for f in flat]) >= 0.97
    assert any("whether it grows is open" in f.why for f in flat)
    slow = fit_growth(0.002 * np.arange(40) + 0.001 * rng.standard_normal(40), level=4.0)
    assert slow.reached is None
    assert "further ahead than 2 times" in slow.why
    there = fit_growth(0.9 + 0.01 * np.arange(40) + 0.01 * rng.standard_normal(40), level=2.0)
    assert "already" in there.why
    assert fit_growth(np.arange(9.0), level=2.0) is None


def test_growth_that_quickens_is_read_from_its_last_half():
    rng = np.random.default_rng(1)
    y = np.concatenate([0.001 * np.arange(60), 0.06 + 0.01 * np.arange(60)]) + 0.01 * rng.standard_normal(120)
    found = fit_growth(y, level=3.0)
    assert found.records == 60
    assert found.reached == pytest.approx((np.log(3.0) - 0.65) / 0.01, rel=0.1)

"""Onset, sudden or gradual."""

import numpy as np
import pytest

from toothwise.diagnosis.judged_records import find_onset, sudden


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
    assert np.mean(width) < 90


def test_days_that_differ_are_no_onset_and_what_was_there_before_the_first_record_is_left_open():
    held = []
    for seed in range(40):
        days = 0.8 * np.repeat(np.random.default_rng([seed, 1]).standard_normal(8), 25)
        found = find_onset(series(200, 100, 8.0, 1.0, seed) + days, correlation=5.0)
        held.append(found.interval[0] <= 100 <= found.interval[1])
    assert np.mean(held) >= 0.9
    assert find_onset(np.full(40, 4.0), correlation=1.0).interval[0] == 0
    early = find_onset(series(120, 60, 6.0, 1.0, 0), correlation=1.0, latest=40)
    assert early.interval[1] <= 40


def test_a_step_is_sudden_and_growth_is_not():
    steps = [sudden(series(100, 60, 5.0, 0.0, seed), correlation=1.0) for seed in range(30)]
    ramps = [sudden(series(100, 40, 8.0, 1.0, seed), correlation=1.0) for seed in range(30)]
    assert np.mean(steps) > 0.95
    assert np.mean(ramps) < 0.1

"""Electric spikes go; what strikes in every period, or rings on, stays."""

import warnings

import numpy as np
import pytest

from toothwise.errors import SignalWarning
from toothwise.vibration.angle import angle_from_pulses
from toothwise.vibration.spikes import without_spikes

RATE, TURN, TURNS, MESH = 10_000.0, 0.05, 31, 30.0  # Hz, seconds, turns of a hunting period, samples per mesh event
PERIOD = int(RATE * TURN * TURNS)
ANGLE = angle_from_pulses(np.arange(3 * TURNS + 1) * TURN)


def _calm(periods):
    n = int(periods * PERIOD)
    noise = np.random.default_rng(n).standard_normal(n)
    return (np.sin(2 * np.pi * np.arange(n) / MESH) + 0.4 * noise).astype(np.float32)


def _without(x):
    return without_spikes(x, RATE, ANGLE, TURNS, MESH)


@pytest.mark.parametrize("periods", [2, 2.5, 3])
@pytest.mark.parametrize("width", [1, 2])
def test_spikes_of_a_few_samples_go(periods, width):
    calm = _calm(periods)
    at = np.random.default_rng(1).integers(50, len(calm) - 50, 9)
    x = calm.copy()
    for k in range(width):
        x[at + k] += 10.0
    before = x.copy()
    with pytest.warns(SignalWarning, match="at 9 places where single samples stand alone"):
        mended = _without(x)
    np.testing.assert_array_equal(x, before)
    assert np.abs(mended - calm).max() < 3.0
    assert (mended != calm).sum() <= 9 * 5


@pytest.mark.parametrize("periods", [1, 2, 3])
def test_what_every_period_has_stays(periods):
    x = _calm(periods)
    shifts = np.array([0, 1, -1])[:periods]  # an angle is not known to the sample
    x[700 + PERIOD * np.arange(periods) + shifts] += 12.0 * np.array([1.0, 0.8, 1.2])[:periods]
    assert _without(x) is x


def test_ordinary_noise_and_what_rings_on_stay():
    x, t = _calm(3), np.arange(60)
    assert _without(x) is x
    x[2000:2060] += 20.0 * np.exp(-t / 15.0) * np.sin(1.7 * t)
    assert _without(x) is x


def test_a_period_that_was_off_says_nothing():
    x = _calm(3)
    x[PERIOD // 2 :] = 0.0
    x[700] += 12.0
    assert _without(x) is x


def test_whole_numbers_gaps_and_short_records_are_read():
    counts = np.rint(1000.0 * _calm(2)).astype(np.int16)
    counts[5000] = 20_000
    with pytest.warns(SignalWarning, match="at 1 place where"):
        assert abs(_without(counts)[5000]) < 4000.0
    x = _calm(2)
    x[5000:5100], x[5200] = np.nan, 15.0
    with pytest.warns(SignalWarning, match="at 1 place where"):
        assert np.isnan(_without(x)).sum() == 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for short in (np.ones(1), np.zeros(3), np.arange(20.0)):
            assert _without(short) is short

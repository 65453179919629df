"""Bursts that no other hunting period repeats go; what every period has stays."""

import warnings

import numpy as np
import pytest

from toothwise.errors import SignalWarning
from toothwise.vibration.bursts import without_bursts

EVENTS, SAMPLES = 60, 16


def _periods(n, begun=0):
    rng = np.random.default_rng(n)
    pattern = np.sin(2 * np.pi * np.arange(EVENTS * SAMPLES) / SAMPLES) * np.repeat(
        rng.uniform(0.5, 1.5, EVENTS), SAMPLES
    )
    x = np.resize(pattern, n * len(pattern) + begun) + 0.05 * rng.standard_normal(n * len(pattern) + begun)
    return x.astype(np.float32)


def _without(x, n):
    return without_bursts(
        *(part.copy() for part in (x[: n * EVENTS * SAMPLES].reshape(n, -1), x[n * EVENTS * SAMPLES :])), SAMPLES
    )


@pytest.mark.parametrize("n", [2, 3, 6])
@pytest.mark.parametrize("at", [0.1, 0.93])
def test_a_burst_goes_with_its_ringing_and_leaves_no_step(n, at):
    calm = _periods(n, begun=20 * SAMPLES)
    start, t = int(at * len(calm)), np.arange(100)
    burst = calm.copy()
    burst[start : start + 100] += (12.0 * np.exp(-t / 30.0) * np.sin(t)).astype("f4")[: len(calm) - start]
    with pytest.warns(SignalWarning, match="no other hunting period repeats"):
        values, rest = _without(burst, n)
    assert np.abs(np.concatenate([values.ravel(), rest]) - calm).max() < 0.6
    high = [np.abs(np.fft.rfft(np.diff(x)))[-len(x) // 4 :].max() for x in (values.ravel(), calm[: values.size])]
    assert high[0] < 3.0 * high[1]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_what_every_period_has_and_ordinary_noise_stay(n):
    x = _periods(n)
    x.reshape(n, EVENTS, SAMPLES)[:, 7] *= 30.0  # a ruined tooth pair
    values, rest = _without(x, n)
    np.testing.assert_array_equal(values.ravel(), x)
    assert not len(rest)


def test_one_period_alone_says_nothing():
    x = _periods(1, begun=5 * SAMPLES)
    x[100:150] += 20.0
    np.testing.assert_array_equal(_without(x, 1)[0].ravel(), x[: EVENTS * SAMPLES])


@pytest.mark.parametrize("n", [2, 3])
def test_where_meshes_scatter_little_a_weaker_burst_goes_too(n):
    calm = _periods(n)
    loudest = np.abs(calm.reshape(n, EVENTS, SAMPLES)).max(axis=(0, 2)).argmax()
    factors = np.exp(0.2 * np.random.default_rng(5).standard_normal((n, EVENTS, 1)))
    factors[:, loudest] = 1.0
    rough = (calm.reshape(n, EVENTS, SAMPLES) * factors).astype(np.float32).ravel()
    for x, goes in ((calm, True), (rough, False)):
        burst = x.copy()
        burst.reshape(n, EVENTS, SAMPLES)[0, loudest] *= 2.4
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            values, _ = _without(burst, n)
        assert bool(caught) == goes
        assert (np.abs(values.ravel() - x).max() < 0.6) == goes

"""Pulses from waveforms, and their repair."""

import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.vibration.pulse_repair import Marks, follow_pulses
from toothwise.vibration.tacho import find_pulses


def _waveform(times, sampling_rate, duration, *, width=0.002, rise=2e-4, height=5.0):
    """Trapezoidal pulses that cross half their height exactly at the given times."""
    t = np.arange(int(duration * sampling_rate)) / sampling_rate
    x = np.zeros(len(t))
    for at in times:
        up = np.clip((t - at) / rise + 0.5, 0, 1)
        down = np.clip((t - at - width) / rise + 0.5, 0, 1)
        x += height * (up - down)
    return x


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_edges_are_found_to_a_fraction_of_a_sample(noise):
    rng = np.random.default_rng(0)
    times = 0.01 + np.cumsum(rng.uniform(0.03, 0.034, 100))
    x = _waveform(times, 20_000.0, times[-1] + 0.1) + noise * rng.standard_normal(int((times[-1] + 0.1) * 20_000))
    found = find_pulses(x, 20_000.0)
    assert len(found) == len(times)
    assert np.abs(found - times).max() < (1e-9 if noise == 0 else 2.5e-5)


def test_noise_on_an_edge_is_one_pulse_thanks_to_hysteresis():
    rng = np.random.default_rng(1)
    t = np.arange(50_000) / 10_000
    slow = np.sin(2 * np.pi * 2 * t - 1.5) + 0.05 * rng.standard_normal(len(t))
    assert len(find_pulses(slow, 10_000.0)) == 10


def test_falling_edges_and_a_threshold():
    times = np.arange(1, 11) * 0.1
    x = _waveform(times, 20_000.0, 1.2, width=0.02)
    np.testing.assert_allclose(find_pulses(x, 20_000.0, edge="falling"), times + 0.02, atol=1e-9)
    np.testing.assert_allclose(find_pulses(-x, 20_000.0, edge="falling"), times, atol=1e-9)
    later = find_pulses(x, 20_000.0, threshold=4.0)
    np.testing.assert_allclose(later, times + 2e-4 * 0.3, atol=1e-9)


def test_pulses_across_chunks_are_neither_lost_nor_doubled():
    n = (1 << 21) + 17
    x = np.zeros(n, dtype=np.float32)
    at = np.arange(1000, n - 10, 4096)
    at = np.append(at, [1 << 20, (1 << 21) - 1])
    for k in at:
        x[k : k + 5] = 1
    found = find_pulses(x, 1.0)
    assert len(found) == len(at)


@pytest.mark.parametrize("speed", [3.0, 24.0, 25.0, 27.0])
@pytest.mark.parametrize("offset", [0.0, 2.5])
def test_a_sine_has_no_baseline_to_follow(speed, offset):
    t = np.arange(19_000) / 8000.0
    at = speed * (t + 0.01 * np.sin(2.0 * t)) + 0.3
    found = np.interp(find_pulses(offset + np.sin(2 * np.pi * at), 8000.0), t, at)
    np.testing.assert_allclose(found, np.arange(1, len(found) + 1), atol=0.01)
    assert len(found) == int(at[-1])


@pytest.mark.parametrize("wander", [0.0, 3.0, 12.0])
@pytest.mark.parametrize("kind", ["sine", "ramp"])
def test_a_baseline_that_wanders_is_followed(kind, wander):
    times = np.arange(1, 200) * 0.04
    x = _waveform(times, 10_000.0, 8.05, width=0.004)
    at = np.linspace(0, 1, len(x))
    x = x + wander * (np.sin(4 * np.pi * at) if kind == "sine" else at)
    np.testing.assert_allclose(find_pulses(x, 10_000.0), times, atol=2e-4)


@pytest.mark.parametrize("duty", [0.1, 0.5, 0.9])
def test_a_slow_shaft_is_no_wandering_baseline(duty):
    x = 5.0 * (np.mod(np.arange(200_000) / 10_000 * 0.4 + 0.01, 1.0) < duty)
    assert len(find_pulses(x, 10_000.0)) == 8


@pytest.mark.parametrize("x", [np.zeros(1000), np.full(1000, np.nan)])
def test_a_flat_tachometer_is_refused(x):
    with pytest.raises(InputError, match=r"flat|NaN"):
        find_pulses(x, 1000.0)


def test_a_threshold_that_is_never_crossed():
    with pytest.raises(InputError, match="never crosses 9"):
        find_pulses(_waveform([0.1, 0.2], 1000.0, 0.5, rise=0.01), 1000.0, threshold=9.0)


def test_repair_reports_what_it_did():
    rng = np.random.default_rng(2)
    true = np.cumsum(0.04 * (1 + 0.03 * np.sin(np.arange(200) / 9))) + 1e-5 * rng.standard_normal(200)
    broken = np.sort(np.append(np.delete(true, [50, 51, 120]), [true[30] + 0.004, true[150] + 0.02]))
    mended, _, report = follow_pulses(broken, Marks(np.ones(1)))
    assert len(mended) == 200
    assert len(report.missing) == 3
    np.testing.assert_allclose(report.doubled, [true[30] + 0.004, true[150] + 0.02])
    assert np.abs(mended - true).max() < 5e-4
    assert report.repaired == 5
    assert report.jitter < 0.02


def test_sound_pulses_stay_as_they_are():
    true = np.linspace(0, 10, 300) ** 1.1
    mended, _, report = follow_pulses(true[1:], Marks(np.ones(1)))
    np.testing.assert_array_equal(mended, true[1:])
    assert report.repaired == 0


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ([0.0, 1.0], "needs 3 pulses"),
        ([0.0, 1.0, 1.0, 2.0], "rise"),
        (np.cumsum(np.random.default_rng(3).exponential(1.0, 300)), "cannot be trusted"),
    ],
)
def test_pulses_that_cannot_be_used(times, reason):
    with pytest.raises(InputError, match=reason):
        follow_pulses(np.asarray(times, dtype=float), Marks(np.ones(1)))

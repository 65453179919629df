"""Synchronous averages, their regular, residual and difference parts, and windows around events."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toothwise.errors import InputError
from toothwise.vibration.averaging import METHODS, average_periods, tsa
from toothwise.vibration.components import narrowband, split, tsadifference, tsaregular, tsaresidual
from toothwise.vibration.indicators import (
    gear_condition_metrics,
    kurtosis,
    nb4,
    rms,
    sideband_energy_ratio,
)
from toothwise.vibration.windows import EventWindow, event_powers, event_statistic


@pytest.mark.parametrize("method", METHODS)
def test_tsa_of_a_shaft_signal_with_noise(method):
    rng = np.random.default_rng(0)
    rate, revolutions = 10_000.0, 400
    times = 0.001 + np.arange(revolutions + 1) / 31.7
    t = np.arange(int((times[-1] + 0.01) * rate)) / rate
    turned = (t - 0.001) * 31.7
    clean = np.cos(2 * np.pi * turned) + 0.5 * np.sin(2 * np.pi * 12 * turned)
    average, angle = tsa(clean + rng.standard_normal(len(t)), rate, times, method=method)
    exact = np.cos(2 * np.pi * angle) + 0.5 * np.sin(2 * np.pi * 12 * angle)
    assert len(average) == np.ceil(rate / 31.7 - 1e-9)
    assert np.std(average - exact) < 1.3 / np.sqrt(revolutions)


@pytest.mark.parametrize("method", METHODS)
def test_tsa_over_two_rotations_and_several_pulses(method):
    rate = 8000.0
    times = np.arange(0, 40.01, 0.25) / 20.0  # 4 pulses per rotation
    t = np.arange(int(2.0 * rate)) / rate
    average, angle = tsa(np.cos(2 * np.pi * 10 * t), rate, times, method=method, num_rotations=2, pulses_per_rotation=4)
    assert len(average) == 800
    assert angle[0] == 0
    assert angle[-1] == pytest.approx(2 - 2 / 800)
    np.testing.assert_allclose(average, np.cos(np.pi * angle), atol=1e-4)


def test_tsa_refuses():
    with pytest.raises(InputError, match="method must be one of 'linear', 'spline', 'pchip', 'fft'"):
        tsa(np.zeros(10), 1.0, np.arange(3.0), method="cubic")
    with pytest.raises(InputError, match="no piece of 5 rotations"):
        tsa(np.zeros(10), 1.0, np.arange(3.0), num_rotations=5)


def test_noise_of_the_average_falls_with_the_root_of_the_periods():
    rng = np.random.default_rng(1)
    samples = 20_000
    one = average_periods(rng.standard_normal(samples), samples)[0]
    for periods in (4, 25):
        many, square = average_periods(rng.standard_normal(periods * samples), samples)
        assert np.std(one) / np.std(many) == pytest.approx(np.sqrt(periods), rel=0.05)
        assert square.mean() == pytest.approx(1.0, rel=0.05)
    with pytest.raises(InputError, match="one period has 20000"):
        average_periods(np.zeros(10), samples)


def _hunting(n=18, m=35, spt=32):
    """Angle in driving revolutions over one hunting period of 18/35."""
    return np.arange(n * m * spt) / (n * spt)


def test_shaft_and_mesh_alone_leave_no_difference():
    angle = _hunting()
    x = 0.2 + np.cos(2 * np.pi * angle) + 0.3 * np.cos(2 * np.pi * 18 / 35 * angle + 1)
    for k in (1, 2, 3):
        x = x + np.cos(2 * np.pi * 18 * k * angle + k) / k
    parts = split(x, 35, [18], shaft_orders=(1.0, 18 / 35), num_harmonics=None)
    assert 20 * np.log10(rms(parts.difference) / rms(x)) < -60
    np.testing.assert_allclose(parts.regular, x, atol=1e-9)


def test_sidebands_at_both_shafts_belong_to_the_residual_but_not_to_the_difference():
    angle = _hunting()
    mesh = np.cos(2 * np.pi * 18 * angle)
    x = (1 + 0.3 * np.cos(2 * np.pi * angle) + 0.2 * np.cos(2 * np.pi * 18 / 35 * angle)) * mesh
    parts = split(x, 35, [18], shaft_orders=(1.0, 18 / 35))
    np.testing.assert_allclose(parts.regular, mesh, atol=1e-9)
    assert rms(parts.residual) == pytest.approx(np.sqrt((0.3**2 + 0.2**2) / 4), rel=1e-6)
    assert rms(parts.difference) < 1e-9
    only_driving = split(x, 35, [18])
    assert rms(only_driving.difference) == pytest.approx(0.2 / 2, rel=1e-6)


def test_matlab_names_and_defaults():
    rate, rpm, n = 6000.0, 600.0, 600  # one revolution
    angle = np.arange(n) / n
    mesh = sum(np.cos(2 * np.pi * 20 * k * angle) for k in (1, 2, 3))
    side = np.cos(2 * np.pi * 21 * angle) + np.cos(2 * np.pi * 22 * angle)
    shaft = np.cos(2 * np.pi * angle)
    x = mesh + side + shaft
    third, second = np.cos(2 * np.pi * 60 * angle), np.cos(2 * np.pi * 22 * angle)
    np.testing.assert_allclose(tsaregular(x, rate, rpm, [20]), mesh - third + shaft, atol=1e-9)
    np.testing.assert_allclose(tsaresidual(x, rate, rpm, [20]), side + third, atol=1e-9)
    np.testing.assert_allclose(tsadifference(x, rate, rpm, [20]), second + third, atol=1e-9)
    kept = tsaregular(x, rate, rpm, [20], num_harmonics=3, num_sidebands=1)
    np.testing.assert_allclose(kept, x - second, atol=1e-9)


def test_narrowband_gives_the_envelope():
    angle = np.arange(4096) / 1024
    envelope = 1 + 0.5 * np.cos(2 * np.pi * angle)
    band = narrowband(envelope * np.cos(2 * np.pi * 40 * angle) + np.cos(2 * np.pi * 80 * angle), 4, 40, bandwidth=20)
    np.testing.assert_allclose(np.abs(band), envelope, atol=1e-9)
    with pytest.raises(InputError, match="the band 2 to 78"):
        narrowband(angle, 40, 40, bandwidth=76)


def test_orders_that_cannot_be_carried():
    with pytest.raises(InputError, match="mesh orders must be above 0 and at most 8"):
        split(np.ones(32), 2, [9])


@given(
    st.sampled_from(["rectangular", "hann", "tukey"]),
    st.floats(0, 1),
    st.integers(4, 40),
    st.floats(-100, 100).filter(lambda c: c == 0 or abs(c) > 1e-3),
)
def test_shifted_windows_sum_to_a_constant(kind, overlap, samples, constant):
    window = EventWindow(kind, overlap)
    np.testing.assert_allclose(window.weights(samples).sum(axis=0), 1.0, atol=1e-12)
    np.testing.assert_allclose(event_powers(np.full(7 * samples, constant), samples, window), constant**2, atol=1e-9)


def test_windows_see_the_events_they_should():
    x = np.zeros(10 * 20)
    x[4 * 20 : 5 * 20] = 2.0
    assert event_statistic(x, 20, EventWindow("rectangular"), "rms").tolist() == [0] * 4 + [2] + [0] * 5
    hann = event_statistic(x, 20, EventWindow("hann"), "energy")
    assert np.flatnonzero(hann).tolist() == [3, 4, 5]
    assert hann.sum() == pytest.approx(4.0)
    assert np.flatnonzero(event_statistic(np.roll(x, 100), 20, EventWindow("hann"), "energy")).tolist() == [0, 8, 9]
    peak = event_statistic(x, 20, EventWindow("tukey", 0.2), "peak")
    assert peak[4] == pytest.approx(2.0)
    tone = np.cos(2 * np.pi * np.arange(200) / 20)
    np.testing.assert_allclose(event_statistic(tone, 20, EventWindow("rectangular"), "kurtosis"), 1.5)


def test_metrics_of_a_known_average():
    angle = np.arange(2048) / 1024
    x = np.cos(2 * np.pi * 20 * angle) + 0.1 * np.cos(2 * np.pi * 23 * angle) + 0.05 * np.cos(2 * np.pi * 17 * angle)
    found = gear_condition_metrics(x, 2, [20.0])
    difference = x - np.cos(2 * np.pi * 20 * angle)
    assert found["RMS"] == pytest.approx(np.sqrt((1 + 0.01 + 0.0025) / 2))
    assert found["Kurtosis"] == pytest.approx(kurtosis(x))
    assert found["FM0"] == pytest.approx(np.ptp(x))
    assert found["FM4"] == pytest.approx(kurtosis(difference))
    assert found["ER"] == pytest.approx(np.std(difference) / np.sqrt(0.5))
    assert found["SER"] == pytest.approx(0.15)
    assert sideband_energy_ratio(x, 2, 20.0, sidebands=2) == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(InputError, match="no line at mesh order 400"):
        sideband_energy_ratio(np.zeros(2048), 2, 400.0)


def test_nb4_of_envelopes():
    angle = np.arange(1024) / 1024
    calm = (1 + 0.1 * np.cos(2 * np.pi * angle)) * np.exp(2j * np.pi * 20 * angle)
    # the envelope is a constant plus a sinusoid: its kurtosis is 1.5 in every record
    np.testing.assert_allclose(nb4(np.stack([calm, calm, 2 * calm])), [1.5, 1.5, 1.5 * 16 / (6 / 3) ** 2])

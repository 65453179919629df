"""Synchronous averages, their regular, residual and difference parts, and windows around events."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toothwise.vibration.components import split
from toothwise.vibration.indicators import rms
from toothwise.vibration.windows import EventWindow, event_powers, event_statistic


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

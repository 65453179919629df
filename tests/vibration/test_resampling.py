"""Resampling to angle against the exact signal on a chirp."""

import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.vibration.angle import angle_from_pulses
from toothwise.vibration.resampling import interpolate, resample

RATE = 20_000.0


def _chirp_angle(seconds=6.0, speed=20.0, rate=1.0):
    t = np.arange(int(seconds * RATE)) / RATE
    turned = speed * t + 0.5 * rate * t**2
    k = np.arange(int(turned[-1]) + 1)
    times = (-speed + np.sqrt(speed**2 + 2 * rate * k)) / rate
    return t, turned, angle_from_pulses(times)


@pytest.mark.parametrize("order", [1, 18, 90, 180, 275])
@pytest.mark.parametrize("per_revolution", [1024, 800])
def test_a_chirp_becomes_a_sinusoid_to_1e_3(order, per_revolution):
    _, turned, angle = _chirp_angle()
    x = np.cos(2 * np.pi * order * turned + 0.4)
    y = resample(x, RATE, angle, per_revolution, start=2, revolutions=100)
    exact = np.cos(2 * np.pi * order * (2 + np.arange(len(y)) / per_revolution) + 0.4)
    assert np.sqrt(np.mean((y - exact) ** 2) / np.mean(exact**2)) < 1e-3


def test_what_the_output_cannot_carry_is_filtered_out():
    _, turned, angle = _chirp_angle()
    x = np.cos(2 * np.pi * 300 * turned)  # output carries orders up to 128
    y = resample(x, RATE, angle, 256, start=2, revolutions=100)
    assert np.std(y) < 1e-3 * np.std(x)
    kept = resample(np.cos(2 * np.pi * 60 * turned), RATE, angle, 256, start=2, revolutions=100)
    assert np.std(kept) == pytest.approx(np.sqrt(0.5), rel=1e-3)


def test_a_constant_stays_and_a_memory_map_will_do(tmp_path):
    _, turned, angle = _chirp_angle()
    x = np.full(len(turned), 3.5)
    whole = {"start": angle.span[0], "revolutions": angle.span[1] - angle.span[0]}
    np.testing.assert_allclose(resample(x, RATE, angle, 100, **whole), 3.5, rtol=1e-6)
    noise = np.random.default_rng(0).standard_normal(len(turned)).astype(np.float32)
    np.save(tmp_path / "x.npy", noise)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        resample(mapped, RATE, angle, 640, **whole), resample(noise, RATE, angle, 640, **whole)
    )


def test_whole_positions_of_a_slow_signal_are_kept():
    x = np.cos(2 * np.pi * 0.02 * np.arange(1000))
    y = interpolate(x, lambda a, b: np.arange(a, b, dtype=float), 1000)
    np.testing.assert_allclose(y[40:-40], x[40:-40], atol=1e-3)


def test_spans_that_are_not_there():
    _, turned, angle = _chirp_angle()
    x = np.cos(turned)
    whole = {"start": angle.span[0], "revolutions": angle.span[1] - angle.span[0]}
    with pytest.raises(InputError, match="the angle is known from 0 to"):
        resample(x, RATE, angle, 100, start=0, revolutions=1000)
    with pytest.raises(InputError, match="the signal covers"):
        resample(x[: len(x) // 2], RATE, angle, 100, **whole)
    with pytest.raises(InputError, match="samples_per_revolution"):
        resample(x, RATE, angle, 0, **whole)


def test_a_changing_speed_asks_for_another_filter_without_a_step():
    rng = np.random.default_rng(3)
    _, turned, angle = _chirp_angle()
    x = rng.standard_normal(len(turned))
    # the same revolutions, resampled in pieces that begin elsewhere
    first, second = (
        resample(x, RATE, angle, 256, start=s, revolutions=100)[(5 - s) * 256 :][: 90 * 256] for s in (2, 5)
    )
    assert np.abs(first - second).max() < 0.1 * np.std(first)

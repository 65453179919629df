"""What swings with a gear is no tooth, and a tooth is no swing."""

import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.healthmap.residual import mesh_swings, residual_of
from toothwise.healthmap.waveform import HealthyWaveform

TEETH, SPT = (13, 17), 8
EVENT = np.repeat(np.arange(TEETH[0] * TEETH[1]), SPT)
RNG = np.random.default_rng(3)
VALUES = np.fft.irfft(np.fft.rfft(RNG.standard_normal(len(EVENT)))[:500], len(EVENT))  # smooth: it can be turned
WAVEFORM = HealthyWaveform(VALUES, SPT, 10, np.ones(len(VALUES) // 2 + 1))
TURN = np.arange(len(VALUES)) / SPT


def by_tooth(rest, axis):
    return np.sqrt(np.bincount(EVENT % TEETH[axis], np.square(rest)) / np.bincount(EVENT % TEETH[axis]))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("height", [0.2, 0.5])
def test_what_swings_with_a_gear_is_taken_off_and_told(axis, times, height):
    wave = 1.0 + height * np.cos(2 * np.pi * times * TURN / TEETH[axis] + 1.0)
    rest, swings = residual_of(WAVEFORM, 1.7 * wave * VALUES, TEETH)
    assert swings[axis] == pytest.approx(height, rel=0.02)
    assert swings[1 - axis] < 0.02
    assert np.std(rest) < 0.1 * height * np.std(VALUES)


def test_a_regular_part_swings_too():
    mesh = 5.0 * np.cos(2 * np.pi * TURN)
    wave = 1.0 + 0.3 * np.cos(2 * np.pi * TURN / TEETH[0])
    signal = wave * (VALUES + mesh) - mesh  # what was taken off is the mesh alone
    rest, swings = residual_of(WAVEFORM, signal, TEETH, regular=mesh)
    assert swings[0] == pytest.approx(0.3, rel=0.02)
    assert np.std(rest) < 0.1 * np.std(residual_of(WAVEFORM, signal, TEETH)[0])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("louder", [0.5, 2.0, 8.0])
def test_a_tooth_is_no_swing_and_leaves_none_at_the_others(axis, louder):
    noise = 0.1 * np.std(VALUES) * np.random.default_rng(5).standard_normal(len(VALUES))
    hit = EVENT % TEETH[axis] == 5
    rest, swings = residual_of(WAVEFORM, VALUES * (1.0 + louder * hit) + noise, TEETH)
    assert max(swings) < 0.05
    teeth = by_tooth(rest, axis)
    assert teeth.argmax() == 5
    np.testing.assert_allclose(np.delete(teeth, 5), np.std(noise), rtol=0.35)


def test_teeth_of_both_gears_at_once_are_no_swing():
    noise = 0.1 * np.std(VALUES) * np.random.default_rng(6).standard_normal(len(VALUES))
    hit = 6.0 * (EVENT % TEETH[0] == 5) + 6.0 * (EVENT % TEETH[1] == 9)
    rest, swings = residual_of(WAVEFORM, VALUES * (1.0 + hit) + noise, TEETH)
    assert max(swings) < 0.05
    assert [by_tooth(rest, axis).argmax() for axis in (0, 1)] == [5, 9]


def through_a_resonance(signal, near, height):
    """The signal when a resonance near a mesh order has moved a little: louder there, and later."""
    order = np.arange(len(signal) // 2 + 1) * SPT / len(signal)
    return np.fft.irfft(np.fft.rfft(signal) * (1.0 + height * np.exp(1j - ((order - near) / 0.3) ** 2)), len(signal))


@pytest.mark.parametrize("near", [0.5, 1.3])
@pytest.mark.parametrize("height", [0.3, 1.0])
def test_a_resonance_that_has_moved_is_nothing_new(near, height):
    signal = through_a_resonance(VALUES, near, height)
    rest, _ = residual_of(WAVEFORM, signal, TEETH)
    assert np.std(rest) < 0.35 * np.std(signal - VALUES)


def test_a_tooth_beside_a_resonance_that_has_moved_stays_what_it_is():
    noise = 0.1 * np.std(VALUES) * np.random.default_rng(7).standard_normal(len(VALUES))
    there = np.random.default_rng(8).standard_normal(len(VALUES)) * (EVENT % TEETH[1] == 11) * np.std(VALUES)
    rest, _ = residual_of(WAVEFORM, through_a_resonance(VALUES, 1.3, 0.5) + noise + there, TEETH)
    assert np.dot(rest, there) > 0.95 * np.dot(there, there)
    np.testing.assert_allclose(np.delete(by_tooth(rest, 1), 11), np.std(noise), rtol=0.6)


def test_noise_is_hardly_made_quieter():
    noise = np.std(VALUES) * np.random.default_rng(9).standard_normal(len(VALUES))
    assert np.std(residual_of(WAVEFORM, VALUES + noise, TEETH)[0]) > 0.98 * np.std(noise)


def test_a_signal_of_another_length_is_refused():
    with pytest.raises(InputError):
        residual_of(WAVEFORM, VALUES[:-1], TEETH)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_mesh_tells_of_a_swing_what_noise_and_a_damaged_tooth_do_not_change(axis):
    rng = np.random.default_rng(11)
    wave = (1.0 + 0.15 * np.cos(2 * np.pi * EVENT / TEETH[axis] + 1.0)) * np.cos(2 * np.pi * TURN)
    assert mesh_swings(wave, TEETH, SPT)[axis] == pytest.approx(0.15, rel=0.02)
    noisy = wave + 0.3 * rng.standard_normal(wave.size)
    broken = noisy - 0.8 * (EVENT % TEETH[axis] == 4) * np.cos(2 * np.pi * TURN)
    for signal in (noisy, broken):
        found = mesh_swings(signal, TEETH, SPT)
        assert found[axis] == pytest.approx(0.15, abs=0.06)
        assert found[1 - axis] < 0.08


def test_without_a_mesh_nothing_is_told_of_its_swing():
    assert mesh_swings(np.random.default_rng(12).standard_normal(len(EVENT)), TEETH, SPT) == ()

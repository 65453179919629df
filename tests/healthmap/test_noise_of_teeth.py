"""Noise that is louder at some teeth than at others is no waveform of theirs."""

import numpy as np

from toothwise.healthmap.residual import evened_noise

TEETH, SAMPLES = (9, 11), 16


def periods(loud: float, seed: int) -> np.ndarray:
    """Three hunting periods of noise that is louder at driving teeth 2 to 4, and a waveform at driving tooth 6."""
    rng, number = np.random.default_rng(seed), np.arange(99)
    noise = rng.standard_normal((3, 99, SAMPLES))
    noise[:, np.isin(number % 9, (2, 3, 4))] *= loud
    noise[:, number % 9 == 6] += 4.0 * np.sin(2 * np.pi * 3 * np.arange(SAMPLES) / SAMPLES)
    return noise.reshape(3, -1)


def rows(signal: np.ndarray) -> np.ndarray:
    """Mean square of each driving tooth."""
    energy = np.square(signal.reshape(99, SAMPLES)).mean(axis=1)
    return np.array([energy[tooth::9].mean() for tooth in range(9)])


def test_teeth_at_which_noise_is_louder_are_brought_down_and_one_with_a_waveform_is_not():
    values = periods(5.0, 1)
    mean = values.mean(axis=0)
    before, after = rows(mean), rows(evened_noise(mean, values, mean, TEETH, SAMPLES))
    usual = np.median(before[[0, 1, 5, 7, 8]])
    assert (before[2:5] > 15 * usual).all()
    assert (after[2:5] < 3 * usual).all()
    assert after[6] > 0.9 * before[6]


def test_even_noise_and_a_single_period_change_nothing_or_hardly_anything():
    values = periods(1.0, 2)
    mean = values.mean(axis=0)
    evened = evened_noise(mean, values, mean, TEETH, SAMPLES)
    assert np.square(evened - mean).sum() < 0.02 * np.square(mean).sum()
    assert evened_noise(mean, values[:1], mean, TEETH, SAMPLES) is mean

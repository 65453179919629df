import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.vibration import indicators as ci

N = 100_000
SINE = np.sin(2 * np.pi * 50 * np.arange(N) / N)
SQUARE = np.where(np.arange(N) % 2, 1.0, -1.0)


def test_closed_forms():
    assert ci.rms(3 * SINE) == pytest.approx(3 / np.sqrt(2))
    assert ci.kurtosis(SINE) == pytest.approx(1.5)
    assert ci.fm4(SINE) == pytest.approx(1.5)
    assert ci.m6a(SINE) == pytest.approx(2.5)  # E sin^6 = 5/16 over (1/2)^3
    assert ci.m8a(SINE) == pytest.approx(4.375)  # 35/128 over (1/2)^4
    for indicator in (ci.kurtosis, ci.m6a, ci.m8a):
        assert indicator(SQUARE) == pytest.approx(1.0)
    assert ci.crest_factor(SINE) == pytest.approx(np.sqrt(2), rel=1e-5)
    assert ci.fm0(SINE, np.array([0.5, 0.5])) == pytest.approx(2.0, rel=1e-5)
    assert ci.energy_ratio(SINE, 2 * SINE) == pytest.approx(0.5)


def test_gaussian_noise():
    noise = np.random.default_rng(0).standard_normal((4, 400_000))
    np.testing.assert_allclose(ci.fm4(noise), 3, rtol=0.02)
    np.testing.assert_allclose(ci.m6a(noise), 15, rtol=0.06)
    np.testing.assert_allclose(ci.m8a(noise), 105, rtol=0.15)


def test_scale_and_offset_do_not_matter_to_moments():
    x = np.random.default_rng(1).standard_normal(1000)
    for indicator in (ci.fm4, ci.m6a, ci.m8a):
        assert indicator(5 * x + 3) == pytest.approx(indicator(x))


def test_na4_follows_the_mean_variance_of_the_records_so_far():
    level = np.array([1.0, 1.0, 2.0])
    expected = [1.5, 1.5, 1.5 * 16 / ((1 + 1 + 4) / 3) ** 2]
    np.testing.assert_allclose(ci.na4(level[:, None] * SINE), expected, rtol=1e-6)


def test_constant_signals_have_no_moments():
    for indicator in (ci.kurtosis, ci.fm4, ci.m6a, ci.m8a):
        with pytest.raises(InputError, match="constant"):
            indicator(np.ones(10))
    with pytest.raises(InputError, match="zero everywhere"):
        ci.crest_factor(np.zeros(10))
    with pytest.raises(InputError, match="sequence of records"):
        ci.na4(np.ones(10))
    with pytest.raises(InputError, match="constant"):
        ci.na4(np.ones((2, 10)))

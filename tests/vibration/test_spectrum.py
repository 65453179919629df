import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toothwise.errors import InputError
from toothwise.vibration.components import split_revolutions
from toothwise.vibration.spectrum import (
    check_revolutions,
    order_spectrum,
    shift_spectrum,
    to_samples,
)


def test_a_cosine_has_its_amplitude_at_its_order():
    angle = np.arange(4095) / 4095
    spectrum = order_spectrum(1.7 * np.cos(2 * np.pi * 52 * angle))
    assert abs(spectrum[52]) == pytest.approx(1.7)
    assert np.abs(np.delete(spectrum, 52)).max() < 1e-12


def test_mesh_harmonics_and_mean_vanish_and_nothing_else_does():
    rng = np.random.default_rng(0)
    angle = np.arange(35 * 16) / (35 * 16)
    mesh = 3.0 + sum(np.cos(2 * np.pi * 35 * k * angle + k) for k in (1, 2, 3))
    other = np.cos(2 * np.pi * 34 * angle) + 0.1 * np.cos(2 * np.pi * 71 * angle + rng.uniform())
    residual = split_revolutions(mesh + other, 35).residual
    np.testing.assert_allclose(residual, other, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 34))
def test_a_shift_by_whole_teeth_rolls_the_record(teeth):
    x = np.random.default_rng(teeth).standard_normal(35 * 9)
    original = split_revolutions(x, 35).residual
    turned = shift_spectrum(order_spectrum(original), teeth / 35)
    np.testing.assert_allclose(to_samples(turned, len(x)), np.roll(original, -9 * teeth), atol=1e-10)


@pytest.mark.parametrize(
    ("vibration", "message"),
    [
        (np.zeros((2, 350)), "record 0 is constant"),
        (np.where(np.arange(700).reshape(2, 350) == 400, np.nan, 1.0) + np.arange(350), "record 1 has NaN"),
        (np.random.default_rng(0).standard_normal((2, 351)), "multiple of 35"),
        (np.random.default_rng(0).standard_normal(350), r"\[records, samples\]"),
        (np.empty((0, 350)), r"\[records, samples\]"),
        (np.array([["a"]]), r"\[records, samples\]"),
    ],
)
def test_bad_records_are_named(vibration, message):
    with pytest.raises(InputError, match=message):
        check_revolutions(vibration, 35)

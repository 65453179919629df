"""Where a tooth was taken off, a record is like a healthy one: what is left accuses no other tooth, and hides none."""

from __future__ import annotations

import numpy as np
import pytest

from toothwise.detectors.coherent import Coherent
from toothwise.detectors.coherent.meshes import events

SAMPLES, SIDEBANDS = 8, 3


def records(n: int, seed: int, teeth: tuple[int, int], *damage: tuple[int, float]) -> np.ndarray:
    """Residuals of gears from whose signal mesh orders and three sidebands of the rows' gear were removed."""
    rng = np.random.default_rng(seed)
    at = events(*teeth)
    x = rng.standard_normal((n, at[0].size, SAMPLES))
    ringing = np.sin(2 * np.pi * 0.4 * np.arange(SAMPLES))
    for tooth, size in damage:
        x[:, at[0] == tooth] += size * ringing
    spectrum = np.fft.rfft(x.reshape(n, -1))
    order = np.arange(spectrum.shape[1]) / teeth[1]  # of the rows' gear
    away = np.abs((order + teeth[0] / 2) % teeth[0] - teeth[0] / 2)
    spectrum[:, (away <= SIDEBANDS) & (order % 1 == 0)] = 0.0
    out = np.full((n, *teeth, SAMPLES), np.nan)
    out[:, at[0], at[1]] = np.fft.irfft(spectrum).reshape(n, -1, SAMPLES)
    return out


@pytest.mark.parametrize("contacts", ["rows", None])
@pytest.mark.parametrize("teeth", [(13, 43), pytest.param((14, 25), marks=pytest.mark.full), (11, 17)])
def test_what_is_left_accuses_no_other_tooth(teeth, contacts):
    detector = Coherent(contacts=contacts).fit(records(40, 1, teeth))
    opposite = [(5 + teeth[0] // 2, 0.7)] if contacts else []
    damaged = records(40, 2, teeth, (5, 3.0), *opposite)
    assert (detector.predict(damaged).row == 5).all()
    rest = np.stack([detector.without_line(one, 1, 5, slice(None)) for one in damaged])
    healthy = detector.predict(records(400, 3, teeth)).score
    # what one healthy record in fifty shows: more than three of forty by chance once in a hundred
    assert np.sum(detector.predict(rest).score > np.quantile(healthy, 0.98)) <= 3


def test_another_tooth_stays_and_the_noise_is_seeded():
    teeth = 23, 30
    detector = Coherent().fit(records(40, 1, teeth))
    damaged = records(10, 2, teeth, (5, 2.0), (16, 1.0))
    rest = np.stack([detector.without_line(one, 1, 5, slice(None)) for one in damaged])
    assert (detector.predict(rest).row == 16).all()
    np.testing.assert_array_equal(rest[0], detector.without_line(damaged[0], 1, 5, slice(None)))


@pytest.mark.parametrize("louder", [0.5, 3.0])
def test_what_comes_back_is_as_loud_as_the_record(louder):
    teeth = 13, 43
    detector = Coherent().fit(records(40, 1, teeth))
    one = louder * records(1, 2, teeth, (5, 1.5))[0]
    rest = detector.without_line(one, 1, 5, slice(None))
    level = np.sqrt(np.nanmean(np.square(rest), axis=(1, 2)))
    assert 0.9 < level[5] / np.median(level) < 1.1

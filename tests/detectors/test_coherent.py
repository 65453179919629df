"""A waveform that is the same with every mate is found where its energy is lost in what healthy meshes scatter."""

from __future__ import annotations

import numpy as np
import pytest

from toothwise import detectors
from toothwise.detectors.coherent import Coherent
from toothwise.errors import InputError

SAMPLES = 8


def waveforms(n: int, seed: int, rows: int = 9, columns: int = 14) -> np.ndarray:
    """Healthy residuals: loud where the gearbox is heard (low orders), quiet elsewhere."""
    rng = np.random.default_rng(seed)
    events = np.arange(rows * columns // np.gcd(rows, columns))
    spectrum = np.fft.rfft(rng.standard_normal((n, events.size * SAMPLES)))
    spectrum /= 1.0 + np.arange(spectrum.shape[1]) / 20.0
    out = np.full((n, rows, columns, SAMPLES), np.nan)
    out[:, events % rows, events % columns] = np.fft.irfft(spectrum).reshape(n, events.size, SAMPLES)
    return out


def damaged(x: np.ndarray, axis: int, tooth: int, size: float, mates: slice = slice(None)) -> np.ndarray:
    """A tooth that adds the same quick ringing at each of its meshes with some mates."""
    x = x.copy()
    view = x[:, tooth, mates] if axis == 1 else x[:, mates, tooth]
    view += size * np.sin(2 * np.pi * 0.4 * np.arange(SAMPLES))
    return x


@pytest.fixture(scope="module")
def fitted() -> Coherent:
    return Coherent().fit(waveforms(40, 1))


@pytest.mark.parametrize(("axis", "tooth"), [(1, 4), (2, 11)])
def test_a_faint_tooth_is_named_exactly(fitted, axis, tooth):
    healthy = fitted.predict(waveforms(60, 2)).score
    found = fitted.predict(damaged(waveforms(30, 3), axis, tooth, 0.08))
    assert np.mean(healthy[:, None] < found.score) > 0.99
    assert ((found.row if axis == 1 else found.column) == tooth).all()
    # in the energy of a pixel there is nothing to be seen of it
    pixel = np.log((damaged(waveforms(30, 3), axis, tooth, 0.08) ** 2).mean(axis=3)).mean(axis=3 - axis)
    assert np.mean(pixel.argmax(axis=1) == tooth) < 0.5


def test_a_stretch_of_mates_is_enough(fitted):
    found = fitted.predict(damaged(waveforms(30, 4), 2, 6, 0.15, slice(2, 5)))
    assert np.mean(found.column == 6) > 0.9


def test_gain_and_a_healthy_line_that_all_teeth_share_change_little(fitted):
    x = waveforms(20, 5)
    np.testing.assert_allclose(fitted.predict(3.0 * x).score, fitted.predict(x).score, atol=1.5)


@pytest.mark.parametrize("n", [2, 4, 8])
def test_few_healthy_records_still_find_what_is_plain(n):
    detector = Coherent().fit(waveforms(n, 6))
    found = detector.predict(damaged(waveforms(10, 7), 2, 5, 0.2))
    assert (found.column == 5).all()
    assert found.score.min() > detector.predict(waveforms(30, 8)).score.max()


def test_gears_with_a_common_factor_have_pairs_that_never_meet():
    detector = Coherent().fit(waveforms(20, 9, rows=6, columns=9))
    found = detector.predict(damaged(waveforms(10, 10, rows=6, columns=9), 1, 3, 0.5))
    assert (found.row == 3).all()
    assert np.isnan(found.anomaly_map).sum() == 10 * (6 * 9 - 18)


def test_maps_without_waveforms_and_options_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="waveforms"):
        Coherent().fit(np.ones((5, 9, 14), dtype=np.float32))
    for wrong in ({"segments": (1.5,)}, {"contacts": "both"}):
        with pytest.raises(InputError, match="must be"):
            detectors.create("coherent", **wrong)

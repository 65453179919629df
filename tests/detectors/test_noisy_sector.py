"""What is louder from mate to mate over a sector of the revolution, or at many teeth, accuses no tooth."""

from __future__ import annotations

import numpy as np
import pytest

from toothwise.detectors.coherent import Coherent
from toothwise.detectors.coherent.detector import sector, spread
from toothwise.errors import InputError

ROWS, COLUMNS, SAMPLES = 18, 35, 8


def records(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, ROWS, COLUMNS, SAMPLES))


def under_load(x: np.ndarray, most: float) -> np.ndarray:
    """Noise that is loudest once per turn of the driving shaft, as the hits of a damaged inner race are."""
    turn = 2.0 * np.pi * (np.arange(ROWS) - 5.0) / ROWS
    return x * (1.0 + most * np.maximum(np.cos(turn), 0.0))[None, :, None, None]


def hits(x: np.ndarray, size: float, seed: int) -> np.ndarray:
    """Loud hits at meshes that are drawn: many teeth are noisier, those most where several fell by chance."""
    rng = np.random.default_rng(seed)
    at = rng.random(x.shape[:3]) < 0.1
    return x + size * at[..., None] * rng.standard_normal(x.shape)


def cracked(x: np.ndarray, tooth: int, size: float) -> np.ndarray:
    x = x.copy()
    x[:, tooth] += size * np.sin(2 * np.pi * 0.4 * np.arange(SAMPLES))
    return x


@pytest.fixture(scope="module")
def fitted() -> tuple[Coherent, float]:
    detector = Coherent().fit(records(24, 1))
    return detector, float(np.quantile(detector.predict(records(200, 2)).score, 0.99))


@pytest.mark.parametrize("most", [0.1, 0.3, 1.0])
def test_noise_that_is_loud_once_per_turn_is_no_tooth(fitted, most):
    detector, limit = fitted
    assert (detector.predict(under_load(records(40, 3), most)).score > limit).mean() <= 0.1


@pytest.mark.parametrize("size", [3.0, 6.0])
def test_hits_at_meshes_by_chance_are_no_tooth(fitted, size):
    detector, limit = fitted
    assert (detector.predict(hits(records(40, 4), size, 5)).score > limit).mean() <= 0.15


@pytest.mark.parametrize("most", [0.0, 0.3])
def test_a_tooth_is_found_beside_it_all_the_same(fitted, most):
    detector, limit = fitted
    for tooth in (5, 14):  # in the sector and opposite
        found = detector.predict(cracked(under_load(records(20, 6), most), tooth, 1.2))
        assert (found.row == tooth).all()
        assert (found.score > limit).all()


def test_a_single_tooth_that_jitters_is_still_one(fitted):
    detector, limit = fitted
    x = records(20, 7)
    x[:, 9] *= 3.0
    found = detector.predict(x)
    assert (found.row == 9).all()
    assert (found.score > limit).all()


def test_what_healthy_records_show_around_the_turn_is_usual():
    healthy, later = (under_load(records(n, seed), 0.3) for n, seed in ((24, 8), (40, 9)))
    detector = Coherent().fit(healthy)
    found = detector.predict(cracked(later, 5, 1.2))
    assert (found.row == 5).all()
    np.testing.assert_allclose(detector._state()["noise"][:ROWS].argmax(), 5, atol=1)


def test_a_sector_is_wide_and_a_tooth_is_not():
    one, wide = np.zeros((2, 1, ROWS))
    one[0, 4] = wide[0, 15:] = wide[0, :5] = 1.0
    assert sector(one).max() == 0.0
    assert sector(wide)[0, 0] == 1.0  # round the end of the numbering
    assert spread(one)[0] == 0.0


def test_a_model_without_these_is_opened_and_other_shapes_are_refused(fitted):
    detector = fitted[0]
    state = dict(detector._state())
    old = Coherent()
    old.shape = (ROWS, COLUMNS)
    old._restore({name: value for name, value in state.items() if name not in ("noise", "uneven")})
    assert np.isinf(old._state()["uneven"]).all()
    with pytest.raises(InputError, match="do not fit each other"):
        old._restore(state | {"noise": np.zeros(3)})

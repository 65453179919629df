import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise_lab.corruptions import CORRUPTIONS, RESIZE_METHODS, corrupt, resize_maps

MAPS = np.exp(0.1 * np.random.default_rng(0).standard_normal((40, 12, 20))).astype(np.float32)
STRENGTH = {
    "gaussian": 0.3,
    "impulsive": 0.1,
    "gain_drift": 0.5,
    "missing_rows": 0.25,
    "rotation": 10.0,
    "cyclic_shift": 1.0,
}


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_strength_zero_changes_nothing_and_a_seed_repeats(kind):
    same, _ = corrupt(MAPS, kind, 0.0, seed=1)
    assert np.array_equal(same, MAPS)
    before = MAPS.copy()
    first, second = (corrupt(MAPS, kind, STRENGTH[kind], seed=1)[0] for _ in range(2))
    assert np.array_equal(first, second, equal_nan=True)
    assert not np.array_equal(first, corrupt(MAPS, kind, STRENGTH[kind], seed=2)[0], equal_nan=True)
    assert np.array_equal(MAPS, before)  # the input stays
    assert first.dtype == np.float32
    assert np.nanmin(first) > 0
    assert not np.array_equal(first, MAPS)


def test_noise_has_the_stated_size():
    changed, _ = corrupt(MAPS, "gaussian", 0.3, seed=0)
    assert np.std(np.log(changed / MAPS)) == pytest.approx(0.3, rel=0.03)
    changed, _ = corrupt(MAPS, "impulsive", 0.1, seed=0)
    hit = changed > 2.9 * MAPS
    assert hit.mean() == pytest.approx(0.1, abs=0.01)
    assert np.array_equal(changed[~hit], MAPS[~hit])


def test_gain_drifts_evenly_along_the_columns_within_its_bounds():
    changed, _ = corrupt(MAPS, "gain_drift", 0.5, seed=0)
    gain = np.log(changed / MAPS)
    assert np.abs(np.diff(gain, axis=1)).max() < 1e-5  # the same for all rows
    assert np.abs(np.diff(gain, n=2, axis=2)).max() < 1e-5
    assert np.abs(gain).max() <= np.log(1.5) + 1e-5


def test_missing_rows_are_lost_whole():
    changed, _ = corrupt(MAPS, "missing_rows", 0.25, seed=0)
    lost = np.isnan(changed)
    assert (lost.any(axis=2) == lost.all(axis=2)).all()
    assert (lost.all(axis=2).sum(axis=1) == 3).all()


@pytest.mark.parametrize("kind", ["cyclic_shift", "rotation"])
def test_masks_move_with_the_maps(kind):
    masks = np.zeros(MAPS.shape, dtype=bool)
    masks[:, 5, 4:16] = True
    maps = np.where(masks, 9.0, 1.0)
    changed, moved = corrupt(maps, kind, STRENGTH[kind], seed=3, masks=masks)
    assert np.array_equal(moved, changed > 5.0)
    assert not np.array_equal(moved, masks)
    assert corrupt(maps, "gaussian", 0.1, seed=3, masks=masks)[1] is masks


def test_a_shift_keeps_every_value():
    changed, _ = corrupt(MAPS, "cyclic_shift", 1.0, seed=0)
    assert np.array_equal(np.sort(changed.reshape(40, -1)), np.sort(MAPS.reshape(40, -1)))


def test_area_keeps_the_mean_for_any_ratio_and_nearest_makes_no_new_values():
    for shape in ((5, 7), (24, 40), (13, 9)):
        small = resize_maps(MAPS, shape, "area")
        assert np.allclose(small.mean(axis=(1, 2)), MAPS.mean(axis=(1, 2)), rtol=1e-5)
    assert np.isin(resize_maps(MAPS, (5, 7), "nearest"), MAPS).all()
    block = MAPS.reshape(40, 6, 2, 10, 2).mean(axis=(2, 4))
    assert np.allclose(resize_maps(MAPS, (6, 10), "area"), block, rtol=1e-5)


@pytest.mark.parametrize("method", RESIZE_METHODS)
def test_resizing_keeps_a_plane(method):
    rows, columns = np.meshgrid(np.arange(12) + 0.5, np.arange(20) + 0.5, indexing="ij")
    plane = (1 + 0.1 * rows + 0.2 * columns)[None]
    half = resize_maps(plane, (6, 10), method)[0]
    wanted = 1 + 0.1 * (2 * np.arange(6) + 1)[:, None] + 0.2 * (2 * np.arange(10) + 1)
    inner = (slice(1, -1), slice(1, -1))
    assert np.allclose(half[inner], wanted[inner], atol=0.2 if method == "nearest" else 0.02)


@pytest.mark.parametrize(
    ("kind", "strength", "told"),
    [
        ("fog", 0.1, "corruption must be one of 'gaussian'"),
        ("impulsive", 1.5, "strength of impulsive must be in 0..1"),
        ("gaussian", -0.1, "strength of gaussian must be in 0..inf"),
        ("rotation", float("nan"), "strength of rotation"),
    ],
)
def test_what_cannot_be(kind, strength, told):
    with pytest.raises(InputError, match=told):
        corrupt(MAPS, kind, strength, seed=0)


def test_a_method_that_is_none():
    with pytest.raises(InputError, match="resize_method must be one of 'nearest'"):
        resize_maps(MAPS, (3, 3), "lanczos")

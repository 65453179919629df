import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.gears import GearPair
from toothwise.reference.map_statistics import (
    Diagonals,
    best_segment,
    line_levels,
    log_maps,
    map_level,
    one_cycle,
    without_places,
)


def noise(n=40, rows=9, columns=14, seed=0):
    return 0.2 * np.random.default_rng(seed).standard_normal((n, rows, columns))


def test_levels_of_lines_do_not_feel_what_all_lines_share():
    x = noise()
    x[:, 3] += 0.5
    moved = x + 1.7 + np.random.default_rng(1).standard_normal((40, 1, 14))
    for newest in (False, True):
        np.testing.assert_allclose(line_levels(moved, 1, newest=newest), line_levels(x, 1, newest=newest), atol=1e-12)
    assert line_levels(x, 1, newest=False).mean(axis=0).argmax() == 3
    np.testing.assert_allclose(map_level(x + 1.0, newest=False), map_level(x, newest=False) + 1.0)


def test_best_segment_as_a_plain_search_says():
    line = np.random.default_rng(3).standard_normal(20)
    line[6:13] += 2.0
    best = max(
        ((abs(line[a:b].sum()) / np.sqrt(b - a), a, b) for a in range(20) for b in range(a + 3, 21)),
        key=lambda found: found[0],
    )
    found = best_segment(line)
    assert (found.first, found.last) == (best[1], best[2] - 1)
    assert found.mean == pytest.approx(line[best[1] : best[2]].mean())
    assert found.cells == best[2] - best[1]


def test_one_tooth_is_no_cycle_and_an_eccentric_gear_is():
    angle = 2 * np.pi * np.arange(18) / 18
    tooth = np.zeros((1, 18))
    tooth[0, 5] = 1.0
    assert one_cycle(tooth)[0][0] == pytest.approx(0.0, abs=1e-12)
    wave = 0.3 * np.cos(angle - 1.0)[None]
    amplitude, cosine = one_cycle(wave)
    assert amplitude[0] == pytest.approx(0.3)
    np.testing.assert_allclose(cosine, wave, atol=1e-12)
    assert one_cycle(np.ones((2, 5)))[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("shape", [(9, 14), (6, 9)])  # coprime, and with a common divisor
def test_a_run_of_mesh_events_is_found_where_the_gears_meet(shape):
    pair = GearPair(*shape)
    search = Diagonals(shape)
    search.learn(noise(60, *shape))
    one = noise(1, *shape, seed=5)
    event = (3 + np.arange(16)) % search.row.shape[1]
    rows, columns = event % shape[0], event % shape[1]
    assert pair.hunting_period == search.row.shape[1]
    one[0, rows, columns] += 0.8
    assert search.score(one)[0] > search.score(noise(1, *shape, seed=6))[0] + 3
    row, column, height = search.find(one[0])
    assert len(set(zip(row, column, strict=True)) & set(zip(rows, columns, strict=True))) >= 12
    assert height > 0.4


def test_values_that_are_not_positive_have_no_logarithm():
    with pytest.raises(InputError, match="positive maps"):
        log_maps(np.array([[[1.0, 0.0]]]))


def test_a_place_that_one_or_two_lines_meet_is_compared_with_the_whole_map():
    x = np.full((1, 6, 12), np.nan)
    for event in range(12):  # 6 and 12 teeth: each column meets one row
        x[0, event % 6, event] = 0.0
    x[0, 2, [2, 8]] = 1.0
    assert np.nanmax(np.abs(without_places(x, 1)[0, [0, 1, 3, 4, 5]])) == 0.0
    assert without_places(x, 1)[0, 2, [2, 8]].tolist() == [1.0, 1.0]
    assert np.isnan(without_places(x, 1)[0, 2, 3])
    full = np.random.default_rng(0).normal(size=(2, 5, 7))
    np.testing.assert_array_equal(without_places(full, 1), full - np.median(full, axis=1, keepdims=True))

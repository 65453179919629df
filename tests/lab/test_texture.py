import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise_lab.texture import angular_power_entropy, orientation_entropy

ENTROPIES = [angular_power_entropy, orientation_entropy]


def _wave(rows, columns, cycles_y, cycles_x, phase=0.3):
    y, x = np.arange(rows)[:, None] / rows, np.arange(columns)[None] / columns
    return np.cos(2 * np.pi * (cycles_y * y + cycles_x * x) + phase)


def test_white_noise_has_no_direction():
    noise = np.random.default_rng(0).standard_normal((50, 64, 64))
    assert angular_power_entropy(noise).mean() > 0.98
    assert orientation_entropy(noise).mean() > 0.99


def test_one_direction_has_little_entropy():
    stripes = np.broadcast_to(np.random.default_rng(0).standard_normal((20, 1, 96)), (20, 31, 96))
    np.testing.assert_allclose(orientation_entropy(stripes), 0.0, atol=1e-12)  # all gradients along the rows
    assert (angular_power_entropy(stripes) < 0.6).all()


def test_angular_entropy_of_single_waves():
    """A wave off the axes lies in two opposite bins of 36, two such waves in four."""
    one = _wave(128, 128, 20, 30)[None]
    two = (_wave(128, 128, 20, 30) + _wave(128, 128, 35, -10))[None]
    assert angular_power_entropy(one)[0] == pytest.approx(np.log(2) / np.log(36), abs=0.01)
    assert angular_power_entropy(two)[0] == pytest.approx(np.log(4) / np.log(36), abs=0.01)


def test_frequencies_outside_the_ring_do_not_count():
    noise = np.random.default_rng(1).standard_normal((1, 96, 96))
    slow = 50 * _wave(96, 96, 1, 0)[None]  # below 5 % of the largest frequency, leakage included
    assert angular_power_entropy(noise + slow)[0] == pytest.approx(angular_power_entropy(noise)[0], abs=0.02)


@pytest.mark.parametrize("entropy", ENTROPIES)
def test_scale_and_offset_do_not_matter(entropy):
    maps = np.random.default_rng(2).lognormal(size=(5, 31, 95))
    np.testing.assert_allclose(entropy(maps * 7 + 3), entropy(maps), rtol=1e-9)
    np.testing.assert_allclose(entropy(maps)[3:4], entropy(maps[3:4]), rtol=1e-12)


@pytest.mark.parametrize("entropy", ENTROPIES)
@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (np.ones((31, 95)), "shape"),
        (np.ones((0, 5, 5)), "shape"),
        (np.ones((1, 2, 9)), "3 rows"),
        (np.full((1, 5, 5), np.nan), "finite"),
        (np.stack([np.eye(5), np.ones((5, 5))]), "map 1 is constant"),
    ],
)
def test_maps_without_texture(entropy, maps, message):
    with pytest.raises(InputError, match=message):
        entropy(maps)

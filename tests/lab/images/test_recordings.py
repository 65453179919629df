"""Which images belong together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from toothwise.errors import InputError
from toothwise_lab.images.recordings import (
    commutator_parts,
    join_alike,
    join_equal,
    magnetic_tiles,
    same_pixels,
    thumbnails,
)


def test_commutators_come_in_eights_but_for_the_four_that_are_unsure():
    parts = commutator_parts([f"{k:03d}" for k in range(399)])
    names, counts = np.unique(parts, return_counts=True)
    assert len(names) == 47  # 50 parts, four of which count as one
    assert sorted(counts) == [8] * 46 + [31]
    assert parts == sorted(parts)
    assert parts[104] == parts[134] != parts[135] == parts[142] != parts[143]


def test_tiles_are_runs_of_numbers_whatever_the_exposure():
    names = ["exp6_num_900", "exp1_num_10", "exp2_num_55", "exp3_num_455", "exp4_num_901", "exp5_num_856"]
    assert magnetic_tiles(names) == ["tile 001", "tile 000", "tile 000", "tile 000", "tile 001", "tile 001"]
    with pytest.raises(InputError, match="exp1: the file's name must hold a number"):
        magnetic_tiles(["exp1"])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_joined_groups_are_the_chains_of_equal_keys(pairs):
    groups, keys = [f"g{g}" for g, _ in pairs], [f"k{k}" for _, k in pairs]
    joined = join_equal(groups, keys)
    reach = {g: {g} for g in groups}  # closure the slow way
    for _ in range(len(pairs)):
        for g, k in zip(groups, keys, strict=True):
            same = {other for other, key in zip(groups, keys, strict=True) if key == k} | reach[g]
            for member in same:
                reach[member] |= same
                reach[g] |= reach[member]
    assert joined == [min(reach[g]) for g in groups]
    again = join_equal(joined, keys)
    assert again == joined


def test_nearly_equal_pictures_are_joined_in_another_light_too():
    rng = np.random.default_rng(0)
    images = rng.standard_normal((5, 8, 8))
    images[3] = 3.0 * images[0] + 7.0  # another exposure
    images[4] = images[1] + 0.05 * rng.standard_normal((8, 8))
    assert join_alike(list("abcde"), images, 0.97) == list("abcab")
    assert join_alike(list("abcde"), images, 1.0 - 1e-9) == list("abcae")
    blank = np.zeros((3, 8, 8))
    blank[1] = 4.0
    blank[2] = images[0]
    assert join_alike(list("xyz"), blank, 0.97) == list("xxz")


def test_files_of_one_picture_have_one_key(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "b.bmp")
    Image.fromarray(pixels.T.copy()).save(tmp_path / "c.png")
    a, b, c = same_pixels([tmp_path / name for name in ("a.png", "b.bmp", "c.png")])
    assert a == b != c
    assert thumbnails([tmp_path / "a.png"]).shape == (1, 32, 32)
    (tmp_path / "d.png").write_bytes(b"no image")
    for function in (same_pixels, thumbnails):
        with pytest.raises(InputError, match=r"d\.png: not a readable image"):
            function([tmp_path / "d.png"])

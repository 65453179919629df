"""Image sets as arrays, and the split behind them."""

import numpy as np
import pytest
from PIL import Image

from toothwise.errors import InputError
from toothwise_lab.images import load_images
from toothwise_lab.images.sets import PRESETS, SplitRule, split_images

HEIGHT, WIDTH = 30, 20


def _save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path):
    """A small set in the layout of kolektor_sdd: six parts of eight images, one crack each."""
    rng = np.random.default_rng(0)
    for k in range(48):
        folder = "crack" if k % 8 == 3 else "normal"
        pixels = rng.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
        _save(tmp_path / "kolektor_sdd" / folder / f"{k:03d}.png", pixels)
        if folder == "crack":
            mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
            mask[k // 8 + 2, 5:15] = 255
            _save(tmp_path / "kolektor_sdd" / "mask" / "crack" / f"{k:03d}.png", mask)
    return tmp_path


def test_arrays_hold_what_the_files_hold(root):
    found = load_images("kolektor_sdd", root)
    assert found.train.shape == (21, HEIGHT, WIDTH)  # three of six parts, seven normal images each
    assert found.test.shape == (24, HEIGHT, WIDTH)
    assert found.labels.sum() == 3
    for k, row in found.files.iterrows():
        np.testing.assert_array_equal(found.test[k] * 255, np.asarray(Image.open(row.image_path), dtype=np.float32))
        line = int(row.recording[-2:]) + 2
        assert found.masks[k].sum() == 10 * found.labels[k]
        assert found.masks[k, line, 5:15].all() == bool(found.labels[k])


def test_no_part_is_on_both_sides_and_its_cracks_are_not_used(root):
    table = split_images(root / "kolektor_sdd", PRESETS["kolektor_sdd"], SplitRule())
    trained = set(table[table.split == "train"].recording)
    assert len(trained) == 3
    assert not trained & set(table[table.split == "test"].recording)
    unused = table[table.split.str.startswith("unused")]
    assert set(unused.recording) == trained
    assert (unused.label_index == 1).all()
    other = split_images(root / "kolektor_sdd", PRESETS["kolektor_sdd"], SplitRule(seed=5))
    assert not other.equals(table)


def test_a_thin_mask_outlives_resizing(root):
    found = load_images("kolektor_sdd", root, size=(3, 2))
    assert found.train.shape[1:] == (3, 2)
    assert found.masks[found.labels == 1].any(axis=(1, 2)).all()
    whole = load_images("kolektor_sdd", root)
    np.testing.assert_allclose(found.test.mean(axis=(1, 2)), whole.test.mean(axis=(1, 2)), rtol=1e-4)


def test_copies_of_one_part_under_other_numbers_stay_with_it(root):
    place = root / "kolektor_sdd" / "normal"
    for seed in range(6):
        (place / "047.png").write_bytes((place / "000.png").read_bytes())
        table = split_images(root / "kolektor_sdd", PRESETS["kolektor_sdd"], SplitRule(seed=seed))
        assert set(table[table.recording == "part 00"].image_path.str[-7:-4]) >= {"000", "047", "040"}


def test_what_cannot_be_read_is_named(root):
    with pytest.raises(InputError, match="image set must be one of kolektor_sdd"):
        load_images("cifar", root)
    with pytest.raises(InputError, match="size must be"):
        load_images("kolektor_sdd", root, size=(0, 5))
    with pytest.raises(InputError, match="alike must be"):
        SplitRule(alike=1.5)
    _save(root / "kolektor_sdd" / "normal" / "001.png", np.eye(8, dtype=np.uint8))
    with pytest.raises(InputError, match="give size"):
        load_images("kolektor_sdd", root)

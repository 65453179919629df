"""Image sets: splits, masks, leaks, and anomalib's own layouts."""

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("anomalib")
import torch
from PIL import Image

from toothwise.errors import InputError
from toothwise_lab.images import PRESETS, FolderDataModule, image_set
from toothwise_lab.images.recordings import magnetic_tiles
from toothwise_lab.images.sets import ImageSet

LAYOUT = ImageSet(("crack", "fray"), True, magnetic_tiles, "made up")


def _image(path, seed, size=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)).save(path)


@pytest.fixture
def root(tmp_path):
    for k in range(20):
        _image(tmp_path / "normal" / f"exp{k % 2}_num_{1000 * (k // 2) + k % 2}.png", k)
    for j, folder in enumerate(("crack", "fray")):
        for k in range(3):
            _image(tmp_path / folder / f"exp0_num_{90000 + 1000 * k}.png", 100 + 10 * j + k)
            mask = np.zeros((20, 30), dtype=np.uint8)
            mask[5:8] = 255 * (k > 0)  # one mask is empty, as some are
            (tmp_path / "mask" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(tmp_path / "mask" / folder / f"exp0_num_{90000 + 1000 * k}.png")
    return tmp_path


def test_splits_keep_recordings_together_and_repeat(root):
    table = FolderDataModule(root, LAYOUT, seed=3).table()
    normal = table[table.folder == "normal"]
    sides = normal.groupby("recording")["split"].nunique()
    assert (sides == 1).all()
    assert (normal.split == "train").sum() == 14
    faulty = table[table.folder != "normal"]
    assert sorted(faulty.split) == ["test"] * 4 + ["unused: its mask is empty"] * 2
    assert table.equals(FolderDataModule(root, LAYOUT, seed=3).table())
    assert not table.equals(FolderDataModule(root, LAYOUT, seed=4).table())


def test_items_have_three_channels_labels_and_masks(root):
    module = FolderDataModule(root, LAYOUT)
    module.setup()
    assert (len(module.train_data), len(module.test_data)) == (14, 10)
    item = module.train_data[0]
    assert item.image.shape == (3, 20, 30)
    assert int(item.gt_label) == 0
    faulty = [module.test_data[k] for k in range(10) if int(module.test_data[k].gt_label) == 1]
    assert sorted(int(item.gt_mask.sum()) for item in faulty) == [90, 90, 90, 90]
    assert all(torch.equal(item.image[0], item.image[c]) for item in faulty for c in (1, 2))
    batch = next(iter(module.test_dataloader()))
    assert batch.image.shape == (10, 3, 20, 30)
    assert not getattr(module, "val_data", None)


def test_empty_masks_are_kept_where_asked_for(root):
    table = FolderDataModule(root, LAYOUT, empty_masks=True).table()
    assert (table[table.folder != "normal"].split == "test").all()


def test_one_picture_with_two_labels_is_refused(root):
    first = sorted((root / "normal").iterdir())[0]
    (root / "crack" / "exp0_num_95000.png").write_bytes(first.read_bytes())
    (root / "mask" / "crack" / "exp0_num_95000.png").write_bytes((root / "mask/crack/exp0_num_90000.png").read_bytes())
    with pytest.raises(InputError, match=r"exp0_num_95000\.png: the same image is normal as .*exp0_num_0\.png"):
        FolderDataModule(root, LAYOUT).table()


def test_what_is_missing_is_named(root, tmp_path):
    (root / "mask" / "fray" / "exp0_num_91000.png").unlink()
    with pytest.raises(InputError, match=r"its mask .* is missing"):
        FolderDataModule(root, LAYOUT).table()
    with pytest.raises(InputError, match=r"normal: no such folder"):
        FolderDataModule(tmp_path / "nowhere", LAYOUT).table()
    with pytest.raises(InputError, match="image set must be one of kolektor_sdd"):
        image_set("cifar", tmp_path)
    with pytest.raises(InputError, match="train_share"):
        FolderDataModule(root, LAYOUT, train_share=1.0)


@pytest.mark.full
@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_on_the_real_sets(name):
    data = os.environ.get("TOOTHWISE_DATA")
    if not data or not (Path(data) / name).is_dir():
        pytest.skip(f"TOOTHWISE_DATA names no folder with {name}")
    module = image_set(name, data)
    module.setup()
    listed = module.table()
    expected = {
        "kolektor_sdd": (347, 52), "magnetic_tile": (600, 392), "brain_mri": (352, 300), "rsscn7": (250, 120),
    }[name]  # fmt: skip
    assert ((listed.label_index == 0).sum(), (listed.label_index == 1).sum()) == expected
    assert len(module.train_data) == (listed.split == "train").sum() > 100
    assert len(module.test_data) == (listed.split == "test").sum() > 100
    sides = listed[listed.split.isin(["train", "test"])].groupby("recording")["split"].nunique()
    assert (sides == 1).all()
    item = module.test_data[len(module.test_data) - 1]
    assert item.image.shape[0] == 3
    assert (item.gt_mask is not None) == PRESETS[name].masks


def test_mvtec_ad_by_anomalibs_own_module(tmp_path):
    for k in range(4):
        _image(tmp_path / "bottle/train/good" / f"{k:03d}.png", k)
        _image(tmp_path / "bottle/test/good" / f"{k:03d}.png", 10 + k)
        _image(tmp_path / "bottle/test/broken" / f"{k:03d}.png", 20 + k)
        _image(tmp_path / "bottle/ground_truth/broken" / f"{k:03d}_mask.png", 30 + k)
    module = image_set("mvtec_ad", tmp_path, category="bottle")
    module.setup()
    assert (len(module.train_data), len(module.test_data)) == (4, 8)
    with pytest.raises(InputError, match="no such folder"):
        image_set("mvtec_ad", tmp_path / "none", category="bottle")


def test_visa_by_anomalibs_own_module(tmp_path):
    place = tmp_path / "visa_pytorch" / "candle"
    for k in range(3):
        _image(place / "train/good" / f"{k:03d}.png", k)
        _image(place / "test/good" / f"{k:03d}.png", 10 + k)
        _image(place / "test/bad" / f"{k:03d}.png", 20 + k)
        _image(place / "ground_truth/bad" / f"{k:03d}.png", 30 + k)
    module = image_set("visa", tmp_path, category="candle")
    module.prepare_data()  # finds the folder: nothing is downloaded
    module.setup()
    assert (len(module.train_data), len(module.test_data)) == (3, 6)
    assert not getattr(module, "val_data", None)

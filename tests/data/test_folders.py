"""Image sets: splits, masks, leaks, and anomalib's own layouts."""

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("anomalib")
from PIL import Image

from toothwise.data import PRESETS, FolderDataModule, image_set
from toothwise.data.folders import ImageSet
from toothwise.errors import InputError

LAYOUT = ImageSet(("crack", "fray"), True, r"_num_(\d+)", "made up")


def _image(path, seed, size=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)).save(path)


@pytest.fixture
def root(tmp_path):
    for k in range(20):
        _image(tmp_path / "normal" / f"exp{k % 2}_num_{k // 2}.png", k)
    for j, folder in enumerate(("crack", "fray")):
        for k in range(3):
            _image(tmp_path / folder / f"exp0_num_{900 + k}.png", 100 + 10 * j + k)
            mask = np.zeros((20, 30), dtype=np.uint8)
            mask[5:8] = 255 * (k > 0)  # one mask is empty, as some are
            (tmp_path / "mask" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(tmp_path / "mask" / folder / f"exp0_num_{900 + k}.png")
    return tmp_path


def test_splits_keep_recordings_together_and_repeat(root):
    table = FolderDataModule(root, LAYOUT, seed=3).table()
    normal = table[table.folder == "normal"]
    sides = normal.groupby("recording")["split"].nunique()
    assert (sides == 1).all()
    assert (normal.split == "train").sum() == 14
    assert (table[table.folder != "normal"].split == "test").all()
    assert table.equals(FolderDataModule(root, LAYOUT, seed=3).table())
    assert not table.equals(FolderDataModule(root, LAYOUT, seed=4).table())


def test_items_have_three_channels_labels_and_masks(root):
    module = FolderDataModule(root, LAYOUT)
    module.setup()
    assert (len(module.train_data), len(module.test_data)) == (14, 12)
    item = module.train_data[0]
    assert item.image.shape == (3, 20, 30)
    assert int(item.gt_label) == 0
    faulty = [module.test_data[k] for k in range(12) if int(module.test_data[k].gt_label) == 1]
    assert len(faulty) == 6
    assert sorted(int(item.gt_mask.sum()) for item in faulty) == [0, 0, 90, 90, 90, 90]
    batch = next(iter(module.test_dataloader()))
    assert batch.image.shape == (12, 3, 20, 30)
    assert not getattr(module, "val_data", None)


def test_the_same_image_on_both_sides_is_refused(root):
    table = FolderDataModule(root, LAYOUT).table()
    first = Path(table[table.split == "train"].image_path.iloc[0])
    (root / "crack" / "exp0_num_950.png").write_bytes(first.read_bytes())
    (root / "mask" / "crack" / "exp0_num_950.png").write_bytes((root / "mask/crack/exp0_num_900.png").read_bytes())
    with pytest.raises(InputError, match=r"exp0_num_950\.png: the same image is trained on as"):
        FolderDataModule(root, LAYOUT).table()


def test_what_is_missing_is_named(root, tmp_path):
    (root / "mask" / "fray" / "exp0_num_901.png").unlink()
    with pytest.raises(InputError, match=r"its mask .* is missing"):
        FolderDataModule(root, LAYOUT).table()
    with pytest.raises(InputError, match=r"normal: no such folder"):
        FolderDataModule(tmp_path / "nowhere", LAYOUT).table()
    with pytest.raises(InputError, match="image set must be one of kolektor_sdd"):
        image_set("cifar", tmp_path)
    with pytest.raises(InputError, match="train_share"):
        FolderDataModule(root, LAYOUT, train_share=1.0)


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_on_the_real_sets(name):
    data = os.environ.get("TOOTHWISE_DATA")
    if not data or not (Path(data) / name).is_dir():
        pytest.skip(f"TOOTHWISE_DATA names no folder with {name}")
    module = image_set(name, data)
    module.setup()
    expected = {
        "kolektor_sdd": (347, 52), "magnetic_tile": (600, 392), "brain_mri": (352, 300), "rsscn7": (250, 120),
    }[name]  # fmt: skip
    labels = module.test_data.samples["label_index"]
    assert len(module.train_data) + int((labels == 0).sum()) == expected[0]
    assert int((labels == 1).sum()) == expected[1]
    item = module.test_data[len(labels) - 1]
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

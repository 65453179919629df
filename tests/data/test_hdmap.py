from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("anomalib")
import torch
from torchvision.transforms.v2 import Resize

from toothwise.data import HDMapDataModule
from toothwise.detectors import DirectionalDinomaly, SeverityAwareDinomaly
from toothwise.errors import InputError
from toothwise.healthmap.core import Axis, HealthMap, HealthMapBatch
from toothwise.healthmap.io import read_map, write_map

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def root(tmp_path, write_folder):
    rng = np.random.default_rng(0)
    values = rng.uniform(0.1, 2.5, (10, 31, 95)).astype(np.float32)  # beyond 1, as the research data is
    table = pd.DataFrame({"split": ["train"] * 6 + ["test"] * 4, "label": [0] * 8 + [1] * 2})
    batch = HealthMapBatch(values, Axis.teeth("driving tooth", 31), Axis.teeth("driven tooth", 95), table)
    write_folder(batch, tmp_path / "domain_C")
    return tmp_path, values


def test_splits_are_those_of_the_folders_and_values_are_untouched(root):
    path, values = root
    module = HDMapDataModule(path, "C", scale=2.0)
    module.setup()
    assert (len(module.train_data), len(module.test_data)) == (6, 4)
    train = torch.stack([module.train_data[i].image for i in range(6)])
    np.testing.assert_allclose(train[:, 1].numpy(), values[:6] / 2.0, rtol=1e-6)
    assert train.max() > 1
    labels = [int(module.test_data[i].gt_label) for i in range(4)]
    assert sorted(labels) == [0, 0, 1, 1]
    assert module.val_dataloader() == []
    again = HDMapDataModule(path, "domain_C")
    again.setup()
    assert [b.image_path for b in again.train_dataloader()] == [b.image_path for b in again.train_dataloader()]


def test_missing_folders_are_named(root, tmp_path):
    with pytest.raises(InputError, match="domain_Z"):
        HDMapDataModule(tmp_path, "Z")
    (tmp_path / "domain_E").mkdir()
    with pytest.raises(InputError, match="no map files"):
        HDMapDataModule(tmp_path, "E").setup()


def _laboratory(root, *, leak=False):
    from scipy.io import savemat

    rng = np.random.default_rng(1)
    made = {}
    for state, split, n in (("Normal", "train", 5), ("Normal", "test", 3), ("Planet_fault_ring", "test", 2)):
        for kind, signal in (("Class1", "3_TSA"), ("Class1", "1_TSA"), ("Class3", "3_TSA"), ("Class3", "1_TSA")):
            values = rng.uniform(0.01, 0.3, (31, 95, 1, n))
            if leak and kind == "Class3" and signal == "3_TSA" and state == "Normal" and split == "test":
                values[..., 1] = made["Normal", "train", kind, signal][..., 4]
            made[state, split, kind, signal] = values
            folder = root / state / "x" / kind / "1" / "HDMap_train_test"
            folder.mkdir(parents=True, exist_ok=True)
            savemat(folder / f"{signal}_DIF_{split}.mat", {"Xdata": values})
    return made


def test_the_laboratorys_files_with_the_fixed_scale_of_their_domain(tmp_path):
    made = _laboratory(tmp_path)
    module = HDMapDataModule(tmp_path, "C")
    module.setup()
    assert (len(module.train_data), len(module.test_data)) == (5, 5)
    expected = made["Normal", "train", "Class3", "3_TSA"][:, :, 0, 2] / 0.087341
    np.testing.assert_allclose(module.train_data[2].image[0].numpy(), expected, rtol=1e-5)
    assert expected.max() > 1  # nothing is clipped
    assert [int(module.test_data[k].gt_label) for k in range(5)] == [0, 0, 0, 1, 1]
    assert module.metadata["domain_mapping"] == "2025-10"
    with pytest.raises(InputError, match="domain must be one of 'A', 'B', 'C', 'D'"):
        HDMapDataModule(tmp_path, "E")
    next((tmp_path / "Planet_fault_ring").rglob("Class1/**/1_TSA_DIF_test.mat")).unlink()
    with pytest.raises(InputError, match=r"domain B .* needs one Class1/1/HDMap_train_test/1_TSA_DIF_test\.mat"):
        HDMapDataModule(tmp_path, "B")


def test_from_source_to_targets_and_all_domains_together(tmp_path):
    _laboratory(tmp_path)
    cross = HDMapDataModule(tmp_path, "A", test_domain=["C", "D"])
    cross.setup()
    assert set(cross.train_data.samples.domain) == {"A"}
    assert set(cross.test_data.samples.domain) == {"C", "D"}
    assert cross.metadata["scales"] == {"A": 0.32467, "C": 0.087341, "D": 0.418999}
    every = HDMapDataModule(tmp_path, ["A", "B", "C", "D"])
    every.setup()
    assert (len(every.train_data), len(every.test_data)) == (20, 20)
    batch = next(iter(every.train_dataloader()))
    assert batch.image.shape == (16, 3, 31, 95)


def test_a_map_on_both_sides_is_refused(tmp_path):
    _laboratory(tmp_path, leak=True)
    with pytest.raises(
        InputError, match=r"3_TSA_DIF_test\.mat, map 1: the same map is trained on \(.*train\.mat, map 4\)"
    ):
        HDMapDataModule(tmp_path, "C").setup()


def test_training_and_test_maps_go_through_the_same_transforms(root, write_folder):
    path, values = root
    both = np.concatenate([values[:6], values[:4]])
    table = pd.DataFrame({"split": ["train"] * 6 + ["test"] * 4, "label": [0] * 8 + [1] * 2})
    batch = HealthMapBatch(both, Axis.teeth("driving tooth", 31), Axis.teeth("driven tooth", 95), table)
    write_folder(batch, path / "domain_T")
    module = HDMapDataModule(path, "T", augmentations=Resize((62, 190)), check=False)
    module.setup()
    good = [item for item in (module.test_data[k] for k in range(4)) if "good" in item.image_path]
    for k in range(2):
        torch.testing.assert_close(module.train_data[k].image, good[k].image)


def test_test_maps_of_one_session_alone(tmp_path):
    from toothwise.simulate.export import write_domain
    from toothwise.simulate.map_set import MapSetConfig

    config = MapSetConfig(mode="realistic", n_train=4, n_test=6, format="png16")
    write_domain("C", config, tmp_path / "domain_C", lambda text, share=None: None)
    assert len(HDMapDataModule(tmp_path, "C")._test[0].files) == 6
    module = HDMapDataModule(tmp_path, "C", test_session="fault")
    module.setup()
    assert (len(module.train_data), len(module.test_data)) == (4, 9)
    good = [path[-10:-4] for path in module.test_data.samples.image_path if "good" in path]
    assert good == ["000003", "000004", "000005"]
    assert module.metadata["test_session"] == "fault"
    assert module.metadata["duplicates"] == 0
    expected = read_map(tmp_path / "domain_C").values[0]
    np.testing.assert_array_equal(module.train_data[0].image[2].numpy(), expected)
    with pytest.raises(InputError, match="test_session must be one of 'fault', 'healthy', but got 'other'"):
        HDMapDataModule(tmp_path, "C", test_session="other")
    manifest = tmp_path / "domain_C" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"2025-10"', '"2024-01"'))
    with pytest.raises(InputError, match="its manifest has the domain mapping '2024-01'"):
        HDMapDataModule(tmp_path, "C")
    manifest.unlink()
    with pytest.raises(InputError, match="no manifest names sessions"):
        HDMapDataModule(tmp_path, "C", test_session="fault")


def test_the_same_map_under_two_names_is_refused_and_both_are_named(root):
    path, values = root
    write_map(HealthMap(values[2], Axis.teeth("a", 31), Axis.teeth("b", 95)), path / "domain_C/test/good/000001.tiff")
    with pytest.raises(InputError, match=r"test/good/000001\.tiff: the same map is trained on .*good/000002\.tiff"):
        HDMapDataModule(path, "C").setup()


@pytest.mark.parametrize(
    "config",
    [
        "dinomaly_directional_base.yaml",
        pytest.param("dinomaly_directional_ablation.yaml", marks=pytest.mark.full),
        pytest.param("dinomaly.yaml", marks=pytest.mark.full),
        pytest.param("dinomaly_severity_aware.yaml", marks=pytest.mark.full),
    ],
)
def test_anomalib_train_with_the_shipped_config(anomalib_train, config):
    """The command of the documentation, two steps with a random small encoder."""
    options = {"encoder_name": "test_vit", "weights": "random", "max_steps": 2}
    checkpoint, state = anomalib_train(config, **options)
    assert state["global_step"] == 2
    assert not any("encoder" in key for key in state["state_dict"])
    cls = SeverityAwareDinomaly if "severity" in config else DirectionalDinomaly
    loaded = cls.load_from_checkpoint(checkpoint, map_location="cpu").eval()
    expected = state["state_dict"]["model.decoder.0.attn.qkv.weight"]
    torch.testing.assert_close(loaded.model.decoder[0].attn.qkv.weight, expected)
    assert torch.isfinite(loaded.model(torch.zeros(1, 3, 64, 64)).pred_score).all()

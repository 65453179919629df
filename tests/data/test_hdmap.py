import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("anomalib")
import torch

from toothwise.data import HDMapDataModule
from toothwise.detectors import DirectionalDinomaly
from toothwise.errors import InputError
from toothwise.healthmap.core import Axis, HealthMapBatch
from toothwise.healthmap.io import write_folder

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def root(tmp_path):
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


@pytest.mark.parametrize("config", ["dinomaly_directional.yaml", "dinomaly.yaml"])
def test_anomalib_train_with_the_shipped_config(root, tmp_path, config):
    """The command of the documentation, two steps with a random small encoder."""
    path, _ = root
    code = "from anomalib.cli.cli import main; main()"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "train",
            "--config",
            str(CONFIGS / config),
            "--data.init_args.root",
            str(path),
            "--data.init_args.train_batch_size",
            "3",
            "--model.init_args.encoder_name",
            "vit_tiny_patch16_224",
            "--model.init_args.weights",
            "random",
            "--model.init_args.max_steps",
            "2",
            "--trainer.accelerator",
            "cpu",
            "--default_root_dir",
            str(tmp_path / "out"),
            "--trainer.enable_progress_bar",
            "false",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "120", "OMP_NUM_THREADS": "1"},
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "image_RawAUROC" in done.stdout
    checkpoint = next((tmp_path / "out").rglob("*.ckpt"))
    state = torch.load(checkpoint, weights_only=True)
    assert state["global_step"] == 2
    assert not any("encoder" in key for key in state["state_dict"])
    loaded = DirectionalDinomaly.load_from_checkpoint(checkpoint, map_location="cpu").eval()
    expected = state["state_dict"]["model.decoder.0.attn.qkv.weight"]
    torch.testing.assert_close(loaded.model.decoder[0].attn.qkv.weight, expected)
    assert torch.isfinite(loaded.model(torch.zeros(1, 3, 32, 32)).pred_score).all()

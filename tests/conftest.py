from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

# The tests' arrays are small: threads gain nothing, and where the cores are busy they wait for each other many times
# longer than they work. Set before torch or a BLAS is imported; new processes inherit it.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

CONFIGS = Path(__file__).parents[1] / "configs"


class Run(NamedTuple):
    """What a call of the command line gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def toothwise(capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Run the command line in this process."""

    def run(*words: object) -> Run:
        from toothwise.cli import main

        capsys.readouterr()
        code = main([str(word) for word in words])
        return Run(code, *capsys.readouterr())

    return run


@pytest.fixture
def anomalib_train(tmp_path):
    """The documented command on a few random maps: config name and options of the model -> its checkpoint."""

    def run(config, **options):
        import pandas as pd
        import torch

        from toothwise.healthmap.core import Axis, HealthMapBatch
        from toothwise.healthmap.io import write_folder

        values = np.random.default_rng(0).uniform(0.1, 2.5, (12, 31, 95)).astype(np.float32)
        table = pd.DataFrame({"split": ["train"] * 6 + ["test"] * 6, "label": [0] * 9 + [1] * 3})
        teeth = (Axis.teeth("driving tooth", 31), Axis.teeth("driven tooth", 95))
        write_folder(HealthMapBatch(values, *teeth, table), tmp_path / "domain_C")
        given = {
            "config": CONFIGS / config,
            "data.init_args.root": tmp_path,
            "data.init_args.train_batch_size": 3,
            **{f"model.init_args.{name}": value for name, value in options.items()},
            "trainer.accelerator": "cpu",
            "trainer.enable_progress_bar": "false",
            "default_root_dir": tmp_path / "out",
        }
        done = subprocess.run(
            [sys.executable, "-c", "from anomalib.cli.cli import main; main()", "train"]
            + [str(word) for name, value in given.items() for word in (f"--{name}", value)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "120"},
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert "image_RawAUROC" in done.stdout
        path = next((tmp_path / "out").rglob("*.ckpt"))
        return path, torch.load(path, weights_only=True)

    return run

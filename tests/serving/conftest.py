from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from toothwise import GearPair, detectors
from toothwise.cli import main
from toothwise.detectors.base import Detector
from toothwise.evaluation.thresholds import threshold_from_healthy
from toothwise.exported.export import export
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.healthmap.io import write_map

ROWS, COLUMNS = 9, 14
TINY = {"encoder_name": "test_vit", "weights": "random", "image_size": [32, 48]}
QUICK = {
    "dinomaly": {**TINY, "max_steps": 2},
    "patchcore": {**TINY, "image_size": [64, 96], "max_patches": 400},
    "draem": {"base_width": 4, "image_size": [32, 64], "max_steps": 2},
    "padim": {"encoder_name": "test_resnet", "weights": "random", "image_size": [32, 48], "n_features": 8},
}


def maps(n: int, seed: int, row: int | None = None, factor: float = 1.8) -> np.ndarray:
    """Positive maps of noise, with a bright row if asked for."""
    values = np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, ROWS, COLUMNS))).astype(np.float32)
    if row is not None:
        values[:, row] *= factor
    return values


def fitted(name: str, **options: object) -> Detector:
    """A detector that was fitted in a second, with a threshold."""
    quick = next((own for start, own in QUICK.items() if name.startswith(start)), {})
    if quick:
        pytest.importorskip("anomalib")
    detector = detectors.create(name, **{**quick, **options}).fit(maps(40, 0))
    detector.threshold = threshold_from_healthy(detector.predict(maps(40, 1)).score, 0.1)
    return detector


def batch(values: np.ndarray, **columns: object) -> HealthMapBatch:
    return HealthMapBatch(
        values,
        Axis.teeth("driving tooth", values.shape[1]),
        Axis.teeth("driven tooth", values.shape[2]),
        pd.DataFrame(columns, index=range(len(values))),
        quantity="rms of residual",
        unit="g",
        gear=GearPair(driving=ROWS, driven=COLUMNS),
    )


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A detector with a network, saved and exported as ONNX: ``detector``, ``saved``, ``exported``."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("network")
    detector = fitted("patchcore_context")
    detector.save(folder / "saved")
    manifest = export(folder / "saved", folder / "exported")
    return SimpleNamespace(detector=detector, saved=folder / "saved", exported=folder / "exported", manifest=manifest)


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A scan from the command line with its healthy reference: ``saved``, ``exported``, ``healthy`` (a file)."""
    folder = tmp_path_factory.mktemp("scan")
    write_map(batch(maps(60, 0), day=np.repeat([1, 2, 3], 20)), folder / "healthy.npz")
    assert main(["fit", str(folder / "healthy.npz"), "--output", str(folder / "saved")]) == 0
    export(folder / "saved", folder / "exported")
    return SimpleNamespace(saved=folder / "saved", exported=folder / "exported", healthy=Path(folder / "healthy.npz"))


@contextmanager
def _serving(
    run: Path, *words: object, env: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``toothwise serve`` in a process of its own: the process and its address."""
    command = [sys.executable, "-W", "ignore", "-m", "toothwise", "serve", str(run), "--port", "0", *map(str, words)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )
    try:
        for line in process.stderr:
            found = re.search(r"on (https?://\S+)/", line)
            if found:
                break
        else:
            raise AssertionError("it never listened")
        yield process, found[1]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def serving() -> object:
    """``with serving(run, *words) as (process, address)``: a service in a process of its own."""
    return _serving

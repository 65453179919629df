from __future__ import annotations

import gc
import os
import pickle
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from toothwise import GearPair, Model, detectors, processor
from toothwise.cli import main
from toothwise.detectors.base import Detector
from toothwise.evaluation.thresholds import threshold_from_healthy
from toothwise.exported.export import export
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.healthmap.io import write_map

# The tests' arrays are small: threads gain nothing, and where the cores are busy they wait for each other many times
# longer than they work. Set before torch or a BLAS is imported; new processes inherit it.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# Packages as large as torch make the collector's full rounds slow, a sixth of all the time: they come seldom, and pass
# over what is loaded.
gc.set_threshold(50_000, 20, 100)

TESTS = Path(__file__).parent
CONFIGS = TESTS.parent / "configs"
# what imports anomalib
NETWORKS = (
    "benchmarks/test_study_pages",
    "cli/test_photographs",
    "data",
    "detectors",
    "diagnosis/test_explain",
    "diagnosis/test_noise",
    "exported",
    "lab/images",
    "lab/test_anomalib_rivals",
    "lab/studies",
    "test_docs.py",
    "test_doctests",
    "test_golden",
    "test_model",
)


def pytest_collection_finish():
    """What was imported to collect the tests is no garbage."""
    gc.freeze()


def pytest_ignore_collect(collection_path, config):
    """Of the two workers of ``make test`` one has the tests that need anomalib, whose import takes longer than most
    tests; the other has all the others.
    """
    worker = getattr(config, "workerinput", {"mainargv": ()})  # of pytest-xdist
    if "each" not in worker["mainargv"] or collection_path.suffix != ".py":
        return None
    needs = collection_path.relative_to(TESTS).as_posix().startswith(NETWORKS)
    return needs != (worker["workerid"] == "gw0") or None


class Run(NamedTuple):
    """What a call of the command line gave."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def _choices_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is measured here is not remembered for the user's own models."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("choices")
        patch.setattr(processor, "choices_file", lambda: folder / "choices.json")
        yield


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
def walk_bash(toothwise: Callable[..., Run]) -> Callable[[str], str]:
    """Commands of a page: those of toothwise in this process, which is quicker, and all others in a shell."""
    shell = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def run(code: str) -> str:
        others, said = [], ""
        for line in [*code.splitlines(), "toothwise"]:
            words = shlex.split(line, comments=True) if line.startswith("toothwise") else []
            if words[:1] != ["toothwise"] or words[-1] in ("&", "\\"):
                others.append(line)
                continue
            if any(others):
                done = subprocess.run(
                    ["bash", "-e", "-c", "\n".join(others)], capture_output=True, text=True, env=shell
                )
                assert done.returncode == 0, done.stderr
                said, others = said + done.stdout, []
            if words[1:]:
                done = toothwise(*words[1:])
                assert done.code == 0, (line, done.err)
                said += done.out
        return said

    return run


@pytest.fixture(scope="session")
def write_folder() -> Callable[..., Path]:
    """Write a batch as the research data's folder, by the columns ``split`` and ``label`` of its table."""

    def write(batch: HealthMapBatch, folder: Path, *, suffix: str = ".tiff", scale: float | None = None) -> Path:
        counts: dict[str, int] = {}
        for one, split, label in zip(batch, batch.table["split"], batch.table["label"], strict=True):
            place = f"{split}/{('good', 'fault')[label]}"
            counts[place] = counts.get(place, -1) + 1
            write_map(one, folder / place / f"{counts[place]:06d}{suffix}", scale=scale)
        return folder

    return write


@pytest.fixture
def anomalib_train(tmp_path, monkeypatch, capsys, write_folder):
    """The documented command on a few random maps: config name and options of the model -> its checkpoint."""

    def run(config, **options):
        import torch
        from anomalib.cli.cli import main as anomalib

        values = np.random.default_rng(0).uniform(0.1, 2.5, (26, 31, 95)).astype(np.float32)
        table = pd.DataFrame({"split": ["train"] * 20 + ["test"] * 6, "label": [0] * 23 + [1] * 3})
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
        words = [str(word) for name, value in given.items() for word in (f"--{name}", value)]
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(sys, "argv", ["anomalib", "train", *words])
        anomalib()
        assert "image_RawAUROC" in capsys.readouterr().out
        path = next((tmp_path / "out").rglob("*.ckpt"))
        return path, torch.load(path, weights_only=True)

    return run


@pytest.fixture(scope="session", autouse=True)
def limits_once():
    """Control limits of the same healthy records are drawn once: they are most of what a short sequence costs."""
    from toothwise.diagnosis import control_limits

    known, calibrate = {}, control_limits.calibrate

    def once(*data, rng, **how):
        key = pickle.dumps((data, how, rng.bit_generator.state))
        if key not in known:
            known[key] = calibrate(*data, rng=rng, **how)
        return known[key]

    control_limits.calibrate = once
    yield
    control_limits.calibrate = calibrate


# models that tests of exports and of the service share

_ROWS, _COLUMNS = 9, 14
_TINY = {"encoder_name": "test_vit", "weights": "random", "image_size": [32, 48]}
_QUICK = {
    "dinomaly": {**_TINY, "max_steps": 2},
    "patchcore": {**_TINY, "image_size": [64, 96], "max_patches": 400},
    "draem": {"base_width": 4, "image_size": [32, 64], "max_steps": 2},
    "padim": {"encoder_name": "test_resnet", "weights": "random", "image_size": [32, 48], "n_features": 8},
}


def _maps(n: int, seed: int, row: int | None = None, factor: float = 1.8) -> np.ndarray:
    """Positive maps of noise, with a bright row if asked for."""
    values = np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, _ROWS, _COLUMNS))).astype(np.float32)
    if row is not None:
        values[:, row] *= factor
    return values


def _fitted(name: str, **options: object) -> Detector:
    """A detector that was fitted in a second, with a threshold."""
    quick = next((own for start, own in _QUICK.items() if name.startswith(start)), {})
    if quick:
        pytest.importorskip("anomalib")
    detector = detectors.create(name, **{**quick, **options}).fit(_maps(40, 0))
    detector.threshold = threshold_from_healthy(detector.predict(_maps(40, 1)).score, 0.1)
    return detector


def _batch(values: np.ndarray, **columns: object) -> HealthMapBatch:
    return HealthMapBatch(
        values,
        Axis.teeth("driving tooth", values.shape[1]),
        Axis.teeth("driven tooth", values.shape[2]),
        pd.DataFrame(columns, index=range(len(values))),
        quantity="rms of residual",
        unit="g",
        gear=GearPair(driving=_ROWS, driven=_COLUMNS),
    )


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A detector with a network, saved and exported as ONNX: ``detector``, ``saved``, ``exported``."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("network")
    detector = _fitted("padim")  # few nodes: most of an export's time is spent on each of them
    Model(detector).save(folder / "saved")
    manifest = export(folder / "saved", folder / "exported")
    return SimpleNamespace(detector=detector, saved=folder / "saved", exported=folder / "exported", manifest=manifest)


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A scan from the command line with its healthy reference: ``saved``, ``exported``, ``healthy`` (a file)."""
    folder = tmp_path_factory.mktemp("scan")
    write_map(_batch(_maps(60, 0), day=np.repeat([1, 2, 3], 20)), folder / "healthy.npz")
    assert main(["fit", str(folder / "healthy.npz"), "--output", str(folder / "saved")]) == 0
    export(folder / "saved", folder / "exported")
    return SimpleNamespace(saved=folder / "saved", exported=folder / "exported", healthy=Path(folder / "healthy.npz"))

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toothwise.cli import main
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.healthmap.io import write_map

ROWS, COLUMNS = 7, 12


def maps_of_noise(n: int, *, seed: int, damaged_row: int | None = None) -> np.ndarray:
    """Positive maps of independent noise; a damaged row stands out clearly."""
    values = np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, ROWS, COLUMNS)))
    if damaged_row is not None:
        values[:, damaged_row] *= 2.0
    return values.astype(np.float32)


def batch(values: np.ndarray, **columns: object) -> HealthMapBatch:
    rows, cols = Axis.teeth("driving tooth", values.shape[1]), Axis.teeth("driven tooth", values.shape[2])
    return HealthMapBatch(values, rows, cols, pd.DataFrame(columns, index=range(len(values))))


@pytest.fixture
def write_maps(tmp_path: Path) -> Callable[..., Path]:
    """Write maps of noise to a file of this name; other words are columns of the table."""

    def write(name: str, n: int, *, seed: int = 1, damaged_row: int | None = None, **columns: object) -> Path:
        return write_map(batch(maps_of_noise(n, seed=seed, damaged_row=damaged_row), **columns), tmp_path / name)

    return write


@pytest.fixture
def healthy(write_maps: Callable[..., Path]) -> Path:
    return write_maps("healthy.npz", 60, seed=0, day=np.repeat([1, 2, 3], 20))


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The folder that a verb writes with these words: written once, and copied for everybody who asks."""
    known: dict[tuple[str, ...], Path] = {}

    def get(to: Path, *words: object) -> Path:
        key = tuple(map(str, words))
        if key not in known:
            known[key] = tmp_path_factory.mktemp("once") / "made"
            assert main([*key, "--output", str(known[key])]) == 0
        return Path(shutil.copytree(known[key], to))

    return get


@pytest.fixture(scope="session")
def fitted_on(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of ``healthy``, for what is fitted once."""
    values = batch(maps_of_noise(60, seed=0), day=np.repeat([1, 2, 3], 20))
    return write_map(values, tmp_path_factory.mktemp("healthy") / "healthy.npz")


@pytest.fixture
def saved(once: Callable[..., Path], fitted_on: Path, healthy: Path, tmp_path: Path) -> Path:
    """A scan of rows that was fitted and saved by the command line, beside its healthy maps."""
    return once(tmp_path / "scan", "fit", fitted_on, "--set", "lines=rows", "--set", "lengths=[4,12]")

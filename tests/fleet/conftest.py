from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from toothwise import Model
from toothwise.detectors import create
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.reference.healthy_reference import learn_reference

ROWS, COLUMNS = 7, 12


def noise(n: int, *, seed: int, damaged_row: int | None = None) -> np.ndarray:
    """Positive maps of independent noise; a damaged row stands out clearly."""
    values = np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, ROWS, COLUMNS)))
    if damaged_row is not None:
        values[:, damaged_row] *= 2.0
    return values.astype(np.float32)


def batch(values: np.ndarray, **columns: object) -> HealthMapBatch:
    rows, cols = Axis.teeth("driving tooth", values.shape[1]), Axis.teeth("driven tooth", values.shape[2])
    return HealthMapBatch(values, rows, cols, pd.DataFrame(columns, index=range(len(values))))


def write_parquet(path: Path, values: np.ndarray, **columns: object) -> Path:
    """Maps as a column of lists, other words as columns beside it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1] * values.shape[2])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({**columns, "values": flat}), path)
    return path


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan with its threshold and healthy reference, fitted once."""
    values = noise(80, seed=0)
    blocks = np.repeat(np.arange(4), 20)
    detector, _ = fit_with_threshold(lambda: create("scan", lengths=[4, 12]), values, 0.01, blocks=blocks)
    reference = learn_reference(detector, values, blocks=blocks)
    return Model(detector, reference).save(tmp_path_factory.mktemp("fleet") / "scan")


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Functions that make maps and files of them."""
    return SimpleNamespace(noise=noise, batch=batch, parquet=write_parquet, rows=ROWS, columns=COLUMNS)

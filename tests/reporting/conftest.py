"""Runs of ``toothwise diagnose`` that reports are made of: small maps, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toothwise.cli import main
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.healthmap.io import write_map

ROWS, COLUMNS, N = 9, 14, 90


def values_of(n, seed, *, tooth=None, onset=0, end=0.8):
    x = 0.2 * np.random.default_rng(seed).standard_normal((n, ROWS, COLUMNS))
    if tooth is not None:
        x[:, tooth] += (end * np.clip((np.arange(n) - onset + 1.0) / (n - onset), 0, 1))[:, None]
    return np.exp(x).astype(np.float32)


def write(path, values, **columns):
    rows, cols = Axis.teeth("driving tooth", ROWS), Axis.teeth("driven tooth", COLUMNS)
    return write_map(HealthMapBatch(values, rows, cols, pd.DataFrame(columns, index=range(len(values)))), path)


OF_SENSORS = ("--sensors", "sensor")


def two_sensors(path, left, right):
    values = np.stack([left, right], axis=1).reshape(-1, ROWS, COLUMNS)
    record = np.repeat(np.arange(len(left)), 2)
    return write(path, values, record=record, sensor=np.tile(["left", "right"], len(left)))


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Path:
    """A folder with the detector ``scan`` and runs; ``fused`` is of two sensors, of which only "right" sees damage."""
    at = tmp_path_factory.mktemp("runs")
    fitted = write(at / "fitted.npz", values_of(160, 0), day=np.repeat([1, 2, 3, 4], 40))
    assert main(["fit", str(fitted), "--output", str(at / "scan")]) == 0
    going = values_of(N, 3, tooth=6, onset=40)
    names = [f"Gearbox_7_measured_{k:04d}" for k in range(N)]
    for name, values, columns in (
        ("single", values_of(1, 1, tooth=4), {}),
        ("sound", values_of(1, 8), {}),
        ("several", values_of(7, 2, tooth=3), {}),
        ("sequence", going, {"record": np.arange(N)}),
        ("quiet", values_of(N, 15), {"record": np.arange(N)}),
        ("long_names", going, {"name": names, "record": np.arange(N)}),
    ):
        file = write(at / f"{name}.npz", values, **columns)
        assert main(["diagnose", str(at / "scan"), str(file), "--output", str(at / name)]) == 0
    assert (
        main(
            [
                "fit",
                str(two_sensors(at / "healthy.npz", *(values_of(80, k) for k in (20, 21)))),
                *OF_SENSORS,
                "--output",
                str(at / "scan2"),
            ]
        )
        == 0
    )
    file = two_sensors(at / "fused.npz", values_of(N, 22), values_of(N, 23, tooth=6, onset=40, end=1.2))
    assert main(["diagnose", str(at / "scan2"), str(file), *OF_SENSORS, "--output", str(at / "fused")]) == 0
    return at

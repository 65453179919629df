"""Folders of diagnoses that reports are made of: small maps, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toothwise.diagnosis.evidence import write_diagnosis
from toothwise.diagnosis.monitor import Monitor
from toothwise.diagnosis.store import MemoryStore
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.model import Model

ROWS, COLUMNS, N = 9, 14, 90


def values_of(n, seed, *, tooth=None, onset=0, end=0.8):
    x = 0.2 * np.random.default_rng(seed).standard_normal((n, ROWS, COLUMNS))
    if tooth is not None:
        x[:, tooth] += (end * np.clip((np.arange(n) - onset + 1.0) / (n - onset), 0, 1))[:, None]
    return np.exp(x).astype(np.float32)


def batch(values, file, **columns):
    rows, cols = Axis.teeth("driving tooth", ROWS), Axis.teeth("driven tooth", COLUMNS)
    table = pd.DataFrame({"file": [file] * len(values)} | columns)
    return HealthMapBatch(values, rows, cols, table, "rms of residual", "g", None, {})


def two_sensors(file, left, right):
    values = np.stack([left, right], axis=1).reshape(-1, ROWS, COLUMNS)
    record = np.repeat(np.arange(len(left)), 2)
    return batch(values, file, record=record, sensor=np.tile(["left", "right"], len(left)))


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Path:
    """One folder per kind of diagnosis; ``fused`` is of two sensors, of which only "right" sees damage."""
    at = tmp_path_factory.mktemp("runs")
    model = Model.fit(batch(values_of(160, 0), "fitted.npz", day=np.repeat([1, 2, 3, 4], 40)), detector="scan")
    shared = Monitor(model, {"sequence": True})
    going, names = values_of(N, 3, tooth=6, onset=40), [f"Gearbox_7_measured_{k:04d}" for k in range(N)]

    def diagnosed(name, monitor, maps):
        found = monitor.add(maps)
        write_diagnosis(at / name, found, monitor.evidence())

    for name, values in (
        ("single", values_of(1, 1, tooth=4)),
        ("sound", values_of(1, 8)),
        ("several", values_of(3, 2, tooth=3)),
    ):
        diagnosed(name, Monitor(model, {"sequence": False}), batch(values, f"{name}.npz"))
    for name, values, column in (
        ("sequence", going, {"record": np.arange(N)}),
        ("quiet", values_of(N, 15), {"record": np.arange(N)}),
        ("long_names", going, {"name": names, "record": np.arange(N)}),
    ):
        diagnosed(name, shared.beside(MemoryStore()), batch(values, f"{name}.npz", **column))
    healthy = two_sensors("healthy.npz", *(values_of(80, k) for k in (20, 21)))
    two = Monitor(Model.fit(healthy, detector="scan", sensors="sensor"), {"sequence": True, "sensors": "sensor"})
    diagnosed("fused", two, two_sensors("fused.npz", values_of(N, 22), values_of(N, 23, tooth=6, onset=40, end=1.2)))
    return at

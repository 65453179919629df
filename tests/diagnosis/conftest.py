"""Small sequences of tooth-pair maps with known damage, and a scan that was fitted on their healthy part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from toothwise import detectors
from toothwise.detectors.base import Detector
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.diagnosis.baseline import Baseline, learn_baseline
from toothwise.diagnosis.control_limits import control_limits_for
from toothwise.diagnosis.judging import judge
from toothwise.diagnosis.monitor import Monitor
from toothwise.diagnosis.summary import summarize_records
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.model import Model
from toothwise.reference.healthy_reference import HealthyReference, learn_reference

ROWS, COLUMNS = 12, 17
HEALTHY = 200


def log_maps(n: int, seed: int, *, rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """Log maps of one gearbox: its own pattern, a level that drifts, stripes and noise that are drawn anew."""
    own = 0.1 * np.random.default_rng(99).standard_normal((rows, columns))
    rng = np.random.default_rng(seed)
    level = np.zeros(n)
    for k in range(1, n):
        level[k] = 0.7 * level[k - 1] + 0.04 * rng.standard_normal()
    x = 0.2 * rng.standard_normal((n, rows, columns)) + 0.05 * rng.standard_normal((n, 1, columns))
    return x + own + level[:, None, None] - 1.0


def as_maps(x: np.ndarray) -> np.ndarray:
    return np.exp(x).astype(np.float32)


def as_batch(values: np.ndarray, table: pd.DataFrame) -> HealthMapBatch:
    rows, columns = Axis.teeth("driving tooth", ROWS), Axis.teeth("driven tooth", COLUMNS)
    return HealthMapBatch(values, rows, columns, table)


@dataclass(frozen=True)
class Fitted:
    detector: Detector
    reference: HealthyReference
    baseline: Baseline

    def log_maps(self, n: int, seed: int) -> np.ndarray:
        """Healthy log maps of the same gearbox, drawn anew."""
        return log_maps(n, seed)

    def as_batch(self, values: np.ndarray, table: pd.DataFrame) -> HealthMapBatch:
        """Maps with a table of them."""
        return as_batch(values, table)

    def as_maps(self, x: np.ndarray) -> np.ndarray:
        """Maps of log maps."""
        return as_maps(x)

    def growing(self, n: int, onset: int, end: float) -> np.ndarray:
        """Log contrast that grows evenly from onset to the last record."""
        return end * np.clip((np.arange(n) - onset + 1.0) / (n - onset), 0.0, 1.0)

    def model(
        self,
        healthy: int = HEALTHY,
        *,
        values: np.ndarray | None = None,
        table: pd.DataFrame | None = None,
        sensors: str | None = None,
    ) -> Model:
        """A model of the first healthy maps, or of those given."""
        values = as_maps(log_maps(HEALTHY, 0))[:healthy] if values is None else values
        if table is None:
            return Model.fit(values)
        return Model.fit(as_batch(values, table), sensors=sensors)

    def seen(self, x: np.ndarray):
        """Log maps in time order, as records."""
        return self.summaries(x, pd.DataFrame({"record": np.arange(len(x))}))

    def summaries(self, x: np.ndarray, table: pd.DataFrame):
        """The same with a table of them."""
        return summarize_records(as_batch(as_maps(x), table), self.detector, self.reference, self.baseline, rate=0.005)[
            0
        ]

    def judge(self, x: np.ndarray, **options: Any):
        """The diagnosis of log maps in time order."""
        return judge(self.seen(x), self.baseline, **options)


@pytest.fixture(scope="session")
def fitted() -> Fitted:
    healthy = as_maps(log_maps(HEALTHY, 0))
    detector, _ = fit_with_threshold(lambda: detectors.create("scan"), healthy, 0.01)
    reference = learn_reference(detector, healthy)
    return Fitted(detector, reference, learn_baseline(reference))


@pytest.fixture(scope="session")
def limits(fitted):
    """Control limits of the default settings, computed once."""
    from toothwise.diagnosis.rules import MonitorSettings

    known: dict[int | None, Any] = {}

    def get(learned: int | None) -> Any:
        if learned not in known:
            known[learned] = control_limits_for(fitted.baseline, MonitorSettings(), learned=learned)
        return known[learned]

    return get


@pytest.fixture(scope="session")
def shared(fitted):
    """Makes monitors of one model; those with the default settings share their control limits."""
    first = Monitor(Model(fitted.detector, fitted.reference))

    def make(settings: Any = None, *, store: Any = None) -> Monitor:
        monitor = Monitor(first.model, settings, store=store)
        monitor._baselines, monitor._limits = first._baselines, first._limits
        return monitor

    return make

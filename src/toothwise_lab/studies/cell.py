"""One cell of the benchmark: one detector on one domain, mode and seed, with every metric.

Realistic mode compares within a session: faulty maps and healthy maps of the fault session. What a detector makes of
the session alone (healthy maps of one session against healthy maps of the other) is stated beside it, because in a
comparison across sessions that is what would be detected.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from toothwise.detectors.base import Detector, Prediction
from toothwise_lab.studies import measures
from toothwise_lab.studies.cell_maps import LIMITS, Cell, draw_maps
from toothwise_lab.studies.fitted import fit_once
from toothwise_lab.studies.own_detectors import make_detector
from toothwise_lab.studies.scores import all_metrics

_HELD_OUT = 4  # every 4th training map is kept for the threshold
_RATE = 0.01
_EXAMPLES = 3


@dataclass(frozen=True, eq=False)
class Measured:
    """What a trial found.

    Attributes:
        row: flat, JSON types; a metric that does not apply is None.
        scores: of each map, see module ``scores``.
        info: what the fitted detector tells of itself.
        examples: a few faulty maps as the detector saw them, their masks and anomaly maps, by name.
        detector: the fitted one, which stays in the process of the trial.
    """

    row: dict[str, Any]
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    examples: dict[str, np.ndarray] = field(default_factory=dict)
    detector: Detector | None = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """A detector of a cell, and what it says of the training maps that it did not see.

    Attributes:
        detector: fitted on three of four training maps.
        kept: its prediction of the fourth.
        seconds: of the fit.
        peak_memory_mib: of the process during the fit, what it held before included.
    """

    detector: Detector
    kept: Prediction
    seconds: float
    peak_memory_mib: float


def fit_most(detector: Detector, train: np.ndarray) -> Fitted:
    """Fit a detector on three of four training maps."""
    held = np.arange(len(train)) % _HELD_OUT == 0
    measures.start_peak()
    begin = time.perf_counter()
    detector.fit(train[~held])
    seconds = time.perf_counter() - begin
    return Fitted(detector, detector.predict(train[held]), seconds, measures.peak_memory())


def try_cell(cell: Cell) -> Measured:
    """Draw the maps of a cell, fit, score, measure: every metric, and the scores of each map.

    Training maps are the same in both modes, so one fit may serve two cells: it may be that of an earlier trial.
    """
    maps = draw_maps(cell)
    fitted = fit_once(_training(cell), lambda: fit_most(_make(cell), maps.train))
    detector = fitted.detector
    measures.start_peak()
    healthy, faulty = detector.predict(maps.healthy), detector.predict(maps.faulty)
    other = healthy if maps.other is maps.healthy else detector.predict(maps.other)
    peak = max(fitted.peak_memory_mib, measures.peak_memory())
    threshold = float(np.quantile(fitted.kept.score, 1.0 - _RATE))
    lines = measures.pooled(cell.detector, fitted.kept, healthy, faulty)
    scores = {"healthy": healthy.score, "faulty": faulty.score} | {name: p.score for name, p in lines.items()}
    scores["warm"] = maps.condition == "warm"
    teeth, realistic = maps.teeth or maps.faulty.shape[1:], cell.mode == "realistic"

    def named(found: Prediction | None) -> dict[str, Any]:
        if found is None or maps.moved:
            return {"gear_accuracy": None, "tooth_accuracy": None}
        return measures.tooth(found, maps.truth, teeth)

    row: dict[str, Any] = {
        "domain": cell.domain,
        "mode": cell.mode,
        "detector": cell.detector,
        "seed": cell.seed,
        **measures.auroc_interval(healthy.score, faulty.score),
        **measures.by_condition(healthy.score, faulty.score, maps.condition),
        "auroc_session": measures.area(other.score, healthy.score) if realistic else None,
        "auroc_across_sessions": measures.area(other.score, faulty.score) if realistic else None,
        **measures.alarms(threshold, healthy.score, other.score, maps.condition),
        **named(faulty),
        **measures.severity(faulty, maps.truth),
        **measures.pixels(faulty, maps.masks),
    }
    for pooling in ("lines", "segments"):
        row |= {f"{metric}_{pooling}": None for metric in ("auroc", "tpr_at_1_fpr")}
        row[f"tooth_accuracy_{pooling}"] = named(lines.get(f"faulty_{pooling}"))["tooth_accuracy"]
    row |= all_metrics(scores) | {"fit_seconds": fitted.seconds, "peak_memory_mib": peak}
    row |= measures.speed(detector, maps.healthy)
    examples = {"maps": maps.faulty, "masks": maps.masks, "anomaly": faulty.anomaly_map}
    few = {name: array[:_EXAMPLES] for name, array in examples.items()}
    return Measured(row, scores, detector.info, few, detector)


def _training(cell: Cell) -> str:
    """All that a fitted detector depends on."""
    plain: dict[str, Any] = {f.name: f.default for f in fields(cell)}
    of_test = ("n_test", "test_domain", "test_shape", "test_grid", "test_resize", "test_condition", "corruption")
    unseen = {name: plain[name] for name in (*of_test, "strength")}
    if not cell.contamination:  # then training maps have no lines
        unseen |= {name: plain[name] for name in ("contrast", "gear", "length")}
    if cell.detector in LIMITS:  # they look at the cell
        unseen = {}
    return repr(replace(cell, **unseen))


def _make(cell: Cell) -> Detector:
    if cell.detector in LIMITS:
        from toothwise_lab.limit import GeneratorLimit

        return GeneratorLimit(
            domain=cell.domain,
            mode=cell.mode,
            kind=cell.detector,
            contrast=cell.contrast,
            gear=cell.gear,
            length=cell.length,
        )
    return make_detector(cell.detector, cell.options, cell.seed)

"""One cell of the benchmark: one detector on one domain, mode and seed, with every metric.

Realistic mode compares within a session: faulty maps and healthy maps of the fault session. What a detector makes of
the session alone (healthy maps of one session against healthy maps of the other) is stated beside it, because in a
comparison across sessions that is what would be detected.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise import detectors
from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.encoder_cache import unshared_encodings
from toothwise.detectors.pooling import pool_lines, segment_scan
from toothwise.diagnosis.tooth import name_teeth
from toothwise.errors import InputError
from toothwise.evaluation import (
    aupr,
    aupro,
    auroc,
    bootstrap_interval,
    f1_max,
    kendall,
    pixel_auroc,
    precision_at_recall,
    spearman,
    tpr_at_fpr,
)
from toothwise.simulate.maps import LineShape, generate

__all__ = [
    "Cell",
    "CellMaps",
    "Fitted",
    "Scored",
    "draw_maps",
    "fit_cell",
    "measure_cell",
    "run_cell",
    "score_cell",
]

MODES = ("matched", "realistic")
_PIXEL_MAPS = 100  # faulty maps on which pixel metrics are taken: they are slow
_SINGLE = 30  # maps scored one by one for the latency
_SLOW = 0.02  # seconds per map above which the batch is timed on those maps only
_LINE_DETECTORS = ("scan", "scan_learned", "limit", "glr")
_HELD_OUT = 4  # every 4th training map is kept for the threshold
_RATE = 0.01


@dataclass(frozen=True)
class Cell:
    """What is run.

    Attributes:
        domain: "A" to "D".
        mode: "matched" or "realistic".
        detector: its name.
        seed: of maps and detector.
        options: of the detector.
        n_train: maps that it is fitted on, and that its threshold is chosen on (a fourth).
        n_test: healthy and as many faulty maps.
        contrast: (lowest, highest) of the lines.
        gear: whose tooth is damaged: "driving", "driven" or "both".
        length: (shortest, longest) of the lines, cells; None = all lengths.
    """

    domain: str
    mode: str
    detector: str
    seed: int
    options: dict[str, Any] = field(default_factory=dict)
    n_train: int = 400
    n_test: int = 400
    contrast: tuple[float, float] = (1.08, 1.3)
    gear: str = "driving"
    length: tuple[int, int] | None = (20, 94)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(f"mode must be one of {', '.join(map(repr, MODES))}, but got {self.mode!r}")
        if self.n_train < 32 or self.n_test < 32:
            raise InputError(f"n_train and n_test must be 32 or more, but got {self.n_train} and {self.n_test}")

    @property
    def name(self) -> str:
        """Unique within one configuration."""
        return f"{self.domain}-{self.mode}-{self.detector}-{self.seed}"


@dataclass(frozen=True, eq=False)
class CellMaps:
    """Maps of one domain, mode and seed; every detector sees the same.

    Attributes:
        train: the unlabelled healthy pool.
        healthy, faulty: of one session; ``truth`` is the table of the faulty ones, ``masks`` their damaged cells.
        condition: thermal state of the healthy maps, "cold" and "warm"; the faulty ones have the same order.
        other: healthy maps of the training session; the same as ``healthy`` in matched mode.
    """

    train: np.ndarray
    healthy: np.ndarray
    faulty: np.ndarray
    truth: pd.DataFrame
    masks: np.ndarray
    condition: np.ndarray
    other: np.ndarray


def draw_maps(cell: Cell) -> CellMaps:
    """The maps of a cell, from its seed alone."""
    line = LineShape(length=cell.length)
    common: dict[str, Any] = {"mode": cell.mode, "gear": cell.gear, "line": line}
    base = 1000 * cell.seed
    train = generate(cell.domain, cell.n_train, False, split="train", seed=base, **common)[0]
    session = "fault" if cell.mode == "realistic" else None
    other, _ = generate(cell.domain, cell.n_test, False, split="test", seed=base + 1, **common)
    healthy, table = other, None
    if session is not None:
        healthy, table = generate(
            cell.domain, cell.n_test, False, split="test", seed=base + 3, session=session, **common
        )
    faulty, truth, masks = generate(
        cell.domain, cell.n_test, True, split="test", seed=base + 2, contrast=cell.contrast, masks=True, **common
    )
    condition = (truth if table is None else table)["condition"].to_numpy().astype(str)
    return CellMaps(train, healthy, faulty, truth, masks, condition, other)


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


def fit_cell(cell: Cell, maps: CellMaps) -> Fitted:
    """Fit the detector of a cell. Training maps are the same in both modes, so one fit may serve two cells."""
    detector = _make(cell)
    held = np.arange(len(maps.train)) % _HELD_OUT == 0
    _start_peak()
    begin = time.perf_counter()
    detector.fit(maps.train[~held])
    seconds = time.perf_counter() - begin
    return Fitted(detector, detector.predict(maps.train[held]), seconds, _peak_memory())


@dataclass(frozen=True, eq=False)
class Scored:
    """What a fitted detector says of a cell's test maps: healthy and faulty ones of one session, and ``other``."""

    healthy: Prediction
    faulty: Prediction
    other: Prediction


def score_cell(maps: CellMaps, fitted: Fitted) -> Scored:
    """Predict the test maps of a cell."""
    _start_peak()
    healthy, faulty = fitted.detector.predict(maps.healthy), fitted.detector.predict(maps.faulty)
    return Scored(healthy, faulty, healthy if maps.other is maps.healthy else fitted.detector.predict(maps.other))


def measure_cell(cell: Cell, maps: CellMaps, fitted: Fitted, scored: Scored) -> dict[str, Any]:
    """Every metric of a cell: one flat row, JSON types; a metric that does not apply is None."""
    peak = max(fitted.peak_memory_mib, _peak_memory())
    healthy, faulty, other = scored.healthy, scored.faulty, scored.other
    threshold = float(np.quantile(fitted.kept.score, 1.0 - _RATE))
    realistic = cell.mode == "realistic"
    return {
        "domain": cell.domain,
        "mode": cell.mode,
        "detector": cell.detector,
        "seed": cell.seed,
        **_image_metrics(healthy.score, faulty.score),
        **_by_condition(healthy.score, faulty.score, maps.condition),
        "auroc_session": _area(other.score, healthy.score) if realistic else None,
        "auroc_across_sessions": _area(other.score, faulty.score) if realistic else None,
        **_alarms(threshold, healthy.score, other.score, maps.condition),
        **_tooth(faulty, maps.truth, maps.faulty.shape[1:]),
        **_severity(faulty, maps.truth),
        **_pixels(faulty, maps.masks),
        **_pooled(cell.detector, fitted.kept, healthy, faulty, maps.truth),
        "fit_seconds": fitted.seconds,
        "peak_memory_mib": peak,
        **_speed(fitted.detector, maps.healthy),
    }


def run_cell(cell: Cell, maps: CellMaps | None = None) -> dict[str, Any]:
    """Draw the maps of a cell (unless they are given), fit, score, measure: the row of ``measure_cell``."""
    maps = maps or draw_maps(cell)
    fitted = fit_cell(cell, maps)
    return measure_cell(cell, maps, fitted, score_cell(maps, fitted))


def _make(cell: Cell) -> Detector:
    if cell.detector in ("limit", "glr"):
        from toothwise.detectors.limit import GeneratorLimit

        return GeneratorLimit(
            domain=cell.domain,
            mode=cell.mode,
            kind=cell.detector,
            contrast=cell.contrast,
            gear=cell.gear,
            length=cell.length,
        )
    options = dict(cell.options)
    if cell.detector.startswith(("dinomaly", "patchcore", "padim", "draem", "fused")):
        options.setdefault("seed", cell.seed)
    return detectors.create(cell.detector, **options)


def _area(negative: np.ndarray, positive: np.ndarray) -> float:
    return auroc(np.concatenate([negative, positive]), np.repeat([0, 1], [len(negative), len(positive)]))


def _image_metrics(healthy: np.ndarray, faulty: np.ndarray) -> dict[str, Any]:
    scores, labels = np.concatenate([healthy, faulty]), np.repeat([0, 1], [len(healthy), len(faulty)])
    interval = bootstrap_interval(auroc, scores, labels, resamples=500, seed=0)
    return {
        "auroc": auroc(scores, labels),
        "auroc_low": interval.low,
        "auroc_high": interval.high,
        "aupr": aupr(scores, labels),
        "f1_max": f1_max(scores, labels),
        "precision_at_90_recall": precision_at_recall(scores, labels, recall=0.9),
        "tpr_at_1_fpr": tpr_at_fpr(scores, labels, fpr=0.01),
        "tpr_at_5_fpr": tpr_at_fpr(scores, labels, fpr=0.05),
    }


def _by_condition(healthy: np.ndarray, faulty: np.ndarray, condition: np.ndarray) -> dict[str, float]:
    cold, warm = condition == "cold", condition == "warm"
    return {
        "auroc_cold": _area(healthy[cold], faulty[cold]),
        "auroc_warm": _area(healthy[warm], faulty[warm]),
        "auroc_cold_fault_warm_healthy": _area(healthy[warm], faulty[cold]),
        "auroc_warm_fault_cold_healthy": _area(healthy[cold], faulty[warm]),
    }


def _alarms(threshold: float, healthy: np.ndarray, other: np.ndarray, condition: np.ndarray) -> dict[str, float]:
    """Actual false alarm rates of a threshold set for 1 % on the training pool."""
    alarm, calm = healthy > threshold, other > threshold
    return {
        "false_alarms_cold": float(np.mean(calm[condition == "cold"])),
        "false_alarms_warm": float(np.mean(calm[condition == "warm"])),
        "false_alarms_session": float(np.mean(alarm)),
    }


def _tooth(found: Prediction, truth: pd.DataFrame, shape: tuple[int, ...]) -> dict[str, Any]:
    """Share of faulty maps whose gear, and whose gear and tooth (+-1), are named rightly."""
    if found.row_evidence is None and found.column_evidence is None:
        return {"gear_accuracy": None, "tooth_accuracy": None}
    named = name_teeth(found)
    gear, tooth, teeth = (truth[c].to_numpy() for c in ("gear", "tooth", "teeth"))
    size = np.where(gear == "driving", shape[0], shape[1])
    # a line may cover two teeth: the distance to the nearer one counts
    away = np.stack([(named.tooth - (tooth.astype(int) + k)) % size for k in range(2)])
    away = np.minimum(away, size - away)
    distance = np.where(teeth.astype(int) > 1, away.min(axis=0), away[0])
    right = named.gear == gear
    return {"gear_accuracy": float(np.mean(right)), "tooth_accuracy": float(np.mean(right & (distance <= 1)))}


def _severity(found: Prediction, truth: pd.DataFrame) -> dict[str, float | None]:
    """How well the severity puts faulty maps in order of their contrast; detectors without one have None."""
    contrast = truth["contrast"].to_numpy(dtype=float)
    if found.severity is None:
        return {"severity_spearman": None, "severity_kendall": None}
    alike = len(set(found.severity)) < 2 or len(set(contrast)) < 2  # no order to agree with
    return {
        "severity_spearman": None if alike else spearman(found.severity, contrast),
        "severity_kendall": None if alike else kendall(found.severity, contrast),
    }


def _pixels(found: Prediction, masks: np.ndarray) -> dict[str, float]:
    heat, mask = found.anomaly_map[:_PIXEL_MAPS], masks[:_PIXEL_MAPS]
    return {"pixel_auroc": pixel_auroc(heat, mask), "aupro": aupro(heat, mask)}


def _pooled(
    name: str, kept: Prediction, healthy: Prediction, faulty: Prediction, truth: pd.DataFrame
) -> dict[str, float | None]:
    """The same anomaly maps scored by their lines: "lines" = best whole line, "segments" = best segment (a scan)."""
    row: dict[str, float | None] = {}
    scan = None if name in _LINE_DETECTORS else segment_scan(kept.anomaly_map)
    for pooling in ("lines", "segments"):
        if scan is None:  # it scores lines already
            row |= {f"{metric}_{pooling}": None for metric in ("auroc", "tpr_at_1_fpr", "tooth_accuracy")}
            continue
        calm, found = (
            pool_lines(p.anomaly_map, pooling) if pooling == "lines" else scan.predict(p.anomaly_map)
            for p in (healthy, faulty)
        )
        scores, labels = (
            np.concatenate([calm.score, found.score]),
            np.repeat([0, 1], [len(calm.score), len(found.score)]),
        )
        row |= {
            f"auroc_{pooling}": auroc(scores, labels),
            f"tpr_at_1_fpr_{pooling}": tpr_at_fpr(scores, labels, fpr=0.01),
            f"tooth_accuracy_{pooling}": _tooth(found, truth, found.anomaly_map.shape[1:])["tooth_accuracy"],
        }
    return row


def _speed(detector: Detector, maps: np.ndarray) -> dict[str, Any]:
    """Milliseconds per map one by one (median, p95) and maps per second in one batch, after a warm-up."""
    with unshared_encodings():
        detector.predict(maps[:2])
        times = []
        for k in range(min(_SINGLE, len(maps))):
            begin = time.perf_counter()
            detector.predict(maps[k : k + 1])
            times.append(time.perf_counter() - begin)
        batch = maps if np.median(times) < _SLOW else maps[:_SINGLE]
        begin = time.perf_counter()
        detector.predict(batch)
        seconds = time.perf_counter() - begin
    return {
        "predict_ms_median": 1000 * float(np.median(times)),
        "predict_ms_p95": 1000 * float(np.quantile(times, 0.95)),
        "maps_per_second": len(batch) / seconds,
        "stored_numbers": int(sum(v.size for v in detector._state().values())),
    }


def _start_peak() -> None:
    """Let the peak of resident memory begin anew, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory() -> float:
    """Peak resident memory of this process, MiB: since ``_start_peak`` on Linux, elsewhere since the process began."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        import resource
        import sys

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024

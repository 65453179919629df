"""The run-to-failure protocol: fit on healthy days, watch the rest, name the tooth and the record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.diagnosis.alarm import consistent, episodes, first_sustained
from toothwise.diagnosis.indicators import indicator_scores
from toothwise.diagnosis.run_watch import watch_records
from toothwise.diagnosis.sequence import Diagnosis, diagnose
from toothwise.diagnosis.verdict import SequenceDiagnosis, WatchSettings
from toothwise.errors import InputError
from toothwise.evaluation.thresholds import Threshold, effective_number, rate_interval, threshold_from_healthy
from toothwise.healthmap.tooth_by_record import RunMapConfig, RunMaps

__all__ = [
    "DetectorRun",
    "IndicatorRun",
    "RunProtocol",
    "recommend",
    "run_detector",
    "run_indicators",
    "tooth_at_failure",
    "watch_run",
]

LAST = 10


@dataclass(frozen=True)
class RunProtocol:
    """How a run is judged.

    Attributes:
        maps: how the run becomes maps; its ``healthy_days`` are what detectors are fitted on.
        false_alarm_rate: per record, that thresholds are chosen for.
        confidence: of the tolerance limit, None = the estimated quantile itself.
        sustained: records above the threshold in a row that raise the alarm.
        doubtful_days: days after the healthy ones that nobody knows the state of; their flagged share is reported.
    """

    maps: RunMapConfig = field(default_factory=lambda: RunMapConfig(healthy_days=(17, 18)))
    false_alarm_rate: float = 0.01
    confidence: float | None = 0.95
    sustained: int = 5
    doubtful_days: tuple[int, ...] = (19, 20)


@dataclass(frozen=True, eq=False)
class Alarms:
    """Scores of the records of a run and what the alarm rules make of them.

    Attributes:
        record: int ``[n]``, record index of each score; ``score``: float64 ``[n]``.
        threshold: from healthy scores alone.
        above: bool ``[n]``.
        first_sustained, consistent: positions in ``record``, or None.
        rate: share of held-out healthy scores above the threshold.
        sustained_rate: sustained alarms per held-out healthy record; ``sustained_interval``: its 95 % interval.
        seconds: time to fit, calibrate and score.
    """

    name: str
    record: np.ndarray
    score: np.ndarray
    threshold: Threshold
    above: np.ndarray
    first_sustained: int | None
    consistent: int | None
    rate: float
    sustained_rate: float
    sustained_interval: tuple[float, float]
    seconds: float

    def summary(self, maps: RunMaps, protocol: RunProtocol) -> dict[str, Any]:
        """What ``diagnosis.json`` says of it; record numbers as the run counts them."""
        doubtful = np.isin(maps.records.day[self.record], protocol.doubtful_days)
        fitted = set(protocol.doubtful_days) & set(protocol.maps.healthy_days)
        return {
            "first_sustained": self._number(maps, self.first_sustained),
            "consistent": self._number(maps, self.consistent),
            "first_sustained_record": self._name(maps, self.first_sustained),
            "consistent_record": self._name(maps, self.consistent),
            "threshold": self.threshold.value,
            "false_alarm_rate_stated": self.threshold.false_alarm_rate,
            "false_alarm_rate": self.rate,
            "false_alarm_rate_interval": list(self.threshold.interval),
            "healthy_scores": self.threshold.n,
            "healthy_scores_effective": self.threshold.n_effective,
            "sustained_false_alarm_rate": self.sustained_rate,
            "sustained_false_alarm_rate_interval": list(self.sustained_interval),
            "flagged_days_19_20": None if fitted or not doubtful.any() else float(self.above[doubtful].mean()),
            "seconds": round(self.seconds, 2),
        }

    def _number(self, maps: RunMaps, at: int | None) -> int | None:
        return None if at is None else int(maps.records.number[self.record[at]])

    def _name(self, maps: RunMaps, at: int | None) -> str | None:
        return None if at is None else str(maps.records.name[self.record[at]])


@dataclass(frozen=True, eq=False)
class DetectorRun(Alarms):
    """A detector's alarms with the tooth of each record.

    Attributes:
        detector: fitted, with its threshold.
        diagnosis: prediction of every window.
        anomaly: float32 ``[teeth, records]``, the anomaly map of each record: the last column of its window.
    """

    detector: Detector
    diagnosis: Diagnosis
    anomaly: np.ndarray

    def summary(self, maps: RunMaps, protocol: RunProtocol) -> dict[str, Any]:
        """As of Alarms, with the teeth; the failing tooth is found without the detector."""
        names = {
            "tooth": self.diagnosis.tooth_at(self.first_sustained),
            "tooth_at_failure": tooth_at_failure(maps),
            "tooth_consistent": self.diagnosis.tooth_at(self.consistent),
        }
        return names | super().summary(maps, protocol)


class IndicatorRun(Alarms):
    """A classical condition indicator under the same rules; it names no tooth."""


def _judge(
    name: str,
    score: np.ndarray,
    record: np.ndarray,
    held_out: np.ndarray,
    threshold: Threshold,
    blocks: np.ndarray,
    healthy: int,
    protocol: RunProtocol,
    seconds: float,
) -> dict[str, Any]:
    """The fields that all alarms share; alarms count after the healthy records only."""
    above = score > threshold.value
    start = int(np.searchsorted(record, healthy))
    first, lasting = first_sustained(above[start:], protocol.sustained), consistent(above[start:])
    healthy_above = held_out > threshold.value
    found = sum(episodes(healthy_above[blocks == b], protocol.sustained) for b in np.unique(blocks))
    sustained_rate = found / len(held_out)
    return {
        "name": name,
        "record": record,
        "score": score,
        "threshold": threshold,
        "above": above,
        "first_sustained": None if first is None else first + start,
        "consistent": None if lasting is None else lasting + start,
        "rate": float(healthy_above.mean()),
        "sustained_rate": sustained_rate,
        "sustained_interval": rate_interval(sustained_rate, effective_number(held_out, blocks)),
        "seconds": seconds,
    }


def run_detector(
    maps: RunMaps,
    make: Callable[[], Detector],
    name: str,
    protocol: RunProtocol,
    progress: Callable[[str, float], None] | None = None,
) -> DetectorRun:
    """Fit on the cross-fitted healthy windows, choose the threshold, score every record."""
    begin = time.perf_counter()
    windows = maps.healthy_windows
    blocks = windows.table["day"].to_numpy()
    detector, held_out = fit_with_threshold(
        make, windows, protocol.false_alarm_rate, blocks=blocks, confidence=protocol.confidence, progress=progress
    )
    if progress:
        detector.watch = lambda share: progress(f"score {len(maps.windows)} records", share)
    diagnosis = diagnose(maps.windows, detector, run=protocol.sustained)
    detector.watch = None
    if detector.threshold is None:
        raise InputError(f"{name} was fitted without a threshold")
    record = maps.windows.table["record"].to_numpy()
    anomaly = np.full(maps.deviation.shape, np.nan, dtype=np.float32)
    anomaly[:, record] = diagnosis.prediction.anomaly_map[:, :, -1].T
    shared = _judge(
        name,
        diagnosis.prediction.score,
        record,
        held_out,
        detector.threshold,
        blocks,
        int(maps.healthy.sum()),
        protocol,
        time.perf_counter() - begin,
    )
    return DetectorRun(**shared, detector=detector, diagnosis=diagnosis, anomaly=anomaly)


def run_indicators(maps: RunMaps, protocol: RunProtocol) -> list[IndicatorRun]:
    """Classical indicators of the whole revolution under the same rule."""
    runs = []
    for name, series in indicator_scores(maps, smoothing=protocol.maps.deviation.smoothing).items():
        begin = time.perf_counter()
        record = np.arange(protocol.maps.window - 1, len(series))  # the same records as the detectors see
        healthy = int(maps.healthy.sum())
        held_out, blocks = series[record[record < healthy]], maps.records.day[record[record < healthy]]
        threshold = threshold_from_healthy(held_out, protocol.false_alarm_rate, blocks=blocks)
        runs.append(
            IndicatorRun(
                **_judge(
                    name,
                    series[record],
                    record,
                    held_out,
                    threshold,
                    blocks,
                    healthy,
                    protocol,
                    time.perf_counter() - begin,
                )
            )
        )
    return runs


def tooth_at_failure(maps: RunMaps) -> int:
    """Tooth whose residual RMS rose most from the healthy records to the last ten, on the log scale. No detector."""
    level = np.log(maps.rms.values.astype(np.float64))
    return int(np.argmax(level[:, -LAST:].mean(axis=1) - level[:, maps.healthy].mean(axis=1)))


def recommend(runs: list[DetectorRun], teeth: int) -> str:
    """The detector to act on, by its own evidence alone.

    Of those whose held-out false alarm rate is not above the stated one and that name the same tooth (within one) when
    the alarm is raised and when it becomes lasting, the one that is lasting first; if none is left, the first given.
    """

    def agrees(run: DetectorRun) -> bool:
        first, lasting = run.diagnosis.tooth_at(run.first_sustained), run.diagnosis.tooth_at(run.consistent)
        if first is None or lasting is None:
            return False
        gap = abs(first - lasting) % teeth
        return min(gap, teeth - gap) <= 1 and run.rate <= run.threshold.false_alarm_rate

    candidates = [run for run in runs if agrees(run)]
    if not candidates:
        return runs[0].name
    return min(candidates, key=lambda run: run.consistent if run.consistent is not None else len(run.score)).name


def watch_run(
    maps: RunMaps,
    detector: Detector,
    settings: WatchSettings | None = None,
    *,
    prediction: Prediction | None = None,
) -> SequenceDiagnosis:
    """The watched diagnosis of a run, as ``toothwise diagnose`` gives it of its windows.

    Args:
        maps: of the run.
        detector: fitted with a threshold on ``maps.healthy_windows``, in this process.
        settings: of the watch.
        prediction: of all windows, where it is there already.
    """
    return watch_records(maps, detector, settings, prediction=prediction).found

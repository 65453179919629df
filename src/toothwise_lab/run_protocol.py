"""The published rules for HUMS2023: fit on the first days, watch the rest, name the tooth and the record.

These are the rules by which results on this run to failure are compared in the literature. They are not what the
product acts on: that is ``toothwise.Monitor``. "Consistent" is known only after the run has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.errors import InputError
from toothwise.evaluation.thresholds import Threshold
from toothwise.healthmap.tooth_by_record import RUN_SCAN, RunMapConfig, RunMaps

# The deep detector's options rest on a single simulated run.
RUN_DETECTORS: dict[str, dict[str, Any]] = {
    "scan": RUN_SCAN,
    "dinomaly_directional": {"image_size": [560, 64], "pooling": "rows", "max_steps": 60},
}

_LAST = 10  # records that show the failed tooth


@dataclass(frozen=True)
class RunProtocol:
    """How a run is judged.

    Attributes:
        maps: How the run becomes maps; detectors are fitted on its ``healthy_days``.
        false_alarm_rate: False alarms per record that thresholds are chosen for.
        sustained: Records above the threshold in a row that raise the alarm.
        doubtful_days: Days after the healthy ones whose state nobody knows; their flagged share is reported.
    """

    maps: RunMapConfig = field(default_factory=lambda: RunMapConfig(healthy_days=(17, 18)))
    false_alarm_rate: float = 0.01
    sustained: int = 5
    doubtful_days: tuple[int, ...] = (19, 20)


def episodes(above: np.ndarray, run: int = 5) -> np.ndarray:
    """Indices at which a record is the ``run``-th above the threshold in a row: one per separate alarm.

    Examples:
        >>> import numpy as np
        >>> episodes(np.array([0, 1, 1, 1, 1, 1, 1, 0], dtype=bool)).tolist()
        [5]
    """
    row, found = 0, []
    for k, over in enumerate(np.asarray(above, dtype=bool)):
        row = row + 1 if over else 0
        if row == run:
            found.append(k)
    return np.array(found, dtype=int)


def consistent(above: np.ndarray) -> int | None:
    """Index from which on every record is above the threshold, or None if the last one is not.

    Examples:
        >>> import numpy as np
        >>> consistent(np.array([1, 0, 1, 1], dtype=bool))
        2
    """
    below = np.flatnonzero(~np.asarray(above, dtype=bool))
    first = int(below[-1]) + 1 if len(below) else 0
    return first if first < len(above) else None


@dataclass(frozen=True, eq=False)
class JudgedRun:
    """Scores of the n records of a run and what the rules make of them.

    Attributes:
        record: int ``[n]``, the record index of each score; ``score``: float64 ``[n]``; ``above``: bool ``[n]``.
        threshold: From healthy scores alone.
        first_sustained, consistent: Positions in ``record``, or None.
        rate: Share of held-out healthy scores above the threshold; ``sustained_rate``: alarms per such score.
        seconds: Time to fit, calibrate and score.
        detector, prediction: The fitted detector and what it says of every window.
    """

    record: np.ndarray
    score: np.ndarray
    above: np.ndarray
    threshold: Threshold
    first_sustained: int | None
    consistent: int | None
    rate: float
    sustained_rate: float
    seconds: float
    detector: Detector
    prediction: Prediction

    def tooth_at(self, at: int | None) -> int | None:
        """The tooth named at a position, None where the position is None."""
        return None if at is None else int(self.prediction.row[at])

    def summary(self, maps: RunMaps, protocol: RunProtocol) -> dict[str, Any]:
        """A row of the results; record numbers as the run counts them."""
        doubtful = np.isin(maps.records.day[self.record], protocol.doubtful_days)
        fitted = set(protocol.doubtful_days) & set(protocol.maps.healthy_days)

        def number(at: int | None) -> int | None:
            return None if at is None else int(maps.records.number[self.record[at]])

        return {
            "tooth": self.tooth_at(self.first_sustained),
            "tooth_consistent": self.tooth_at(self.consistent),
            "tooth_at_failure": tooth_at_failure(maps),
            "first_sustained": number(self.first_sustained),
            "consistent": number(self.consistent),
            "threshold": self.threshold.value,
            "false_alarm_rate": self.rate,
            "false_alarm_rate_interval": list(self.threshold.interval),
            "healthy_scores": self.threshold.n,
            "healthy_scores_effective": self.threshold.n_effective,
            "sustained_false_alarm_rate": self.sustained_rate,
            "flagged_days_19_20": None if fitted or not doubtful.any() else float(self.above[doubtful].mean()),
            "seconds": round(self.seconds, 2),
        }


def run_detector(maps: RunMaps, make: Callable[[], Detector], name: str, protocol: RunProtocol) -> JudgedRun:
    """Fit on the cross-fitted healthy windows, choose the threshold, score every record, apply the rules.

    Alarms count after the healthy records only.
    """
    begin = time.perf_counter()
    windows = maps.recorded_windows
    blocks = windows.table["day"].to_numpy()
    detector, held_out = fit_with_threshold(make, windows, protocol.false_alarm_rate, blocks=blocks)
    threshold = detector.threshold
    if threshold is None:
        raise InputError(f"{name} was fitted without a threshold")
    prediction = detector.predict(maps.windows)
    record = maps.windows.table["record"].to_numpy()
    above, false = prediction.score > threshold.value, held_out > threshold.value
    start = int(np.searchsorted(record, int(maps.healthy.sum())))
    raised, lasting = episodes(above[start:], protocol.sustained), consistent(above[start:])
    found = sum(len(episodes(false[blocks == b], protocol.sustained)) for b in np.unique(blocks))
    return JudgedRun(
        record=record,
        score=prediction.score,
        above=above,
        threshold=threshold,
        first_sustained=int(raised[0]) + start if len(raised) else None,
        consistent=None if lasting is None else lasting + start,
        rate=float(false.mean()),
        sustained_rate=found / len(held_out),
        seconds=time.perf_counter() - begin,
        detector=detector,
        prediction=prediction,
    )


def tooth_at_failure(maps: RunMaps) -> int:
    """Tooth whose residual RMS rose most from the healthy records to the last ten, on the log scale. No detector."""
    level = np.log(maps.rms.values.astype(np.float64))
    return int(np.argmax(level[:, -_LAST:].mean(axis=1) - level[:, maps.healthy].mean(axis=1)))

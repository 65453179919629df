"""Names of the metrics that tables and comparisons may ask for, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable

from toothwise.errors import InputError, did_you_mean
from toothwise_lab.studies.attention import ATTENTION_METRICS
from toothwise_lab.studies.scores import CONDITIONS, POOLED, SCORE_METRICS, ScoreMetric

_LARGER = (
    "auroc_cold_fault_warm_healthy",
    "auroc_warm_fault_cold_healthy",
    "auroc_across_sessions",
    "tooth_accuracy",
    "tooth_accuracy_lines",
    "tooth_accuracy_segments",
    "gear_accuracy",
    "severity_spearman",
    "severity_kendall",
    "pixel_auroc",
    "aupro",
    "maps_per_second",
    "alarmed",
)
_SMALLER = (
    "auroc_session",
    "false_alarms_cold",
    "false_alarms_warm",
    "false_alarms_session",
    "false_alarm_rate",
    "sustained_false_alarm_rate",
    "flagged_days_19_20",
    "first_sustained_place",
    "consistent_place",
    "fit_seconds",
    "predict_ms_median",
    "predict_ms_p95",
    "peak_memory_mib",
    "peak_gpu_memory_mib",
    "parameters",
    "stored_numbers",
)


def metric_names() -> list[str]:
    """All of them."""
    scored = [
        ScoreMetric(base, condition, pooling).name
        for base in SCORE_METRICS
        for condition in (None, *CONDITIONS)
        for pooling in (None, *POOLED)
    ]
    return [*scored, *_LARGER, *_SMALLER, *ATTENTION_METRICS]


def is_a_merit(metric: str) -> bool:
    """Whether one value of the metric is better than another."""
    return metric not in ATTENTION_METRICS


def smaller_is_better(metric: str) -> bool:
    """Whether a smaller value is the better one."""
    return metric in _SMALLER


def check_metrics(names: Iterable[str]) -> None:
    """Refuse names that are none.

    Raises:
        InputError: with the nearest name.
    """
    known = metric_names()
    for name in names:
        if name not in known:
            raise InputError(f"{name!r} is no metric{did_you_mean(name, known)} (allowed: {', '.join(known)})")

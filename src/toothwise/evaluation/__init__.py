"""Metrics, thresholds, confidence intervals and paired tests. NumPy and SciPy only."""

from toothwise.evaluation.bootstrap import Interval, bootstrap_difference, bootstrap_interval
from toothwise.evaluation.metrics import (
    aupr,
    auroc,
    f1_max,
    gear_accuracy,
    precision_at_recall,
    tooth_accuracy,
    tpr_at_fpr,
)
from toothwise.evaluation.pixels import aupro, pixel_auroc
from toothwise.evaluation.severity import kendall, mae, mse, spearman
from toothwise.evaluation.thresholds import Threshold, threshold_from_healthy, threshold_from_lines

__all__ = [
    "Interval",
    "Threshold",
    "aupr",
    "aupro",
    "auroc",
    "bootstrap_difference",
    "bootstrap_interval",
    "f1_max",
    "gear_accuracy",
    "kendall",
    "mae",
    "mse",
    "pixel_auroc",
    "precision_at_recall",
    "spearman",
    "threshold_from_healthy",
    "threshold_from_lines",
    "tooth_accuracy",
    "tpr_at_fpr",
]

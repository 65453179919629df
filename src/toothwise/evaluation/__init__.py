"""Metrics, thresholds. NumPy and SciPy only."""

from toothwise.evaluation.metrics import aupr, auroc, f1_max, precision_at_recall, tooth_accuracy, tpr_at_fpr
from toothwise.evaluation.thresholds import Threshold, threshold_from_healthy, threshold_from_lines

__all__ = [
    "Threshold",
    "aupr",
    "auroc",
    "f1_max",
    "precision_at_recall",
    "threshold_from_healthy",
    "threshold_from_lines",
    "tooth_accuracy",
    "tpr_at_fpr",
]

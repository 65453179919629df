"""Metrics, and thresholds from healthy scores. NumPy and SciPy only."""

from toothwise.evaluation.metrics import aupr, auroc, f1_max, precision_at_recall, tpr_at_fpr
from toothwise.evaluation.thresholds import Threshold, threshold_from_healthy, threshold_from_lines

__all__ = [
    "Threshold",
    "aupr",
    "auroc",
    "f1_max",
    "precision_at_recall",
    "threshold_from_healthy",
    "threshold_from_lines",
    "tpr_at_fpr",
]

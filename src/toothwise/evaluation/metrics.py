"""Metrics of detection from raw scores: float64, ties handled, one class only is an error.

labels: 1 = faulty, 0 = healthy; larger score = more anomalous.
"""

from __future__ import annotations

import numpy as np

from toothwise.checks import check_range
from toothwise.errors import InputError


def _counts(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives when everything from each distinct score up is flagged, highest score first."""
    scores, labels = np.asarray(scores, dtype=np.float64).ravel(), np.asarray(labels).ravel()
    if scores.shape != labels.shape:
        raise InputError(f"scores and labels must be of one length, but are {len(scores)} and {len(labels)}")
    if not np.isfinite(scores).all():
        raise InputError("scores must be finite, but NaN or infinities were found")
    if not np.isin(labels, (0, 1)).all():
        raise InputError(f"labels must be 0 (healthy) or 1 (faulty), but got {np.unique(labels)[:5].tolist()}")
    if len(classes := np.unique(labels)) < 2:
        raise InputError(f"both classes are needed, but the {len(labels)} labels are all {classes.tolist()}")
    order = np.argsort(-scores, kind="stable")
    scores, positive = scores[order], labels[order] == 1
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    true = np.cumsum(positive)[last].astype(np.float64)
    return true, last + 1.0 - true


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve: chance that a faulty map scores above a healthy one, ties half.

    Args:
        scores, labels: ``[n]``.
    """
    true, false = _counts(scores, labels)
    area = np.trapezoid(np.append(0.0, true), np.append(0.0, false))  # of whole and half numbers: exact
    return float(area / (true[-1] * false[-1]))


def aupr(scores: np.ndarray, labels: np.ndarray) -> float:
    """Average precision: sum of precision times the recall gained at each distinct score."""
    true, false = _counts(scores, labels)
    recall = true / true[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * true / (true + false)))


def f1_max(scores: np.ndarray, labels: np.ndarray) -> float:
    """Largest F1 over all thresholds."""
    true, false = _counts(scores, labels)
    return float(np.max(2 * true / (true + false + true[-1])))


def precision_at_recall(scores: np.ndarray, labels: np.ndarray, *, recall: float = 0.9) -> float:
    """Best precision among the thresholds that reach a recall."""
    check_range("(0, 1]", recall=recall)
    true, false = _counts(scores, labels)
    reached = true / true[-1] >= recall
    return float(np.max((true / (true + false))[reached]))


def tpr_at_fpr(scores: np.ndarray, labels: np.ndarray, *, fpr: float = 0.01) -> float:
    """Largest true positive rate among the thresholds whose false positive rate is at most ``fpr``."""
    check_range("[0, 1]", fpr=fpr)
    true, false = _counts(scores, labels)
    allowed = false / false[-1] <= fpr
    return float(np.max(true[allowed] / true[-1], initial=0.0))

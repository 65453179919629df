"""Metrics of detection from raw scores: float64, ties handled, one class only is an error.

labels: 1 = faulty, 0 = healthy; larger score = more anomalous.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from toothwise.errors import InputError

__all__ = ["aupr", "auroc", "f1_max", "gear_accuracy", "precision_at_recall", "tooth_accuracy", "tpr_at_fpr"]


def _check(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, labels = np.asarray(scores, dtype=np.float64).ravel(), np.asarray(labels).ravel()
    if scores.shape != labels.shape:
        raise InputError(f"scores and labels must be of one length, but are {len(scores)} and {len(labels)}")
    if not np.isfinite(scores).all():
        raise InputError("scores must be finite, but NaN or infinities were found")
    if not np.isin(labels, (0, 1)).all():
        raise InputError(f"labels must be 0 (healthy) or 1 (faulty), but got {np.unique(labels)[:5].tolist()}")
    positive = labels == 1
    if not len(labels):
        raise InputError("both classes are needed, but there are no scores")
    if positive.all() or not positive.any():
        raise InputError(f"both classes are needed, but all {len(labels)} labels are {int(positive.all())}")
    return scores, positive


def _counts(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives when everything from each distinct score up is flagged, highest score first."""
    scores, positive = _check(scores, labels)
    order = np.argsort(-scores, kind="stable")
    scores, positive = scores[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    true = np.cumsum(positive)[last].astype(np.float64)
    return true, last + 1.0 - true


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve: chance that a faulty map scores above a healthy one, ties half.

    Args:
        scores, labels: ``[n]``.
    """
    from scipy.stats import rankdata

    scores, positive = _check(scores, labels)
    n_faulty, n_healthy = float(positive.sum()), float((~positive).sum())
    return float((rankdata(scores)[positive].sum() - n_faulty * (n_faulty + 1) / 2) / (n_faulty * n_healthy))


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
    if not 0 < recall <= 1:
        raise InputError(f"recall must be in (0, 1], but got {recall}")
    true, false = _counts(scores, labels)
    reached = true / true[-1] >= recall
    return float(np.max((true / (true + false))[reached]))


def tpr_at_fpr(scores: np.ndarray, labels: np.ndarray, *, fpr: float = 0.01) -> float:
    """Largest true positive rate among the thresholds whose false positive rate is at most ``fpr``."""
    if not 0 <= fpr <= 1:
        raise InputError(f"fpr must be in 0..1, but got {fpr}")
    true, false = _counts(scores, labels)
    allowed = false / false[-1] <= fpr
    return float(np.max(true[allowed] / true[-1], initial=0.0))


def tooth_accuracy(predicted: Any, actual: Any, *, teeth: int | None = None, tolerance: int = 1) -> float:
    """Share of maps whose tooth is named within a tolerance.

    Args:
        predicted, actual: whole numbers ``[n]``.
        teeth: teeth of the gear, for the distance around it; None = no wrapping.
        tolerance: teeth by which the name may be off (contact leaks to neighbours).

    Raises:
        InputError: no maps, different lengths, a missing or broken number, or a tooth that the gear does not have.
    """
    found, true = (_teeth(x, name, teeth) for x, name in ((predicted, "predicted"), (actual, "actual")))
    if found.shape != true.shape or len(found) == 0:
        raise InputError(f"predicted and actual must be of one length above 0, but are {len(found)}, {len(true)}")
    if tolerance < 0:
        raise InputError(f"tolerance must be 0 teeth or more, but got {tolerance}")
    gap = np.abs(found - true)
    if teeth is not None:
        gap = np.minimum(gap, teeth - gap)
    return float(np.mean(gap <= tolerance))


def _teeth(given: Any, name: str, teeth: int | None) -> np.ndarray:
    try:
        x = np.asarray(given, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise InputError(f"{name} must be whole tooth numbers, but some are missing or no numbers") from None
    if not np.array_equal(x, np.floor(x)):
        raise InputError(f"{name} must be whole tooth numbers, but got {x[~(x == np.floor(x))][:3].tolist()}")
    if teeth is not None and ((x < 0) | (x >= teeth)).any():
        raise InputError(f"{name} must be teeth 0..{teeth - 1}, but got {x[(x < 0) | (x >= teeth)][:3].tolist()}")
    return x


def gear_accuracy(predicted: Any, actual: Any) -> float:
    """Share of maps whose damaged gear is named.

    Args:
        predicted, actual: gear names ``[n]`` ("driving", "driven").

    Raises:
        InputError: no maps, different lengths, or a missing name.
    """
    found, true = np.asarray(predicted, dtype=object).ravel(), np.asarray(actual, dtype=object).ravel()
    if found.shape != true.shape or len(found) == 0:
        raise InputError(f"predicted and actual must be of one length above 0, but are {len(found)}, {len(true)}")
    for name, names in (("predicted", found), ("actual", true)):
        other = [x for x in names if not isinstance(x, str)]
        if other:
            raise InputError(f"{name} must be names of gears, but got {other[0]!r}")
    return float(np.mean(found == true))

"""Metrics of severity: how far off it is, and whether it puts maps in the right order.

A detector may separate healthy from faulty well and still order faults badly: report rank correlation beside the error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from toothwise.errors import InputError


def _check(predicted: Any, actual: Any, least: int) -> tuple[np.ndarray, np.ndarray]:
    predicted, actual = (np.asarray(x, dtype=np.float64).ravel() for x in (predicted, actual))
    if predicted.shape != actual.shape:
        raise InputError(f"predicted and actual must be of one length, but are {len(predicted)} and {len(actual)}")
    if len(actual) < least:
        raise InputError(f"{least} maps or more are needed, but got {len(actual)}")
    if not (np.isfinite(predicted).all() and np.isfinite(actual).all()):
        raise InputError("severities must be finite, but NaN or infinities were found")
    return predicted, actual


def _check_order(predicted: Any, actual: Any) -> tuple[np.ndarray, np.ndarray]:
    predicted, actual = _check(predicted, actual, 2)
    for name, x in (("predicted", predicted), ("actual", actual)):
        if (x == x[0]).all():
            raise InputError(f"{name} severities are all {x[0]:g}: they have no order")
    return predicted, actual


def mae(predicted: Any, actual: Any) -> float:
    """Mean absolute error, in the unit of severity.

    Args:
        predicted, actual: ``[n]``.

    Raises:
        InputError: no maps, different lengths, or values that are not finite.
    """
    predicted, actual = _check(predicted, actual, 1)
    return float(np.mean(np.abs(predicted - actual)))


def spearman(predicted: Any, actual: Any) -> float:
    """Correlation of ranks, ties with their mean rank, -1 to 1.

    Args:
        predicted, actual: ``[n]``; need not be in one unit.

    Raises:
        InputError: fewer than 2 maps, different lengths, values that are not finite, or all the same.
    """
    from scipy.stats import spearmanr

    return float(spearmanr(*_check_order(predicted, actual)).statistic)


def kendall(predicted: Any, actual: Any) -> float:
    """Kendall's tau-b: pairs in the right order minus pairs in the wrong one, ties allowed for; as ``spearman``."""
    from scipy.stats import kendalltau

    predicted, actual = _check_order(predicted, actual)
    return float(kendalltau(predicted, actual, variant="b").statistic)

"""Alarm rules over a sequence of records."""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError

__all__ = ["consistent", "episodes", "first_sustained"]


def _check(above: np.ndarray) -> np.ndarray:
    above = np.asarray(above)
    if above.ndim != 1 or above.dtype != np.bool_:
        raise InputError(f"above must be one true or false per record, but got {above.dtype} {above.shape}")
    return above


def sustained(above: np.ndarray, run: int = 5) -> np.ndarray:
    """Whether a record is the last of ``run`` or more records above the threshold, bool ``[n]``."""
    above = _check(above)
    if run < 1:
        raise InputError(f"run must be 1 record or more, but got {run}")
    total = np.concatenate([[0], np.cumsum(above)])
    result = np.zeros(len(above), dtype=bool)
    if len(above) >= run:
        result[run - 1 :] = (total[run:] - total[:-run]) == run
    return result


def first_sustained(above: np.ndarray, run: int = 5) -> int | None:
    """Index of the record at which the alarm is raised (the last of the first ``run`` above), or None."""
    hits = np.flatnonzero(sustained(above, run))
    return int(hits[0]) if len(hits) else None


def consistent(above: np.ndarray) -> int | None:
    """Index from which on every record is above the threshold, or None if the last one is not."""
    below = np.flatnonzero(~_check(above))
    first = int(below[-1]) + 1 if len(below) else 0
    return first if first < len(above) else None


def episodes(above: np.ndarray, run: int = 5) -> int:
    """Number of separate sustained alarms."""
    alarm = sustained(above, run)
    return int(np.sum(alarm[1:] & ~alarm[:-1]) + (alarm[0] if len(alarm) else 0))

"""Diagnosis of a sequence of maps in time order: since when, which tooth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.detectors.base import Detector, Maps, Prediction
from toothwise.diagnosis.alarm import consistent, first_sustained
from toothwise.errors import InputError

__all__ = ["Diagnosis", "diagnose"]


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What a detector makes of maps in time order. Indices count maps from 0; None = never.

    Attributes:
        prediction: the detector's prediction of every map.
        tooth: int ``[n]``, the most suspicious row of each map.
        threshold: score above which a map counts.
        above: bool ``[n]``.
        first_sustained: map at which the sustained alarm is raised.
        consistent: map from which on every map is above.
        run: maps in a row that make an alarm sustained.
    """

    prediction: Prediction
    tooth: np.ndarray
    threshold: float
    above: np.ndarray
    first_sustained: int | None
    consistent: int | None
    run: int

    def tooth_at(self, index: int | None) -> int | None:
        """Tooth named at a map, None where the map is None."""
        return None if index is None else int(self.tooth[index])


def diagnose(
    maps: Maps,
    detector: Detector,
    *,
    threshold: float | None = None,
    run: int = 5,
    start: int = 0,
    prediction: Prediction | None = None,
) -> Diagnosis:
    """Score maps in time order and apply the alarm rules.

    Args:
        maps: maps in time order, ``[n, rows, columns]``.
        detector: fitted; its own threshold is used unless one is given.
        threshold: score above which a map counts.
        run: maps in a row that make an alarm sustained.
        start: maps before this index are scored but cannot alarm (those the detector was fitted on).
        prediction: the detector's prediction of the maps, where it is there already.

    Raises:
        InputError: no threshold anywhere, or maps that do not fit the detector.
    """
    if threshold is None:
        if detector.threshold is None:
            raise InputError(f"{detector.name} was saved without a threshold: give one, or fit with a false alarm rate")
        threshold = detector.threshold.value
    prediction = detector.predict(maps) if prediction is None else prediction
    above = prediction.score > threshold
    sustained, lasting = first_sustained(above[start:], run), consistent(above[start:])
    return Diagnosis(
        prediction,
        prediction.row,
        float(threshold),
        above,
        None if sustained is None else sustained + start,
        None if lasting is None else lasting + start,
        run,
    )

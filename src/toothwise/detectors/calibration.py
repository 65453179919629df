"""Fitting a detector together with a threshold that was cross-validated on healthy maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from toothwise.detectors.base import FEW, Detector, Maps, Prediction
from toothwise.detectors.pooling import evidence_of
from toothwise.errors import InputError
from toothwise.evaluation.thresholds import (
    Threshold,
    effective_number,
    rate_interval,
    threshold_from_healthy,
    threshold_from_lines,
)
from toothwise.healthmap.runs import time_blocks
from toothwise.progress import Progress, share_of, silent

# Maps. Of fewer the tail of the held-out scores rests on six or less, and that of drawn records is known better.
_ENOUGH = 32


def fit_with_threshold(
    make: Callable[[], Detector],
    maps: Maps,
    rate: float,
    *,
    blocks: np.ndarray | None = None,
    confidence: float | None = 0.95,
    progress: Progress = silent,
) -> tuple[Detector, np.ndarray]:
    """Fit on healthy maps; choose the threshold on scores of maps that each fold's detector had not seen.

    Args:
        make: makes a new, unfitted detector.
        maps: healthy maps in time order, 16 or more, or as few as the detector says (``Abilities.fewest``).
        rate: false alarms per map to choose the threshold for.
        blocks: ``[n]`` label of each map's block in time (its day); see ``time_blocks``.
        confidence: of the threshold's tolerance limit where it rests on lines; see ``threshold_from_lines``.
        progress: Called with what is being done and the share of it all that is done.

    Returns:
        The detector fitted on all maps, its ``threshold`` and ``held_out`` set, and the held-out scores ``[n]``.

    Raises:
        InputError: too few maps.
    """
    new = make()
    values = new.input_of(maps)
    if len(values) < new.can.fewest:
        raise InputError(f"a threshold needs {new.can.fewest} healthy maps or more, but got {len(values)}")
    if len(values) < FEW:
        # of so few maps no rate can be counted: it is that of records drawn from what they scatter
        detector = new.fit(values, progress)
        detector.held_out, detector.drawn = detector.from_few(values)
        days = None if blocks is None else time_blocks(len(values), blocks)
        detector.threshold = _of_drawn(detector.drawn, detector.held_out.score, rate, days)
        return detector, detector.held_out.score
    folds = time_blocks(len(values), blocks)
    parts = []
    count = int(folds.max()) + 1
    for fold in range(count):
        out = folds == fold
        part = share_of(progress, fold, count + 1, f"cross-validation {fold + 1} of {count}")
        part("", 0.0)
        found = make().fit(values[~out], part).predict(values[out])
        parts.append((np.flatnonzero(out), found.score, *evidence_of(found)))
    part = share_of(progress, count, count + 1, "fit")
    part("", 0.0)
    detector = make().fit(values, part)
    detector.held_out = _joined(parts)
    known = None
    if detector.can.fewest < FEW and len(values) < _ENOUGH:
        known = _of_drawn(detector.from_few(values)[1], detector.held_out.score, rate, folds)
    detector.threshold = _threshold(detector.held_out, rate, folds, confidence, detector.can.waveforms, known)
    return detector, detector.held_out.score


def _of_drawn(drawn: Prediction, scores: np.ndarray, rate: float, folds: np.ndarray | None) -> Threshold:
    """The threshold of drawn records, as sure as ``scores`` of the real ones make it."""
    known, n = threshold_from_healthy(drawn.score, rate), len(scores)
    effective = float(n) if folds is None else effective_number(scores, folds)
    return replace(
        known,
        interval=rate_interval(float(np.mean(scores > known.value)), effective),
        n=n,
        n_effective=effective,
        method=f"{known.method}, {len(drawn.score)} records drawn from the scatter of {n}",
    )


def _joined(parts: list[tuple[Any, ...]]) -> Prediction:
    """Indices, scores and evidence of each fold in the order of the maps, without anomaly maps."""
    index, *found = zip(*parts, strict=True)
    order = np.argsort(np.concatenate(index))
    in_order: list[Any] = [None if x[0] is None else np.concatenate(x).astype(np.float64)[order] for x in found]
    score, rows, columns = in_order
    return Prediction(score, np.empty((len(order), 0, 0), np.float32), row_evidence=rows, column_evidence=columns)


def _threshold(
    found: Prediction, rate: float, folds: np.ndarray, confidence: float | None, both: bool, drawn: Threshold | None
) -> Threshold:
    """From the evidence of all lines (of one gear or of both) where the score is its maximum, else from the scores."""
    one_gear = found.row_evidence is None or found.column_evidence is None
    evidence = found.lines if one_gear or both else None
    if evidence is not None and np.allclose(evidence.max(axis=1), found.score, rtol=1e-6):
        return threshold_from_lines(evidence, rate, blocks=folds, confidence=confidence, by_maximum=drawn)
    return drawn or threshold_from_healthy(found.score, rate, blocks=folds)

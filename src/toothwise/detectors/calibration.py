"""Fitting a detector together with a threshold that was cross-validated on healthy maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from toothwise.detectors.base import FEW, Detector, Maps, Prediction
from toothwise.detectors.pooling import line_contrast
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

__all__ = ["fit_with_threshold"]


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
        return _from_few(new.fit(values, progress), values, rate, blocks)
    folds = time_blocks(len(values), blocks)
    held_out: list[tuple[np.ndarray, Prediction]] = []
    count = int(folds.max()) + 1
    for fold in range(count):
        out = folds == fold
        part = share_of(progress, fold, count + 1, f"cross-validation {fold + 1} of {count}")
        part("", 0.0)
        held_out.append((np.flatnonzero(out), make().fit(values[~out], part).predict(values[out])))
    part = share_of(progress, count, count + 1, "fit")
    part("", 0.0)
    detector = make().fit(values, part)
    scores = np.empty(len(values))
    for index, prediction in held_out:
        scores[index] = prediction.score
    detector.threshold = _threshold(held_out, scores, rate, folds, confidence, detector.can.waveforms)
    detector.held_out = _joined(held_out, scores)
    return detector, scores


def _from_few(
    detector: Detector, values: np.ndarray, rate: float, blocks: np.ndarray | None
) -> tuple[Detector, np.ndarray]:
    """Of so few maps no rate can be counted: it is that of records drawn from what they scatter."""
    left_out, drawn = detector.from_few(values)
    known, scores = threshold_from_healthy(drawn.score, rate), left_out.score
    n = len(scores)
    effective = float(n) if blocks is None else effective_number(scores, time_blocks(n, blocks))
    detector.threshold = replace(
        known,
        interval=rate_interval(float(np.mean(scores > known.value)), effective),
        n=n,
        n_effective=effective,
        method=f"{known.method}, {len(drawn.score)} records drawn from the scatter of {n}",
    )
    detector.held_out = left_out
    return detector, scores


def _joined(parts: list[tuple[np.ndarray, Prediction]], scores: np.ndarray) -> Prediction:
    """The folds' predictions in the order of the maps; evidence of lines, but no anomaly maps."""
    evidence: dict[str, np.ndarray | None] = {"row_evidence": None, "column_evidence": None}
    for name in evidence:
        lines = [(index, getattr(p, name)) for index, p in parts]
        if any(values is None for _, values in lines):
            continue
        joined = np.empty((len(scores), lines[0][1].shape[1]))
        for index, values in lines:
            joined[index] = values
        evidence[name] = joined
    if evidence["row_evidence"] is None and evidence["column_evidence"] is None:
        # a detector without evidence of lines: its anomaly map is pooled along them
        for axis, name in ((1, "row_evidence"), (2, "column_evidence")):
            joined = np.empty((len(scores), parts[0][1].anomaly_map.shape[axis]))
            for index, p in parts:
                joined[index] = line_contrast(p.anomaly_map, axis)
            evidence[name] = joined
    return Prediction(score=scores, anomaly_map=np.empty((len(scores), 0, 0), np.float32), **evidence)


def _threshold(
    held_out: list[tuple[np.ndarray, Prediction]],
    scores: np.ndarray,
    rate: float,
    folds: np.ndarray,
    confidence: float | None,
    both: bool,
) -> Threshold:
    """From the evidence of all lines (of one gear or of both) where the score is its maximum, else from the scores."""
    by_gear = [[e for e in (p.row_evidence, p.column_evidence) if e is not None] for _, p in held_out]
    if by_gear[0] and (len(by_gear[0]) == 1 or both):
        lines = [np.concatenate(each, axis=1) for each in by_gear]
        evidence = np.empty((len(scores), lines[0].shape[1]))
        for (index, _), rows in zip(held_out, lines, strict=True):
            evidence[index] = rows
        if np.allclose(evidence.max(axis=1), scores, rtol=1e-6):
            return threshold_from_lines(evidence, rate, blocks=folds, confidence=confidence)
    return threshold_from_healthy(scores, rate, blocks=folds)

"""From an anomaly map to a score: what the detector says itself, or what lines of the map say.

A damaged tooth is a line, so a detector that scores single spots leaves the square root of the line's length on the
table. Pooling its anomaly map along rows and columns is the control that every claim about direction has to beat.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from toothwise.checks import check_choice
from toothwise.detectors.base import Abilities, Detector, Prediction
from toothwise.detectors.coherent_pooling import CoherentScan
from toothwise.detectors.composite import Composite, part_of
from toothwise.detectors.scan import DirectionalScan
from toothwise.errors import InputError
from toothwise.progress import Progress

LINE_POOLINGS = ("rows", "columns", "lines")
CALIBRATED = ("segments", "coherent")  # of LinePooled alone: they learn from healthy maps themselves
POOLINGS = ("top", *LINE_POOLINGS)  # "top" = what a network says of the map as a whole
_KEPT = 4  # every 4th healthy map is kept for the calibration of segments


def line_contrast(anomaly_map: np.ndarray, axis: int) -> np.ndarray:
    """Mean of an anomaly map along its lines, less the median of all of them.

    Args:
        anomaly_map: ``[n, rows, columns]``, NaN where no pair meshes.
        axis: 1 = rows, 2 = columns.

    Returns:
        float64 ``[n, lines]``; -inf of a line without any pair. What moves the whole map does not count.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a line without any pair has no mean
        means = np.nanmean(anomaly_map, axis=3 - axis, dtype=np.float64)
    return np.nan_to_num(means - np.nanmedian(means, axis=1, keepdims=True), nan=-np.inf)


def pool_lines(anomaly_map: np.ndarray, pooling: str, own: np.ndarray | None = None) -> Prediction:
    """A prediction from an anomaly map.

    Args:
        anomaly_map: float32 ``[n, rows, columns]``, larger = more anomalous.
        pooling: "rows", "columns" or "lines" (either) = the best line's contrast; anything else = ``own``.
        own: float64 ``[n]``, the detector's own score.

    Returns:
        Score, map, and the evidence of the lines that were looked at (of both where the score is the detector's own).
    """
    rows = None if pooling == "columns" else line_contrast(anomaly_map, 1)
    columns = None if pooling == "rows" else line_contrast(anomaly_map, 2)
    score = own
    if pooling in LINE_POOLINGS or score is None:
        score = np.max([e.max(axis=1) for e in (rows, columns) if e is not None], axis=0)
    return Prediction(score=score, anomaly_map=anomaly_map, row_evidence=rows, column_evidence=columns)


def evidence_of(found: Prediction) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Evidence of rows and of columns; where a detector gives none, its anomaly map pooled along lines."""
    if found.row_evidence is None and found.column_evidence is None:
        return line_contrast(found.anomaly_map, 1), line_contrast(found.anomaly_map, 2)
    return found.row_evidence, found.column_evidence


def segment_scan(healthy: np.ndarray) -> Detector:
    """The directional scan, calibrated on anomaly maps ``[n, rows, columns]`` of healthy maps."""
    return DirectionalScan(log=False).fit(healthy)


class LinePooled(Composite):
    """Any detector that gives an anomaly map, scored by the best line of that map.

    Args:
        detector: its name in the registry.
        pooling: "rows", "columns" or "lines": whole lines, see ``pool_lines``; "segments": the best row or column
            segment of several lengths (the directional scan on the anomaly map), calibrated on every fourth healthy
            map, which the detector itself does not see; "coherent": the same, but the whitened residual vectors of
            PatchCore, PaDiM or Dinomaly are added along a segment before they are squared (see ``coherent_pooling``).
        options: of the detector.

    Raises:
        InputError: unknown pooling, "coherent" of a detector without residual vectors, or fewer than 32 maps for
            "segments" or "coherent".
    """

    name = "pooled"
    can = Abilities(rows=True, columns=True, export="parts")
    _scan: Detector | None = None
    _coherent: CoherentScan | None = None

    def __init__(self, *, detector: str, pooling: str = "segments", options: dict[str, Any] | None = None) -> None:
        from toothwise.detectors.registry import create

        check_choice((*LINE_POOLINGS, *CALIBRATED), **{f"pooling of detector {detector!r}": pooling})
        super().__init__(detector=detector, pooling=pooling, options=dict(options or {}))
        self.parts = {"inner": create(detector, **self.options["options"])}
        self._check_vectors()

    def _check_vectors(self) -> None:
        if self.options["pooling"] == "coherent" and not hasattr(self._inner, "vectors"):
            hint = " once it is exported; export with format 'torch'" if self._inner.source_fingerprint else ""
            raise InputError(
                "pooling 'coherent' needs residual vectors (padim, patchcore, dinomaly), but "
                f"{self.options['detector']!r} gives none{hint}"
            )

    @property
    def _inner(self) -> Any:
        """The detector whose map is pooled; it has ``vectors`` where the pooling asks for them."""
        return self.parts["inner"]

    def _info_of(self, name: str) -> dict[str, Any]:
        return self.info

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        pooling = self.options["pooling"]
        if pooling in CALIBRATED:
            if len(values) < 32:
                raise InputError(f"pooling {pooling!r} needs 32 healthy maps or more, but got {len(values)}")
            kept = np.arange(len(values)) % _KEPT == 0
            self._inner.fit(values[~kept], progress)
            if pooling == "segments":
                self._scan = segment_scan(self._inner.predict(values[kept]).anomaly_map)
            else:
                self._coherent = CoherentScan().fit(self._inner.vectors(values[kept]))
        else:
            self._inner.fit(values, progress)
        self.info = self._inner.info

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        found = self._inner.predict(values, progress)
        if self._coherent is not None:
            rows, columns = self._coherent.evidence(self._inner.vectors(values), (values.shape[1], values.shape[2]))
            score = np.maximum(rows.max(axis=1), columns.max(axis=1))
            line = Prediction(score, found.anomaly_map, None, rows, columns, self._coherent.p_value(score))
        elif self._scan is None:
            line = pool_lines(found.anomaly_map, self.options["pooling"])
        else:
            line = self._scan.predict(found.anomaly_map)
        return replace(line, anomaly_map=found.anomaly_map, severity=found.severity)

    def own_state(self) -> dict[str, np.ndarray]:
        """What was learned besides the detector whose map is pooled."""
        if self._coherent is not None:
            return {f"coherent.{k}": v for k, v in self._coherent.state().items()}
        return {} if self._scan is None else {f"scan.{k}": v for k, v in self._scan._state().items()}

    def _restore_own(self, state: dict[str, np.ndarray]) -> None:
        self._check_vectors()
        if self.options["pooling"] == "segments":
            self._scan = DirectionalScan(log=False)
            self._scan.shape = self.shape
            self._scan._restore(part_of(state, "scan."))
        elif self.options["pooling"] == "coherent":
            self._coherent = CoherentScan()
            self._coherent.restore(part_of(state, "coherent."))

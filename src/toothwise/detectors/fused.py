"""Several detectors as one: their evidence for each tooth, put on one scale by healthy maps and added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toothwise.checks import check_whole
from toothwise.detectors.base import Abilities, Prediction
from toothwise.detectors.composite import Composite, part_of
from toothwise.detectors.graded_lines import GradedLines
from toothwise.detectors.severity_scale import ContrastScale
from toothwise.errors import InputError
from toothwise.evaluation.tail import tail_evidence
from toothwise.healthmap.logarithm import check_positive
from toothwise.progress import Progress, share_of

_KEPT = 4  # every 4th healthy map is kept for the calibration
_LENGTHS = (4, 8, 16, 32, 64, 128)
_AXES = (1, 2)


def line_contrast_of(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Log contrast of the best segment of the tooth that has most evidence, float64 ``[n]``.

    Args:
        values: Positive maps ``[n, rows, columns]``, NaN where no pair meshes.
        rows, columns: Evidence ``[n, rows]``, ``[n, columns]``; the tooth with the most of both is taken.

    Returns:
        Mean, over the segment with the largest sum over root length, of the log map less what all teeth share there.
    """
    row, column = rows.argmax(axis=1), columns.argmax(axis=1)
    by_row = rows.max(axis=1) >= columns.max(axis=1)
    out = np.empty(len(values))
    for k, one in enumerate(values):
        x = np.log(one if by_row[k] else one.T)
        line = x[row[k] if by_row[k] else column[k]] - np.nanmedian(x, axis=0)
        total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(line))])
        known = np.concatenate([[0.0], np.cumsum(np.isfinite(line))])
        best = (-np.inf, 0.0)
        for length in {min(m, len(line)) for m in _LENGTHS}:
            sums, counts = total[length:] - total[:-length], known[length:] - known[:-length]
            z = sums / np.sqrt(np.maximum(counts, 1.0))
            at = int(z.argmax())
            best = max(best, (float(z[at]), float(sums[at] / max(counts[at], 1.0))))
        out[k] = best[1]
    return out


class FusedDetector(Composite):
    """Evidence of several detectors for each row and column, as surprise on held-out healthy maps, added up.

    Every part is fitted on three of four healthy maps. On the fourth its best row and best column of each map are
    noted; the evidence of a row is then -log10 of the share of healthy maps whose best row has as much (Fisher's
    combination adds these over the parts), and columns likewise. The score is the largest sum; it grows by one where
    the surprise of all parts together grows tenfold. ``p_value`` is that of the sum on the same held-out maps.

    ``Prediction.severity`` is contrast over background of the tooth with the most evidence, measured on the map itself
    along the tooth's best segment, and corrected for the choice of that segment by synthetic lines on held-out maps
    (those whose tooth was named rightly). It is the contrast to expect if that tooth is damaged: a healthy map has a
    most suspicious segment too, so read it where there is an alarm. None for maps that are not positive, and where
    fewer than 5 of the synthetic lines were found.

    Args:
        parts: Names of detectors that give evidence of rows and columns, two or more.
        options: Of the parts, by their names.
        calibration_lines (lines): Synthetic lines for the severity.
        seed: Of those, and of parts that take a seed.

    Raises:
        InputError: fewer than two parts, a part without evidence of lines, or fewer than 32 maps.
    """

    name = "fused"
    can = Abilities(rows=True, columns=True, severity=True, export="parts")
    prefix = "part."
    _scale: ContrastScale | None = None

    def __init__(
        self,
        *,
        parts: Sequence[str] = ("scan", "dinomaly_directional"),
        options: dict[str, dict[str, Any]] | None = None,
        calibration_lines: int = 100,
        seed: int = 0,
    ) -> None:
        from toothwise.detectors.registry import create, takes

        given = dict(options or {})
        if len(parts) < 2 or len(set(parts)) != len(parts) or "fused" in parts:
            raise InputError(f"parts must be two or more different detectors, but got {list(parts)}")
        if set(given) - set(parts):
            raise InputError(f"options are given for {', '.join(sorted(set(given) - set(parts)))}, not among the parts")
        check_whole(10, calibration_lines=calibration_lines)
        super().__init__(parts=list(parts), options=given, calibration_lines=calibration_lines, seed=seed)
        self.parts = {}
        for name in parts:
            own = dict(given.get(name, {}))
            if takes(name, "seed"):
                own.setdefault("seed", seed)
            self.parts[name] = create(name, **own)
        self._healthy: dict[str, np.ndarray] = {}

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        if len(values) < 32:
            raise InputError(f"a fused detector needs 32 healthy maps or more, but got {len(values)}")
        held = np.arange(len(values)) % _KEPT == 0
        kept = values[held]
        self._healthy, self._scale = {}, None
        for k, (name, part) in enumerate(self.parts.items()):
            found = part.fit(values[~held], share_of(progress, k, len(self.parts))).predict(kept)
            for axis, evidence in zip(_AXES, _lines_of(found, name), strict=True):
                self._healthy[f"{name}.{axis}"] = np.sort(evidence.max(axis=1))
        rows, columns, _ = self._evidence(kept)
        self._healthy["score"] = np.sort(_score(rows, columns))
        self.info = {name: part.info for name, part in self.parts.items()}
        if np.nanmin(values) > 0:
            self._calibrate(kept)

    def _calibrate(self, kept: np.ndarray) -> None:
        """From the measured contrast of the named tooth to the true one, by lines on held-out maps."""
        from scipy.stats import spearmanr

        lines = GradedLines(grow=False, max_lines=1)
        rng = np.random.default_rng(self.options["seed"])
        count = self.options["calibration_lines"]
        maps, severity, cells = lines.add(kept[np.arange(count) % len(kept)], lines.severities(count, rng), rng)
        rows, columns, _ = self._evidence(maps)
        by_row = rows.max(axis=1) >= columns.max(axis=1)
        which = np.arange(len(maps))
        met = np.where(
            by_row, cells[which, rows.argmax(axis=1)].sum(axis=1), cells[which, :, columns.argmax(axis=1)].sum(axis=1)
        )
        right = met > 1  # the named tooth is the damaged one: a line across it would meet it once or twice
        right &= met >= 0.3 * cells.sum(axis=(1, 2))
        if right.sum() < 5:
            return
        measured, contrast = line_contrast_of(maps, rows, columns)[right], np.exp(lines.log_step * severity[right])
        self.info["severity_spearman"] = float(spearmanr(measured, contrast).statistic)
        self._scale = ContrastScale.fit(measured, contrast, 1.0)

    def _evidence(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Summed evidence ``[n, rows]`` and ``[n, columns]``, and the mean anomaly map in healthy units."""
        total: list[np.ndarray] = [np.zeros(0), np.zeros(0)]
        heat = np.zeros(values.shape, dtype=np.float32)
        for name, part in self.parts.items():
            found = part.predict(values)
            for k, evidence in enumerate(_lines_of(found, name)):
                more = tail_evidence(evidence, self._healthy[f"{name}.{_AXES[k]}"])
                total[k] = more if not total[k].size else total[k] + more
            spread = np.nanstd(found.anomaly_map, axis=(1, 2), keepdims=True)
            middle = np.nanmedian(found.anomaly_map, axis=(1, 2), keepdims=True)
            heat += ((found.anomaly_map - middle) / np.maximum(spread, 1e-12)).astype(np.float32) / len(self.parts)
        return total[0], total[1], heat

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        rows, columns, heat = self._evidence(values)
        score = _score(rows, columns)
        severity = None
        if self._scale is not None:
            check_positive(values, "severity")
            severity = self._scale(line_contrast_of(values, rows, columns))
        return Prediction(
            score=score,
            anomaly_map=heat,
            severity=severity,
            row_evidence=rows,
            column_evidence=columns,
            p_value=10.0 ** -tail_evidence(score, self._healthy["score"]),
        )

    def own_state(self) -> dict[str, np.ndarray]:
        """What was learned besides the parts."""
        state = {f"healthy.{k}": v for k, v in self._healthy.items()}
        if self._scale is not None:
            state |= {"scale.output": self._scale.output, "scale.log_contrast": self._scale.log_contrast}
        return state

    def _restore_own(self, state: dict[str, np.ndarray]) -> None:
        self._healthy = part_of(state, "healthy.")
        if "scale.output" in state:
            self._scale = ContrastScale(state["scale.output"], state["scale.log_contrast"], 1.0)


def _lines_of(found: Prediction, name: str) -> tuple[np.ndarray, np.ndarray]:
    if found.row_evidence is None or found.column_evidence is None:
        raise InputError(f"detector {name!r} gives no evidence of rows and columns: it cannot be a part of 'fused'")
    return found.row_evidence, found.column_evidence


def _score(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.maximum(rows.max(axis=1), columns.max(axis=1))

"""Why a map was judged as it was: evidence against its threshold, the map as if healthy, the nearest healthy maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toothwise.detectors.base import Detector
from toothwise.diagnosis.decompose import SHARES, Findings, decompose
from toothwise.evaluation.tail import best_line_tail
from toothwise.reference.healthy_maps import HealthyMaps
from toothwise.reference.healthy_reference import HealthyReference
from toothwise.reference.shown import line_waveforms

_NEAREST = 3


@dataclass(frozen=True, eq=False)
class Attention:
    """What one directional layer lets the token of the finding take from its own column and row.

    Attributes:
        layer: 0 = next to the bottleneck.
        alpha: weight of attention along columns, one or one per head.
        weights: by axis "y" (along the column) and "x" (along the row), mean over heads, ``[line]``.
        entropy: by axis, over all tokens, in parts of that of equal weights: 1 = all alike.
    """

    layer: int
    alpha: tuple[float, ...]
    weights: dict[str, np.ndarray]
    entropy: dict[str, float]


@dataclass(frozen=True, eq=False)
class ToothWaveform:
    """The waveform of a tooth averaged over its mates, with the teeth before and after it, ``[3, samples]``.

    Attributes:
        axis, tooth: Which one; axis 1 = a row, 2 = a column.
        now: Of the map that is explained.
        mean, sd: Over the healthy maps.
    """

    axis: int
    tooth: int
    now: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


def tooth_waveform(waveforms: np.ndarray, axis: int, tooth: int, reference: HealthyReference) -> ToothWaveform | None:
    """The waveform of a tooth now and healthy; None where the model kept none, or of another number of samples.

    Args:
        waveforms: Of the map, ``[rows, columns, samples]``.
        axis: 1 = a row, 2 = a column.
        tooth: Its number.
        reference: Of the model.
    """
    teeth = waveforms.shape[axis - 1]
    near = np.arange(tooth - 1, tooth + 2) % teeth
    known = [reference.shown.get(name) for name in ("waveform_mean", "waveform_sd")]
    if known[0] is None or known[1] is None or known[0].shape[1] != waveforms.shape[2]:
        return None
    at = near + (waveforms.shape[0] if axis == 2 else 0)
    now = line_waveforms(waveforms, axis)[near].astype(np.float32)
    return ToothWaveform(axis, tooth, now, known[0][at], known[1][at])


@dataclass(frozen=True, eq=False)
class MapExplanation:
    """One map and what speaks for the judgement.

    Attributes:
        record: its name.
        values: the map ``[rows, columns]``; ``anomaly``: the detector's anomaly map of that shape.
        evidence: by axis (1 rows, 2 columns), of every line, as the judgement used it: of a line that was found, when
            it was found; of the others, with what was found taken off.
        height: by axis, the evidence from which on a line is called, by the stated rate.
        usual: by axis, 2.5, 50 and 97.5 % quantiles of each line's evidence on held-out healthy maps ``[3, lines]``.
        healthy: the map as it might be healthy, or None where nothing was found.
        healthy_by: "rebuilt" by the detector, "neighbours" (damaged teeth replaced from the teeth beside), or "taken
            off" (cycle or transient subtracted).
        nearest: the nearest healthy maps ``[k, rows, columns]``; ``nearest_names``; ``nearest_away``: root mean square
            difference of the logarithms outside of the finding.
        kept: healthy maps that were searched, of how many that the detector was fitted on; (0, 0) = none are kept.
        grid, token: of the attention; ``attention``: its layers, empty for other detectors.
        tooth: the waveform of the tooth in question, None where the maps carry none.
    """

    record: str
    values: np.ndarray
    anomaly: np.ndarray
    evidence: dict[int, np.ndarray]
    height: dict[int, float]
    usual: dict[int, np.ndarray]
    healthy: np.ndarray | None
    healthy_by: str
    nearest: np.ndarray
    nearest_names: tuple[str, ...]
    nearest_away: np.ndarray
    kept: tuple[int, int]
    grid: tuple[int, int] | None = None
    token: tuple[int, int] | None = None
    attention: tuple[Attention, ...] = field(default=())
    tooth: ToothWaveform | None = None


def evidence_height(reference: HealthyReference, axis: int, rate: float) -> float | None:
    """The evidence from which on the best line of an axis is called; None where there is no evidence of that axis.

    Args:
        axis: 1 = rows, 2 = columns.
        rate: chance that a healthy map is called anything.
    """
    known = reference.best_of(axis)
    return None if known is None else _height(known[0], rate / known[1], reference.worth["lines"])


def score_height(reference: HealthyReference, rate: float) -> float:
    """The score from which on a map is as strange as a line that is called (``evidence_height``)."""
    return _height(reference.score[:, None], rate, reference.worth["lines"])


def _height(best: np.ndarray, rate: float, worth: float) -> float:
    """The height that the share of lines in a rate allows beyond the best lines of healthy maps."""
    wanted = rate * SHARES["lines"]

    def chance(evidence: np.ndarray | float) -> np.ndarray:
        return best_line_tail(evidence, best, worth=worth)

    low, high = float(np.min(best)), float(np.max(best))
    while chance(high) > wanted and high < 1e6:  # the chance falls with the evidence: bracket, then divide
        high += max(high - low, 1e-9)
    for _ in range(10):
        parts = np.linspace(low, high, 65)
        first = int(np.clip(np.searchsorted(-chance(parts), -wanted), 1, 64))
        low, high = parts[first - 1], parts[first]
    return float(high)


def repair(x: np.ndarray, found: Findings) -> tuple[np.ndarray, np.ndarray]:
    """A log map with its damaged teeth replaced from the teeth beside them, and the cells that were replaced.

    Every cell of a damaged extent becomes the mean of the nearest sound teeth on both sides at the same place, in
    turn lines that came off later; leaks into neighbours lie within one tooth and are replaced with it.

    Args:
        x: log map ``[rows, columns]``.
        found: what came off it.
    """
    out, changed = x.copy(), np.zeros(x.shape, dtype=bool)
    for line in sorted(found.lines[0], key=lambda one: one.axis):
        view, mark, rest, source = (part if line.axis == 1 else part.T for part in (out, changed, found.rest[0], x))
        teeth, part = len(view), slice(line.segment.first, line.segment.last + 1)
        moved = np.nanmax(np.abs(rest[:, part] - source[:, part]), axis=1) > 1e-9
        own = [t for t in (line.tooth - 1, line.tooth, line.tooth + 1) if moved[t % teeth] or t == line.tooth]
        below, above = min(own) - 1, max(own) + 1
        with np.errstate(all="ignore"):
            beside = np.nanmean(np.stack([rest[below % teeth, part], rest[above % teeth, part]]), axis=0)
        for tooth in own:
            cells = np.isfinite(view[tooth % teeth, part]) & np.isfinite(beside)
            view[tooth % teeth, part] = np.where(cells, beside, view[tooth % teeth, part])
            mark[tooth % teeth, part] |= cells
    return out, changed


def explain_map(
    values: np.ndarray,
    record: str,
    detector: Detector,
    reference: HealthyReference,
    healthy: HealthyMaps | None,
    *,
    rate: float,
    waveforms: np.ndarray | None = None,
) -> MapExplanation:
    """Explain the judgement of one map.

    Args:
        values: the map ``[rows, columns]``, positive.
        record: its name.
        detector, reference: that belong together; ``healthy``: maps kept beside them, or None.
        rate: chance that a healthy map is called anything, as in its diagnosis.
        waveforms: of the map, where the detector looks at them.
    """
    waves, swings = None if waveforms is None else waveforms[None], reference.swings_of(None, 1)
    found = decompose(values[None], detector, reference, rate=rate, waveforms=waves, swings=swings)
    x = np.log(values.astype(np.float64))
    repaired, cells = repair(x, found)
    by = "neighbours" if found.lines[0] else ""
    if found.cycle[0] or found.diagonal[0] is not None:
        repaired = np.where(cells, repaired, found.rest[0])
        cells = cells | (np.abs(found.rest[0] - x) > 1e-9)
        by = by or "taken off"
    wanted: np.ndarray | None = np.exp(repaired).astype(np.float32) if by else None
    rebuilt = detector.rebuild(values[None]) if by else None
    if rebuilt is not None:
        wanted, by = rebuilt[0], "rebuilt"
    compared = ~cells if (~cells).sum() >= cells.size // 4 else np.ones(cells.shape, dtype=bool)
    nearest, away, names = np.zeros((0, *values.shape), dtype=np.float32), np.zeros(0), ()
    if healthy is not None:
        index, away = healthy.nearest(values, compared, _NEAREST)
        nearest, names = healthy.values[index], tuple(healthy.names[k] for k in index)
    usual = {1: reference.row, 2: reference.column}
    heights = {axis: evidence_height(reference, axis, rate) for axis in found.evidence}
    return MapExplanation(
        record=record,
        values=values,
        anomaly=found.first.anomaly_map[0],
        evidence={axis: lines[0] for axis, lines in found.evidence.items()},
        height={axis: h for axis, h in heights.items() if h is not None},
        usual={a: np.quantile(u, (0.025, 0.5, 0.975), axis=0) for a, u in usual.items() if u is not None},
        healthy=wanted,
        healthy_by=by,
        nearest=nearest,
        nearest_names=names,
        nearest_away=away,
        kept=(0, 0) if healthy is None else (len(healthy.values), healthy.of),
        **_attention(detector, values, found),
    )


def _attention(detector: Detector, values: np.ndarray, found: Findings) -> dict[str, Any]:
    """Attention of the token at the middle of the strongest finding, else of the most anomalous one."""
    from toothwise.detectors.dinomaly.attention_view import attends_along_lines, view_attention

    if not attends_along_lines(detector):
        return {}
    cell = None
    if found.lines[0]:
        line = found.lines[0][0]
        middle = (line.segment.first + line.segment.last) // 2
        cell = (line.tooth, middle) if line.axis == 1 else (middle, line.tooth)
    view = view_attention(detector, values[None], cell=cell)
    layers = tuple(
        Attention(layer.layer, tuple(layer.alpha), {a: w[0, 0] for a, w in layer.weights.items()}, layer.entropy)
        for layer in view.layers
    )
    row, column = (int(v) for v in view.tokens[0, 0])
    return {"grid": view.grid, "token": (row, column), "attention": layers}

"""Cyclic alignment of maps whose tooth zero is unknown, in one axis or in both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from toothwise.errors import InputError
from toothwise.healthmap.core import HealthMap
from toothwise.healthmap.logarithm import log_positive

__all__ = ["MapAlignment", "align_map"]

_AXES = {"rows": (True, False), "columns": (False, True), "both": (True, True)}


@dataclass(frozen=True)
class MapAlignment:
    """How a map was turned onto a reference.

    Attributes:
        rows, columns: teeth by which it was turned; tooth k of the aligned map is tooth k + shift of the given one.
        correlation: with the reference at that turn, at most 1.
        confidence: correlation less the best one more than a tooth away; near 0 = a guess.
    """

    rows: int
    columns: int
    correlation: float
    confidence: float


def align_map(
    health_map: HealthMap,
    reference: HealthMap,
    *,
    axes: Literal["rows", "columns", "both"] = "columns",
    log: bool = True,
) -> tuple[HealthMap, MapAlignment]:
    """Turn a map cyclically to where it correlates best with a reference of the same gears.

    The correlation is taken over the pixels that both maps have at that turn (NaN elsewhere counts for nothing).

    Args:
        health_map: to be turned.
        reference: a map, or the mean of several, whose teeth are numbered as wanted.
        axes: which tooth zero is unknown. With one index pulse on the driving shaft: "columns".
        log: correlate the logarithms (for magnitudes, whose texture is multiplicative).

    Returns:
        The turned map (values, count and variance) and its alignment, which its provenance holds too.

    Raises:
        InputError: unknown axes, maps of different shape, or values that are not positive with ``log``.
    """
    if axes not in _AXES:
        raise InputError(f"axes must be one of {', '.join(map(repr, _AXES))}, but got {axes!r}")
    if health_map.shape != reference.shape:
        raise InputError(f"maps of one alignment must have one shape, but got {health_map.shape} and {reference.shape}")
    correlation = _masked_correlation(_prepared(health_map, log), _prepared(reference, log))
    turn_rows, turn_columns = _AXES[axes]
    allowed = np.zeros(correlation.shape, dtype=bool)
    allowed[: None if turn_rows else 1, : None if turn_columns else 1] = True
    correlation = np.where(allowed, correlation, -np.inf)
    at = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
    row, column = int(at[0]), int(at[1])
    rows, columns = correlation.shape
    near_row = np.minimum((np.arange(rows) - row) % rows, (row - np.arange(rows)) % rows) <= 1
    near_column = np.minimum((np.arange(columns) - column) % columns, (column - np.arange(columns)) % columns) <= 1
    other = np.where(near_row[:, None] & near_column[None], -np.inf, correlation)
    best = float(correlation[row, column])
    runner_up = float(other.max())
    confidence = best - runner_up if np.isfinite(runner_up) else best
    found = MapAlignment(row, column, best, confidence)

    def turned(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else np.roll(array, (-row, -column), (0, 1))

    provenance = health_map.provenance | {
        "alignment": {"rows": row, "columns": column, "correlation": best, "confidence": confidence}
    }
    aligned = replace(
        health_map,
        values=np.roll(health_map.values, (-row, -column), (0, 1)),
        count=turned(health_map.count),
        variance=turned(health_map.variance),
        provenance=provenance,
    )
    return aligned, found


def _prepared(health_map: HealthMap, log: bool) -> np.ndarray:
    values = health_map.values.astype(np.float64)
    return log_positive(values, "the logarithm", "use log=False") if log else values


def _masked_correlation(x: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Pearson correlation of ``roll(x, -(r, c))`` with the reference over their common pixels, for every (r, c)."""
    mx, mr = np.isfinite(x).astype(float), np.isfinite(reference).astype(float)
    # centred first, for the numbers' sake: the correlation itself does not change
    x = np.where(mx > 0, x - np.nanmean(x), 0.0)
    r = np.where(mr > 0, reference - np.nanmean(reference), 0.0)

    def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.fft.irfft2(np.fft.rfft2(a) * np.conj(np.fft.rfft2(b)), s=a.shape)

    n = np.rint(cross(mx, mr))
    few = n < 3
    n = np.maximum(n, 1.0)
    sx, sr = cross(x, mr), cross(mx, r)
    covariance = cross(x, r) - sx * sr / n
    variance = (cross(x * x, mr) - sx**2 / n) * (cross(mx, r * r) - sr**2 / n)
    out = covariance / np.sqrt(np.maximum(variance, 1e-24))
    return np.where(few, -np.inf, np.clip(out, -1.0, 1.0))

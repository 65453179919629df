"""Minimum detectable contrast: how bright a line must be for a detector to find it reliably.

It is the contrast at which 90 % of faulty maps are found with 1 % of healthy ones flagged, per length of the line. The
same textures and lines are used at every contrast and for every detector (common random numbers), so differences
between detectors are far surer than their values. Detectors compare by the ratio of log contrasts, because contrast is
defined in the log map: a detector at ratio r needs r times the step there.

Contrast c multiplies a cell's value, and the energy of a cell is its value squared: the line adds c^2 - 1 times the
energy that its cells would have without damage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.simulate.lines import LineShape
from toothwise.simulate.maps import generate
from toothwise_lab.sweep import (
    MinimumContrast,
    Sweep,
    minimum_from_sweep,
    threshold_at,
)

# steps of 8 % in log contrast, from 1.02 to 20
CONTRASTS = tuple(float(c) for c in np.exp(np.log(1.02) * 1.08 ** np.arange(66)))
_SCOUTS = (1000, 200)  # healthy and faulty maps that find where to look

Score = Callable[..., np.ndarray]


@dataclass(frozen=True, eq=False)
class LineMaps:
    """Maps with one line each whose contrast can be chosen: same texture and same line at every contrast.

    Attributes:
        values: float32 ``[n, rows, columns]``, without damage.
        mask: bool, cells of the line.
    """

    values: np.ndarray
    mask: np.ndarray

    @classmethod
    def draw(cls, n: int, length: int, *, seed: int = 0, **options: Any) -> LineMaps:
        """Maps of the generator in matched mode with lines of one length.

        Args:
            n: number of maps.
            length: cells along the line, gaps included.
            seed: of textures and lines.
            options: domain, split, condition, shape, gear as of ``simulate.maps.generate``.
        """
        fixed = LineShape(length=(length, length))
        values, _, mask = generate(n=n, contrast=1.0, line=fixed, seed=seed, masks=True, segment=False, **options)
        return cls(values, mask)

    def at(self, contrast: float, maps: slice = slice(None)) -> np.ndarray:
        """The maps with their lines at a contrast, float32."""
        return np.where(self.mask[maps], self.values[maps] * np.float32(contrast), self.values[maps])


def minimum_detectable_contrast(
    score: Score,
    healthy: np.ndarray,
    lines: LineMaps,
    *,
    told: bool = False,
    healthy_scores: np.ndarray | None = None,
    fpr: float = 0.01,
    target: float = 0.9,
    resamples: int = 500,
) -> MinimumContrast:
    """Contrast at which a detector finds ``target`` of the faulty maps while it flags ``fpr`` of the healthy ones.

    A few maps first tell where on ``CONTRASTS`` the rate crosses the target; all maps are scored only at the contrasts
    around it, more of them until the crossing lies inside.

    Args:
        score: called with maps ``[n, rows, columns]``, gives ``[n]``, larger = more anomalous.
        healthy: maps ``[n, rows, columns]``; a rate of 1 % needs thousands.
        lines: faulty maps.
        told: the score is called with maps and the contrast that it is to find (the likelihood ratio).
        healthy_scores: of ``healthy``, where they are known already; with ``told`` they differ for each contrast.
        fpr, target, resamples: as ``minimum_from_sweep``.

    Raises:
        InputError: options out of range, or scores that are not one number per map.
    """

    def call(maps: np.ndarray, contrast: float) -> np.ndarray:
        given = np.asarray(score(maps, contrast) if told else score(maps), dtype=np.float64)
        if given.shape != (len(maps),) or np.isnan(given).any():
            got = f"{list(given.shape)}, {np.isnan(given).sum()} of them NaN"
            raise InputError(f"a score must be one number per map, [{len(maps)}], but got {got}")
        return given

    known = call(healthy, 1.0) if not told and healthy_scores is None else healthy_scores
    columns: dict[float, tuple[np.ndarray, np.ndarray]] = {}

    def rate(contrast: float) -> float:
        """Share found at a contrast, all maps scored; the scores are kept."""
        of_healthy = call(healthy, contrast) if known is None else known
        columns[contrast] = (of_healthy, call(lines.at(contrast), contrast))
        return float(np.mean(columns[contrast][1] > threshold_at(of_healthy, fpr)))

    few = slice(0, _SCOUTS[1])

    def scout(contrast: float) -> bool:
        of_healthy = call(healthy[: _SCOUTS[0]], contrast) if known is None else known
        return bool(np.mean(call(lines.at(contrast, few), contrast) > threshold_at(of_healthy, fpr)) >= target)

    _search(CONTRASTS, scout, rate, target)
    order = sorted(columns)
    of_healthy = known if known is not None else np.stack([columns[c][0] for c in order])
    sweep = Sweep(np.array(order), np.asarray(of_healthy), np.stack([columns[c][1] for c in order]))
    return minimum_from_sweep(sweep, fpr=fpr, target=target, resamples=resamples)


def _search(
    grid: Sequence[float], scout: Callable[[float], bool], rate: Callable[[float], float], target: float
) -> None:
    """Call ``rate`` at contrasts of the grid until two lie on either side of the crossing, where the grid has them."""
    low, high = 0, len(grid)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if scout(grid[middle]) else (middle + 1, high)
    last = len(grid) - 1
    first, end = max(0, min(low, last) - 2), min(last, low + 1)
    rates = {i: rate(grid[i]) for i in range(first, end + 1)}
    while first > 0 and sum(r < target for r in rates.values()) < 2:
        first -= 1
        rates[first] = rate(grid[first])
    while end < last and sum(r >= target for r in rates.values()) < 2:
        end += 1
        rates[end] = rate(grid[end])

"""Heights of the alarm rules for a stated number of false alarms per 1,000 records, by block bootstrap.

Healthy records are drawn again in blocks that are longer than their correlation in time, whole records at a time, so
that dependence in time and between teeth stays. Each drawn future is judged against a baseline that was itself drawn
anew from as many healthy records as there are (or as re-baselining learns from): the error of the baseline stays with a
gear for good and is the larger part of what raises false alarms. Counted are episodes of the final rule.

Assumed: healthy records to come are like those there are (no slower drift than they show), and blocks are exchangeable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.diagnosis.rules import CLIP, DRIFT
from toothwise.errors import InputError

__all__ = ["Heights", "RuleHeight", "calibrate"]

_RECORDS = 1000
_DRAWS = 100
_POOLS = 40
_GRID = 16


@dataclass(frozen=True)
class RuleHeight:
    """A rule's height for one tier.

    Attributes:
        height: of the statistic.
        stated: false alarms (episodes) per 1,000 records that it was chosen for.
        interval: 95 % bootstrap interval of the actual number, given how few healthy blocks it rests on.
    """

    height: float
    stated: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Heights:
    """Heights of both rules for both tiers.

    Attributes:
        cusum, row: by tier, "warning" and "alarm".
        block: records of a bootstrap block; ``blocks`` of them are in the healthy records.
        learned: healthy records that a baseline rests on.
    """

    cusum: dict[str, RuleHeight]
    row: dict[str, RuleHeight]
    block: int
    blocks: int
    learned: int


def calibrate(
    healthy: np.ndarray,
    blocks: np.ndarray,
    rates: dict[str, float],
    *,
    run: int,
    learned: int,
    correlation: float,
    rng: np.random.Generator,
) -> Heights:
    """Choose the heights.

    Args:
        healthy: standardised channels of healthy records, ``[n, channels]`` in time order, held out.
        blocks: ``[n]``, equal entries = one unbroken stretch.
        rates: by tier, false alarms per 1,000 records.
        run: records in a row of the simple rule.
        learned: records that the baseline of the future rests on.
        correlation: healthy records that count as one; a block holds three times as many.
        rng: for the bootstrap.

    Raises:
        InputError: fewer than 20 healthy records, or a rate that is not in (0, 200].
    """
    if len(healthy) < 20:
        raise InputError(f"alarm rules need 20 healthy records or more, but got {len(healthy)}")
    for tier, rate in rates.items():
        if not 0 < rate <= 200:
            raise InputError(f"the {tier} rate must be in (0, 200] false alarms per 1,000 records, but got {rate:g}")
    longest = int(np.max(np.bincount(np.unique(blocks, return_inverse=True)[1])))
    wished = int(np.ceil(3.0 * correlation))
    length = int(np.clip(wished, 5, max(5, min(longest, len(healthy) // 4))))
    starts = _starts(blocks, length)
    independent = max(len(healthy) // length, 1)
    base = _baselines(healthy, starts, length, learned, _DRAWS, rng)
    future = _future(starts, length, np.broadcast_to(starts, (_DRAWS, len(starts))), rng)
    draw = _Draw(healthy, future, base)
    top = healthy.max(axis=1)
    # candidate heights: of the CUSUM far enough to see rates fall, of the row from the middle of the largest channel on
    grids = {"cusum": np.linspace(2.0, 30.0, _GRID), "row": np.linspace(np.median(top), 1.5 * top.max(), _GRID)}
    chosen: dict[str, dict[str, float]] = {}
    for rule, grid in grids.items():
        counts = draw.count(rule, np.broadcast_to(grid, (_DRAWS, _GRID)), run)
        per = counts.mean(axis=0) * 1000.0 / _RECORDS
        chosen[rule] = {tier: _height(grid, per, rate) for tier, rate in rates.items()}
    # how well that is known: other healthy records of the same kind, drawn block by block
    groups = np.stack([rng.choice(starts, independent) for _ in range(_POOLS)])
    pools = np.repeat(groups, 4, axis=0)
    again = _Draw(
        healthy,
        _future(starts, length, pools, rng),
        _baselines(healthy, starts, length, learned, len(pools), rng),
    )
    out: dict[str, dict[str, RuleHeight]] = {}
    for rule, heights in chosen.items():
        counts = again.count(rule, np.broadcast_to(np.array(list(heights.values())), (len(pools), len(heights))), run)
        per = counts.reshape(_POOLS, 4, -1).mean(axis=1) * 1000.0 / _RECORDS
        low, high = np.quantile(per, [0.025, 0.975], axis=0)
        out[rule] = {
            tier: RuleHeight(height, rates[tier], (float(low[k]), float(high[k])))
            for k, (tier, height) in enumerate(heights.items())
        }
    return Heights(out["cusum"], out["row"], length, independent, learned)


def _starts(blocks: np.ndarray, length: int) -> np.ndarray:
    """Where a block of so many records may begin without crossing a gap in time; of short stretches, anywhere."""
    n = len(blocks)
    inside = [k for k in range(n - length + 1) if blocks[k] == blocks[k + length - 1]]
    return np.array(inside or list(range(max(n - length + 1, 1))))


def _future(starts: np.ndarray, length: int, pools: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices of drawn records ``[draws, records]``; each draw takes blocks from its own pool of starts."""
    count = -(-_RECORDS // length)
    picked = np.take_along_axis(pools, rng.integers(0, pools.shape[1], (len(pools), count)), axis=1)
    return (picked[:, :, None] + np.arange(length)).reshape(len(pools), -1)[:, :_RECORDS]


def _baselines(
    healthy: np.ndarray, starts: np.ndarray, length: int, learned: int, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Means ``[draws, channels]`` of baselines that were learned from so many drawn records, less the true mean."""
    count = max(round(learned / length), 1)
    picked = starts[rng.integers(0, len(starts), (draws, count))][:, :, None] + np.arange(length)
    picked = picked.reshape(draws, -1)[:, : max(learned, 1)]
    return np.stack([healthy[rows].mean(axis=0) for rows in picked]) - healthy.mean(axis=0)


@dataclass(frozen=True, eq=False)
class _Draw:
    """Drawn futures and their baselines."""

    healthy: np.ndarray
    future: np.ndarray
    base: np.ndarray

    def count(self, rule: str, heights: np.ndarray, run: int) -> np.ndarray:
        """Episodes per draw and height, ``[draws, heights]``; heights ``[draws, heights]``."""
        draws, grid = heights.shape
        episodes = np.zeros((draws, grid))
        if rule == "row":
            streak = np.zeros((draws, grid), dtype=int)
            for t in range(_RECORDS):
                top = (self.healthy[self.future[:, t]] - self.base).max(axis=1)
                streak = np.where(top[:, None] > heights, streak + 1, 0)
                episodes += streak == run
            return episodes
        state = np.zeros((draws, grid, self.healthy.shape[1]), dtype=np.float32)
        limit = heights[:, :, None].astype(np.float32)
        for t in range(_RECORDS):
            # a baseline that lies too low by an error lifts every record to come by it
            z = np.clip(self.healthy[self.future[:, t]] - self.base, -CLIP, CLIP) - DRIFT
            state += z.astype(np.float32)[:, None, :]
            np.maximum(state, 0.0, out=state)
            hit = state >= limit
            episodes += hit.any(axis=2)
            state[hit] = 0.0  # begins anew at once: never fewer episodes than the rule that waits for 0
        return episodes


def _height(grid: np.ndarray, per: np.ndarray, rate: float) -> float:
    """Height at which the rate is met, by straight lines in the rate's logarithm; beyond the grid by the last slope.

    For heights that count the number of false alarms falls exponentially (Lorden, 1971), so that the slope carries on.
    """
    seen = per > 0
    if not seen.any():
        return float(grid[0])
    x, y = grid[seen], np.log(np.minimum.accumulate(per[seen]))
    if np.log(rate) >= y[0]:
        return float(x[0])
    below = np.flatnonzero(y <= np.log(rate))
    if len(below) and below[0] > 0:
        k = int(below[0])
        share = (y[k - 1] - np.log(rate)) / max(y[k - 1] - y[k], 1e-12)
        return float(x[k - 1] + share * (x[k] - x[k - 1]))
    last = slice(max(len(x) - 4, 0), None)
    slope = float(np.polyfit(x[last], y[last], 1)[0]) if len(x) > 1 else -1.0
    slope = min(slope, -0.05)
    return float(x[-1] + (np.log(rate) - y[-1]) / slope)

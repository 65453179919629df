"""Heights of the alarm rules for a stated number of false alarms per 1,000 records, by block bootstrap.

Healthy records are drawn again in blocks that are longer than their correlation in time, whole records at a time, so
that dependence in time and between teeth stays. Each drawn future is judged against a baseline that was itself drawn
anew from as many healthy records as there are (or as re-baselining learns from): the error of the baseline stays with a
gear for good and is the larger part of what raises false alarms. Counted are episodes of the final rule. Heights are
then raised for their own uncertainty: other healthy sets of the size would have given others, and a height that is too
low costs more than one too high saves.

Assumed: healthy records to come are like those there are (no slower drift than they show), and blocks are exchangeable.

Where so few independent records are there that teeth share one healthy level (``Baseline.pooled``), drawing them again
cannot show what other days bring. Then futures are also made from a model: every tooth keeps a value for as long as
records are correlated and draws a new one after that, from what all teeth show together, beyond its 80 % quantile with
an exponential tail whose mean excess is the upper 95 % limit. The greater of both heights is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.diagnosis.baseline import Baseline
from toothwise.diagnosis.rules import CLIP, DRIFT
from toothwise.diagnosis.settings import MonitorSettings
from toothwise.errors import InputError

__all__ = ["ControlLimits", "FewRecords", "RuleHeight", "calibrate", "control_limits_for"]

_RECORDS = 1000
_TAIL = 0.8  # values of teeth above this quantile are the tail of the model
_DRAWS = 100
_POOLS = 40
_EACH = 12  # futures of each pool
_NEAR = 8
_NONE = 3.689  # upper 97.5 % limit of a Poisson mean where nothing was seen
_GRID = 16
_SEEN = 5  # stretches in the healthy records that a rate of k in a row must rest on


@dataclass(frozen=True)
class RuleHeight:
    """A rule's height for one tier.

    Attributes:
        height: of the statistic.
        stated: false alarms (episodes) per 1,000 records that it was chosen for.
        interval: 95 % bootstrap interval of the actual number, given how few healthy blocks it rests on; of pooled
            teeth 0 to what seeing no alarm in the healthy records excludes.
    """

    height: float
    stated: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class ControlLimits:
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
    few: FewRecords | None = None,
) -> ControlLimits:
    """Choose the heights.

    Args:
        healthy: standardised channels of healthy records, ``[n, channels]`` in time order, held out.
        blocks: ``[n]``, equal entries = one unbroken stretch.
        rates: by tier, false alarms per 1,000 records.
        run: records in a row of the simple rule.
        learned: records that the baseline of the future rests on.
        correlation: healthy records that count as one; a block holds three times as many.
        rng: for the bootstrap.
        few: of pooled teeth, what the model of other days rests on.

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
    base, scale = _baselines(healthy, starts, length, learned, _DRAWS, rng)
    future = _future(starts, length, np.broadcast_to(starts, (_DRAWS, len(starts))), rng)
    draw = _Draw(healthy, future, base, scale)
    # how well the rates are known: from other healthy records of the same kind, drawn block by block
    groups = np.stack([rng.choice(starts, independent) for _ in range(_POOLS)])
    pools = np.repeat(groups, _EACH, axis=0)
    again = _Draw(
        healthy,
        _future(starts, length, pools, rng),
        *_baselines(healthy, starts, length, learned, len(pools), rng),
    )
    model = None if few is None else few.draw(healthy, rng)
    top = healthy.max(axis=1)
    # candidate heights: of the CUSUM far enough to see rates fall, of the row from the middle of the largest channel on
    grids = {"cusum": np.linspace(2.0, 30.0, _GRID), "row": np.linspace(np.median(top), 1.5 * top.max(), _GRID)}
    chosen: dict[str, dict[str, float]] = {}
    for rule, grid in grids.items():
        counts = draw.count(rule, np.broadcast_to(grid, (_DRAWS, _GRID)), run)
        per = counts.mean(axis=0) * 1000.0 / _RECORDS
        # k in a row needs a stretch that was there: a drawn future holds no rarer ones than the healthy records do, so
        # that rates of fewer than five such stretches are extrapolated. The CUSUM adds up blocks in new ways.
        floor = _SEEN * 1000.0 / len(healthy) if rule == "row" else 0.0
        found = {tier: _height(grid, per, rate, floor) for tier, rate in rates.items()}
        # the CUSUM's candidates are few and near, because every one costs as much as all of the row's
        so_far = [height for height, _ in found.values()]
        near = grid if rule == "row" else np.linspace(max(2.0, 0.5 * min(so_far)), 1.4 * max(so_far), _NEAR)
        counts = again.count(rule, np.broadcast_to(near, (len(again.future), len(near))), run)
        others = counts.reshape(_POOLS, _EACH, -1).mean(axis=1) * 1000.0 / _RECORDS
        found = {
            tier: (_raised(pair, [_height(near, p, rates[tier], floor)[0] for p in others]), pair[1])
            for tier, pair in found.items()
        }
        chosen[rule] = {tier: height for tier, (height, _) in found.items()}
        if model is not None:
            wide = grid if rule == "cusum" else np.linspace(grid[0], 3.0 * max(float(model.healthy.max()), 1e-9), _GRID)
            counts = model.count(rule, np.broadcast_to(wide, (_DRAWS, _GRID)), run)
            per = counts.mean(axis=0) * 1000.0 / _RECORDS
            for tier, rate in rates.items():
                chosen[rule][tier] = max(chosen[rule][tier], _height(wide, per, rate, 0.0)[0])
    out: dict[str, dict[str, RuleHeight]] = {}
    for rule, heights in chosen.items():
        counts = again.count(rule, np.broadcast_to(np.array(list(heights.values())), (len(pools), len(heights))), run)
        per = counts.reshape(_POOLS, _EACH, -1).mean(axis=1) * 1000.0 / _RECORDS
        low, high = np.quantile(per, [0.025, 0.975], axis=0)
        if few is not None:
            # drawing two days again shows nothing of a third: what they bear out by themselves is no alarm in so many
            low, high = np.zeros_like(low), np.maximum(high, 1000.0 * _NONE / len(healthy))
        out[rule] = {
            tier: RuleHeight(height, rates[tier], (float(low[k]), float(high[k])))
            for k, (tier, height) in enumerate(heights.items())
        }
    return ControlLimits(out["cusum"], out["row"], length, independent, learned)


def control_limits_for(baseline: Baseline, settings: MonitorSettings, *, learned: int | None = None) -> ControlLimits:
    """Control limits for the settings' rates.

    Args:
        learned: records that the baseline rests on; None = the healthy ones.
    """
    few = None
    if baseline.pooled:
        teeth, together = baseline.teeth, baseline.correlation[0]
        days = max(len(np.unique(baseline.block)) - 1, 1)  # days seen against each other: one difference less
        count = min(len(baseline.healthy) / together, float(days)) * int(teeth.sum())
        few = FewRecords(teeth, together, count)
    return calibrate(
        baseline.healthy,
        baseline.block,
        {"warning": settings.warning, "alarm": settings.rate},
        run=settings.in_a_row,
        learned=baseline.learned if learned is None else learned,
        correlation=baseline.correlation[1],
        few=few,
        rng=np.random.default_rng(settings.seed),
    )


@dataclass(frozen=True)
class FewRecords:
    """What is known of teeth that share one healthy level.

    Attributes:
        teeth: bool ``[channels]``, which channels are teeth.
        correlation: records for which a tooth keeps its value.
        independent: values that were seen, of all teeth together, as independent ones.
    """

    teeth: np.ndarray
    correlation: float
    independent: float

    def draw(self, healthy: np.ndarray, rng: np.random.Generator) -> _Draw:
        """Futures of the model; channels that are no teeth stay at their healthy mean."""
        from scipy.stats import chi2

        values = np.sort(healthy[:, self.teeth].ravel())
        edge = values[int(_TAIL * (len(values) - 1))]
        over = values[values > edge] - edge
        count = max((1.0 - _TAIL) * self.independent, 1.0)
        excess = float(over.mean()) * 2.0 * count / float(chi2.ppf(0.05, 2.0 * count))
        stay = max(round(self.correlation), 1)
        stretches = -(-_RECORDS // stay) + 1
        shape = (_DRAWS, stretches, int(self.teeth.sum()))
        drawn = rng.choice(values, shape)
        drawn = np.where(drawn > edge, edge + rng.exponential(excess, shape), drawn)
        begin = rng.integers(0, stay, (_DRAWS, 1))
        which = (np.arange(_RECORDS)[None] + begin) // stay
        future = np.zeros((_DRAWS * _RECORDS, len(self.teeth)))
        future[:, self.teeth] = np.take_along_axis(drawn, which[:, :, None], axis=1).reshape(len(future), -1)
        index = np.arange(len(future)).reshape(_DRAWS, _RECORDS)
        exact = (_DRAWS, len(self.teeth))
        return _Draw(future, index, np.zeros(exact), np.ones(exact))


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
) -> tuple[np.ndarray, np.ndarray]:
    """Baselines ``[draws, channels]`` that were learned from so many drawn records.

    Returns:
        Their means less the true one; and their spreads over the true one, drawn halfway to 1 as a tooth's spread is.
    """
    count = max(round(learned / length), 1)
    picked = starts[rng.integers(0, len(starts), (draws, count))][:, :, None] + np.arange(length)
    picked = picked.reshape(draws, -1)[:, : max(learned, 1)]
    mean = np.stack([healthy[rows].mean(axis=0) for rows in picked]) - healthy.mean(axis=0)
    spread = np.stack([healthy[rows].std(axis=0) for rows in picked])
    return mean, np.sqrt(np.maximum(spread, 1e-9) / np.maximum(healthy.std(axis=0), 1e-9))


@dataclass(frozen=True, eq=False)
class _Draw:
    """Drawn futures and their baselines."""

    healthy: np.ndarray
    future: np.ndarray
    base: np.ndarray
    scale: np.ndarray

    def _at(self, t: int) -> np.ndarray:
        """The t-th record of every future as its own baseline sees it, ``[draws, channels]``."""
        # a baseline that lies too low by an error lifts every record to come by it
        return (self.healthy[self.future[:, t]] - self.base) / self.scale

    def count(self, rule: str, heights: np.ndarray, run: int) -> np.ndarray:
        """Episodes per draw and height, ``[draws, heights]``; heights ``[draws, heights]``."""
        draws, grid = heights.shape
        episodes = np.zeros((draws, grid))
        if rule == "row":
            streak = np.zeros((draws, grid), dtype=int)
            for t in range(_RECORDS):
                top = self._at(t).max(axis=1)
                streak = np.where(top[:, None] > heights, streak + 1, 0)
                episodes += streak == run
            return episodes
        state = np.zeros((draws, grid, self.healthy.shape[1]), dtype=np.float32)
        limit = heights[:, :, None].astype(np.float32)
        for t in range(_RECORDS):
            z = np.clip(self._at(t), -CLIP, CLIP) - DRIFT
            state += z.astype(np.float32)[:, None, :]
            np.maximum(state, 0.0, out=state)
            hit = state >= limit
            episodes += hit.any(axis=2)
            state[hit] = 0.0  # begins anew at once: never fewer episodes than the rule that waits for 0
        return episodes


def _height(grid: np.ndarray, per: np.ndarray, rate: float, floor: float) -> tuple[float, float]:
    """Height at which the rate is met, by straight lines in the rate's logarithm; below ``floor`` by the last slope.

    For heights that count the number of false alarms falls exponentially (Lorden, 1971), so that the slope carries on.

    Returns:
        Height, and the slope of the logarithm there, negative.
    """
    seen = per > 0
    if (seen & (per >= floor)).sum() >= 2:
        seen &= per >= floor
    if not seen.any():
        return float(grid[0]), -1.0
    x, y = grid[seen], np.log(np.minimum.accumulate(per[seen]))
    last = slice(max(len(x) - 4, 0), None)
    slope = min(float(np.polyfit(x[last], y[last], 1)[0]) if len(x) > 1 else -1.0, -0.05)
    if np.log(rate) >= y[0]:
        return float(x[0]), slope
    below = np.flatnonzero(y <= np.log(rate))
    if len(below):
        k = int(below[0])
        share = (y[k - 1] - np.log(rate)) / max(y[k - 1] - y[k], 1e-12)
        return float(x[k - 1] + share * (x[k] - x[k - 1])), slope
    return float(x[-1] + (np.log(rate) - y[-1]) / slope), slope


def _raised(found: tuple[float, float], others: list[float]) -> float:
    """The height raised so that the rate is the stated one on average over the heights that others would have found.

    The rate falls exponentially with the height, so that a height too low by chance costs more than one too high saves.
    """
    height, slope = found
    middle = float(np.median(others))
    spread = 1.4826 * float(np.median(np.abs(np.array(others) - middle)))
    return height - 0.5 * slope * spread**2  # the mean of a log-normal factor

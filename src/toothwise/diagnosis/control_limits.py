"""Limits of the three channels for one stated number of false alarms, which they share.

The budget (RED 1, AMBER 10 per 1,000 records) is shared by the channels of ``rules``: half of it goes to single
records, a quarter each to several records and to slow growth. A channel that the healthy records cannot bear is off,
and its share goes to the others.

*Single records* need no simulation: the chance of a map among held-out healthy ones is compared with the share itself
(``evaluation.tail.healthy_tail`` widens it for how few these are).

*Sums over records* get their limits by block bootstrap. Healthy records are drawn again in blocks that are longer than
their correlation in time, whole records at a time, so that dependence in time and between teeth stays. Each drawn
future is judged against a baseline that was itself drawn anew: its error stays with a gear for good, and is what raises
false alarms where healthy records are few. Limits are then raised for their own uncertainty, because one too low costs
more than one too high saves.

Assumed: healthy records to come are like those there are (no slower drift than they show), and blocks are exchangeable.
Where so few independent records are there that teeth share one healthy level (``Baseline.pooled``), or that those of
waveforms, which nothing clips, tell no tail of their own (fewer than ``ENOUGH``), futures are also made from a model:
every tooth keeps a value for as long as records are correlated and draws a new one after that, from what all teeth show
together, with an exponential tail at its upper 95 % limit. The greater limit is taken.

*Records of a run* drift for longer than a day, and none of its few healthy days tells how long: a tooth that lies a
little off for good would climb over any limit of a sum, as on many simulated runs without damage it did. Both sums
are off there, and single records, which are compared with drawn days that drift, have the whole budget.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from toothwise.diagnosis.baseline import Baseline
from toothwise.diagnosis.rules import CHANNELS, SUMS, TIERS, AlarmState, MonitorSettings, run_channels
from toothwise.errors import InputError
from toothwise.evaluation.tail import ENOUGH, LEAST
from toothwise.evaluation.thresholds import rate_interval

SHARES = {"single": 0.5, "several": 0.25, "growth": 0.25}
# records at the largest step within which a limit must be reached, or the channel is off
REACH = {"several": 8, "growth": 20}
_RECORDS = 1000
_TAIL = 0.8  # values of teeth above this quantile are the tail of the model
_DRAWS = 100
_POOLS = 40
_EACH = 3  # futures of each pool
_NEAR = 8
_GRID = np.linspace(2.0, 30.0, 16)


@dataclass(frozen=True)
class RuleHeight:
    """A channel's limit for one tier.

    Attributes:
        height: Of the statistic.
        stated: False alarms (episodes) per 1,000 records: its share of the budget.
    """

    height: float
    stated: float


@dataclass(frozen=True)
class ControlLimits:
    """Limits of the channels that are on.

    Attributes:
        channels: By channel ("single", "several", "growth") and tier ("warning" = AMBER, "alarm" = RED).
        off: Channels that are off.
        block: Records of a bootstrap block; ``blocks`` of them are in the healthy records.
        learned: Healthy records that a baseline rests on.
        intervals: By tier, false alarms per 1,000 records that the held-out healthy records bear out (95 %).
    """

    channels: dict[str, dict[str, RuleHeight]]
    off: tuple[str, ...]
    block: int
    blocks: int
    learned: int
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def single_rate(self) -> float:
        """The chance per record at which a single map is AMBER; 0 where that channel is off."""
        return self.channels["single"]["warning"].stated / 1000.0 if "single" in self.channels else 0.0

    def heights(self) -> dict[str, dict[str, float]]:
        """The limits as numbers, by channel and tier."""
        return {name: {tier: one.height for tier, one in own.items()} for name, own in self.channels.items()}


def single_limits(rates: dict[str, float], share: float) -> dict[str, RuleHeight]:
    """The limits of single records: the share itself, as -log10 of a chance."""
    return {t: RuleHeight(-float(np.log10(rate * share / 1000.0)), rate * share) for t, rate in rates.items()}


def calibrate(
    healthy: np.ndarray,
    blocks: np.ndarray,
    rates: dict[str, float],
    *,
    learned: int,
    correlation: float,
    rng: np.random.Generator,
    few: FewRecords | None = None,
    single: bool = True,
    lasting: bool = False,
) -> ControlLimits:
    """Choose the limits.

    Args:
        healthy: Standardised channels of healthy records, ``[n, things]`` in time order, held out.
        blocks: ``[n]``, equal entries = one unbroken stretch.
        rates: By tier, false alarms per 1,000 records.
        learned: Records that the baseline of the future rests on.
        correlation: Healthy records that count as one; a block holds three times as many.
        rng: For the bootstrap.
        few: Of pooled teeth, what the model of other days rests on.
        single: Whether single records are judged too (not after re-baselining).
        lasting: Whether healthy teeth drift for longer than a stretch lasts, so that records do not add up: sums are
            off where single records are judged.

    Raises:
        InputError: Fewer than 8 healthy records where sums over records alone are judged, or a rate that is not in
            (0, 200].
    """
    if len(healthy) < LEAST and not single:
        raise InputError(f"alarm limits need {LEAST} healthy records or more, but got {len(healthy)}")
    if len(healthy) < LEAST:
        return ControlLimits({"single": single_limits(rates, 1.0)}, CHANNELS[1:], 1, len(healthy), learned)
    longest = int(np.max(np.bincount(np.unique(blocks, return_inverse=True)[1])))
    wished = int(np.ceil(3.0 * correlation))
    length = int(np.clip(wished, min(5, len(healthy) // 4), max(5, min(longest, len(healthy) // 4))))
    if lasting and single:
        alone = {"single": single_limits(rates, 1.0)}
        return ControlLimits(alone, CHANNELS[1:], length, len(healthy) // length, learned)
    starts = _starts(blocks, length)

    def future(pools: np.ndarray) -> np.ndarray:
        """Indices of drawn records ``[draws, records]``; each draw takes blocks from its own pool of starts."""
        count = -(-_RECORDS // length)
        picked = np.take_along_axis(pools, rng.integers(0, pools.shape[1], (len(pools), count)), axis=1)
        return (picked[:, :, None] + np.arange(length)).reshape(len(pools), -1)[:, :_RECORDS]

    def baselines(draws: int) -> tuple[np.ndarray, np.ndarray]:
        """Of baselines that were learned from so many drawn records: means less the true one, and spreads over it.

        They are ``[draws, things]``; spreads are drawn halfway to 1 as a tooth's spread is.
        """
        count = max(round(learned / length), 1)
        picked = starts[rng.integers(0, len(starts), (draws, count))][:, :, None] + np.arange(length)
        picked = picked.reshape(draws, -1)[:, : max(learned, 1)]
        mean = np.stack([healthy[rows].mean(axis=0) for rows in picked]) - healthy.mean(axis=0)
        spread = np.stack([healthy[rows].std(axis=0) for rows in picked])
        return mean, np.sqrt(np.maximum(spread, 1e-9) / np.maximum(healthy.std(axis=0), 1e-9))

    base = baselines(_DRAWS)
    known = _Draw(healthy, future(np.broadcast_to(starts, (_DRAWS, len(starts)))), *base)
    # how well a limit is known: from other healthy records of the same kind, drawn block by block
    groups = np.stack([rng.choice(starts, max(len(healthy) // length, 1)) for _ in range(_POOLS)])
    pools = np.repeat(groups, _EACH, axis=0)
    others = _Draw(healthy, future(pools), *baselines(len(pools)))
    model = None if few is None else few.draw(healthy, rng)
    off: list[str] = [] if single else ["single"]
    heights: dict[str, dict[str, float]] = {}
    for name in ("growth", "several"):  # growth first: what it cannot use goes to the others
        share = _share(name, off)
        found = _heights(name, {tier: rate * share for tier, rate in rates.items()}, known, others, model)
        # with a few records' baseline alone a limit that is out of reach is better than none
        if max(found.values()) > REACH[name] * (SUMS[name].clip - SUMS[name].drift) and len(off) < 2:
            off.append(name)
        else:
            heights[name] = found
    channels = {"single": single_limits(rates, _share("single", off))} if single else {}
    for name in ("several", "growth"):
        for tier, height in heights.get(name, {}).items():
            channels.setdefault(name, {})[tier] = RuleHeight(height, rates[tier] * _share(name, off))
    return ControlLimits(channels, tuple(n for n in CHANNELS if n in off), length, len(healthy) // length, learned)


def _share(name: str, off: list[str]) -> float:
    return SHARES[name] / sum(share for other, share in SHARES.items() if other not in off)


def control_limits_for(baseline: Baseline, settings: MonitorSettings, *, learned: int | None = None) -> ControlLimits:
    """Control limits for the settings' rates.

    Args:
        learned: Records that the baseline rests on; None = the healthy ones.
    """
    few, teeth, together = None, baseline.teeth, baseline.correlation[0]
    if baseline.pooled or (baseline.by_waveform and len(baseline.healthy) / together < ENOUGH):
        days = max(len(np.unique(baseline.block)) - 1, 1)  # days seen against each other: one difference less
        count = min(len(baseline.healthy) / together, float(days)) * int(teeth.sum())
        few = FewRecords(teeth, together, count)
    found = calibrate(
        baseline.healthy,
        baseline.block,
        {"warning": settings.warning, "alarm": settings.rate},
        learned=baseline.learned if learned is None else learned,
        correlation=baseline.correlation[1],
        few=few,
        rng=np.random.default_rng(settings.seed),
        single=learned is None,
        lasting=baseline.drawn > 0,
    )
    return replace(found, intervals=_borne_out(found, baseline))


def _borne_out(limits: ControlLimits, baseline: Baseline) -> dict[str, tuple[float, float]]:
    """Episodes per 1,000 records among the held-out healthy ones, as far as so few independent ones tell (95 %)."""
    z = baseline.healthy
    things = z.shape[1]
    before = AlarmState.begin(things)
    sums = {name: own for name, own in limits.heights().items() if name != "single"}
    course = run_channels(z, np.zeros(z.shape), sums, before, teeth=baseline.teeth, whole=~baseline.teeth)
    worth = max(len(z) / baseline.correlation[1], 1.0)
    out = {}
    for tier in TIERS:
        low, high = rate_interval(len(course.begins(tier, before)) / len(z), worth)
        out[tier] = (1000.0 * low, 1000.0 * high)
    return out


@dataclass(frozen=True)
class FewRecords:
    """What is known of teeth that share one healthy level.

    Attributes:
        teeth: Bool ``[things]``, which ones are teeth.
        correlation: Records for which a tooth keeps its value.
        independent: Values that were seen, of all teeth together, as independent ones.
    """

    teeth: np.ndarray
    correlation: float
    independent: float

    def draw(self, healthy: np.ndarray, rng: np.random.Generator) -> _Draw:
        """Futures of the model; things that are no teeth stay at their healthy mean."""
        from scipy.special import chdtri

        values = np.sort(healthy[:, self.teeth].ravel())
        edge = values[int(_TAIL * (len(values) - 1))]
        over = values[values > edge] - edge
        count = max((1.0 - _TAIL) * self.independent, 1.0)
        excess = float(over.mean()) * 2.0 * count / float(chdtri(2.0 * count, 0.95))
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


def _heights(name: str, rates: dict[str, float], known: _Draw, others: _Draw, model: _Draw | None) -> dict[str, float]:
    """The limits of a sum, by tier, from futures of the healthy records, of others of the kind, and of other days."""
    per = known.count(name, _GRID).mean(axis=0) * 1000.0 / _RECORDS
    found = {tier: _height(_GRID, per, rate) for tier, rate in rates.items()}
    so_far = [height for height, _ in found.values()]
    near = np.linspace(max(2.0, 0.5 * min(so_far)), 1.4 * max(so_far), _NEAR)
    each = others.count(name, near).reshape(_POOLS, _EACH, -1).mean(axis=1) * 1000.0 / _RECORDS
    out = {tier: _raised(pair, [_height(near, p, rates[tier])[0] for p in each]) for tier, pair in found.items()}
    if model is not None:
        per = model.count(name, _GRID).mean(axis=0) * 1000.0 / _RECORDS
        out = {tier: max(height, _height(_GRID, per, rates[tier])[0]) for tier, height in out.items()}
    least = 1.01 * (SUMS[name].clip - SUMS[name].drift)  # one record alone is the business of another channel
    warning = max(out["warning"], least)
    return {"warning": warning, "alarm": max(out["alarm"], warning + 0.5)}


def _starts(blocks: np.ndarray, length: int) -> np.ndarray:
    """Where a block of so many records may begin without crossing a gap in time; of short stretches, anywhere."""
    n = len(blocks)
    inside = [k for k in range(n - length + 1) if blocks[k] == blocks[k + length - 1]]
    return np.array(inside or list(range(max(n - length + 1, 1))))


@dataclass(frozen=True, eq=False)
class _Draw:
    """Drawn futures and their baselines."""

    healthy: np.ndarray
    future: np.ndarray
    base: np.ndarray
    scale: np.ndarray

    def count(self, name: str, heights: np.ndarray) -> np.ndarray:
        """Episodes of a sum per draw and height, ``[draws, heights]``.

        An excursion from 0 that climbs to several times the limit counts as often: a rule that begins anew at its limit
        would have alarmed so many times.
        """
        how, (draws, records) = SUMS[name], self.future.shape
        healthy, base, scale = (part.astype(np.float32) for part in (self.healthy, self.base, 1.0 / self.scale))
        state = np.zeros((draws, healthy.shape[1]), dtype=np.float32)
        peak, found = state.copy(), []
        for t in range(records):
            z = healthy[self.future[:, t]]
            z -= base  # a baseline that lies too low by an error lifts every record to come by it
            z *= scale
            np.clip(z, -how.clip, how.clip, out=z)
            state += z
            state -= np.float32(how.drift)
            np.maximum(state, 0.0, out=state)
            np.maximum(peak, state, out=peak)
            ended = (state == 0.0) & (peak > 0.0)
            high = np.nonzero(ended & (peak >= heights[0]))
            found.append((high[0], peak[high]))
            peak[ended] = 0.0
        found.append((np.nonzero(peak)[0], peak[peak > 0.0]))
        episodes = np.zeros((draws, len(heights)))
        for which, top in found:
            np.add.at(episodes, which, np.floor(top[:, None] / heights[None]))
        return episodes


def _height(grid: np.ndarray, per: np.ndarray, rate: float) -> tuple[float, float]:
    """Limit at which the rate is met, by straight lines in the rate's logarithm; beyond the grid by the last slope.

    The number of false alarms falls exponentially with the limit (Lorden, 1971), so that the slope carries on.

    Returns:
        Limit, and the slope of the logarithm there, negative.
    """
    seen = per > 0
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
    """The limit raised so that the rate is the stated one on average over the limits that others would have found.

    The rate falls exponentially with the limit, so that one too low by chance costs more than one too high saves.
    """
    height, slope = found
    middle = float(np.median(others))
    spread = 1.4826 * float(np.median(np.abs(np.array(others) - middle)))
    return height - 0.5 * slope * spread**2  # the mean of a log-normal factor

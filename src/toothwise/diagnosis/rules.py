"""How records are monitored: three channels over everything that is watched, and one ladder to AMBER and RED.

What is watched are *things*: every tooth, the level of the whole map, one cycle per revolution. Each is judged by

- *single*: how rare the record's own map is among held-out healthy maps, whatever its size;
- *several*: a CUSUM that only large evidence moves, so that a few records decide (a record counts with at most 5);
- *growth*: a CUSUM that small evidence moves too, which finds slow growth (a record counts with at most 3).

A channel's statistic is put on one ladder, on which 1 is AMBER's limit and 2 is RED's; a thing stands at the highest of
its channels. All of it is a recursion: where it stands after a record is all that later records need of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from toothwise.checks import check_range, check_whole
from toothwise.errors import InputError
from toothwise.reference.records import parse_bins


@dataclass(frozen=True)
class MonitorSettings:
    """How records are monitored; a state keeps the settings that it was begun with.

    Attributes:
        rate: False alarms per 1,000 records of the alarm (RED), counted as episodes; single records, several records
            and slow growth share it.
        warning: The same of the warning (AMBER).
        learn: How many records a baseline is learned from after re-baselining.
        level: The contrast that growth is extrapolated to.
        bins: Edges by condition ("load", "speed", "temperature"): every bin has a healthy baseline of its own. Without
            edges the gaps between the healthy records' values part them.
        sensors: The column of the maps' table that names the sensor; the maps of one record are then averaged.
        sequence: True judges maps as records in time order, False each on its own. None judges several maps as records
            in the order given, and a single one on its own where no store is given. The limits are the same.
        seed: Seed of the bootstrap that control limits rest on.

    Raises:
        InputError: A value out of range.

    Examples:
        >>> from toothwise.diagnosis import MonitorSettings
        >>> MonitorSettings(rate=0.5).warning
        10.0
        >>> MonitorSettings(rate=50.0)
        Traceback (most recent call last):
        ...
        toothwise.errors.InputError: warning must be a number in [50, 200], but got 10.0
    """

    rate: float = 1.0
    warning: float = 10.0
    learn: int = 30
    level: float = 2.0
    bins: dict[str, tuple[float, ...]] = field(default_factory=dict)
    sensors: str | None = None
    sequence: bool | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "bins", {name: tuple(map(float, edges)) for name, edges in self.bins.items()})
        check_range("(0, 200]", rate=self.rate)
        check_range(f"[{self.rate:g}, 200]", warning=self.warning)  # false alarms per 1,000 records
        check_whole(10, learn=self.learn)
        check_range("(1, inf)", level=self.level)


@dataclass(frozen=True)
class Reset:
    """A re-baselining: records from index ``at`` on are judged against a baseline that they begin."""

    at: int
    reason: str
    after: str | None


def chosen_settings(*, bins: Sequence[str] = (), **given: Any) -> dict[str, Any]:
    """The settings that were named on a command line, by name; those that are None were not.

    Args:
        bins: As in "load=0.5,0.8", or "load" for the gaps that healthy records show.
        given: Fields of ``MonitorSettings``. A warning rate that is not given is ten times the alarm's.

    Examples:
        >>> chosen_settings(rate=0.5, warning=None, bins=["load=0.5,0.8"])
        {'rate': 0.5, 'warning': 5.0, 'bins': {'load': (0.5, 0.8)}}
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    if "rate" in chosen and "warning" not in chosen:
        chosen["warning"] = min(10.0 * chosen["rate"], 200.0)
    return chosen | ({"bins": parse_bins(bins)} if bins else {})


CHANNELS = ("single", "several", "growth")
TIERS = ("warning", "alarm")  # AMBER and RED, steps 1 and 2 of the ladder
BEYOND = 6.0  # -log10 of the chance of a line from which on it is never forgotten, once two records have shown one
_HOLD = {1: 5, 2: 20}  # quiet records after which evidence may contradict AMBER and RED
_MEMORY = 10.0  # records of the running mean that contradicts
_CALM = 0.5  # the mean, in healthy standard deviations, below which a thing is back at its healthy level


class Sum(NamedTuple):
    """A one-sided CUSUM (Page, Biometrika 41, 1954): what a record must exceed, and what it counts with at most."""

    drift: float
    clip: float


class Lead(NamedTuple):
    """The tooth that leads, and since which judged record; the one that led before it, and until when. -1 = none."""

    thing: int = -1
    since: int = -1
    before: int = -1
    until: int = -1


_TIE = 0.7  # share of a peak's evidence from which on a neighbour may be the tooth itself, if it is louder
_OVERTAKES = 1.2  # times the evidence of the tooth that leads that another one needs to lead


def next_lead(lead: Lead, level: np.ndarray, evidence: np.ndarray, loud: np.ndarray, near: np.ndarray, at: int) -> Lead:
    """Which tooth leads after a record: the one that did, until another one is more than the scatter ahead of it.

    Args:
        lead: Before the record.
        level, evidence: Of every thing; of what is no tooth the level is 0.
        loud: How far each stands off its healthy level: evidence is clipped, so that a tooth and its leak may tie.
        near: Which things are neighbours, bool ``[things, things]``.
        at: The record.
    """
    top = level == level.max(initial=0)
    if not level.max(initial=0):
        return Lead()
    best = int(np.where(top, evidence, -1.0).argmax())
    beside = top & near[best] & (evidence >= _TIE * evidence[best]) & (loud > loud[best])
    best = int(np.where(beside, loud, -np.inf).argmax()) if beside.any() else best
    if lead.thing < 0:
        return Lead(best, at)
    if best == lead.thing or (
        top[lead.thing]
        and evidence[best] <= _OVERTAKES * evidence[lead.thing]
        and (not near[best, lead.thing] or loud[best] <= _OVERTAKES * loud[lead.thing])
    ):
        return lead
    return Lead(best, at, lead.thing, at)


SUMS = {"several": Sum(1.25, 5.0), "growth": Sum(0.5, 3.0)}


def ladder(statistic: np.ndarray, amber: float, red: float) -> np.ndarray:
    """A statistic on the ladder: 1 at AMBER's limit, 2 at RED's, straight lines between and beyond.

    Examples:
        >>> import numpy as np
        >>> ladder(np.array([2.0, 4.0, 6.0, 8.0]), 4.0, 8.0)
        array([0.5, 1. , 1.5, 2. ])
    """
    step = max(red - amber, 1e-9)
    return np.where(statistic < amber, statistic / amber, 1.0 + (statistic - amber) / step)


@dataclass(frozen=True, eq=False)
class AlarmState:
    """Where the channels stand after a record, by thing ``[things]``.

    Attributes:
        sums: The CUSUMs, by channel.
        evidence: The same sum as of growth with nothing cut off: what teeth are ranked by.
        level: 0, 1 (AMBER) or 2 (RED): what it reached and evidence has not contradicted.
        quiet: Records since it last reached AMBER; ``mean``: running mean of its evidence.
        since: At which judged record its level left 0, -1 = it is 0.
        beyond: How many single maps have shown it beyond doubt.
        loud: Running mean of how far it stands off its healthy level.
        left: At which judged record a tooth was among those of the highest level for the last time before it fell
            behind; -1 = it never was, or is.
        lead: The tooth that leads.
    """

    sums: Mapping[str, np.ndarray]
    evidence: np.ndarray
    level: np.ndarray
    quiet: np.ndarray
    mean: np.ndarray
    since: np.ndarray
    beyond: np.ndarray
    loud: np.ndarray
    left: np.ndarray
    lead: Lead = field(default_factory=Lead)

    @classmethod
    def begin(cls, things: int) -> AlarmState:
        """Nothing has been seen yet."""
        zero, none = np.zeros(things), np.zeros(things, dtype=int)
        return cls(dict.fromkeys(SUMS, zero), zero, none, none, zero, none - 1, none, zero, none - 1)

    def __post_init__(self) -> None:
        parts = (self.evidence, self.level, self.quiet, self.mean, self.since, self.beyond, self.loud, self.left)
        if set(self.sums) != set(SUMS) or len({len(part) for part in (*parts, *self.sums.values())}) != 1:
            raise InputError("the parts of an alarm state must be of one length")


def shared_level(level: np.ndarray, evidence: np.ndarray, near: np.ndarray, teeth: np.ndarray) -> np.ndarray:
    """Levels, where a tooth that alarms has that of a neighbour with less evidence.

    Two teeth are in mesh at a time, so that one record may show a tooth's damage at the next one: what it shows beyond
    doubt there is about the tooth that all records together speak for.

    Args:
        level, evidence: Of every thing.
        near: Which things are neighbours, bool ``[things, things]``.
        teeth: Which things are teeth.

    Examples:
        >>> near = np.abs(np.subtract.outer(np.arange(4), np.arange(4))) == 1
        >>> shared_level(np.array([0, 1, 2, 1]), np.array([9.0, 8.0, 5.0, 4.0]), near, np.ones(4, bool)).tolist()
        [0, 2, 2, 1]
    """
    highest = level.max(initial=0)
    for k in np.flatnonzero(teeth & (level == highest)) if highest > 1 else ():
        level = np.where(near[k] & teeth & (level > 0) & (evidence > evidence[k]), highest, level)
    return level


@dataclass(frozen=True, eq=False)
class Course:
    """What the channels say of n records.

    Attributes:
        step: Where every thing stands on the ladder, float64 ``[n, things]``.
        level: The level of every thing after each record, int ``[n, things]``.
        reached: By channel, whether any thing reached AMBER by it, bool ``[n]``; ``now``: 0, 1 or 2 at the last record.
        state: After the last record.
    """

    step: np.ndarray
    level: np.ndarray
    reached: dict[str, np.ndarray]
    now: dict[str, int]
    state: AlarmState

    def begins(self, tier: str, before: AlarmState) -> np.ndarray:
        """Records at which the colour of a tier begins, int: episodes of AMBER (or worse), or of RED."""
        height = TIERS.index(tier) + 1
        on = np.concatenate([[before.level.max(initial=0)], self.level.max(axis=1, initial=0)]) >= height
        return np.flatnonzero(on[1:] & ~on[:-1])


def run_channels(
    z: np.ndarray,
    single: np.ndarray,
    limits: Mapping[str, Mapping[str, float]],
    before: AlarmState,
    *,
    teeth: np.ndarray,
    whole: np.ndarray,
    loud: np.ndarray | None = None,
    near: np.ndarray | None = None,
    at: int = 0,
) -> Course:
    """Judge records by all channels.

    A level is given up (the state that a person sees) only when evidence contradicts it: no channel has reached AMBER
    for 5 records (AMBER) or 20 (RED), and the running mean is back at the healthy level. While the whole gear is
    raised, a tooth cannot be contradicted, because its evidence is measured against the other teeth. A tooth that
    single maps have shown beyond doubt, in two records, stays AMBER until somebody begins a new baseline.

    Args:
        z: Standardised evidence ``[n, things]``.
        single: -log10 of the chance of each thing in the record's own map, 0 where nothing was found ``[n, things]``.
        limits: By channel that is on, the limits of "warning" and "alarm".
        before: Where the channels stood before.
        teeth: Which things are teeth; ``whole``: which ones tell of the whole gear, bool ``[things]``.
        loud: How far each thing stands off its healthy level ``[n, things]``, and ``near``, which ones are neighbours:
            where they are not given, no tooth leads.
        at: Judged records before these.
    """
    n, things = z.shape
    heights = {name: (own["warning"], own["alarm"]) for name, own in limits.items()}
    sums, evidence, level, quiet = dict(before.sums), before.evidence, before.level, before.quiet
    mean, since, beyond, louder = before.mean, before.since, before.beyond, before.loud
    left, lead = before.left, before.lead
    first = _first(level, teeth)
    steps, levels = np.zeros((n, things)), np.zeros((n, things), dtype=int)
    reached = {name: np.zeros(n, dtype=bool) for name in CHANNELS}
    now = dict.fromkeys(CHANNELS, 0)
    for t in range(n):
        step = np.zeros(things)
        for name, (amber, red) in heights.items():
            if name in SUMS:
                how = SUMS[name]
                raised = sums[name] + np.clip(z[t], -how.clip, how.clip) - how.drift
                sums[name] = np.clip(raised, 0.0, 2.0 * red)
            own = ladder(sums[name] if name in SUMS else single[t], amber, red)
            now[name] = int(min(own.max(initial=0.0), 2.0))
            reached[name][t] = now[name] >= 1
            step = np.maximum(step, own)
        evidence = np.maximum(evidence + z[t] + single[t] * (z[t] == 0.0) - _CALM, 0.0)
        mean = mean + (z[t] - mean) / _MEMORY
        beyond = beyond + (teeth & (single[t] >= BEYOND))
        new = np.minimum(step, 2.0).astype(int)
        quiet = np.where(new > 0, 0, quiet + 1)
        since = np.where((level == 0) & (new > 0), at + t, since)
        level = np.maximum(level, new)
        if near is not None:
            level = shared_level(level, evidence, near, teeth)
        hold = np.where(level == 2, _HOLD[2], _HOLD[1])
        drowned = teeth & bool(level[whole].any())
        gone = (quiet >= hold) & (mean < _CALM) & ~drowned
        sure = (beyond > 0) & (beyond.sum() >= 2)
        level = np.where(gone, np.where(sure, np.minimum(level, 1), 0), level)
        since = np.where(level == 0, -1, since)
        was, first = first, _first(level, teeth)
        left = np.where(first, -1, np.where(was, at + t - 1, left))
        steps[t], levels[t] = step, level
        if loud is not None and near is not None:
            louder = louder + (loud[t] - louder) / _MEMORY
            lead = next_lead(lead, np.where(teeth, level, 0), evidence, louder, near, at + t)
    state = AlarmState(sums, evidence, level, quiet, mean, since, beyond, louder, left, lead)
    return Course(steps, levels, reached, now, state)


def _first(level: np.ndarray, teeth: np.ndarray) -> np.ndarray:
    """Which teeth are at the highest level of all things, where that is not 0."""
    return teeth & (level > 0) & (level == level.max(initial=0))

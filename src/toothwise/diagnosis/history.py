"""Records on the healthy scale, the rules over them, and what is remembered of those that are no longer kept.

Rules are recursions: where they stand after a record is all that later records need of it. Onset, growth, pattern and
contrast look at the last 1,000 judged records at most, and these are kept. So what is said is the same whether old
records are kept or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from toothwise.diagnosis.baseline import Baseline
from toothwise.diagnosis.control_limits import ControlLimits
from toothwise.diagnosis.onset_growth import LONGEST
from toothwise.diagnosis.rules import (
    BETS,
    EDetector,
    EState,
    cusum,
    e_detector,
    e_process,
    in_a_row,
    latched,
    line_episodes,
    row_length,
)
from toothwise.diagnosis.settings import MonitorSettings, Reset
from toothwise.diagnosis.summary import RecordSummary
from toothwise.diagnosis.verdict import Place

__all__ = [
    "KEPT",
    "MOST",
    "CompactedHistory",
    "Means",
    "RuleState",
    "Rules",
    "TrackedRecords",
    "compact",
    "place_of",
    "run_rules",
    "track_records",
]

KEPT = LONGEST  # judged records that stay
MOST = KEPT + KEPT // 2  # records at which older ones are let go
_TIERS = ("alarm", "warning")
_OLD = {"row": "in_a_row"}  # names of rules in states of version 0.1


class Means(NamedTuple):
    """A baseline that was learned after re-baselining: means of channels ``[channels]``, lines ``[lines]``, level."""

    channels: np.ndarray
    contrast: np.ndarray
    level: float


@dataclass(frozen=True)
class TrackedRecords:
    """The n records that are judged.

    Attributes:
        judged: int ``[n]``, index of each among the records given.
        channels: standardised, ``[n, channels]``; after re-baselining, less what the new baseline shows.
        statistic: the CUSUM of each channel, ``[n, channels]``.
        contrast: log contrast of every line over the middle one of its gear, ``[n, lines]``; ``level``: log level
            ``[n]``.
        beyond: bool ``[n]``, whether the record's own map shows a line that is beyond doubt.
        learned: records that the new baseline rests on, ``means`` what it is; None without re-baselining.
        begin: the first record given that counts: the last re-baselining, or 0.
    """

    judged: np.ndarray
    channels: np.ndarray
    statistic: np.ndarray
    contrast: np.ndarray
    level: np.ndarray
    beyond: np.ndarray
    learned: int | None
    means: Means | None
    begin: int


@dataclass(frozen=True, eq=False)
class RuleState:
    """Where the rules stand after the judged records since the last re-baselining that are no longer kept.

    Attributes:
        judged, unjudged: how many records; ``transients``: names of those with a transient.
        means: of the baseline that was learned after re-baselining, None without one.
        statistic: of the CUSUM ``[channels]``; ``on``: by tier, channels in an episode, bool ``[channels]``.
        row: records in a row above the height of that rule.
        bets: of the e-detector.
        first: by rule, the record of its first alarm; ``episodes``: by rule, alarms in all.
        began: the channel that the first alarm was about.
    """

    judged: int
    unjudged: int
    transients: tuple[str, ...]
    means: Means | None
    statistic: np.ndarray
    on: Mapping[str, np.ndarray]
    row: int
    bets: EState
    first: Mapping[str, Place]
    episodes: Mapping[str, int]
    began: int | None

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "judged": self.judged,
            "unjudged": self.unjudged,
            "transients": list(self.transients),
            "means": None
            if self.means is None
            else {name: np.asarray(part).tolist() for name, part in self.means._asdict().items()},
            "statistic": self.statistic.tolist(),
            "on": {tier: np.flatnonzero(on).tolist() for tier, on in self.on.items()},
            "row": self.row,
            "bets": {"values": self.bets.values.tolist(), "counted": self.bets.counted},
            "first": {rule: [at.number - 1, at.record, at.time] for rule, at in self.first.items()},
            "episodes": dict(self.episodes),
            "began": self.began,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RuleState:
        """The inverse."""
        statistic = np.array(data["statistic"], dtype=np.float64)
        on = {tier: np.zeros(len(statistic), dtype=bool) for tier in _TIERS}
        for tier, channels in data["on"].items():
            on[tier][np.array(channels, dtype=int)] = True
        means = data["means"]
        return cls(
            judged=int(data["judged"]),
            unjudged=int(data["unjudged"]),
            transients=tuple(map(str, data["transients"])),
            means=None
            if means is None
            else Means(np.array(means["channels"]), np.array(means["contrast"]), float(means["level"])),
            statistic=statistic,
            on=on,
            row=int(data["row"]),
            bets=EState(np.array(data["bets"]["values"], dtype=np.float64), int(data["bets"]["counted"])),
            first={
                _OLD.get(rule, rule): Place(str(name), int(at) + 1, time[0] if time else None)
                for rule, (at, name, *time) in data["first"].items()
            },
            episodes={_OLD.get(rule, rule): int(count) for rule, count in data["episodes"].items()},
            began=None if data["began"] is None else int(data["began"]),
        )


@dataclass(frozen=True, eq=False)
class CompactedHistory:
    """Records that are no longer kept: how many, their names, and where the rules stood.

    Attributes:
        names: of all of them, so that one that comes again is known.
        standing: None where all of them are older than the last re-baselining.
    """

    names: tuple[str, ...] = ()
    standing: RuleState | None = None
    known: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", frozenset(self.names))

    def __len__(self) -> int:
        return len(self.names)

    def since(self, resets: Sequence[Reset]) -> RuleState | None:
        """Where the rules stand, if they do: not where all was re-baselined after the last of these records."""
        return None if resets and resets[-1].at >= len(self) else self.standing

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        return {"names": list(self.names), "standing": None if self.standing is None else self.standing.as_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CompactedHistory:
        """The inverse."""
        standing = data["standing"]
        return cls(tuple(map(str, data["names"])), None if standing is None else RuleState.from_json(standing))


def track_records(
    seen: Sequence[RecordSummary],
    baseline: Baseline,
    *,
    resets: Sequence[Reset] = (),
    learn: int = 30,
    past: CompactedHistory | None = None,
) -> TrackedRecords:
    """The records from the last re-baselining on that have a baseline.

    Args:
        seen: of ``summarize_records``.
        baseline: that they were put on the scale of.
        resets: re-baselinings; the last one counts.
        learn: records that the new baseline is learned from.
        past: records before these that are no longer kept.
    """
    before = None if past is None else past.since(resets)
    begin = max(resets[-1].at - (0 if past is None else len(past)), 0) if resets else 0
    judged = np.array([k for k, s in enumerate(seen) if k >= begin and s.channels], dtype=int)
    z = np.array([seen[k].channels for k in judged]).reshape(len(judged), len(baseline.channels))
    contrast = np.array([seen[k].contrast for k in judged]).reshape(len(judged), len(baseline.line_axis))
    level = np.array([seen[k].level for k in judged], dtype=float)
    # single maps are compared with the healthy ones as they were before any re-baselining, so they are silent after it
    beyond = np.array([seen[k].beyond_doubt and not resets for k in judged], dtype=bool)
    for axis in np.unique(baseline.line_axis):
        own = baseline.line_axis == axis
        # a damaged tooth shifts the median at each place that contrasts are told from; that shifts all lines alike
        contrast[:, own] -= np.median(contrast[:, own], axis=1, keepdims=True)
    means = None if before is None else before.means
    if resets and means is None:
        if len(z) > learn:
            means = Means(z[:learn].mean(axis=0), contrast[:learn].mean(axis=0), float(level[:learn].mean()))
        z, contrast, level, judged, beyond = (part[learn:] for part in (z, contrast, level, judged, beyond))
    if means is not None:
        z, contrast, level = z - means.channels, contrast - means.contrast, level - means.level
    statistic = cusum(z, None if before is None else before.statistic)
    return TrackedRecords(judged, z, statistic, contrast, level, beyond, learn if resets else None, means, begin)


@dataclass(frozen=True, eq=False)
class Rules:
    """What the rules make of judged records.

    Attributes:
        begins: by rule ("alarm", "warning", "in_a_row", "bound", "single"), judged records at which it raises an alarm.
        on: by tier, channels in an episode after the last record.
        row: records in a row at the end.
        bets: how the e-detector ends; ``detector``: its bounds.
        began: channel that the first alarm ever was about, None = none.
    """

    begins: dict[str, np.ndarray]
    on: dict[str, np.ndarray]
    row: int
    bets: EState
    detector: EDetector
    began: int | None


def run_rules(
    tracked: TrackedRecords,
    baseline: Baseline,
    settings: MonitorSettings,
    limits: ControlLimits,
    before: RuleState | None,
    last: int | None = None,
) -> Rules:
    """All rules over records, from where they stood before; ``last`` = over the first so many of them."""
    channels = tracked.channels[:last]
    detector = e_detector(baseline.healthy[:, baseline.teeth], baseline.block)
    teeth = int(baseline.teeth.sum())
    bets = EState(np.zeros((detector.gap, len(BETS), teeth)))
    on: dict[str, np.ndarray | None] = dict.fromkeys(_TIERS)
    start, row, began = None, 0, None
    if before is not None:
        bets = EState(before.bets.values.copy(), before.bets.counted)
        on, start, row, began = dict(before.on), before.statistic, before.row, before.began
    statistic = cusum(channels, start)
    tiers, simple = limits.cusum, limits.row["alarm"].height
    begins = {tier: line_episodes(statistic, tiers[tier].height, on[tier]) for tier in _TIERS}
    begins["in_a_row"] = in_a_row(channels, simple, settings.in_a_row, row)
    begins["bound"] = e_process(channels[:, baseline.teeth], detector, 1000.0 / settings.rate, bets)[1]
    begins["single"] = np.flatnonzero(tracked.beyond[:last])
    if began is None and len(begins["alarm"]):
        began = int(statistic[begins["alarm"][0]].argmax())
    return Rules(
        begins,
        {tier: latched(statistic, tiers[tier].height, on[tier]) for tier in _TIERS},
        row_length(channels, simple, row),
        bets,
        detector,
        began,
    )


def place_of(seen: Sequence[RecordSummary], past: CompactedHistory, index: int) -> Place:
    """The place of a record that is kept."""
    return Place(seen[index].name, len(past) + index + 1, seen[index].time)


def compact(
    seen: Sequence[RecordSummary],
    baseline: Baseline,
    settings: MonitorSettings,
    limits: ControlLimits,
    *,
    resets: Sequence[Reset] = (),
    past: CompactedHistory,
) -> tuple[list[RecordSummary], CompactedHistory]:
    """Let old records go where there are many: what is still kept, and what is remembered.

    Args:
        seen: records kept so far; ``past``: what was remembered before them.
        baseline, settings, limits, resets: that they are judged with.
    """
    if len(seen) < MOST:
        return list(seen), past
    course = track_records(seen, baseline, resets=resets, learn=settings.learn, past=past)
    gone = len(course.judged) - KEPT
    if gone <= 0:
        return list(seen), past
    before = past.since(resets)
    cut = int(course.judged[gone])
    rules = run_rules(course, baseline, settings, limits, before, gone)
    first = {} if before is None else dict(before.first)
    episodes = {} if before is None else dict(before.episodes)
    for rule, begins in rules.begins.items():
        episodes[rule] = episodes.get(rule, 0) + len(begins)
        if len(begins) and rule not in first:
            first[rule] = place_of(seen, past, int(course.judged[begins[0]]))
    old = seen[course.begin : cut]
    judged = sum(bool(s.channels) for s in old)
    start = None if before is None else before.statistic
    standing = RuleState(
        judged=gone + (0 if before is None else before.judged),
        unjudged=len(old) - judged + (0 if before is None else before.unjudged),
        transients=(() if before is None else before.transients)
        + tuple(s.name for s in old if s.pattern == "transient"),
        means=course.means,
        statistic=cusum(course.channels[:gone], start)[-1],
        on=rules.on,
        row=rules.row,
        bets=rules.bets,
        first=first,
        episodes=episodes,
        began=rules.began,
    )
    return list(seen[cut:]), CompactedHistory((*past.names, *(s.name for s in seen[:cut])), standing)

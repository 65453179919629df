"""Records on the healthy scale, the channels over them, and what is remembered of those that are no longer kept.

Channels are recursions: where they stand after a record is all that later records need of it. Onset, growth, pattern
and contrast look at the last 1,000 judged records at most, and these are kept. So what is said is the same whether old
records are kept or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from toothwise.diagnosis.baseline import Baseline, Channel
from toothwise.diagnosis.control_limits import ControlLimits
from toothwise.diagnosis.rules import SUMS, TIERS, AlarmState, Course, Reset, run_channels
from toothwise.diagnosis.summary import RecordSummary
from toothwise.diagnosis.verdict import Place

KEPT = 1000  # judged records that stay; onset and growth look at no more
MOST = KEPT + KEPT // 2  # records at which older ones are let go
_UNNUMBERED = (Channel("tooth", 1), Channel("tooth", 2))  # teeth of a gear whose tooth zero is unknown


def things_of(baseline: Baseline) -> tuple[Channel, ...]:
    """Everything that can alarm: what the baseline watches, and for either gear a tooth whose number is unknown."""
    return (*baseline.channels, *_UNNUMBERED)


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
        channels: standardised, ``[n, things]``; after re-baselining, less what the new baseline shows.
        single: -log10 of the chance of what the record's own map shows, ``[n, things]``; 0 = nothing.
        contrast: log contrast of every line over the middle one of its gear, ``[n, lines]``; ``level``: log level
            ``[n]``.
        learned: records that the new baseline rests on, ``means`` what it is; None without re-baselining.
        begin: the first record given that counts: the last re-baselining, or 0.
    """

    judged: np.ndarray
    channels: np.ndarray
    single: np.ndarray
    contrast: np.ndarray
    level: np.ndarray
    learned: int | None
    means: Means | None
    begin: int


@dataclass(frozen=True, eq=False)
class RuleState:
    """Where the channels stand after the judged records since the last re-baselining that are no longer kept.

    Attributes:
        judged, unjudged: how many records; ``transients``: names of those with a transient.
        means: of the baseline that was learned after re-baselining, None without one.
        alarm: the state of the channels.
        first: by rule, the record of its first alarm; ``episodes``: by rule, alarms in all.
        began: by rule ("alarm" = RED, "warning" = AMBER), the thing that its first alarm was about.
    """

    judged: int
    unjudged: int
    transients: tuple[str, ...]
    means: Means | None
    alarm: AlarmState
    first: Mapping[str, Place]
    episodes: Mapping[str, int]
    began: Mapping[str, int]

    @property
    def channels(self) -> int:
        """How many channels a record has."""
        return len(self.alarm.level) - len(_UNNUMBERED)


@dataclass(frozen=True, eq=False)
class CompactedHistory:
    """Records that are no longer kept: how many, their names, and where the rules stood.

    Attributes:
        names: of all of them, so that one that comes again is known.
        standing: None where all of them are older than the last re-baselining.
    """

    names: tuple[str, ...] = ()
    standing: RuleState | None = None

    @cached_property
    def known(self) -> frozenset[str]:
        """The names, to look one up."""
        return frozenset(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def since(self, resets: Sequence[Reset]) -> RuleState | None:
        """Where the rules stand, if they do: not where all was re-baselined after the last of these records."""
        return None if resets and resets[-1].at >= len(self) else self.standing


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
    things = things_of(baseline)
    place = {(c.kind, c.axis, c.tooth): k for k, c in enumerate(things)}
    z = np.array([(*seen[k].channels, *[0.0] * len(_UNNUMBERED)) for k in judged]).reshape(len(judged), len(things))
    contrast = np.array([seen[k].contrast for k in judged]).reshape(len(judged), len(baseline.line_axis))
    level = np.array([seen[k].level for k in judged], dtype=float)
    single = np.zeros(z.shape)
    # single maps are compared with the healthy ones as they were before any re-baselining, so they are silent after it
    for row, k in enumerate(judged if not resets else ()):
        for kind, axis, tooth, evidence in seen[k].alone:
            single[row, place[kind, axis, tooth]] = evidence
    for axis in np.unique(baseline.line_axis):
        own = baseline.line_axis == axis
        # a damaged tooth shifts the median at each place that contrasts are told from; that shifts all lines alike
        contrast[:, own] -= np.median(contrast[:, own], axis=1, keepdims=True)
    means = None if before is None else before.means
    if resets and means is None:
        if len(z) > learn:
            means = Means(z[:learn].mean(axis=0), contrast[:learn].mean(axis=0), float(level[:learn].mean()))
        z, contrast, level, judged, single = (part[learn:] for part in (z, contrast, level, judged, single))
    if means is not None:
        z, contrast, level = z - means.channels, contrast - means.contrast, level - means.level
    return TrackedRecords(judged, z, single, contrast, level, learn if resets else None, means, begin)


@dataclass(frozen=True, eq=False)
class Rules:
    """What the channels make of judged records.

    Attributes:
        course: where everything stands.
        begins: by rule ("alarm" = RED, "warning" = AMBER, and the channels), judged records at which it begins.
        began: by tier, the thing that its first alarm ever was about.
    """

    course: Course
    begins: dict[str, np.ndarray]
    began: dict[str, int]


def run_rules(
    tracked: TrackedRecords,
    baseline: Baseline,
    limits: ControlLimits,
    before: RuleState | None,
    last: int | None = None,
) -> Rules:
    """All channels over records, from where they stood before; ``last`` = over the first so many of them."""
    things = things_of(baseline)
    kinds = np.array([c.kind for c in things])
    start = AlarmState.begin(len(things)) if before is None else before.alarm
    teeth = kinds == "tooth"
    numbered = [k for k, c in enumerate(things) if c.kind == "tooth" and c.tooth >= 0]
    lines = [int(np.argmax(baseline.line_axis == things[k].axis)) + things[k].tooth for k in numbered]
    # of neighbours that have changed as much since they were healthy the one that records name by themselves is meant
    loud = tracked.channels[:last] + tracked.single[:last]
    if not baseline.by_waveform:
        loud = np.zeros(loud.shape)
        loud[:, numbered] = (tracked.contrast[:last] / baseline.contrast_sd)[:, lines]
    course = run_channels(
        tracked.channels[:last],
        tracked.single[:last],
        limits.heights(),
        start,
        teeth=teeth,
        whole=np.isin(kinds, ("level up", "cycle", "change")),
        loud=loud,
        near=_neighbours(things),
        at=0 if before is None else before.judged,
    )
    begins = {tier: course.begins(tier, start) for tier in TIERS}
    for name, reached in course.reached.items():
        if name in SUMS:  # episodes; of single records every one counts
            amber = limits.heights().get(name, {}).get("warning", np.inf)
            was = bool(start.sums[name].max(initial=0.0) >= amber)
            reached = reached & ~np.concatenate([[was], reached[:-1]])
        begins[name] = np.flatnonzero(reached)
    began = {} if before is None else dict(before.began)
    for height, tier in enumerate(TIERS, 1):
        if tier not in began and len(begins[tier]):
            first = int(begins[tier][0])
            began[tier] = int(np.where(course.level[first] >= height, course.step[first], -1.0).argmax())
    return Rules(course, begins, began)


def _neighbours(things: Sequence[Channel]) -> np.ndarray:
    """Which things are teeth of one gear side by side, bool ``[things, things]``."""
    axis = np.array([c.axis if c.kind == "tooth" and c.tooth >= 0 else -1 for c in things])
    tooth = np.array([c.tooth for c in things])
    size = np.array([max(int((axis == a).sum()), 1) for a in axis])
    away = (tooth[:, None] - tooth[None]) % size[:, None]
    found: np.ndarray = (
        (axis[:, None] == axis[None]) & (axis[:, None] > 0) & ((away == 1) | (away == size[:, None] - 1))
    )
    return found


def place_of(seen: Sequence[RecordSummary], past: CompactedHistory, index: int) -> Place:
    """The place of a record that is kept."""
    return Place(seen[index].name, len(past) + index + 1, seen[index].time)


def compact(
    seen: Sequence[RecordSummary],
    baseline: Baseline,
    learn: int,
    limits: ControlLimits,
    *,
    resets: Sequence[Reset] = (),
    past: CompactedHistory,
) -> tuple[list[RecordSummary], CompactedHistory]:
    """Let old records go where there are many: what is still kept, and what is remembered.

    Args:
        seen: records kept so far; ``past``: what was remembered before them.
        baseline, learn, limits, resets: that they are judged with.
    """
    if len(seen) < MOST:
        return list(seen), past
    course = track_records(seen, baseline, resets=resets, learn=learn, past=past)
    gone = len(course.judged) - KEPT
    if gone <= 0:
        return list(seen), past
    before = past.since(resets)
    cut = int(course.judged[gone])
    rules = run_rules(course, baseline, limits, before, gone)
    first = {} if before is None else dict(before.first)
    episodes = {} if before is None else dict(before.episodes)
    for rule, begins in rules.begins.items():
        episodes[rule] = episodes.get(rule, 0) + len(begins)
        if len(begins) and rule not in first:
            first[rule] = place_of(seen, past, int(course.judged[begins[0]]))
    old = seen[course.begin : cut]
    judged = sum(bool(s.channels) for s in old)
    standing = RuleState(
        judged=gone + (0 if before is None else before.judged),
        unjudged=len(old) - judged + (0 if before is None else before.unjudged),
        transients=(() if before is None else before.transients)
        + tuple(s.name for s in old if s.pattern == "transient"),
        means=course.means,
        alarm=rules.course.state,
        first=first,
        episodes=episodes,
        began=rules.began,
    )
    return list(seen[cut:]), CompactedHistory((*past.names, *(s.name for s in seen[:cut])), standing)

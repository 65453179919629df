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

from toothwise.diagnosis.baseline import UNNUMBERED, Baseline, Channel
from toothwise.diagnosis.control_limits import ControlLimits
from toothwise.diagnosis.rules import SUMS, TIERS, AlarmState, Course, Reset, run_channels
from toothwise.diagnosis.summary import RecordSummary
from toothwise.diagnosis.verdict import Place

KEPT = 1000  # judged records that stay; onset and growth look at no more
MOST = KEPT + KEPT // 2  # records at which older ones are let go


class Means(NamedTuple):
    """A baseline that was learned after re-baselining: means of channels ``[channels]``, lines ``[lines]``, level."""

    channels: np.ndarray
    contrast: np.ndarray
    level: float


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
        return len(self.alarm.level) - len(UNNUMBERED)


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

    def since(self, resets: Sequence[Reset], baseline: Baseline) -> RuleState:
        """Where the rules stand: at the beginning where all was re-baselined after the last of these records."""
        if self.standing is None or (resets and resets[-1].at >= len(self)):
            return RuleState(0, 0, (), None, AlarmState.begin(len(baseline.things)), {}, {}, {})
        return self.standing


NOTHING_BEFORE = CompactedHistory()


@dataclass(frozen=True, eq=False)
class TrackedRecords:
    """The n records that are judged.

    Attributes:
        seen: records given; ``past``: those before them that are no longer kept, ``before``: where the rules stood.
        judged: int ``[n]``, index of each among the records given.
        channels: standardised, ``[n, things]``; after re-baselining, less what the new baseline shows.
        single: -log10 of the chance of what the record's own map shows, ``[n, things]``; 0 = nothing.
        contrast: log contrast of every line over the middle one of its gear, ``[n, lines]``; ``level``: log level
            ``[n]``.
        learned: records that the new baseline rests on, ``means`` what it is; None without re-baselining.
        begin: the first record given that counts: the last re-baselining, or 0.
    """

    seen: Sequence[RecordSummary]
    past: CompactedHistory
    before: RuleState
    judged: np.ndarray
    channels: np.ndarray
    single: np.ndarray
    contrast: np.ndarray
    level: np.ndarray
    learned: int | None
    means: Means | None
    begin: int

    def __len__(self) -> int:
        return len(self.judged)

    @cached_property
    def records(self) -> list[RecordSummary]:
        """The records themselves."""
        return [self.seen[k] for k in self.judged]

    def place(self, k: int) -> Place:
        """The place of one of them among all records of the machine."""
        return Place(self.records[k].name, len(self.past) + int(self.judged[k]) + 1, self.records[k].time)


def track_records(
    seen: Sequence[RecordSummary],
    baseline: Baseline,
    *,
    resets: Sequence[Reset] = (),
    learn: int = 30,
    past: CompactedHistory = NOTHING_BEFORE,
) -> TrackedRecords:
    """The records from the last re-baselining on that have a baseline.

    Args:
        seen: of ``summarize_records``.
        baseline: that they were put on the scale of.
        resets: re-baselinings; the last one counts.
        learn: records that the new baseline is learned from.
        past: records before these that are no longer kept.
    """
    before = past.since(resets, baseline)
    begin = max(resets[-1].at - len(past), 0) if resets else 0
    judged = np.array([k for k, s in enumerate(seen) if k >= begin and s.channels], dtype=int)
    place = {(c.kind, c.axis, c.tooth): k for k, c in enumerate(baseline.things)}
    z = np.array([(*seen[k].channels, *[0.0] * len(UNNUMBERED)) for k in judged]).reshape(len(judged), len(place))
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
    means = before.means
    if resets and means is None:
        if len(z) > learn:
            means = Means(z[:learn].mean(axis=0), contrast[:learn].mean(axis=0), float(level[:learn].mean()))
        z, contrast, level, judged, single = (part[learn:] for part in (z, contrast, level, judged, single))
    if means is not None:
        z, contrast, level = z - means.channels, contrast - means.contrast, level - means.level
    learned = learn if resets else None
    return TrackedRecords(seen, past, before, judged, z, single, contrast, level, learned, means, begin)


@dataclass(frozen=True, eq=False)
class Rules:
    """What the channels make of judged records.

    Attributes:
        course: where everything stands.
        first, episodes: by rule ("alarm" = RED, "warning" = AMBER, and the channels), the record of its first alarm
            ever, and how many there were.
        began: by tier, the thing that its first alarm ever was about.
    """

    course: Course
    first: dict[str, Place]
    episodes: dict[str, int]
    began: dict[str, int]


def run_rules(tracked: TrackedRecords, baseline: Baseline, limits: ControlLimits, last: int | None = None) -> Rules:
    """All channels over records, from where they stood before; ``last`` = over the first so many of them."""
    things, before = baseline.things, tracked.before
    kinds, start = np.array([c.kind for c in things]), before.alarm
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
        at=before.judged,
    )
    begins = {tier: course.begins(tier, start) for tier in TIERS}
    for name, reached in course.reached.items():
        if name in SUMS:  # episodes; of single records every one counts
            amber = limits.heights().get(name, {}).get("warning", np.inf)
            was = bool(start.sums[name].max(initial=0.0) >= amber)
            reached = reached & ~np.concatenate([[was], reached[:-1]])
        begins[name] = np.flatnonzero(reached)
    first, episodes, began = dict(before.first), dict(before.episodes), dict(before.began)
    for rule, own in begins.items():
        episodes[rule] = episodes.get(rule, 0) + len(own)
        if len(own) and rule not in first:
            first[rule] = tracked.place(own[0])
    for height, tier in enumerate(TIERS, 1):
        if tier not in began and len(begins[tier]):
            k = int(begins[tier][0])
            began[tier] = int(np.where(course.level[k] >= height, course.step[k], -1.0).argmax())
    return Rules(course, first, episodes, began)


def _neighbours(things: Sequence[Channel]) -> np.ndarray:
    """Which things are teeth of one gear side by side, bool ``[things, things]``."""
    axis = np.array([c.axis if c.kind == "tooth" and c.tooth >= 0 else -1 for c in things])
    tooth = np.array([c.tooth for c in things])
    size = np.array([max(int((axis == a).sum()), 1) for a in axis])
    away = (tooth[:, None] - tooth[None]) % size[:, None]
    return (axis[:, None] == axis[None]) & (axis[:, None] > 0) & ((away == 1) | (away == size[:, None] - 1))


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
    before, cut = course.before, int(course.judged[gone])
    rules = run_rules(course, baseline, limits, gone)
    old = seen[course.begin : cut]
    judged = sum(bool(s.channels) for s in old)
    standing = RuleState(
        judged=gone + before.judged,
        unjudged=len(old) - judged + before.unjudged,
        transients=before.transients + tuple(s.name for s in old if s.pattern == "transient"),
        means=course.means,
        alarm=rules.course.state,
        first=rules.first,
        episodes=rules.episodes,
        began=rules.began,
    )
    return list(seen[cut:]), CompactedHistory((*past.names, *(s.name for s in seen[:cut])), standing)

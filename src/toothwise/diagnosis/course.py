"""Records on the healthy scale, one after the other: what the rules of a watch look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from toothwise.diagnosis.baseline import Baseline
from toothwise.diagnosis.history import RecordSummary
from toothwise.diagnosis.rules import cusum
from toothwise.diagnosis.verdict import Reset

if TYPE_CHECKING:
    from toothwise.diagnosis.memory import CompactedHistory

__all__ = ["Means", "TrackedRecords", "track_records"]


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
        learned: records that the new baseline rests on, ``means`` what it is; None without re-baselining.
        begin: the first record given that counts: the last re-baselining, or 0.
    """

    judged: np.ndarray
    channels: np.ndarray
    statistic: np.ndarray
    contrast: np.ndarray
    level: np.ndarray
    learned: int | None
    means: Means | None
    begin: int


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
    for axis in np.unique(baseline.line_axis):
        own = baseline.line_axis == axis
        # a damaged tooth shifts the median at each place that contrasts are told from; that shifts all lines alike
        contrast[:, own] -= np.median(contrast[:, own], axis=1, keepdims=True)
    means = None if before is None else before.means
    if resets and means is None:
        if len(z) > learn:
            means = Means(z[:learn].mean(axis=0), contrast[:learn].mean(axis=0), float(level[:learn].mean()))
        z, contrast, level, judged = z[learn:], contrast[learn:], level[learn:], judged[learn:]
    if means is not None:
        z, contrast, level = z - means.channels, contrast - means.contrast, level - means.level
    statistic = cusum(z, None if before is None else before.statistic)
    return TrackedRecords(judged, z, statistic, contrast, level, learn if resets else None, means, begin)

"""Records on the healthy scale, one after the other: what the rules of a watch look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toothwise.diagnosis.baseline import Baseline
from toothwise.diagnosis.history import Seen
from toothwise.diagnosis.rules import cusum
from toothwise.diagnosis.verdict import Reset

__all__ = ["Course", "course_of"]


@dataclass(frozen=True, eq=False)
class Course:
    """The n records that are judged.

    Attributes:
        judged: int ``[n]``, index of each among the records given.
        channels: standardised, ``[n, channels]``; after re-baselining, less what the new baseline shows.
        statistic: the CUSUM of each channel, ``[n, channels]``.
        contrast: log contrast of every line over the middle one of its gear, ``[n, lines]``; ``level``: log level
            ``[n]``.
        learned: records that the new baseline rests on, None without re-baselining.
    """

    judged: np.ndarray
    channels: np.ndarray
    statistic: np.ndarray
    contrast: np.ndarray
    level: np.ndarray
    learned: int | None


def course_of(seen: Sequence[Seen], baseline: Baseline, *, resets: Sequence[Reset] = (), learn: int = 30) -> Course:
    """The records from the last re-baselining on that have a baseline.

    Args:
        seen: of ``look_at``.
        baseline: that they were put on the scale of.
        resets: re-baselinings; the last one counts.
        learn: records that the new baseline is learned from.
    """
    begin = resets[-1].at if resets else 0
    judged = np.array([k for k, s in enumerate(seen) if k >= begin and s.channels], dtype=int)
    z = np.array([seen[k].channels for k in judged]).reshape(len(judged), len(baseline.channels))
    contrast = np.array([seen[k].contrast for k in judged]).reshape(len(judged), len(baseline.line_axis))
    level = np.array([seen[k].level for k in judged], dtype=float)
    for axis in np.unique(baseline.line_axis):
        own = baseline.line_axis == axis
        # a damaged tooth shifts the median at each place that contrasts are told from; that shifts all lines alike
        contrast[:, own] -= np.median(contrast[:, own], axis=1, keepdims=True)
    learned = None
    if resets:
        learned, first = learn, slice(0, learn)
        if len(z) > learned:
            z, contrast, level = (part - part[first].mean(axis=0) for part in (z, contrast, level))
        z, contrast, level, judged = z[learned:], contrast[learned:], level[learned:], judged[learned:]
    return Course(judged, z, cusum(z), contrast, level, learned)

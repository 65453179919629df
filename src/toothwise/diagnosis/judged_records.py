"""Judged records as arrays, and what is read from them: a tooth's course, since when, contrast, growth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from toothwise.diagnosis.baseline import Baseline
from toothwise.diagnosis.control_limits import ControlLimits
from toothwise.diagnosis.growth import Growth, fit_growth
from toothwise.diagnosis.history import (
    KEPT,
    Rules,
    TrackedRecords,
)
from toothwise.diagnosis.rules import MonitorSettings, Reset
from toothwise.diagnosis.sequence_words import record_word
from toothwise.diagnosis.teeth import stands_out
from toothwise.diagnosis.verdict import Diagnosis, Tooth
from toothwise.diagnosis.words import HARDLY, tooth_of
from toothwise.messages import Message, both, say

RECENT = 10  # records that the present contrast rests on
_BACK = 0.8  # healthy standard deviations within which the mean of the last records is that of a sound tooth
_LATER = 5  # records by which one must alarm after it, to be nothing that the same change brought about
_EARLIER = 10  # records by which a tooth must alarm before the whole gear to be what that began with
_TOLD = 3  # teeth that no longer lead, and are told at most
_FEW = 20  # records since onset from which on the laws of growth tell a step by themselves
_USUAL = 2.0  # healthy standard deviations within which the level of a record is a usual one
_SURELY = 3  # such records after which it is said to be back, though their sum still stands beyond a limit
_PROFILE = 20  # records that the pattern is read from


@dataclass(frozen=True, eq=False)
class JudgedRecords:
    """Judged records as arrays, and what is read from them."""

    tracked: TrackedRecords
    baseline: Baseline
    settings: MonitorSettings
    limits: ControlLimits
    gears: tuple[str, str]
    resets: tuple[Reset, ...]
    rules: Rules
    spacing: tuple[float, ...] = ()

    def _at(self, axis: int, tooth: int | None) -> int:
        """The thing that a tooth is; None or -1 = a tooth without a number."""
        wanted = ("tooth", axis, -1 if tooth is None else tooth)
        return next(k for k, c in enumerate(self.baseline.things) if (c.kind, c.axis, c.tooth) == wanted)

    def _profile(self, axis: int) -> np.ndarray:
        """Mean log contrast of a gear's teeth over the last 20 records, in healthy standard deviations of one."""
        own = self.baseline.line_axis == axis
        return self.tracked.contrast[-_PROFILE:, own].mean(axis=0) / self.baseline.contrast_sd[own]

    def _along(self, tooth: Tooth) -> np.ndarray:
        """Log contrast of a tooth along its whole line, per judged record."""
        if tooth.tooth is None:  # each record's own strongest line
            lines = [one.line for one in self.tracked.records]
            return np.array([0.0 if line is None or line[0] != tooth.axis else line[2] for line in lines])
        own = np.flatnonzero(self.baseline.line_axis == tooth.axis)
        return self.tracked.contrast[:, own[tooth.tooth]]

    def _since(self, d: Diagnosis) -> Diagnosis:
        """Onset, contrast and growth of what alarms."""
        series, sd, correlation = self._series(d)
        alarmed = self._alarmed(d)
        onset = find_onset(series / sd, correlation=correlation, latest=alarmed)
        since, first, last = (self.tracked.place(k) for k in (onset.record, *onset.interval))
        growth: Growth | None = None
        # where a change began is hardly known at first: records from before a step make growth of it
        step = len(series) - onset.record < _FEW and sudden(series / sd, correlation=correlation)
        if (d.teeth or self._by_level(d)) and not step:
            times = [one.time for one in self.tracked.records]
            growth = fit_growth(series, level=self.settings.level, since=onset.record, times=times)
        contrast, interval, along = self._contrast(d, onset.record)
        said = {"contrast_along": along, "shape": self._shape(contrast, interval)}
        return replace(
            d,
            since=since,
            since_interval=(first, last),
            alarmed=None if alarmed is None else self.tracked.place(alarmed),
            contrast=contrast,
            contrast_interval=interval,
            contrast_along=None if along is None else str(along),
            growth=growth,
            messages=d.messages | {name: (one,) for name, one in said.items() if one is not None},
        )

    def _alarmed(self, d: Diagnosis) -> int | None:
        """The judged record at which what alarms first stood beyond a limit; None where that is no longer kept."""
        final, before = self.rules.course.state, self.tracked.before
        if d.teeth:
            one = d.teeth[0]
            contacts = () if one.contact is None else (one.contact,)
            own = [self._at(one.axis, t) for t in (one.tooth, *one.leak, *one.alike, *contacts)]
        else:
            own = [k for k, c in enumerate(self.baseline.things) if c.kind != "tooth"]
        begun = [int(final.since[k]) for k in own if final.since[k] >= 0]
        first = min(begun, default=-1) - before.judged
        return first if first >= 0 else None

    def _back(self, teeth: Sequence[Tooth]) -> Message | None:
        """That the last records show nothing of the only tooth: its channel is where healthy ones are."""
        if len(teeth) != 1:
            return None
        at = self._at(teeth[0].axis, teeth[0].tooth)
        last = self.tracked.channels[-RECENT:, at]
        if len(last) < RECENT or abs(float(last.mean())) >= _BACK:
            return None
        return say(
            "its last {records} records look healthy, as after a repair or in a condition that hides it", records=RECENT
        )

    def _precedes(self, k: int, whole: Sequence[Any]) -> bool:
        """Whether a tooth is what a change of the whole gear began with: single maps show it, or it alarmed before.

        What cells of single maps show beside a level that has changed by more counts only if it came first, or some
        records later and of a tooth that stands out among the others of its gear.
        """
        final, level = self.rules.course.state, self.tracked.level[-RECENT:]
        if final.level[k] == 2 and final.beyond[k] > 1:
            thing = self.baseline.things[k]
            one = Tooth("", thing.axis, thing.tooth if thing.tooth >= 0 else None, 0.0, 0.0, ())
            change = abs(float(np.median(level))) if len(level) and not self.baseline.by_waveform else -np.inf
            if float(self._along(one)[-RECENT:].mean()) > change:
                return True
            # what changed the level had left this tooth where the others are
            others = [w for w in np.flatnonzero(final.level) if self.baseline.things[w].kind != "tooth"]
            later = all(final.since[k] >= final.since[w] + _LATER for w in others)
            if later and thing.tooth >= 0 and stands_out(self._profile(thing.axis), thing.tooth, 1.0)[1]:
                return True
        return self._earlier(k, whole)

    def _earlier(self, k: int, whole: Sequence[Any]) -> bool:
        """Whether a tooth alarmed ten records before the whole gear did."""
        since = self.rules.course.state.since
        return bool(whole) and all(since[k] + _EARLIER <= since[w] for w in whole)

    def _series(self, d: Diagnosis) -> tuple[np.ndarray, float, float]:
        """What onset and growth are read from, its healthy standard deviation, and records that count as one."""
        if d.teeth:
            own = self.baseline.contrast_sd[self.baseline.line_axis == d.teeth[0].axis]
            sd = float(own.mean() if d.teeth[0].tooth is None else own[d.teeth[0].tooth])
            return self._along(d.teeth[0]), sd, self.baseline.correlation[0]
        if "changed" in d.messages or (d.pattern == "whole gear" and not self._by_level(d)):
            cycles = [k for k, c in enumerate(self.baseline.things) if c.kind in ("cycle", "change")]
            loudest = max(cycles, key=lambda k: self.tracked.channels[-_PROFILE:, k].mean())
            return self.tracked.channels[:, loudest], 1.0, 1.0
        series = self.tracked.level if self.tracked.level[-RECENT:].mean() >= 0 else -self.tracked.level
        return series, max(self.baseline.level_sd, 1e-9), self.baseline.correlation[1]

    def _by_level(self, d: Diagnosis) -> bool:
        """Whether a whole gear is named for its level, not for one cycle per revolution or its usual tooth."""
        if d.pattern != "whole gear":
            return False
        kinds = {c.kind: k for k, c in enumerate(self.baseline.channels) if c.kind.startswith("level")}
        return bool(self.rules.course.state.level[kinds["level up"]] > 0)

    def _contrast(self, d: Diagnosis, onset: int) -> tuple[float | None, tuple[float, float] | None, Message | None]:
        """Contrast of the strongest tooth over the last ten records since onset, with a t interval over them.

        Along its extent the variance counts twice: where that begins and ends was chosen on the same records, all of
        which are wrong the same way (found on simulated runs, where the plain interval held 88 %).
        """
        from scipy.special import stdtrit

        if not d.teeth:
            return None, None, None
        tooth = d.teeth[0]
        near = {tooth.tooth, *tooth.leak, *tooth.alike}
        last = slice(max(onset, len(self.tracked) - RECENT), None)
        recent = [one.line for one in self.tracked.records[last]]
        shown = [line[2] for line in recent if line is not None and line[0] == tooth.axis and near & {line[1], None}]
        values, along, chosen = np.array(shown), say("its extent in single maps"), 2.0
        if len(shown) < max(min(3, len(recent)), len(recent) // 2):
            values, along, chosen = self._along(tooth)[last], say("its whole line"), 1.0
        middle = float(values.mean())
        half = 0.0
        if len(values) > 1:
            error = float(values.std(ddof=1) * np.sqrt(chosen / len(values)))
            half = float(stdtrit(len(values) - 1, 0.975)) * error
        return float(np.exp(middle)), (float(np.exp(middle - half)), float(np.exp(middle + half))), along

    def _shape(self, contrast: float | None, interval: tuple[float, float] | None) -> Message | None:
        """That a tooth is told by its waveform, where its level alone does not tell it."""
        if contrast is None or interval is None or not self.baseline.by_waveform:
            return None
        if not 1.0 / HARDLY < contrast < HARDLY and not interval[0] <= 1.0 <= interval[1]:
            return None
        return say("its waveform has changed, its level not clearly ({contrast:.2f} times healthy)", contrast=contrast)

    def _level_now(self) -> float:
        """Log level of the last ten records, of none from before it stood beyond a limit."""
        last = self.tracked.level[max(self._level_began()[0], len(self.tracked.level) - RECENT) :]
        return float(np.median(last)) if len(last) else 0.0

    def _level_began(self) -> tuple[int, list[int]]:
        """The kept record at which the level first stood beyond a limit, 0 = none, and the things that tell it."""
        final, before = self.rules.course.state, self.tracked.before
        own = [k for k, c in enumerate(self.baseline.channels) if c.kind.startswith("level")]
        begun = min((int(final.since[k]) for k in own if final.since[k] >= 0), default=0)
        return max(begun - before.judged, 0), own

    def _passed(self) -> Message | None:
        """That a level beyond its limit is back where healthy ones are, since when, and where it was."""
        (begun, own), level = self._level_began(), self.tracked.level
        if not len(level) or not self.rules.course.state.level[own].any():
            return None
        furthest = begun + int(np.abs(level[begun:]).argmax())
        still = (self.tracked.channels[:, own].max(axis=1) >= _USUAL) | (2.0 * np.abs(level) >= abs(level[furthest]))
        back = int(np.flatnonzero(still).max(initial=-1)) + 1
        quiet = bool((self.rules.course.state.quiet[own] > 0).all())
        if len(level) - back < (1 if quiet else _SURELY):
            return None
        at, since = (self.tracked.place(k) for k in (furthest, back))
        return say(
            "the level of all teeth was {level:.2f} times healthy at {record}; from {since} on it is as healthy ones "
            "are",
            level=float(np.exp(level[furthest])),
            record=record_word(at),
            since=record_word(since),
        )

    def _away(self) -> list[np.ndarray]:
        """How far the teeth of either gear are off in the last ten records, in healthy standard deviations."""
        away = self.tracked.contrast[-RECENT:] / self.baseline.contrast_sd
        return [away[:, self.baseline.line_axis == axis] for axis in np.unique(self.baseline.line_axis)]

    def _evidence(self) -> list[np.ndarray]:
        """Mean evidence of the teeth of either gear in the last ten records."""
        things, mean = self.baseline.things, self.tracked.channels[-RECENT:].mean(axis=0)
        axes = np.array([c.axis if c.kind == "tooth" and c.tooth >= 0 else 0 for c in things])
        return [mean[axes == axis] for axis in np.unique(self.baseline.line_axis)]

    def _size(self, axis: int) -> int:
        return int((self.baseline.line_axis == axis).sum())

    def _led(self, teeth: tuple[Tooth, ...]) -> Message | None:
        """Which tooth led before the one that leads now, in words; not where the two are told as one."""
        lead, things = self.rules.course.state.lead, self.baseline.things
        if lead.before < 0 or not teeth or things[lead.before].tooth in (teeth[0].contact, *teeth[0].alike):
            return None
        return say(
            "Until {record} the records spoke for {tooth}; by now this tooth stands out more.",
            record=self._record_word(lead.until),
            tooth=self._tooth_word(lead.before),
        )

    def _left(self, teeth: tuple[Tooth, ...]) -> Iterator[Message]:
        """Which teeth alarmed beside the one that leads, or before it, and do so no more; none that is one with it."""
        if not teeth:
            return
        things, final = self.baseline.things, self.rules.course.state
        one = [
            (t.axis, number) for t in teeth for number in (t.tooth, *t.leak, *t.alike, t.contact) if number is not None
        ]
        near = {(axis, (number + step) % self._size(axis)) for axis, number in one for step in (-1, 0, 1)}
        begun = max(int(final.since[self._at(teeth[0].axis, teeth[0].tooth)]), 0)
        known = [k for k, thing in enumerate(things) if thing.tooth >= 0 and k != final.lead.before]
        known = [k for k in known if (things[k].axis, things[k].tooth) not in near]
        still = [k for k in known if final.level[k] and (final.left[k] >= 0 or final.since[k] < begun)]
        if still:
            yield say("There is some evidence of {teeth} too, far less than of this one.", teeth=self._words_of(still))
        gone = [k for k in known if final.left[k] >= 0 and k not in still]
        gone.sort(key=lambda k: -final.left[k])
        beside = [k for k in gone if final.left[k] >= begun]
        if beside:
            yield say("Until {record} {teeth} stood beyond the limit too: no longer.", **self._until(beside))
        passed = [k for k in gone if final.left[k] < begun]
        if passed:
            yield say("What spoke for {teeth} earlier, last at {record}, has passed.", **self._until(passed))

    def _until(self, ordered: list[int]) -> dict[str, Message]:
        """Teeth and the record at which the first of them was beyond the limit for the last time."""
        last = self._record_word(int(self.rules.course.state.left[ordered[0]]))
        return {"record": last, "teeth": self._words_of(ordered)}

    def _words_of(self, ordered: list[int]) -> Message:
        """The first few of these teeth."""
        return both([self._tooth_word(k) for k in ordered[:_TOLD]])

    def _record_word(self, judged: int) -> Message:
        """A judged record, counted from the first one that was, which may no longer be kept."""
        k = judged - self.tracked.before.judged
        return record_word(self.tracked.place(k)) if k >= 0 else say("an earlier record")

    def _tooth_word(self, k: int) -> Message:
        thing = self.baseline.things[k]
        return tooth_of(self.gears[thing.axis - 1], thing.tooth if thing.tooth >= 0 else None)


# shape of what came after onset, as a power of time since then: 0 = a step
_POWERS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0)
_RAMPS = (4.0, 16.0, 64.0, 256.0)  # or as a straight line that ends after so many records
_SWINGS = (32.0, 128.0, 512.0)  # or slow, fast, slow
_DRIFT = 4.0  # records that count as one, over what their correlation says
_LEAST = 10  # records over which a change must grow to be called gradual


@dataclass(frozen=True)
class Onset:
    """The posterior of the change-point.

    Attributes:
        record: its median.
        interval: 95 %, first and last record; where the first one is the first that was looked at, it may have begun
            before that.
    """

    record: int
    interval: tuple[int, int]


def _shapes(since: np.ndarray) -> list[np.ndarray]:
    """How a change may go on: powers of the records since then, straight lines that end, and smooth steps."""
    swings = [np.minimum(since / length, 1.0) for length in _SWINGS]
    return [
        *(since**power for power in _POWERS),
        *(np.minimum(since / length, 1.0) for length in _RAMPS),
        *(part**2 * (3.0 - 2.0 * part) for part in swings),
    ]


def _likelihood(y: np.ndarray, factor: float) -> np.ndarray:
    """Logarithm of the likelihood of each (onset, shape), amplitude at its best non-negative value, ``[n, shapes]``."""
    found = []
    for shape in _shapes(np.arange(1.0, len(y) + 1.0)):  # of every onset the same curve, cut where the records end
        along = np.convolve(y[::-1], shape)[: len(y)][::-1]
        found.append(0.5 * np.maximum(along, 0.0) ** 2 / np.cumsum(shape**2)[::-1] / factor)
    return np.stack(found, axis=1)


def find_onset(y: np.ndarray, *, correlation: float, latest: int | None = None) -> Onset:
    """Onset of growth in a series, with a flat prior over records and over shapes of growth.

    Model: before onset the healthy level with normal noise of standard deviation 1, after it an amplitude times one of
    thirteen shapes. The likelihood is divided by four times the number of records that count as one, because healthy
    levels drift more slowly than a correlation time tells (chosen on development seeds of ``benchmarks/prediction.py``,
    which measures how often the interval holds).

    Args:
        y: float ``[n]`` in healthy standard deviations, healthy mean 0; the last 1,000 records are looked at.
        correlation: healthy records that count as one (``correlation_time``).
        latest: the record by which it had alarmed; None = the last one.
    """
    y = np.asarray(y, dtype=np.float64)
    offset = max(len(y) - KEPT, 0)
    log_likelihood = _likelihood(np.clip(y[offset:], -20.0, 50.0), _DRIFT * max(correlation, 1.0))
    log_likelihood = log_likelihood[: None if latest is None else max(latest - offset + 1, 1)]
    weight = np.exp(log_likelihood - log_likelihood.max())
    posterior = weight.sum(axis=1) / weight.sum()
    total = np.cumsum(posterior)
    low, middle, high = (min(int(np.searchsorted(total, q)), len(total) - 1) + offset for q in (0.025, 0.5, 0.975))
    return Onset(middle, (low, high))


def sudden(y: np.ndarray, *, correlation: float) -> bool:
    """Whether a change looks like a step rather than growth: what a new sensor or operating point leaves.

    A step is compared with growth of power 1 to 3 that lasts ten records or more, each at its best onset.
    """
    y = np.asarray(y, dtype=np.float64)[-KEPT:]
    found = _likelihood(np.clip(y, -50.0, 50.0), max(correlation, 1.0))
    growth = found[: max(len(y) - _LEAST, 1), 2 : len(_POWERS)]
    return bool(found[:, 0].max() >= growth.max())

"""Judge records in time order: alarm or not, which tooth or what else, since when, how fast it grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from toothwise.diagnosis.baseline import Baseline
from toothwise.diagnosis.control_limits import ControlLimits, control_limits_for
from toothwise.diagnosis.history import CompactedHistory, Rules, TrackedRecords, place_of, run_rules, track_records
from toothwise.diagnosis.onset_growth import Growth, find_onset, fit_growth, sudden
from toothwise.diagnosis.rules import DRIFT
from toothwise.diagnosis.sequence_words import words_of_sequence
from toothwise.diagnosis.settings import MonitorSettings, Reset
from toothwise.diagnosis.single import clusters
from toothwise.diagnosis.summary import BEYOND, RecordSummary
from toothwise.diagnosis.verdict import COLOURS, Diagnosis, RuleFound, Tooth
from toothwise.diagnosis.words import gear_word, in_english, tooth_of
from toothwise.messages import Message, say
from toothwise.reference.map_statistics import one_cycle

__all__ = ["judge"]

_RECENT = 10  # records that the present contrast rests on
_PROFILE = 20  # records that the pattern is read from


def judge(
    seen: Sequence[RecordSummary],
    baseline: Baseline,
    settings: MonitorSettings | None = None,
    *,
    resets: Sequence[Reset] = (),
    past: CompactedHistory | None = None,
    gears: tuple[str, str] = ("driving", "driven"),
    limits: Callable[[int | None], ControlLimits] | None = None,
) -> Diagnosis:
    """Judge records in time order.

    Args:
        seen: Records, as ``summarize_records`` gives them.
        baseline: Whose scale they were put on.
        settings: Rates and the rest.
        resets: Re-baselinings; the last one counts, and records before it do not alarm any more.
        past: Records before these that are no longer kept.
        gears: Names of the gears of rows and columns.
        limits: Gives the control limits for a number of learned records; None computes them here.
    """
    settings = settings or MonitorSettings()
    tracked = track_records(seen, baseline, resets=resets, learn=settings.learn, past=past)
    past = past or CompactedHistory()
    known = (
        control_limits_for(baseline, settings, learned=tracked.learned) if limits is None else limits(tracked.learned)
    )
    rules = run_rules(tracked, baseline, settings, known, past.since(resets))
    found = _Judged(seen, tracked, baseline, settings, known, gears, past, tuple(resets), rules).result()
    sizes = {axis: int((baseline.line_axis == axis).sum()) for axis in (1, 2)}
    return in_english(found, words_of_sequence(found, settings, teeth_of=sizes))


@dataclass(frozen=True, eq=False)
class _Judged:
    """Judged records as arrays, and what is read from them."""

    seen: Sequence[RecordSummary]
    tracked: TrackedRecords
    baseline: Baseline
    settings: MonitorSettings
    limits: ControlLimits
    gears: tuple[str, str]
    past: CompactedHistory
    resets: tuple[Reset, ...]
    rules: Rules

    def _rule(self, rule: str, stated: float, interval: tuple[float, float] | None, rests: Message) -> RuleFound:
        begins = self.rules.begins[rule]
        before = self.past.since(self.resets)
        first = None if before is None else before.first.get(rule)
        if first is None and len(begins):
            first = place_of(self.seen, self.past, int(self.tracked.judged[begins[0]]))
        episodes = len(begins) + (0 if before is None else before.episodes.get(rule, 0))
        return RuleFound(first, episodes, stated, interval, str(rests), {"rests_on": (rests,)})

    def _rules(self) -> dict[str, RuleFound]:
        tiers, simple = self.limits.cusum, self.limits.row["alarm"]
        rests = say(
            "block bootstrap of healthy records, {blocks} blocks of {block}; maximum over {channels} channels included",
            blocks=self.limits.blocks,
            block=self.limits.block,
            channels=len(self.baseline.channels),
        )
        by_cusum = say("CUSUM, {rests}", rests=rests)
        row = say("{run} in a row, {rests}", run=self.settings.in_a_row, rests=rests)
        alone = say("a line in one map that healthy maps show less often than once in a million, extrapolated")
        return {
            "alarm": self._rule("alarm", tiers["alarm"].stated, tiers["alarm"].interval, by_cusum),
            "warning": self._rule("warning", tiers["warning"].stated, tiers["warning"].interval, by_cusum),
            "in_a_row": self._rule("in_a_row", simple.stated, simple.interval, row),
            "bound": self._rule("bound", self.settings.rate, None, self._bound_rests()),
            "single": self._rule("single", 1000.0 * BEYOND, None, alone),
        }

    def result(self) -> Diagnosis:
        tracked, before = self.tracked, self.past.since(self.resets)
        state, active = self._active()
        if self.resets and not len(tracked.judged):
            state = "learning"
        pattern, also, teeth = self._pattern(active)
        alone = self._alone() if state != "learning" and not teeth else None
        if alone is not None and state == "quiet":
            # no rule over records has had time to speak, but single maps are beyond doubt
            state, pattern, teeth = alone[0], "one tooth", (alone[1],)
        elif alone is not None and alone[1].tooth is None:
            # rules over records do not see a tooth without a number: what else has alarmed goes with it
            pattern, also, teeth = "one tooth", (pattern, *also), (alone[1],)
        began = self._began_with()
        recent = self.seen[tracked.begin :]
        base = Diagnosis(
            colour=COLOURS[state],
            state=state,
            pattern=pattern,
            sequence=True,
            records=len(self.past) + len(self.seen),
            judged=len(tracked.judged) + (0 if before is None else before.judged),
            unjudged=sum(not s.channels for s in recent) + (0 if before is None else before.unjudged),
            healthy=len(self.baseline.healthy),
            effective=float(len(self.baseline.healthy) / self.baseline.correlation[1]),
            settings=self.settings,
            gear=teeth[0].gear if teeth else None,
            tooth=teeth[0].tooth if teeth else None,
            tooth_zero=self._tooth_zero(teeth[0]) if teeth else "unknown",
            teeth=teeth,
            also=also,
            level_change=float(np.exp(np.median(tracked.level[-_RECENT:]))) if len(tracked.level) else 1.0,
            began_with=None if began is None else str(began),
            rules=self._rules(),
            transients=(() if before is None else before.transients)
            + tuple(s.name for s in recent if s.pattern == "transient"),
            resets=self.resets,
            limits=self.limits,
            messages={} if began is None else {"began_with": (began,)},
        )
        return base if state in ("quiet", "learning") else self._since(base)

    def _alone(self) -> tuple[str, Tooth] | None:
        """State and tooth by lines beyond doubt in single ones of the last records: one warns, two of a tooth alarm."""
        shown: dict[tuple[int, int | None], list[float]] = {}
        for k, beyond in zip(self.tracked.judged[-_RECENT:], self.tracked.beyond[-_RECENT:], strict=True):
            line = self.seen[int(k)].line
            if beyond and line is not None:
                numbered = self.seen[int(k)].tooth_zero[line[0] - 1] != "unknown"
                shown.setdefault((line[0], line[1] if numbered else None), []).append(-float(np.log10(line[3])))
        if not shown:
            return None
        (axis, tooth), most = max(shown.items(), key=lambda item: sum(item[1]))
        at = [k for k, c in enumerate(self.baseline.channels) if (c.kind, c.axis, c.tooth) == ("tooth", axis, tooth)]
        statistic, evidence = (
            float(part[at[0]]) if at else 0.0 for part in (self.tracked.statistic[-1], self._evidence())
        )
        named = Tooth(self.gears[axis - 1], axis, tooth, statistic, evidence, ())
        return ("alarm" if len(most) > 1 else "warning"), named

    def _tooth_zero(self, tooth: Tooth) -> str:
        """How tooth 0 of its gear is known, by the weakest of the records that have a number for it."""
        ways = {one.tooth_zero[tooth.axis - 1] for one in self.seen}
        if tooth.tooth is None:
            return "unknown"
        return next((way for way in ("waveform", "given", "index") if way in ways), "given")

    def _evidence(self) -> np.ndarray:
        """What each channel has shown over the last 20 records, unclipped: clipped sums tie where damage is large."""
        shown: np.ndarray = (self.tracked.channels[-_PROFILE:] - DRIFT).sum(axis=0)
        return shown

    def _began_with(self) -> Message | None:
        """What the first alarm was about, in words."""
        if self.rules.began is None:
            return None
        channel = self.baseline.channels[self.rules.began]
        if channel.kind.startswith("level"):
            return say("the level of the whole map")
        gear = self.gears[channel.axis - 1]
        if channel.kind == "cycle":
            if gear == "gear":
                return say("one cycle per revolution")
            return say("one cycle per revolution of the {gear} gear", gear=gear_word(gear))
        return tooth_of(gear, channel.tooth)

    def _bound_rests(self) -> Message:
        """What the e-detector over the teeth rests on."""
        detector = self.rules.detector
        rests = say(
            "at most the stated number in expectation, if healthy records stay as the {healthy} known ones and records "
            "{gap} apart are independent ({independent:.0f} such; 95 % confidence); teeth only",
            healthy=len(self.baseline.healthy),
            gap=detector.gap,
            independent=detector.independent,
        )
        if self.resets:
            rests = say("{rests}; the error of the baseline learned after maintenance is not in it", rests=rests)
        return rests

    def _active(self) -> tuple[str, np.ndarray]:
        """The state now, and the channels that make it."""
        for tier in ("alarm", "warning"):
            if self.rules.on[tier].any():
                return tier, np.flatnonzero(self.rules.on[tier])
        return "quiet", np.array([], dtype=int)

    def _pattern(self, active: np.ndarray) -> tuple[str, tuple[str, ...], tuple[Tooth, ...]]:
        if not len(active):
            return "nothing", (), ()
        now = self.tracked.statistic[-1]
        channels = self.baseline.channels
        evidence = self._evidence()
        order = sorted(active.tolist(), key=lambda k: (-evidence[k], -now[k]))
        up_or_down = [k for k in order if channels[k].kind.startswith("level")]
        swinging = [channels[k].axis for k in order if channels[k].kind == "cycle"]
        teeth: list[Tooth] = []
        by_gear, by_teeth = 0.0, 0.0  # how much of the profile each explains
        for axis in (1, 2):
            own = [channels[k].tooth for k in order if channels[k].kind == "tooth" and channels[k].axis == axis]
            if not own:
                continue
            size = int((self.baseline.line_axis == axis).sum())
            profile = self._profile(axis)
            wave = float(np.sum(one_cycle(profile[None])[1] ** 2))
            of_teeth = float(np.sum(profile[own] ** 2))
            if len(own) > size / 3 or wave > of_teeth:
                by_gear = max(by_gear, wave, of_teeth if len(own) > size / 3 else 0.0)
                continue
            by_teeth += of_teeth
            of = {channels[k].tooth: k for k in order if channels[k].kind == "tooth" and channels[k].axis == axis}
            for group in clusters(own, size):
                group = sorted(group, key=lambda t: -evidence[of[t]])
                best = of[group[0]]
                shown = float(now[best]), float(evidence[best])
                teeth.append(Tooth(self.gears[axis - 1], axis, group[0], *shown, tuple(group[1:])))
        teeth.sort(key=lambda t: -t.evidence)
        found = []
        if teeth:
            found.append("one tooth" if len(teeth) == 1 else "several teeth")
        if by_gear or swinging:
            # part of a line lifts part of the other gear: that is no cycle of its own where the teeth explain more
            found.insert(0 if by_gear > by_teeth else len(found), "whole gear")
        if up_or_down:
            found = self._with_level(found, channels[up_or_down[0]].kind == "level up", teeth)
        found = list(dict.fromkeys(found))
        if found[0] in ("whole gear", "sensor or condition changed"):
            # what lifts the whole gear lifts some of its teeth more than others: none is named
            teeth, found = [], [f for f in found if not f.endswith(("tooth", "teeth"))]
        return found[0], tuple(found[1:]), tuple(teeth)

    def _with_level(self, found: list[str], up: bool, teeth: list[Tooth]) -> list[str]:
        """A level that grows is wear, one that jumps or falls is the sensor or the condition."""
        sign = 1.0 if up else -1.0
        y = sign * self.tracked.level / max(self.baseline.level_sd, 1e-9)
        step = sudden(y, correlation=self.baseline.correlation[1])
        what = "whole gear" if up and not step else "sensor or condition changed"
        change = abs(float(np.median(self.tracked.level[-_RECENT:])))
        tooth = max((float(self._along(t)[-_RECENT:].mean()) for t in teeth), default=0.0)
        # a tooth that rises less than all of them together do is not named
        return [what, *found] if change > tooth else [*found, what]

    def _profile(self, axis: int) -> np.ndarray:
        """Mean log contrast of a gear's teeth over the last 20 records, in healthy standard deviations of one."""
        own = self.baseline.line_axis == axis
        return self.tracked.contrast[-_PROFILE:, own].mean(axis=0) / self.baseline.contrast_sd[own]

    def _along(self, tooth: Tooth) -> np.ndarray:
        """Log contrast of a tooth along its whole line, per judged record."""
        if tooth.tooth is None:  # each record's own strongest line
            lines = [self.seen[int(k)].line for k in self.tracked.judged]
            return np.array([0.0 if line is None or line[0] != tooth.axis else line[2] for line in lines])
        own = np.flatnonzero(self.baseline.line_axis == tooth.axis)
        return self.tracked.contrast[:, own[tooth.tooth]]

    def _since(self, d: Diagnosis) -> Diagnosis:
        """Onset, contrast and growth of what alarms."""
        series, sd, correlation = self._series(d)
        onset = find_onset(series / sd, correlation=correlation)
        since, first, last = (
            place_of(self.seen, self.past, int(self.tracked.judged[k])) for k in (onset.record, *onset.interval)
        )
        growth: Growth | None = None
        if d.teeth or self._by_level(d):
            growth = fit_growth(series[onset.record :], level=self.settings.level)
        contrast, interval, along = self._contrast(d, onset.record)
        return replace(
            d,
            since=since,
            since_interval=(first, last),
            contrast=contrast,
            contrast_interval=interval,
            contrast_along=None if along is None else str(along),
            growth=growth,
            messages=d.messages if along is None else d.messages | {"contrast_along": (along,)},
        )

    def _series(self, d: Diagnosis) -> tuple[np.ndarray, float, float]:
        """What onset and growth are read from, its healthy standard deviation, and records that count as one."""
        if d.teeth:
            own = self.baseline.contrast_sd[self.baseline.line_axis == d.teeth[0].axis]
            sd = float(own.mean() if d.teeth[0].tooth is None else own[d.teeth[0].tooth])
            return self._along(d.teeth[0]), sd, self.baseline.correlation[0]
        if d.pattern == "whole gear" and not self._by_level(d):
            cycles = [k for k, c in enumerate(self.baseline.channels) if c.kind == "cycle"]
            loudest = max(cycles, key=lambda k: self.tracked.channels[-_PROFILE:, k].mean())
            return self.tracked.channels[:, loudest], 1.0, 1.0
        series = self.tracked.level if self.tracked.level[-_RECENT:].mean() >= 0 else -self.tracked.level
        return series, max(self.baseline.level_sd, 1e-9), self.baseline.correlation[1]

    def _by_level(self, d: Diagnosis) -> bool:
        """Whether a whole gear is named for its level, not for one cycle per revolution."""
        if d.pattern != "whole gear":
            return False
        kinds = {c.kind: k for k, c in enumerate(self.baseline.channels) if c.kind.startswith("level")}
        height = self.limits.cusum["alarm" if d.state == "alarm" else "warning"].height
        return bool(self.tracked.statistic[-1, kinds["level up"]] >= 0.5 * height)

    def _contrast(self, d: Diagnosis, onset: int) -> tuple[float | None, tuple[float, float] | None, Message | None]:
        """Contrast of the strongest tooth over the last ten records since onset, with a t interval over them.

        Along its extent the variance counts twice: where that begins and ends was chosen on the same records, all of
        which are wrong the same way (found on simulated runs, where the plain interval held 88 %).
        """
        from scipy.stats import t as student

        if not d.teeth:
            return None, None, None
        tooth = d.teeth[0]
        near = {tooth.tooth, *tooth.leak}
        last = slice(max(onset, len(self.tracked.judged) - _RECENT), None)
        recent = [self.seen[int(k)].line for k in self.tracked.judged[last]]
        shown = [line[2] for line in recent if line is not None and line[0] == tooth.axis and near & {line[1], None}]
        values, along, chosen = np.array(shown), say("its extent in single maps"), 2.0
        if len(shown) < max(min(3, len(recent)), len(recent) // 2):
            values, along, chosen = self._along(tooth)[last], say("its whole line"), 1.0
        middle = float(values.mean())
        half = 0.0
        if len(values) > 1:
            error = float(values.std(ddof=1) * np.sqrt(chosen / len(values)))
            half = float(student.ppf(0.975, len(values) - 1)) * error
        return float(np.exp(middle)), (float(np.exp(middle - half)), float(np.exp(middle + half))), along

"""Judge records in time order: what colour, which tooth or what else, since when, how fast it grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from toothwise.diagnosis.baseline import Baseline
from toothwise.diagnosis.control_limits import ControlLimits, control_limits_for
from toothwise.diagnosis.elsewhere import with_elsewhere
from toothwise.diagnosis.history import NOTHING_BEFORE, CompactedHistory, run_rules, track_records
from toothwise.diagnosis.judged_records import RECENT, JudgedRecords, sudden
from toothwise.diagnosis.rules import CHANNELS, TIERS, MonitorSettings, Reset
from toothwise.diagnosis.sequence_words import words_of_sequence
from toothwise.diagnosis.summary import RecordSummary, same_tooth
from toothwise.diagnosis.teeth import alike, clusters, echo, everywhere, middle, opposite, scattered
from toothwise.diagnosis.verdict import COLOURS, Diagnosis, RuleFound, Tooth
from toothwise.diagnosis.words import gear_word, in_english, rests_of
from toothwise.messages import Message, say
from toothwise.reference.map_statistics import one_cycle

_ALIKE = 0.5  # share of the loudest tooth's rise from which on another one rises as it does
_SECOND = 0.2  # share of the first tooth's evidence from which on another one may be damaged too
_SURE = 0.5  # from which on it is said to be (simulated runs with one tooth and with two)
_OVER_ALL = 2.0  # times what all teeth rise by that one of them must, to be named


def judge(
    seen: Sequence[RecordSummary],
    baseline: Baseline,
    settings: MonitorSettings | None = None,
    *,
    resets: Sequence[Reset] = (),
    past: CompactedHistory = NOTHING_BEFORE,
    gears: tuple[str, str] = ("driving", "driven"),
    spacing: Sequence[float] = (),
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
        spacing: Of a planetary stage, the ring teeth at which the planets stand (``ring_spacing``).
        limits: Gives the control limits for a number of learned records; None computes them here.
    """
    settings = settings or MonitorSettings()
    tracked = track_records(seen, baseline, resets=resets, learn=settings.learn, past=past)
    known = limits(tracked.learned) if limits else control_limits_for(baseline, settings, learned=tracked.learned)
    rules = run_rules(tracked, baseline, known)
    found = _Judged(tracked, baseline, settings, known, gears, tuple(resets), rules, tuple(spacing)).result()
    return in_english(found, words_of_sequence(found))


class _Judged(JudgedRecords):
    """The verdict on judged records."""

    def _rule(self, rule: str, now: str, stated: float) -> RuleFound:
        interval, rests = self.limits.intervals.get(rule), rests_of(rule, self.limits, drifts=self.baseline.drawn > 0)
        first, episodes, about = self.rules.first.get(rule), self.rules.episodes[rule], self._about(rule)
        said: dict[str, tuple[Message, ...]] = {"rests_on": (rests,)}
        if about is not None:
            said["about"] = (about,)
        told = None if about is None else str(about)
        return RuleFound(first, episodes, stated, interval, str(rests), now, told, said)

    def _rules(self, colour: str) -> dict[str, RuleFound]:
        """RED and AMBER by all channels, and what each channel says by itself (its share of AMBER's rate)."""
        rates = {"alarm": self.settings.rate, "warning": self.settings.warning}
        out = {tier: self._rule(tier, colour, stated) for tier, stated in rates.items()}
        for name in CHANNELS:
            on = self.limits.channels.get(name)
            now = "off" if on is None else ("GREEN", "AMBER", "RED")[self.rules.course.now[name]]
            now = "UNKNOWN" if now == "GREEN" and colour == "UNKNOWN" else now  # nothing was judged
            out[name] = self._rule(name, now, 0.0 if on is None else on["warning"].stated)
        return out

    def result(self) -> Diagnosis:
        tracked, before, final = self.tracked, self.tracked.before, self.rules.course.state
        judged = len(tracked) + before.judged
        height = int(final.level.max(initial=0))
        state = ("quiet", *TIERS)[height]
        if not judged:
            state = "learning" if self.resets else "unjudged"
        pattern, also, teeth = self._pattern(np.flatnonzero(final.level == height) if height else np.zeros(0, int))
        if judged == 1 and height:
            pattern, teeth = self._of_one(pattern, teeth)
        if pattern == "sensor or condition changed" and state == "alarm":
            state = "warning"  # no map tells wear from noise, load or the sensor: look at those first
        recent, recorded = tracked.seen[tracked.begin :], len(self.baseline.healthy) - self.baseline.drawn
        colour = COLOURS[state]
        held = height > 0 and bool((final.quiet[final.level == height] > 0).all())
        unnumbered = teeth[0].axis if teeth and teeth[0].tooth is None else None
        same = None if unnumbered is None else same_tooth(recent, unnumbered, self._size(unnumbered))
        known = max(int(recorded / self.baseline.correlation[1]), 1)  # of drawn records nothing is known
        of_all = pattern in ("whole gear", "sensor or condition changed")
        single = {"led": self._led(teeth), "back": self._back(teeth), "passed": self._passed() if of_all else None}
        several = {
            "left": tuple(self._left(teeth)),
            "swings": self._heard("cycle")[:1] if "whole gear" in (pattern, *also) else (),
            "changed": () if teeth else self._heard("change"),
        }
        base = Diagnosis(
            colour=colour,
            state=state,
            pattern=pattern,
            sequence=True,
            records=len(tracked.past) + len(tracked.seen),
            judged=judged,
            unknown_because=next((s.place for s in reversed(recent) if "not learned" in s.place), None),
            unjudged=sum(not s.channels for s in recent) + before.unjudged,
            healthy=recorded,
            effective=float(recorded / self.baseline.correlation[1]),
            stretches=min(self.limits.blocks, known) if self.baseline.drawn else self.limits.blocks,
            drawn=self.baseline.drawn,
            one_day=self.baseline.one_day,
            settings=self.settings,
            gear=teeth[0].gear if teeth else None,
            tooth=teeth[0].tooth if teeth else None,
            tooth_zero=self._tooth_zero(teeth[0]) if teeth else "unknown",
            same_tooth=same,
            teeth=teeth,
            also=also,
            level_change=float(np.exp(self._level_now())),
            held=held,
            rules=self._rules(colour),
            transients=before.transients + tuple(s.name for s in recent if s.pattern == "transient"),
            resets=self.resets,
            limits=self.limits,
            messages={name: (told,) for name, told in single.items() if told}
            | {name: told for name, told in several.items() if told},
        )
        if state == "unjudged":
            return with_elsewhere(base, recent, self.gears, self._size(1))
        return base if state not in TIERS or not len(tracked) else self._since(base)

    def _of_one(self, pattern: str, teeth: tuple[Tooth, ...]) -> tuple[str, tuple[Tooth, ...]]:
        """Pattern and teeth of a single record: what its map says by itself."""
        own = self.tracked.records[-1] if len(self.tracked) else None
        if own is None or not own.alone:
            return pattern, teeth
        if own.line is None or not own.pattern.endswith(("tooth", "teeth")):
            return own.pattern, ()
        named = [(axis, tooth) for kind, axis, tooth, _ in own.alone if kind == "tooth"]
        first = (own.line[0], own.line[1] if own.tooth_zero[own.line[0] - 1] != "unknown" else -1)
        named.sort(key=lambda one: one != first)
        return own.pattern, tuple(self._tooth(axis, [tooth]) for axis, tooth in named)

    def _tooth_zero(self, tooth: Tooth) -> str:
        """How tooth 0 of its gear is known, by the weakest of the records that have a number for it."""
        ways = {one.tooth_zero[tooth.axis - 1] for one in self.tracked.seen}
        if tooth.tooth is None:
            return "unknown"
        return next((way for way in ("waveform", "given", "index") if way in ways), "given")

    def _about(self, rule: str) -> Message | None:
        """What the first RED or AMBER was about, in words."""
        if rule not in self.rules.began:
            return None
        channel = self.baseline.things[self.rules.began[rule]]
        if channel.kind.startswith("level"):
            return say("the level of the whole map")
        gear = self.gears[channel.axis - 1]
        if channel.kind == "change":
            return say("many teeth of the {gear} gear", gear=gear_word(gear))
        if channel.kind == "cycle" and gear == "gear":
            return say("the swing with the revolution")
        if channel.kind == "cycle":
            return say("the swing of the {gear} gear with its revolution", gear=gear_word(gear))
        return self._tooth_word(self.rules.began[rule])

    def _pattern(self, active: np.ndarray) -> tuple[str, tuple[str, ...], tuple[Tooth, ...]]:
        """What the alarming things are together, what else was found, and the teeth, the most evidence first."""
        if not len(active):
            return "nothing", (), ()
        things, final = self.baseline.things, self.rules.course.state
        lead = final.lead.thing
        order = sorted(active.tolist(), key=lambda k: (k != lead, -final.evidence[k]))
        up_or_down = [k for k in np.flatnonzero(final.level) if things[k].kind.startswith("level")]
        whole = [k for k in np.flatnonzero(final.level) if things[k].kind in ("level up", "cycle")]
        teeth: list[Tooth] = []
        by_gear, by_teeth = 0.0, 0.0  # how much of the profile each explains
        for axis in (1, 2):
            own = [k for k in order if things[k].kind == "tooth" and things[k].axis == axis]
            numbered = [things[k].tooth for k in own if things[k].tooth >= 0]
            size = self._size(axis)
            if len(numbered) < len(own):
                teeth.append(self._tooth(axis, [-1]))
            if not numbered:
                continue
            profile = self._profile(axis)
            # every profile has some first harmonic: it is one cycle of the gear only where that alarms by itself
            swings = any(things[k].kind == "cycle" and things[k].axis == axis for k in whole)
            wave = float(np.sum(one_cycle(profile[None])[1] ** 2)) if swings else 0.0
            of_teeth = float(np.sum(profile[numbered] ** 2))
            # of few teeth many alarm beside a loud one that leaks: they are a gear where they rise about as much
            alike = np.sum(profile[numbered] >= _ALIKE * profile[numbered].max()) > size / 3
            if (alike or wave > of_teeth) and not any(self._precedes(k, whole) for k in own):
                by_gear = max(by_gear, wave, of_teeth if alike else 0.0)
                continue
            by_teeth += of_teeth
            teeth += [
                self._tooth(axis, part) for group in clusters(numbered, size) for part in self._apart(axis, group)
            ]
        teeth = self._joined(sorted(teeth, key=lambda t: (self._at(t.axis, t.tooth) != lead, -t.evidence)))
        changed = [k for k in np.flatnonzero(final.level) if things[k].kind == "change"]
        found = []
        if teeth:
            found.append("several teeth" if sum(not t.doubtful for t in teeth) > 1 else "one tooth")
        if by_gear or any(things[k].kind == "cycle" for k in order):
            # part of a line lifts part of the other gear: that is no cycle of its own where the teeth explain more
            found.insert(0 if by_gear > by_teeth and not teeth else len(found), "whole gear")
        first = [k for k in active if things[k].kind == "tooth" and self._precedes(k, whole)]
        if up_or_down:
            found = self._with_level(found, things[up_or_down[0]].kind == "level up", teeth, sure=bool(first))
        elif first and whole:
            found.append("whole gear")
        if changed and not found:
            found.append("whole gear" if len(changed) == 1 else "sensor or condition changed")
        if found[0] == "whole gear" and not self._heard("cycle") and scattered(self._away()):
            found[0] = "sensor or condition changed"
        # one tooth that single maps show again and again is not outweighed by what it leaves at others
        lone = bool(first) and sum(not t.doubtful for t in teeth) == 1
        early = lone or any(self._earlier(k, whole) for k in active)
        if teeth and not early and everywhere(self._away(), self._evidence()):
            found.insert(0, "sensor or condition changed")
        found = list(dict.fromkeys(found))
        if found[0] in ("whole gear", "sensor or condition changed"):  # it lifts some teeth more: none is named
            teeth, found = [], [f for f in found if not f.endswith(("tooth", "teeth"))]
        return found[0], tuple(found[1:]), tuple(teeth)

    def _heard(self, kind: str) -> tuple[Message, ...]:
        """The gears that were heard to swing ("cycle") or differ ("change"), the most first; () = more than that is."""
        final, things = self.rules.course.state, self.baseline.things
        own = [k for k in np.flatnonzero(final.level) if things[k].kind.startswith(("level", "cycle", "change"))]
        if any(things[k].kind != kind for k in own) or (kind == "cycle" and not self.baseline.heard_swings):
            return ()
        gears = [self.gears[things[k].axis - 1] for k in sorted(own, key=lambda k: -final.evidence[k])]
        return tuple(say("{gear} gear", gear=gear_word(gear)) for gear in gears)

    def _apart(self, axis: int, group: list[int]) -> list[list[int]]:
        """A group of neighbours, less those that most of the last records' own maps tell as teeth of their own."""
        last = [one.alone for one in self.tracked.records[-RECENT:]]
        named = [{tooth for kind, of, tooth, _ in alone if (kind, of) == ("tooth", axis)} for alone in last]
        first = [own for own in named if group[0] in own]
        alone = [t for t in group[1:] if 2 * sum(t in own for own in first) > max(len(first), 1)]
        return [[t for t in group if t not in alone], *([t] for t in alone)]

    def _tooth(self, axis: int, group: Sequence[int]) -> Tooth:
        """Neighbouring teeth, the one that leads first, or else the strongest, as one tooth with its leak."""
        final, step, tooth = self.rules.course.state, self.rules.course.step, group[0]
        evidence = [float(final.evidence[self._at(axis, t)]) for t in group]
        now = float(step[-1, self._at(axis, tooth)]) if len(step) else 0.0
        return Tooth(self.gears[axis - 1], axis, tooth if tooth >= 0 else None, now, max(evidence), tuple(group[1:]))

    def _joined(self, teeth: list[Tooth]) -> list[Tooth]:
        """Both contacts of a planet's tooth are one tooth, and so are ring teeth a planet spacing apart.

        What is far below the strongest tooth is none.
        """
        out: list[Tooth] = []
        rise = {id(tooth): float(np.exp(self._along(tooth)[-RECENT:].mean())) for tooth in teeth}
        planet = not (self.baseline.line_axis == 2).any()
        middles: list[list[float]] = []  # of every tooth in out: where it lies, and then where its other contact does
        for tooth in teeth:
            size = self._size(tooth.axis)
            same = next((k for k, one in enumerate(out) if self._alike(one, tooth)), None)
            if same is not None:
                out[same] = replace(out[same], alike=(*out[same].alike, int(tooth.tooth or 0), *tooth.leak))
                continue
            sure = tooth.tooth is not None and (tooth.gear == "planet" or (planet and tooth.gear == "gear"))
            place = self._middle(tooth)
            apart = [[sure and opposite(m, place, size) for m in own] for own in middles]
            home = next((k for k, found in enumerate(apart) if found[0]), None)
            # half a revolution from the other contact again: the first one leaks further than to the next tooth
            beside = next((k for k, found in enumerate(apart) if any(found[1:])), None)
            if beside is not None:
                out[beside] = replace(out[beside], leak=(*out[beside].leak, int(tooth.tooth or 0)))
            elif home is not None and out[home].contact is None:
                out[home] = replace(out[home], contact=tooth.tooth)
                middles[home].append(place)
            elif home is None and (
                not out or (tooth.evidence >= _SECOND * out[0].evidence and not self._echoes(tooth, teeth, rise))
            ):
                out.append(replace(tooth, doubtful=bool(out) and tooth.evidence < _SURE * out[0].evidence))
                middles.append([place])
        if len(out) == 1 and planet and out[0].contact is None and out[0].tooth is not None:
            out = [replace(out[0], contact=self._other_contact(out[0].axis, out[0].tooth))]
        return out

    def _other_contact(self, axis: int, tooth: int) -> int | None:
        """Half a revolution from a tooth, where the next tooth of the gear to stand out does and rises as it does.

        It need not have alarmed: a record that is judged by itself tells both contacts as one tooth.
        """
        profile, teeth = self._profile(axis), np.arange(self._size(axis))
        own = profile[tooth]
        profile[np.isin((teeth - tooth) % len(teeth), (0, 1, 2, len(teeth) - 2, len(teeth) - 1))] = -np.inf
        next_one = int(profile.argmax())
        alike = profile[next_one] >= _ALIKE * own and opposite(tooth, next_one, len(teeth))
        return next_one if alike else None

    def _alike(self, one: Tooth, other: Tooth) -> bool:
        """Whether the damage of one ring tooth shows at the other, when another planet passes."""
        if one.axis != other.axis or one.gear != "ring" or None in (one.tooth, other.tooth):
            return False
        return alike(self._middle(one), self._middle(other), self.spacing, self._size(one.axis))

    def _middle(self, tooth: Tooth) -> float:
        """Where a tooth lies by its own evidence and that of the neighbours it leaks to."""
        teeth, evidence = (-1 if tooth.tooth is None else tooth.tooth, *tooth.leak), self.rules.course.state.evidence
        return middle(teeth, [float(evidence[self._at(tooth.axis, t)]) for t in teeth], self._size(tooth.axis))

    def _echoes(self, tooth: Tooth, teeth: Sequence[Tooth], rise: dict[int, float]) -> bool:
        """Whether a tooth shows no more than what louder ones of its gear leave at it."""
        own = abs(rise[id(tooth)] - 1.0)
        louder = [
            (one.tooth, rise[id(one)])
            for one in teeth
            if one.axis == tooth.axis and one.tooth is not None and abs(rise[id(one)] - 1.0) > own
        ]
        return tooth.tooth is not None and echo(tooth.tooth, rise[id(tooth)], louder, self._size(tooth.axis))

    def _with_level(self, found: list[str], up: bool, teeth: list[Tooth], *, sure: bool) -> list[str]:
        """A level that grows is wear, one that jumps or falls is the sensor or the condition.

        Where a tooth alarmed before, it is that damage which spreads.
        """
        sign = 1.0 if up else -1.0
        y = sign * self.tracked.level / max(self.baseline.level_sd, 1e-9)
        step = not len(y) or sudden(y, correlation=self.baseline.correlation[1])
        what = "whole gear" if up and not step and not scattered(self._away()) else "sensor or condition changed"
        change = abs(float(np.median(self.tracked.level[-RECENT:]))) if len(y) else 0.0
        tooth = max((float(self._along(t)[-RECENT:].mean()) for t in teeth), default=0.0)
        # a tooth that rises by less than twice what all of them do is not named
        return [what, *found] if _OVER_ALL * change > tooth and not sure else [*found, what]

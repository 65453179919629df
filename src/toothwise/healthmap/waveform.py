"""The healthy waveform of a gearbox over one hunting period, taken off records before they become maps.

A tachometer tells where one gear is, or where it is up to some positions, never which tooth of the mate it meets
there: the record's hunting period begins at one of the places that its pulses leave open (``vibration.tooth_zero``).
The healthy waveform, whose teeth differ, says which one: a record is turned to where it fits best, so that teeth are
numbered alike from record to record. Whether that place is surely better than the second best is tested; if not, no
tooth is named.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.errors import InputError, SignalWarning
from toothwise.files import atomic_file
from toothwise.healthmap.conditions import Conditions, trimmed_gain
from toothwise.healthmap.turning import Turn, correlation, of_gears, turned
from toothwise.reading import as_input_error, read_arrays
from toothwise.vibration.windows import EventWindow, event_powers

_RIVALS = 5  # places that fit next best and are tested against the best one
_APART = 0.75  # teeth by which a rival place must differ to number teeth differently
_LOUD = 2.0  # events louder than so many medians are brought down to it: a damaged tooth must not steer the turn
_TRIMMED = 0.25  # share of a gear's lines that may be damage, with what rings on behind it
_TRIED = 24  # places that correlate best and are looked at closely
_FINER = 4  # the correlation is looked up at this share of a sample where places do not fall on samples


@dataclass(frozen=True, eq=False)
class HealthyWaveform:
    """What a gearbox sounds like over one hunting period while it is healthy.

    Attributes:
        values: the signal that maps look at, float64 ``[events * samples_per_tooth]``.
        samples_per_tooth: samples per mesh event.
        records: number of records behind it.
        gain: float64 ``[bins]``, 0 to 1: where in the spectrum the gearbox is heard above what differs from record to
            record (Wiener's ratio of power, smoothed over a mesh order); 1 after one record.
        level: The RMS that every record was brought to before the mean; 0 = unknown (written by version 0.1).
        used: Which of the signals given to ``learn`` are behind it; ``places``: where each of them begins (events).
        begin: Mesh events by which it begins later than the first record's revolution 0, -.5 to .5: where no pulse says
            where a tooth begins, events are cut where neighbouring teeth share least.
        conditions: Lowest and highest of each condition that it was learned at (``healthmap.conditions``).
        spread: By how much less than the record that it is ``without`` a new one differs from all records together.
        periods: Hunting periods behind the average of a record that it was learned from (median); 0 = unknown.
    """

    values: np.ndarray
    samples_per_tooth: int
    records: int
    gain: np.ndarray
    level: float = 0.0
    used: tuple[int, ...] = ()
    places: tuple[float, ...] = ()
    begin: float = 0.0
    conditions: Conditions = field(default_factory=dict)
    spread: float = 1.0
    periods: float = 0.0

    @classmethod
    def learn(
        cls,
        signals: Sequence[np.ndarray],
        samples_per_tooth: int,
        steps: Sequence[float | None],
        teeth: tuple[int, int],
    ) -> HealthyWaveform:
        """The mean over healthy records' hunting periods, each turned onto those before it and brought to one level.

        Records whose turn is not sure wait until the others have made the waveform clearer; those that stay unsure are
        left out, because a record at a wrong place blurs what the next ones are turned by.

        Args:
            signals: ``[events * samples_per_tooth]`` each; the first one numbers the teeth.
            samples_per_tooth: see the attributes.
            steps: of each record, mesh events between the places where it may begin; None = anywhere.
            teeth: of the rows' gear and of the columns'.

        Raises:
            InputError: no signal, or signals of different length.
        """
        from scipy.ndimage import uniform_filter1d

        if len({len(s) for s in signals}) != 1:
            raise InputError(
                "a healthy waveform needs one record or more of one length, but got lengths "
                f"{sorted({len(s) for s in signals}) or 'none'}"
            )
        levels = [float(np.sqrt(np.mean(np.square(s)))) for s in signals]
        if min(levels) <= 0:
            raise InputError("a healthy record is silent: it has no waveform")
        everything = np.ones(len(signals[0]) // 2 + 1)
        begun = cls(np.asarray(signals[0], dtype=np.float64) / levels[0], samples_per_tooth, 1, everything)
        found, turns = begun.gather(signals, levels, steps, teeth, range(1, len(signals)))
        used = [0, *(k for k, turn in turns.items() if turn.sure)]
        if unsure := len(signals) - len(used):
            warnings.warn(
                f"{unsure} of {len(signals)} healthy records fit the waveform of the others at several places and are "
                "left out: their tachometer leaves too much open, or the gearbox is not heard",
                SignalWarning,
                stacklevel=2,
            )
        power = np.abs(np.fft.rfft(begun.values)) ** 2
        for k in used[1:]:
            power += np.abs(np.fft.rfft(turned(signals[k], turns[k].events * samples_per_tooth) / levels[k])) ** 2
        n, gain = found.records, everything
        if n > 1:
            events = len(signals[0]) // samples_per_tooth
            own = np.abs(np.fft.rfft(found.values)) ** 2  # holds 1 / n of what differs
            total, own = (uniform_filter1d(p, events, mode="nearest") for p in (power / n, own))
            gain = np.clip((own - total / n) / (1.0 - 1.0 / n) / np.maximum(total, 1e-300), 0.0, 1.0)
        level = float(np.median(levels))
        begin = 0.0
        if not any(step is not None and step / teeth_of == step // teeth_of for step in steps for teeth_of in teeth):
            begin = _cut_between(found.values, samples_per_tooth) / samples_per_tooth
            begin -= begin >= 0.5  # tooth 0 begins next to the revolution
        values = turned(found.values, begin * samples_per_tooth) * level
        places = tuple(begin + (turns[k].events if k else 0) for k in used)
        return cls(values, samples_per_tooth, n, gain, level, tuple(used), places, begin)

    def gather(
        self,
        signals: Sequence[np.ndarray],
        levels: Sequence[float],
        steps: Sequence[float | None],
        teeth: tuple[int, int],
        waiting: Sequence[int],
        *,
        healthy: bool = True,
    ) -> tuple[HealthyWaveform, dict[int, Turn]]:
        """Turn records onto a waveform that each sure one makes clearer; those that are not sure are tried once more.

        It begins with this waveform, at level 1.

        Args:
            signals, steps, teeth: As ``learn``.
            levels: The RMS of each signal.
            waiting: Which of the signals to turn.
            healthy: The waveform knows no damage, as for ``turn``.

        Returns:
            The mean waveform, and where each record begins.
        """
        found, turns = self, {}
        for _ in range(2):
            unsure, before = [], found.records
            for k in waiting:
                turns[k] = found.turn(signals[k], steps[k], teeth, healthy=healthy)
                if not turns[k].sure:
                    unsure.append(k)
                    continue
                n = found.records
                begun = turned(signals[k], turns[k].events * found.samples_per_tooth) / levels[k]
                found = replace(found, values=(found.values * n + begun) / (n + 1), records=n + 1)
            waiting = unsure
            if found.records == before:  # the waveform is what it was
                break
        return found, turns

    def without(self, signal: np.ndarray) -> HealthyWaveform:
        """The waveform of the other records, without that of a turned signal ``[n]`` that it was learned from.

        A record lies nearer to a mean that it is part of than a new record does, and would look healthier than healthy.
        """
        own = float(np.sqrt(np.mean(np.square(signal))))
        if self.records < 2 or self.level <= 0 or own <= 0:
            return self
        others = (self.values * self.records - signal * (self.level / own)) / (self.records - 1)
        spread = np.sqrt((1.0 + 1.0 / self.records) / (1.0 + 1.0 / (self.records - 1)))
        return replace(self, values=others, records=self.records - 1, used=(), places=(), spread=float(spread))

    def check(self, signal: np.ndarray) -> None:
        """Refuse a signal of another length than the waveform."""
        if signal.shape != self.values.shape:
            raise InputError(
                f"the healthy waveform has {len(self.values)} samples per hunting period, but the record has "
                f"{signal.shape[-1]}: other gears, or other samples per tooth"
            )

    def turn(self, signal: np.ndarray, step: float | None, teeth: tuple[int, int], *, healthy: bool = True) -> Turn:
        """Where in its hunting period a record's signal begins.

        The places that the tachometer leaves possible are compared by their correlation. How sure the best one is: the
        difference to each rival is a sum over mesh events, so its standard error follows from what the rest of the
        record adds to it at each tooth of either gear (the larger of the two counts), with Student's t and as many
        tries as there are places. Where that is not sure, the waveform of either gear's own orders decides: what a
        waveform of few records holds between them is noise, and what is to be found repeats with every mate.

        Args:
            signal: ``[events * samples_per_tooth]``.
            step: Mesh events between possible places; None = any angle.
            teeth: Of the rows' gear and of the columns'.
            healthy: The waveform knows no damage: what is loud in the signal must not steer the turn.

        Raises:
            InputError: a signal of another length.
        """
        self.check(signal)
        even = levelled(signal, self.samples_per_tooth) if healthy else np.asarray(signal, dtype=np.float64)
        found = self._turn(even, step, teeth, healthy=healthy)
        if found.sure:
            return found
        clear = replace(self, values=of_gears(self.values, self.samples_per_tooth, teeth))
        again = clear._turn(even, step, teeth, healthy=healthy)
        if not again.sure:
            return found
        there = turned(even, again.events * self.samples_per_tooth)
        return replace(again, correlation=correlation(there, self.values))

    def _turn(self, even: np.ndarray, step: float | None, teeth: tuple[int, int], *, healthy: bool) -> Turn:
        """``turn``, of a levelled signal and by all of the waveform."""
        spt, size = self.samples_per_tooth, len(even)
        events = size // spt
        trimmed = _TRIMMED if healthy else 0.0
        step = 1.0 / spt if step is None else step
        places = np.arange(max(round(events / step), 1)) * step + self.begin
        whole = np.allclose(places * spt, np.rint(places * spt), atol=1e-6)
        cross = correlations(even, self.values, 1 if whole else _FINER)
        starts = cross[np.rint(places * (spt if whole else spt * _FINER)).astype(np.int64) % len(cross)]
        tried = _peaks(starts, places, events)
        # a damaged tooth pulls the correlation: what is left over without the loudest lines decides
        left = {k: self._left_over(even, places[k], teeth, trimmed) for k in tried}
        order = sorted(tried, key=lambda k: left[k][0])
        best = order[0]
        confidence = 1.0 - left[best][0] / max(left[order[1]][0], 1e-300) if len(order) > 1 else 1.0
        at = places[best]

        def sure_of(rival: int) -> float:
            return self._sure(even, at, places[rival], left[best][1], teeth, len(places), healthy=healthy)

        sure = []
        for n in teeth:
            rivals = [k for k in order[1:] if abs((places[k] - at + n / 2) % n - n / 2) > _APART][:_RIVALS]
            sure.append(min(map(sure_of, rivals), default=1.0))
        begin = int(at) if float(at).is_integer() else float(at)
        return Turn(begin, float(starts[best]), confidence, (sure[0], sure[1]))

    def _left_over(
        self, signal: np.ndarray, place: float, teeth: tuple[int, int], trimmed: float
    ) -> tuple[float, float]:
        """Energy that the waveform does not explain at a place, without the loudest lines of a gear, and its gain."""
        here = turned(self.values, -place * self.samples_per_tooth)
        own = np.square(here).reshape(-1, self.samples_per_tooth).sum(axis=1)
        shared = (signal * here).reshape(-1, self.samples_per_tooth).sum(axis=1)
        whole = np.square(signal).reshape(-1, self.samples_per_tooth).sum(axis=1)
        found = np.inf, 0.0
        for n in teeth:
            gain, rest, keep = trimmed_gain(own, shared, whole, n, trimmed)
            found = min(found, (float(rest[keep].sum()), gain))
        return found

    def _sure(
        self,
        signal: np.ndarray,
        best: float,
        rival: float,
        gain: float,
        teeth: tuple[int, int],
        tries: int,
        *,
        healthy: bool,
    ) -> float:
        """1 less the chance that the rival fits better but for noise."""
        from scipy.special import stdtr

        spt = self.samples_per_tooth
        here = turned(self.values, -best * spt)
        less = here - turned(self.values, -rival * spt)
        # were the rival right, the difference would lie as far below 0 as it should lie above if the best one is
        rest = signal - gain * here
        loud = np.square(rest).reshape(-1, spt).sum(axis=1)
        event, weight = np.arange(len(loud)), np.ones(len(loud))
        # a damaged tooth is loud in all its meshes: it must say no more than another one
        for n in teeth if healthy else ():
            line = np.bincount(event % n, loud, n)
            weight *= np.minimum(1.0, np.median(line) / np.maximum(line, 1e-300))[event % n]
        by_event = (signal * less + 0.5 * gain * np.square(less)).reshape(-1, spt).sum(axis=1)
        distance = float(by_event @ weight)
        noise = (rest * less).reshape(-1, spt).sum(axis=1) * weight
        chance = 0.0
        for n in teeth:
            sums = np.bincount(np.arange(len(noise)) % n, noise, n)
            spread = float(np.linalg.norm(sums))
            chance = max(chance, float(stdtr(n - 1, -distance / max(spread, 1e-300))))
        return 1.0 - min(chance * tries, 1.0)

    def matched(self, signal: np.ndarray) -> np.ndarray:
        """The healthy waveform at the gain of a turned signal ``[n]`` (least squares): a louder record is no damage.

        Raises:
            InputError: a signal of another length.
        """
        self.check(signal)
        energy = float(self.values @ self.values)
        return self.values * (float(signal @ self.values) / energy if energy > 0 else 0.0)

    def deviation(self, signal: np.ndarray) -> np.ndarray:
        """What is new in a turned signal ``[n]``: less the healthy waveform, in the bands where the gearbox is heard.

        Raises:
            InputError: a signal of another length.
        """
        rest = self.spread * (signal - self.matched(signal))
        return np.fft.irfft(np.fft.rfft(rest) * self.gain, len(rest))

    def save(self, path: str | Path) -> None:
        """Write to an .npz file, whole or not at all."""
        path = Path(path)
        if path.suffix.lower() != ".npz":
            raise InputError(f"{path}: a healthy waveform is saved as .npz")
        numbers = ("samples_per_tooth", "records", "gain", "level", "begin", "periods")
        kept: dict[str, Any] = {name: getattr(self, name) for name in numbers}
        kept |= {f"condition_{name}": ends for name, ends in self.conditions.items()}
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, healthy_waveform=self.values, **kept)

    @classmethod
    def load(cls, path: str | Path) -> HealthyWaveform:
        """Read what ``save`` wrote.

        Raises:
            InputError: no such file, or another kind of file.
        """
        data = read_arrays(Path(path), "a healthy waveform")
        with as_input_error(path, "not a healthy waveform"):
            numbers = [int(data[name]) for name in ("samples_per_tooth", "records")]
            values = np.asarray(data["healthy_waveform"], dtype=np.float64)
            gain = np.asarray(data["gain"], dtype=np.float64)
            level, begin, periods = (float(data.get(name, 0.0)) for name in ("level", "begin", "periods"))
            ends = {name: data[name] for name in data if name.startswith("condition_")}
            conditions = {name.removeprefix("condition_"): (float(a), float(b)) for name, (a, b) in ends.items()}
        if values.ndim != 1 or min(numbers) < 1 or len(values) % numbers[0] or gain.shape != (len(values) // 2 + 1,):
            raise InputError(f"{path}: not a healthy waveform (its numbers do not fit each other)")
        return cls(values, numbers[0], numbers[1], gain, level, begin=begin, conditions=conditions, periods=periods)


def levelled(signal: np.ndarray, samples_per_tooth: int) -> np.ndarray:
    """The signal with loud mesh events brought down: they may be damage, which is at no place of the waveform."""
    by_event = np.asarray(signal, dtype=np.float64).reshape(-1, samples_per_tooth)
    level = np.sqrt(np.mean(np.square(by_event), axis=1))
    most = _LOUD * float(np.median(level))
    return (by_event * np.minimum(1.0, most / np.maximum(level, 1e-300))[:, None]).reshape(-1)


def _cut_between(values: np.ndarray, samples_per_tooth: int) -> int:
    """Samples, fewer than a tooth's, by which a period begins later if events are to differ from each other most.

    Where a cut goes through the middle of teeth, every event holds two halves, and neighbours are alike.
    """
    window = EventWindow("hann")
    differ = [
        float(np.var(event_powers(np.roll(values, -k), samples_per_tooth, window))) for k in range(samples_per_tooth)
    ]
    return int(np.argmax(differ))


def _peaks(starts: np.ndarray, places: np.ndarray, events: int) -> list[int]:
    """The places that correlate best, each of them ``_APART`` teeth or more from the others."""
    found: list[int] = []
    for k in np.argsort(-starts):
        away = np.abs((places[found] - places[k] + events / 2) % events - events / 2)
        if (away > _APART).all():
            found.append(int(k))
            if len(found) == _TRIED:
                break
    return found


def correlations(signal: np.ndarray, values: np.ndarray, finer: int) -> np.ndarray:
    """Circular correlation at every shift of ``1 / finer`` samples, float64 ``[n * finer]``."""
    n = len(signal)
    cross = np.fft.irfft(np.fft.rfft(signal) * np.conj(np.fft.rfft(values)), n * finer) * finer
    return cross / max(float(np.linalg.norm(signal) * np.linalg.norm(values)), 1e-300)

"""Recordings of a signal model that shares nothing with the package's simulators: what is sound is not accused.

A sum of mesh harmonics whose height and phase differ from tooth to tooth, runout of both shafts, three resonances,
white noise, a speed that wanders; damage takes a bite out of the force while one tooth meshes. ``-m full`` tries
six gearboxes of each kind and prints the counts that ``docs/diagnosis.md`` tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter

from toothwise import GearPair, MapBuilder, Model, Monitor, VibrationRecord
from toothwise.diagnosis.verdict import Diagnosis
from toothwise.vibration.records import Tachometer

FS, PERIODS = 20_000.0, 4
RACES = {"inner": 5.43, "outer": 3.57}  # hits per turn of the driving shaft
PAIRS = [(18, 35), (23, 37), (17, 41)]
NEAR = [(0, 1), (0, 2), (0, 3), (0, 1, 2), (0, 1, 2, 3)]  # teeth that are damaged together, from the first of them on


def rung(force: np.ndarray, frequency: float, damping: float) -> np.ndarray:
    """What a force makes of one resonance, of height 1 far below it."""
    pole = np.exp((-damping + 1j * np.sqrt(1 - damping**2)) * 2 * np.pi * frequency / FS)
    return np.asarray(lfilter([abs(1 - pole) ** 2], [1.0, -2 * pole.real, abs(pole) ** 2], force))


@dataclass
class SignalModel:
    """A gear pair in plain arithmetic; ``own`` scales what tells its teeth apart."""

    seed: int
    teeth: tuple[int, int] = (18, 35)
    own: float = 1.0
    parts: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        draw = np.random.default_rng([self.seed, 77])
        self.parts = {
            "speed": draw.uniform(16, 30),
            "mesh": draw.uniform(0.2, 1.0, 5) / np.sqrt(np.arange(1, 6)),
            "phase": draw.uniform(0, 2 * np.pi, 5),
            "height": [self.own * draw.normal(0, 0.05, n) for n in self.teeth],
            "lag": [self.own * draw.normal(0, 0.02, n) for n in self.teeth],
            "runout": draw.uniform(0.02, 0.15, 2),
            "angle": draw.uniform(0, 2 * np.pi, 2),
            "modes": [(draw.uniform(0.9, 1.1) * f, draw.uniform(0.02, 0.06)) for f in (1300.0, 3100.0, 6200.0)],
            "noise": draw.uniform(0.4, 1.5),
        }

    def record(
        self,
        seed: int,
        *,
        crack: tuple[int, int, float] | None = None,
        cracks: Sequence[tuple[int, int, float]] = (),
        race: tuple[str, float] | None = None,
        periods: int | None = None,
        gain: float = 1.0,
        noise: float = 1.0,
        mark: float = 0.0,
        sign: float = 1.0,
        backwards: bool = False,
    ) -> VibrationRecord:
        """A recording; of seed 0 the first tooth of one gear meets the first of the other as it begins.

        Args:
            crack: Gear (0 = driving), tooth and depth, in heights of the force; ``cracks``: several of them.
            race: Of a bearing of the driving shaft, and how loud, in RMS of the gears.
            periods: Hunting periods that it lasts; None = 4, of gears that do not hunt some more.
            gain, noise: Times the usual ones, of everything and of the noise.
            mark: Turns of the driving shaft by which the tachometer's mark has moved.
            sign: -1 where the sensor was turned round.
            backwards: The shafts turn the other way round.
        """
        draw, p = np.random.default_rng([self.seed, seed, 5]), self.parts
        first, second = self.teeth
        periods = periods or PERIODS * max(1, round(np.gcd(first, second) / 2))
        speed = p["speed"] * (1 + 0.005 * draw.standard_normal())
        t = np.arange(round((1.1 * periods * np.lcm(first, second) / first / speed + 0.2) * FS)) / FS
        frequency = speed * (1 + 0.004 * np.sin(2 * np.pi * draw.uniform(0.2, 0.6) * t + draw.uniform(0, 6.3)))
        turns = np.cumsum(frequency) / FS + (draw.uniform(0, second) if seed else 1e-4)
        turns = turns * (-1.0 if backwards else 1.0)
        mesh = turns * first
        event = np.floor(mesh).astype(int)
        lag = sum(own[event % n] for own, n in zip(p["lag"], self.teeth, strict=True)) / (2 * np.pi)
        height = 1 + sum(own[event % n] for own, n in zip(p["height"], self.teeth, strict=True))
        for turn, size, angle in zip((turns, mesh / second), p["runout"], p["angle"], strict=True):
            height = height * (1 + size * np.cos(2 * np.pi * turn + angle))
        harmonics = enumerate(zip(p["mesh"], p["phase"], strict=True), 1)
        force = height * sum(a * np.cos(2 * np.pi * h * (mesh + lag) + phase) for h, (a, phase) in harmonics)
        within = mesh - event
        bite = np.sin(np.pi * within) ** 2 * (1 + 0.5 * np.cos(4 * np.pi * within))
        for gear, tooth, depth in [*cracks, *([crack] if crack else [])]:
            force = force - depth * bite * (event % self.teeth[gear] == tooth)
        x = (1 + 0.03 * draw.standard_normal()) * sum(rung(force, *mode) for mode in p["modes"])
        rms = x.std()
        if race:
            kind, loud = race
            passed = np.cumsum(frequency * RACES[kind] * (1 + 0.01 * np.sin(0.6 * np.pi * t))) / FS
            hits = np.diff(np.floor(passed), prepend=0.0) * (1 + 0.2 * draw.standard_normal(t.size))
            if kind == "inner":  # hit under load only, once per turn
                hits = hits * np.maximum(np.cos(2 * np.pi * turns + 1.0), 0.0)
            ringing = rung(hits, 4300.0, 0.03)
            x = x + loud * rms * ringing / ringing.std()
        x = x + noise * p["noise"] * rms * draw.standard_normal(t.size)
        turns = np.abs(turns)  # a pulse does not say which way
        marks = np.arange(np.ceil(turns[0] - mark), np.floor(turns[-1] - mark) + 1) + mark
        pulses = np.interp(marks, turns, t)
        return VibrationRecord({"vibration": 9.81 * sign * gain * x}, FS, Tachometer("times", pulses), unit="m/s^2")

    def with_another(self, gear: int) -> SignalModel:
        """The gearbox after a gear (0 = driving) was exchanged for another one."""
        other, parts = SignalModel(self.seed + 1000, self.teeth, self.own), deepcopy(self.parts)
        for name in ("height", "lag", "runout", "angle"):
            parts[name][gear] = other.parts[name][gear]
        other.seed, other.parts = self.seed, parts
        return other

    def number(self, gear: int, tooth: int) -> int:
        """What a tooth is called: numbers count from the first recording's first pulse, one turn late."""
        return tooth if gear == 0 else (tooth - self.teeth[0]) % self.teeth[1]

    def fit(self, n: int) -> Model:
        """On ``n`` healthy recordings, the waveform too."""
        learned = [self.record(k) for k in range(n)]
        return Model.fit(learned, builder=MapBuilder.learn(GearPair(*self.teeth), learned))

    def named(self, told: Diagnosis, gear: int, tooth: int) -> bool:
        """Whether the tooth is named."""
        return (told.gear, told.tooth) == (("driving", "driven")[gear], self.number(gear, tooth))


def said_of(told: Diagnosis) -> str:
    """What a diagnosis says of teeth; of a mostly noisy gearbox it may not know which one it is."""
    if told.teeth:
        return "a tooth" if told.tooth is not None else "a tooth, number unknown"
    return "no tooth"


def counted(seeds: range, teeth: tuple[int, int], learned: int, damage: dict[str, Any]) -> Counter[tuple[str, str]]:
    """What is said of four recordings of each kind of each gearbox; printed for ``pytest -s``."""
    counts: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        signals = SignalModel(seed, teeth)
        model = signals.fit(learned)
        for kind, put in damage.items():
            for k in range(4):
                told = Monitor(model).add([signals.record(1000 + k, **put)])
                right = "crack" in put and signals.named(told, *put["crack"][:2])
                # equal numbers of teeth: which of the two gears it is no signal tells
                right = right or ("crack" in put and teeth[0] == teeth[1] and told.tooth == put["crack"][1])
                counts[kind, f"{told.colour}, {'right tooth' if right else said_of(told)}"] += 1
    show(teeth, counts)
    return counts


def show(teeth: tuple[int, int], counts: Counter[tuple[str, str]]) -> None:
    """Print counts by kind."""
    for (kind, said), n in sorted(counts.items()):
        print(f"{teeth}: {kind}: {said}: {n}")  # noqa: T201


@pytest.fixture(scope="module")
def gearbox() -> tuple[SignalModel, Model]:
    model = SignalModel(3, (13, 24))
    return model, model.fit(8)


@pytest.mark.parametrize("race", [None, ("inner", 0.5), ("outer", 0.5)])
def test_sound_teeth_are_not_accused(gearbox, race):
    signals, model = gearbox
    told = Monitor(model).add([signals.record(1000, race=race)])
    assert (told.colour, told.tooth) == ("GREEN", None), told.sentence


@pytest.mark.parametrize(("gear", "tooth", "race"), [(0, 5, ("inner", 0.3)), (1, 20, None)])
def test_a_cracked_tooth_is_named(gearbox, gear, tooth, race):
    signals, model = gearbox
    told = Monitor(model).add([signals.record(1002, crack=(gear, tooth, 0.5), race=race)])
    assert told.colour == "RED"
    assert signals.named(told, gear, tooth)


@pytest.mark.parametrize("those", NEAR)
def test_of_damaged_teeth_near_each_other_all_are_named_and_no_sound_one(gearbox, those):
    signals, model = gearbox
    cracks = [(1, 20 + step, 1.0) for step in those]
    told = Monitor(model).add([signals.record(1060, cracks=cracks)])
    named, damaged = {t.tooth for t in told.teeth}, {signals.number(*crack[:2]) for crack in cracks}
    assert (told.colour, told.gear, named) == ("RED", "driven", damaged)
    assert ("driven teeth 7 to" in told.sentence) == (those in ((0, 1, 2), (0, 1, 2, 3)))


def test_another_gear_is_not_said_to_be_damaged():
    signals = SignalModel(4, (13, 24))
    model = signals.fit(6)
    for other, gear in enumerate(("driving", "driven")):
        told = Monitor(model).add([signals.with_another(other).record(1070)])
        assert (told.colour, told.tooth) == ("UNKNOWN", None), told.sentence
        assert f"pattern of the {gear} teeth" in told.sentence
        assert "exchanged" in told.next_look
    for crack in (None, (0, 5, 0.6)):
        told = Monitor(model).add([signals.record(1070, backwards=True, crack=crack)])
        assert (told.colour, told.tooth) == ("UNKNOWN", None), told.sentence
    for gear, tooth in ((0, 5), (1, 20)):  # the loud tooth of one gear says nothing of how loud the other one is
        told = Monitor(model).add([signals.record(1070, gain=0.5, crack=(gear, tooth, 3.0))])
        assert told.colour == "RED", told.sentence
        assert signals.named(told, gear, tooth)


def worn(signals: SignalModel, gear: int) -> list[tuple[int, int, float]]:
    """Cracks of all teeth of a gear, none like the next one: what wear does that is not even."""
    depths = np.random.default_rng([signals.seed, gear]).uniform(0.1, 0.5, signals.teeth[gear])
    return [(gear, tooth, float(depth)) for tooth, depth in enumerate(depths)]


@pytest.mark.parametrize("gear", [0, 1])
def test_a_gear_whose_teeth_are_all_worn_unevenly_is_seen(gear):
    signals = SignalModel(8, (18, 31))
    model = signals.fit(12)
    told = Monitor(model).add([signals.record(1080 + k, cracks=worn(signals, gear)) for k in range(3)])
    assert told.colour in ("AMBER", "RED")
    assert [name in told.sentence for name in ("driving", "driven")] == [gear == 0, gear == 1]


@pytest.mark.parametrize("periods", [1, 2, 3, 7])
def test_a_shorter_recording_is_no_louder_one(gearbox, periods):
    signals, model = gearbox
    told = Monitor(model).add([signals.record(1010 + periods, periods=periods)])
    assert (told.colour, told.level_change) == ("GREEN", pytest.approx(1.0, abs=0.15)), told.sentence


@pytest.mark.parametrize(("periods", "louder"), [(1, {"gain": 2.0}), (2, {"gain": 2.0}), (2, {"noise": 3.0})])
def test_a_shorter_recording_may_be_louder_beyond_its_noise(gearbox, periods, louder):
    signals, model = gearbox
    told = Monitor(model).add([signals.record(1020, periods=periods, **louder)])
    assert (told.colour, told.pattern) == ("AMBER", "sensor or condition changed"), told.sentence


def test_teeth_of_a_shorter_recording_are_compared(gearbox):
    signals, model = gearbox
    told = Monitor(model).add([signals.record(1030, periods=2, crack=(1, 20, 0.6))])
    assert told.colour == "RED"
    assert signals.named(told, 1, 20)


LONG = [pytest.param(crack, marks=pytest.mark.full) for crack in ((0, 5, 0.9), (1, 20, 0.8))]


@pytest.mark.parametrize("crack", [(0, 5, 0.4), (1, 20, 0.35), *LONG])
@pytest.mark.parametrize("records", [1, 4])
def test_what_is_said_of_a_level_is_what_was_measured(gearbox, crack, records):
    signals, model = gearbox
    told = Monitor(model).add([signals.record(1040 + k, crack=crack) for k in range(records)])
    assert told.contrast is not None
    low, high = told.contrast_interval or (0.0, 0.0)
    clear = not low <= 1.0 <= high and not 1 / 1.1 < told.contrast < 1.1
    assert ("its waveform has changed, its level not clearly" in told.sentence) != clear, told.sentence
    assert ("times its healthy level; " in told.sentence) == clear


@pytest.mark.parametrize("race", [("outer", 1.0), ("outer", 2.0), ("inner", 1.5)])
def test_one_recording_has_no_history(gearbox, race):
    signals, model = gearbox
    told = Monitor(model).add([signals.record(1050, crack=(0, 5, 0.8), race=race)])
    assert told.colour in ("AMBER", "RED")
    assert "by now" not in told.sentence
    assert "The first" not in told.sentence


def test_all_noisy_recordings_are_learned_from():
    signals = SignalModel(3, (23, 37))  # its noise is 1.36 times as loud as what the gears do
    builder = MapBuilder.learn(GearPair(*signals.teeth), [signals.record(k) for k in range(6)])
    assert builder.waveform is not None
    assert builder.waveform.records == 6


@pytest.mark.full
@pytest.mark.parametrize("teeth", [*PAIRS, (11, 16)])
def test_what_is_said_where_the_mark_has_moved_or_the_sensor_was_turned(teeth):
    counts: Counter[tuple[str, str]] = Counter()
    changes = {"nothing": {}, "sign": {"sign": -1.0}, "both": {"mark": 3.4 / teeth[0], "sign": -1.0}}
    changes |= {f"mark by {by} teeth": {"mark": by / teeth[0]} for by in (0.2, 1.0, 5.3)}
    for seed in range(31, 35):
        signals = SignalModel(seed, teeth)
        model = signals.fit(12)
        for change, how in changes.items():
            for depth in (0.0, 0.5, 1.2):
                for k in range(2):
                    crack = {"crack": (0, 7, depth)} if depth else {}
                    told = Monitor(model).add([signals.record(1000 + k, **how, **crack)])
                    what = said_of(told)
                    if depth and signals.named(told, 0, 7):
                        what = "right tooth"
                    elif depth and signals.named(told, 0, round(7 - teeth[0] * how.get("mark", 0.0)) % teeth[0]):
                        what = "right tooth, from the new mark"
                    counts[f"{change}, crack {depth}", f"{told.colour}, {what}"] += 1
    show(teeth, counts)

    def of(depth: float, said: str) -> int:
        return sum(n for (kind, what), n in counts.items() if kind.endswith(f"crack {depth}") and what == said)

    assert of(0.0, "GREEN, no tooth") >= 47  # of 48
    for depth, right in ((0.5, 46), (1.2, 40)):
        assert of(depth, "RED, right tooth") >= right
        assert of(depth, "RED, right tooth") + of(depth, "RED, right tooth, from the new mark") >= 46
    assert counts["nothing, crack 1.2", "RED, right tooth"] == 8


@pytest.mark.full
@pytest.mark.parametrize("teeth", PAIRS)
def test_what_is_said_of_six_gearboxes(teeth):
    damage = {"healthy": {}, "inner .3": {"race": ("inner", 0.3)}, "inner .5": {"race": ("inner", 0.5)}}
    damage |= {"inner 1": {"race": ("inner", 1.0)}, "outer .7": {"race": ("outer", 0.7)}}
    damage |= {f"crack {depth} of {gear}": {"crack": (gear, 7, depth)} for gear in (0, 1) for depth in (0.2, 0.5)}
    counts = counted(range(21, 27), teeth, 12, damage)

    def wrong(*kinds: str) -> int:
        return sum(n for (kind, said), n in counts.items() if kind in kinds and said == "RED, a tooth")

    assert wrong("healthy") == 0
    assert wrong("inner .3", "inner .5", "inner 1", "outer .7") <= 4  # of 96
    assert wrong(*(kind for kind in damage if "crack" in kind)) <= 1
    for gear in (0, 1):
        assert counts[f"crack 0.5 of {gear}", "RED, right tooth"] >= 20


@pytest.mark.full
@pytest.mark.parametrize("teeth", [(20, 40), (12, 36), (21, 35), (16, 16)])
def test_what_is_said_of_gears_that_do_not_hunt(teeth):
    damage = {"healthy": {}} | {f"crack {d} of {g}": {"crack": (g, 7, d)} for g in (0, 1) for d in (0.3, 0.8)}
    counts = counted(range(61, 65), teeth, 8, damage)

    assert counts["healthy", "GREEN, no tooth"] >= 15  # of 16; one has a speed that was not learned
    assert sum(n for (kind, said), n in counts.items() if kind == "healthy" and said[0] in "AR") == 0
    assert sum(n for (_, said), n in counts.items() if said == "RED, a tooth") <= 1
    for gear in (0, 1):
        assert sum(n for (kind, said), n in counts.items() if kind == f"crack 0.8 of {gear}" and "right" in said) >= 12


@pytest.mark.full
@pytest.mark.parametrize("teeth", [*PAIRS, (13, 24)])
def test_what_is_said_of_another_gear_and_of_teeth_near_each_other(teeth):
    counts: Counter[tuple[str, str]] = Counter()
    for seed in range(101, 105):
        signals = SignalModel(seed, teeth)
        model = signals.fit(8)
        others = {f"another {name} gear": signals.with_another(gear) for gear, name in enumerate(("driving", "driven"))}
        others["two other gears"] = signals.with_another(0).with_another(1)
        for k in range(2):
            for kind, other in others.items():
                told = Monitor(model).add([other.record(1000 + k)])
                counts[kind, f"{told.colour}, {said_of(told)}"] += 1
            told = Monitor(model).add([signals.record(1000 + k, backwards=True)])
            counts["backwards", f"{told.colour}, {said_of(told)}"] += 1
            for gear, those in product((0, 1), NEAR):
                cracks = [(gear, 7 + step, 0.6) for step in those]
                told = Monitor(model).add([signals.record(1000 + k, cracks=cracks)])
                named = {t.tooth for t in told.teeth}
                if None in named or not named:
                    what = said_of(told)
                else:
                    sound = named - {signals.number(gear, tooth) for _, tooth, _ in cracks}
                    what = "a sound tooth" if sound else f"{len(named)} of {len(those)} teeth"
                counts[f"teeth {those}", f"{told.colour}, {what}"] += 1
    show(teeth, counts)
    for kind in (*others, "backwards"):
        assert counts[kind, "UNKNOWN, no tooth"] + counts[kind, "GREEN, no tooth"] >= 6  # of 8
    assert sum(n for (_, said), n in counts.items() if "a sound tooth" in said) <= 2  # of 80


@pytest.mark.full
@pytest.mark.parametrize("teeth", [(18, 35), (13, 24)])
def test_what_is_said_of_gears_that_are_worn(teeth):
    counts: Counter[tuple[str, str]] = Counter()
    for seed in range(111, 115):
        signals = SignalModel(seed, teeth)
        model = signals.fit(16)
        even = [(0, tooth, 0.3) for tooth in range(teeth[0])]
        kinds = {"healthy": [], "worn, driving": worn(signals, 0), "worn, driven": worn(signals, 1), "even": even}
        for kind, cracks in kinds.items():
            maps = model.maps_of([signals.record(1000 + k, cracks=cracks) for k in range(4)])[0]
            for name, parts in {"alone": [maps[k : k + 1] for k in range(4)], "four": [maps]}.items():
                for told in (Monitor(model).add(part) for part in parts):
                    counts[f"{kind}, {name}", f"{told.colour}, {told.pattern}"] += 1
                    assert told.gear is None or kind.endswith(told.gear)
    show(teeth, counts)
    assert counts["healthy, alone", "GREEN, nothing"] >= 15  # of 16
    assert sum(counts[f"worn, {gear}, four", "GREEN, nothing"] for gear in ("driving", "driven")) <= 2  # of 8

"""What build refuses or warns of, inspect names, with the option that mends it."""

import warnings

import numpy as np
import pytest

from toothwise import GearPair, build_map
from toothwise.errors import InputError, ToothwiseWarning
from toothwise.vibration.inspection import inspect_record
from toothwise.vibration.records import Tachometer, VibrationRecord

PAIR, SPEED, RATE = GearPair(17, 42), 30.0, 12_800.0


def _turning(revolutions=90, speed=SPEED):
    t = np.arange(int(revolutions / speed * RATE)) / RATE
    angle = np.cumsum(speed * (1 + 0.02 * np.sin(2 * np.pi * 0.31 * t))) / RATE - 0.3
    event = PAIR.driving * angle
    x = np.sin(2 * np.pi * event) + 0.4 * np.sin(4 * np.pi * event + 1)
    x += 0.1 * np.random.default_rng(0).standard_normal(len(t))
    return t, angle, x + (np.floor(event) % 17 == 9) * np.sin(2 * np.pi * 6 * event) * np.sin(np.pi * event) ** 2


def _times(t, angle, marks=(0.0,)):
    turns = (np.arange(np.ceil(angle[-1]))[:, None] + np.asarray(marks)).ravel()
    return np.interp(turns[turns < angle[-1]], angle, t)


def _record(x=None, marks=(0.0,), turn=1.0, keep=slice(None), revolutions=90, pulses=1.0, rate=RATE, **tacho):
    t, angle, sound = _turning(revolutions)
    kind = tacho.pop("kind", "times")
    values = tacho.pop("values", None)
    values = _times(t, angle * turn, marks)[keep] if values is None else values(t, angle)
    given = Tachometer(kind, values, pulses, **tacho) if values is not None else None
    return VibrationRecord({"x": sound if x is None else x(sound)}, rate, given)


def _nan(x):
    return np.where(np.arange(len(x)) % 3000 == 0, np.nan, x)


def _pulses(t, angle, width=0.1):
    return 5.0 * (np.mod(angle, 1) < width)


FAULTS = {
    "two marks": ({"marks": (0, 0.5)}, PAIR, "pulses_per_revolution="),
    "four marks": ({"marks": np.arange(4) / 4}, PAIR, "gives 4 times the pulses"),
    "five marks": ({"marks": np.arange(5) / 5}, PAIR, "gives 5 times the pulses"),
    "a mark, two said": ({"pulses": 2, "revolutions": 180}, PAIR, "pulses_per_revolution="),
    "a mark, four said": ({"pulses": 4}, PAIR, "pulses_per_revolution="),
    "every second pulse lost later": ({"keep": np.r_[0:20, 20:89:2]}, PAIR, "tacho_threshold="),
    "driven, not said": ({"turn": 17 / 42}, PAIR, "tacho_shaft=driven"),
    "driving, said driven": ({"shaft": "driven"}, PAIR, "tacho_shaft=driving"),
    "another shaft's name": ({"shaft": "output"}, PAIR, "tacho_ratio="),
    "teeth exchanged": ({}, GearPair(42, 17), "exchanged"),
    "twice the teeth": ({}, GearPair(34, 84), "2 times their number"),
    "a tooth too many": ({}, GearPair(18, 42), "check the teeth"),
    "half the teeth": ({}, GearPair(8, 42), "check the teeth"),
    "too short": ({"revolutions": 30}, PAIR, "takes 42 revolutions"),
    "NaN in every period": ({"x": _nan}, PAIR, "NaN"),
    "constant": ({"x": np.ones_like}, PAIR, "constant"),
    "noise": ({"x": lambda x: np.random.default_rng(1).standard_normal(len(x))}, PAIR, "sampling_rate="),
    "slowly sampled": ({"x": lambda x: x[::16], "rate": RATE / 16}, PAIR, "sampling_rate="),
    "no tachometer": ({"values": lambda t, angle: None}, PAIR, "tacho="),
    "flat": ({"kind": "waveform", "values": lambda t, angle: 0 * t}, PAIR, "tacho="),
    "dead": ({"kind": "waveform", "values": lambda t, a: _pulses(t, a) * (t < 0.6)}, PAIR, "tacho_threshold="),
    "downwards": ({"kind": "waveform", "values": lambda t, a: 5 - _pulses(t, a)}, PAIR, "tacho_edge=falling"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_named_with_what_mends_it(name):
    changes, gears, words = FAULTS[name]
    record = _record(**changes)
    problems = " | ".join(inspect_record(record, gears).problems)
    assert words in problems
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            build_map(record, gears)
            said = [str(one.message) for one in caught if issubclass(one.category, ToothwiseWarning)]
        except InputError as error:
            said = [str(error)]
    assert all(line in problems for line in said)


def test_a_sound_recording_has_no_problem():
    found = inspect_record(_record(kind="waveform", values=_pulses), PAIR)
    assert found.problems == ()
    assert found.gears == ()


def test_gears_that_do_not_hunt_are_told():
    (text,) = inspect_record(_record(), GearPair(17, 51)).gears
    assert "51 of 867 tooth pairs meet" in text
    assert "each driven tooth has one mate" in text

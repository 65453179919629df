"""What pulses say of tooth zero: arithmetic of the steps that remain possible."""

from fractions import Fraction

import numpy as np
import pytest

from toothwise import GearPair, PlanetaryStage
from toothwise.errors import InputError
from toothwise.gears import GearTrain
from toothwise.gears.train import TrainStage
from toothwise.vibration.angle import angle_from_encoder, angle_from_pulses
from toothwise.vibration.periods import record_angle
from toothwise.vibration.records import Tachometer, VibrationRecord
from toothwise.vibration.tooth_zero import ToothZero, event_step, tooth_zeros

PAIR = GearPair(23, 56)


def _possible(gears, step):
    """Places of the hunting period that revolution 0 can have, by brute force."""
    per = Fraction(gears.hunting_period, gears.hunting_revolutions) * step
    return {(k * per) % gears.hunting_period for k in range(20_000)}


@pytest.mark.parametrize("step", ["1", "1/4", "1/90", "56/23", "2/5", "3", "28/23"])
@pytest.mark.parametrize("gears", [PAIR, GearPair(32, 96), PlanetaryStage(14, 11, 36, 3)])
def test_steps_are_those_that_counting_gives(gears, step):
    places = _possible(gears, Fraction(step))
    found = event_step(gears, Fraction(step))
    if found is not None:
        assert places == {k * found for k in range(int(gears.hunting_period / found))}
    for axis, teeth in gears.axes:
        zero = tooth_zeros(gears, Fraction(step))[axis.split()[0]]
        if found is not None:
            assert zero.positions == len({place % teeth for place in places})
            assert zero.is_known == (zero.positions == 1)


def test_an_index_marks_its_own_gear_only():
    for step, known in ((Fraction(1), "driving"), (Fraction(56, 23), "driven")):
        zeros = tooth_zeros(PAIR, step)
        assert [name for name, zero in zeros.items() if zero.is_known] == [known]
    assert tooth_zeros(PAIR, Fraction(1), "given")["driving"].known == "given"
    assert {zero.positions for zero in tooth_zeros(PAIR, None).values()} == {None}


def test_four_pulses_leave_four_places():
    zero = tooth_zeros(PAIR, Fraction(1, 4))["driving"]
    assert (zero.known, zero.positions, zero.step) == ("unknown", 4, 5.75)


def test_a_turn_onto_the_waveform_settles_what_is_unknown():
    unknown = ToothZero("unknown", 4, 5.75)
    assert unknown.found(0.9999, sure=True) == ToothZero("waveform", confidence=0.9999)
    assert unknown.found(0.5, sure=False) == ToothZero("unknown", 4, 5.75, 0.5)
    assert ToothZero("index").found(0.2, sure=False) == ToothZero("index")


def _record(tacho):
    return VibrationRecord({"x": np.zeros(1000)}, 100.0, tacho)


@pytest.mark.parametrize(
    ("shaft", "ratio", "pulses", "step"),
    [
        ("driving", 1.0, 1, Fraction(1)),
        ("driven", 1.0, 1, Fraction(56, 23)),
        ("driven", 1.0, 2, Fraction(28, 23)),
        ("driving", 1.0, 2.5, Fraction(2, 5)),
        ("motor", 0.4, 1, Fraction(2, 5)),
    ],
)
def test_the_angle_of_a_record_carries_it_to_the_driving_shaft(shaft, ratio, pulses, step):
    tacho = Tachometer("times", np.arange(1, 40) / 5.0, pulses, shaft, ratio)
    assert record_angle(_record(tacho), PAIR, shaft="driving").zero_step == step


def test_through_a_train():
    train = GearTrain(
        (
            TrainStage("a", GearPair(18, 35), ("in", "middle")),
            TrainStage("b", GearPair(21, 40), ("middle", "out")),
        )
    )
    record = _record(Tachometer("times", np.arange(1, 40) / 5.0, 1, "out"))
    angle = record_angle(record, train, shaft="middle")
    assert angle.zero_step == Fraction(40, 21)
    assert tooth_zeros(train.stage("b").gears, angle.zero_step)["driven"].known == "index"
    with pytest.raises(InputError, match="tacho_shaft must be one of 'in', 'middle', 'out', but got 'output'"):
        record_angle(_record(Tachometer("times", np.arange(1, 40) / 5.0, 1, "output")), train)


def test_uneven_marks_without_an_index_share_one_grid():
    """Whichever mark a record begins with, its revolution 0 lies on the same four places of the shaft."""
    marks = np.array([0.0, 0.27, 0.5, 0.76])
    turns = (np.arange(40)[:, None] + marks).ravel()
    places = []
    for first in range(4):
        angle = angle_from_pulses(turns[first:] / 10.0, pulses_per_revolution=4)
        assert angle.zero_step == Fraction(1, 4)
        places.append((turns[first] - angle.revolutions[0]) % 0.25)
    np.testing.assert_allclose(places, places[0], atol=1e-6)


@pytest.mark.parametrize(("start", "known"), [(0.3, True), (5.2, True), (0.0, False)])
def test_an_encoder_that_begins_anywhere(start, known):
    turned = start + 7.0 * np.arange(4000) / 1000.0
    angle = angle_from_encoder(turned, 1000.0)
    assert angle.zero_step == (1 if known else None)
    assert -1.0 < angle.span[0] <= 0.0
    assert angle.at(np.array([1.0]))[0] % 1.0 == pytest.approx((start + 7.0) % 1.0, abs=1e-6)
    falling = angle_from_encoder(-turned, 1000.0)
    assert (falling.speed() > 0).all()

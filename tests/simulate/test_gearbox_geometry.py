"""Where and when the simulated teeth meet, against plain geometry of the shafts."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from toothwise import GearPair, PlanetaryStage
from toothwise.errors import InputError
from toothwise.gears import GearTrain
from toothwise.simulate.faults import Fault, stiffness_drop
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.speed import SpeedProfile
from toothwise.simulate.tacho import TachoConfig
from toothwise.vibration.periods import record_angle

STEADY = SpeedProfile(10.0, "constant")
# a stiff, well damped housing follows at once: what is heard is heard when it happens
HOUSING = ((9000.0, 0.7, 1.0),)
PAIR = GearboxConfig(GearPair(9, 14), periods=2, snr=None, speed=STEADY, modes=HOUSING, runout=(0.0, 0.0))
STAGE = GearboxConfig(
    PlanetaryStage(15, 15, 45, 3), periods=3, snr=None, speed=STEADY, modes=HOUSING, runout=(0.0, 0.0), path=(1.0, 0.0)
)


def change(config, fault):
    """Revolutions of the counted shaft, and what the fault changes in the vibration."""
    sound, bad = (simulate_record(config, faults, seed=1)[0] for faults in ((), (fault,)))
    index = sound.tacho.values
    assert sound.tacho.kind == "times"
    turned = np.interp(np.arange(sound.samples) / sound.sampling_rate, index, np.arange(len(index)), np.nan, np.nan)
    known = np.isfinite(turned)
    return turned[known], (bad.channel() - sound.channel())[known].astype(float)


def share_within(turned, x, centres, width):
    """Share of the energy that lies within ``width`` of any of the centres."""
    distance = np.abs(turned[:, None] - np.asarray(centres)).min(axis=1)
    return np.sum(x[distance < width] ** 2) / np.sum(x**2)


@pytest.mark.parametrize(("gear", "tooth", "teeth"), [("driving", 5, 9), ("driven", 11, 14)])
def test_a_cracked_tooth_is_heard_while_it_is_in_mesh_and_only_then(gear, tooth, teeth):
    config = replace(PAIR, tacho=TachoConfig("times"))
    turned, x = change(config, Fault("crack", gear, tooth, 0.6))
    centres = (np.arange(tooth, 9 * 30, teeth) + 0.5) / 9
    # in contact for 1.6 events around the middle of its own
    assert share_within(turned, x, centres, 0.85 / 9) > 0.97
    assert share_within(turned, x, centres + 3 / 9, 0.85 / 9) < 0.02


def test_a_cracked_sun_tooth_is_heard_whenever_it_faces_a_planet():
    config = replace(STAGE, tacho=TachoConfig("times"))
    gears, tooth = config.gears, 4
    turned, x = change(config, Fault("crack", "sun", tooth, 0.6))
    # seen from the carrier the sun's tooth starts tooth / sun behind the first planet and turns ring / sun as fast
    faced = [(n + tooth / gears.sun - p) * gears.sun / gears.ring for p in gears.spacing for n in range(40)]
    centres = np.array(faced) + 0.5 / gears.ring
    assert share_within(turned, x, centres, 0.85 / gears.ring) > 0.97
    assert len(np.unique(np.round(centres * gears.ring % gears.sun, 6))) == 3  # the planets face it one by one


def test_a_cracked_ring_tooth_is_heard_when_a_planet_passes_it():
    config = replace(STAGE, tacho=TachoConfig("times"))
    gears, tooth = config.gears, 20
    turned, x = change(config, Fault("crack", "ring", tooth, 0.6))
    centres = [n + p + (tooth + 0.5) / gears.ring for p in gears.spacing for n in range(-1, 9)]
    assert share_within(turned, x, centres, 0.85 / gears.ring) > 0.97


def test_a_cracked_planet_tooth_meets_ring_and_sun_in_turn():
    config = replace(STAGE, tacho=TachoConfig("times"))
    gears, tooth = config.gears, 3
    turned, x = change(config, Fault("crack", "planet", tooth, 0.6))
    at_ring = (np.arange(-30, 60) * gears.planet + tooth + 0.5) / gears.ring
    at_sun = at_ring + (gears.planet - gears.planet // 2) / gears.ring
    assert share_within(turned, x, np.concatenate([at_ring, at_sun]), 0.85 / gears.ring) > 0.97
    assert share_within(turned, x, at_ring, 0.85 / gears.ring) > 0.5


def test_path_to_the_sensor_is_the_written_one():
    """One planet with and without the path: the ratio of the two levels, place by place on the ring."""
    flat = GearboxConfig(
        PlanetaryStage(15, 15, 45, 1),
        periods=20,
        snr=None,
        speed=STEADY,
        modes=HOUSING,
        runout=(0.0, 0.0),
        path=(1.0, 0.0),
        tacho=TachoConfig("times"),
    )
    floor, sharpness = 0.3, 2.0
    one, other = (simulate_record(replace(flat, path=p), seed=0)[0] for p in ((1.0, 0.0), (floor, sharpness)))
    index = one.tacho.values
    turned = np.interp(np.arange(one.samples) / one.sampling_rate, index, np.arange(len(index)), np.nan, np.nan)
    for place in (0.0, 0.2, 0.5, 0.8):
        near = np.abs((turned - place + 0.5) % 1.0 - 0.5) < 0.02
        gain = np.std(other.channel()[near]) / np.std(one.channel()[near])
        assert gain == pytest.approx(
            floor + (1 - floor) * np.exp(sharpness * (np.cos(2 * np.pi * place) - 1)), rel=0.03
        )


@pytest.mark.parametrize("pulses", [1, 2, 8, 64])
@pytest.mark.parametrize("kind", ["times", "waveform"])
def test_a_record_may_begin_with_any_of_several_pulses(pulses, kind):
    """The angle says so: it lies some whole pulses from the index's."""
    one = simulate_record(replace(PAIR, tacho=TachoConfig("times")), seed=2)[0].tacho.values
    record = simulate_record(replace(PAIR, tacho=TachoConfig(kind, pulses)), seed=2)[0]
    angle = record_angle(record, GearTrain.single(PAIR.gears))
    off = (angle.at(one[1:-1]) - np.arange(1, len(one) - 1)) * pulses
    np.testing.assert_allclose(off, np.rint(off[0]), atol=2e-3 * pulses)
    assert angle.zero_step.denominator == pulses


@pytest.mark.parametrize("index_at", [0.0, 0.25])
@pytest.mark.parametrize("polarity", ["positive", "negative"])
@pytest.mark.parametrize(("pulses", "left_out"), [(1, 0), (20, 1), (60, 2)])
def test_an_index_is_found_wherever_a_record_begins(pulses, left_out, polarity, index_at):
    tacho = TachoConfig("waveform", pulses, left_out, index_at=index_at, polarity=polarity)
    plain = replace(PAIR, start=None, lead=None)
    for seed in range(3):
        one = simulate_record(replace(plain, tacho=TachoConfig("times")), seed=seed)[0].tacho.values
        record = simulate_record(replace(plain, tacho=tacho), seed=seed)[0]
        angle = record_angle(record, GearTrain.single(PAIR.gears))
        assert angle.zero_step == 1
        at = angle.at(one[2:-2]) + index_at
        np.testing.assert_allclose(at, np.rint(at), atol=4e-3)


@pytest.mark.parametrize(("shaft", "ratio"), [("", 1.0), ("carrier", 1.0), ("sun", 4.0)])
def test_a_tachometer_may_sit_on_another_shaft(shaft, ratio):
    carrier = simulate_record(replace(STAGE, tacho=TachoConfig("times")), seed=3)[0].tacho.values
    record = simulate_record(replace(STAGE, tacho=TachoConfig("times", shaft=shaft)), seed=3)[0]
    assert record.tacho.shaft == (shaft or "carrier")
    assert np.diff(carrier).mean() / np.diff(record.tacho.values).mean() == pytest.approx(ratio, rel=1e-6)
    angle = record_angle(record, GearTrain.single(STAGE.gears), shaft="carrier")
    off = (angle.at(carrier[:-2]) - np.arange(len(carrier) - 2)) * ratio
    np.testing.assert_allclose(off, np.rint(off[0]), atol=4e-3)
    assert angle.zero_step * Fraction(ratio) == 1


def test_a_tachometer_on_a_shaft_that_is_not_there():
    with pytest.raises(InputError, match="tacho_shaft must be one of '', 'driving', 'driven', but got 'sun'"):
        replace(PAIR, tacho=TachoConfig(shaft="sun"))


@pytest.mark.parametrize("gear", ["driving", "driven"])
def test_what_a_crack_adds_grows_as_its_stiffness_says(gear):
    """Sound teeth stay as they were; the cracked one's change is in proportion to F / k * drop / (1 - drop)."""
    config = replace(PAIR, tacho=TachoConfig("times"))
    energy, expected = [], []
    for depth in (0.1, 0.2, 0.4, 0.6, 0.8):
        turned, x = change(config, Fault("crack", gear, 4, depth))
        teeth = PAIR.gears.driving if gear == "driving" else PAIR.gears.driven
        near = np.abs(turned[:, None] - (np.arange(4, 9 * 30, teeth) + 0.5) / 9).min(axis=1) < 0.85 / 9
        energy.append(np.sum(x[near] ** 2))
        drop = stiffness_drop(depth)
        expected.append((drop / (1 - drop)) ** 2)
    assert all(b > a for a, b in pairwise(energy))
    # not exactly: a soft tooth hands its load to its neighbours, more sharply the softer it is
    amplitude = np.sqrt(np.array(energy) / energy[3])
    np.testing.assert_allclose(amplitude, np.sqrt(np.array(expected) / expected[3]), rtol=0.2)


def test_the_vibration_repeats_after_a_hunting_period_and_not_before():
    record, _ = simulate_record(replace(PAIR, tacho=TachoConfig("times")), seed=0)
    index, x = record.tacho.values, record.channel().astype(float)
    t = np.arange(record.samples) / record.sampling_rate
    u = np.arange(0.5, 13.5, 1 / 2000)  # revolutions; a hunting period has 14

    def at(shift):
        return np.interp(np.interp(u + shift, np.arange(len(index)), index), t, x)

    one = at(0.0)
    assert np.std(at(14.0) - one) < 0.05 * np.std(one)
    assert np.std(at(1.0) - one) > 0.2 * np.std(one)
    assert np.std(at(7.0) - one) > 0.2 * np.std(one)

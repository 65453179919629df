"""Marks around a shaft are geometry, what is lost or doubled once is a fault, and what cannot be counted is cut off."""

import warnings

import numpy as np
import pytest

from toothwise import GearPair
from toothwise.errors import InputError, SignalWarning
from toothwise.vibration.angle import angle_from_pulses
from toothwise.vibration.inspection import inspect_record
from toothwise.vibration.mesh import Spectrum, mesh_contradiction, mesh_line
from toothwise.vibration.periods import cut_periods, record_angle
from toothwise.vibration.records import Tachometer, VibrationRecord
from toothwise.vibration.tacho import find_pulses


def _turning(marks, *, turns=120, speed=25.0, varies=0.02, start=0.3):
    """Time and angle of a shaft, and when its marks (revolutions) pass, with the marks' own angles."""
    t = np.arange(int(turns / speed * 10_000)) / 10_000
    angle = speed * (t + varies / (2 * np.pi * 0.3) * np.sin(2 * np.pi * 0.3 * t)) - start
    at = (np.arange(np.floor(angle[0]), np.ceil(angle[-1]) + 1)[:, None] + np.asarray(marks)[None]).ravel()
    at = at[(at > angle[0]) & (at < angle[-1])]
    return t, angle, np.interp(at, angle, t), at


def _zebra(stripes, joint):
    return np.arange(stripes) / (stripes - 1 + joint)


def _error(found, t, angle):
    off = found.at(t) - angle
    off = off[np.isfinite(off)]
    return float(np.median(off)), float(np.abs(off - np.median(off)).max())


@pytest.mark.parametrize("start", [0.3, 0.71])
@pytest.mark.parametrize("lost", [0.0, 0.05])
@pytest.mark.parametrize(
    ("marks", "pulses"),
    [
        (_zebra(30, 0.25), 30),
        (_zebra(30, 1.6), 30),
        (_zebra(12, 0.5), 12),
        (np.arange(58) / 60, 60),
        (np.arange(58) / 60, 58),
        (np.arange(35) / 36, 36),
        (np.arange(3) / 4, 4),
        (np.arange(3) / 4, 3),
        (np.array([0.0, 0.3]), 2),
    ],
)
def test_an_odd_interval_is_the_index_whatever_is_lost(marks, pulses, lost, start):
    t, angle, times, _ = _turning(marks, start=start)
    rng = np.random.default_rng(0)
    times = times[rng.random(len(times)) >= lost]
    found = angle_from_pulses(times, pulses_per_revolution=pulses)
    assert found.zero_step == 1
    offset, error = _error(found, t, angle)
    # revolution 0 begins after the gap, or after the short joint: the mark at angle 0
    assert offset == pytest.approx(round(offset), abs=2e-3)
    assert error < 2e-3


@pytest.mark.parametrize("varies", [0.02, 0.15])
@pytest.mark.parametrize("pulses", [2, 4, 90])
def test_even_marks_stay_what_they_are(pulses, varies):
    t, angle, times, _ = _turning(np.arange(pulses) / pulses, varies=varies)
    kept = np.random.default_rng(1).random(len(times)) > 0.05
    for some in (times, times[kept], times + 0.02 / 25 / pulses * np.random.default_rng(2).standard_normal(len(times))):
        found = angle_from_pulses(some, pulses_per_revolution=pulses)
        assert found.zero_step.denominator == pulses
        assert _error(found, t, angle)[1] < 0.12 / pulses


@pytest.mark.parametrize("place", [0.5, 0.3, 0.1])
def test_a_second_mark_for_a_stretch_is_taken_out(place):
    t, angle, times, at = _turning([0.0, place])
    real = np.abs(at - np.rint(at)) < 1e-6
    found = angle_from_pulses(times[real | ((at > 50) & (at < 74))])
    assert _error(found, t, angle) == (pytest.approx(0, abs=1e-3), pytest.approx(0, abs=2e-3))
    assert len(found.report.doubled) == 24


@pytest.mark.parametrize("begin", [0, 30, 96])
def test_every_second_pulse_lost_for_a_stretch_is_put_back(begin):
    t, angle, times, _ = _turning([0.0])
    found = angle_from_pulses(np.delete(times, np.arange(begin + 1, begin + 22, 2)))
    assert len(found.report.missing) == 11
    assert _error(found, t, angle)[1] < 5e-3


@pytest.mark.parametrize(("varies", "cut"), [(0.01, False), (0.15, True)])
def test_a_gap_that_cannot_be_counted_is_cut_off(varies, cut):
    t, angle, times, _ = _turning([0.0], varies=varies)
    broken = np.delete(times, np.arange(30, 50))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = angle_from_pulses(broken)
    assert bool(caught) == cut
    assert _error(found, t, angle)[1] < (2e-3 if cut else 0.05)
    assert (found.times[0] > times[45]) == cut
    if cut:
        assert issubclass(caught[0].category, SignalWarning)
        assert "too long to count" in str(caught[0].message)


def test_a_speed_that_halves_at_once_is_no_gear():
    times = np.cumsum([0.04] * 60 + [0.072] * 60)
    with pytest.raises(InputError, match="cannot be trusted"):
        angle_from_pulses(times)


def _meshing(teeth=(23, 56), harmonics=((1, 1.0), (2, 0.4)), marks=(0.0,), pulses=1):
    t, angle, times, _ = _turning(marks)
    rng = np.random.default_rng(0)
    x = 0.1 * rng.standard_normal(len(t)) + 0.2 * np.sin(2 * np.pi * angle) * np.sin(2 * np.pi * 23 * angle)
    for k, amplitude in harmonics:
        x = x + amplitude * np.sin(2 * np.pi * 23 * k * angle + k)
    return VibrationRecord({"x": x}, 10_000.0, Tachometer("times", times, pulses)), GearPair(*teeth)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"marks": (0.0, 0.5)}, "half of the order 23"),
        ({"marks": (0.0, 1 / 3, 2 / 3)}, "a third of the order 23"),
        ({"teeth": (46, 112)}, "half of the order 46"),
        ({"teeth": (46, 111)}, "half of the order 46"),
        ({"marks": (0.0, 0.5), "harmonics": ((2, 1.0), (3, 0.5))}, "half of the order 23"),
    ],
)
def test_the_mesh_line_decides(changes, reason):
    record, gears = _meshing(**changes)
    with pytest.raises(InputError, match=reason):
        cut_periods(record, gears)
    assert any(reason in problem for problem in inspect_record(record, gears).problems)


@pytest.mark.parametrize("harmonics", [((1, 1.0),), ((2, 1.0),), ((3, 1.0), (1, 0.05)), ((6, 1.0), (7, 0.3))])
def test_a_mesh_in_any_harmonic_is_heard_and_sound(harmonics):
    record, gears = _meshing(harmonics=harmonics)
    cut_periods(record, gears)
    seen = inspect_record(record, gears)
    assert seen.problems == ()
    assert seen.mesh["stage"]["harmonic"] == harmonics[0][0]


def test_other_stages_and_shaft_harmonics_are_no_contradiction():
    orders = np.arange(0, 200, 1 / 32)
    floor = 1.0 + 0.1 * np.random.default_rng(0).standard_normal(len(orders))
    mesh, half = np.isclose(orders % 24, 0), np.isclose(orders, 12)
    assert mesh_contradiction(Spectrum(orders, floor + 40 * mesh + 20 * half), 24.0).count("half of the order 24") == 1
    assert mesh_contradiction(Spectrum(orders, floor + 40 * mesh + 20 * half), 24.0, others=[12.0]) == ""
    shaft = np.isclose(orders % 1, 0)
    assert mesh_contradiction(Spectrum(orders, floor + 40 * mesh + 20 * shaft), 24.0) == ""
    assert not mesh_line(Spectrum(orders, floor), 24.0).heard


def test_a_line_of_the_mains_is_no_mesh():
    orders = np.arange(0, 200, 1 / 32)
    floor = 1.0 + 0.1 * np.random.default_rng(0).standard_normal(len(orders))
    mesh, third, half = np.isclose(orders % 18, 0), np.isclose(orders, 6), np.isclose(orders % 18, 9)
    hum = floor + 40 * mesh + 20 * third
    assert mesh_contradiction(Spectrum(orders, hum), 18.0, speed=25.0) == ""  # 150 Hz
    assert mesh_contradiction(Spectrum(orders, hum), 18.0, speed=20.0) == ""  # 120 Hz
    assert "a third of the order 18" in mesh_contradiction(Spectrum(orders, hum), 18.0, speed=23.0)
    # of a mesh at 300 Hz the odd harmonics say so
    assert "half of the order 18" in mesh_contradiction(
        Spectrum(orders, floor + 40 * mesh + 20 * half), 18.0, speed=100 / 3
    )


@pytest.mark.parametrize(("teeth", "left_out"), [(36, 1), (36, 2), (60, 2)])
def test_a_missing_tooth_wheel_is_known_by_pulses_of_few_samples(teeth, left_out):
    t = np.arange(40_960) / 10_240
    theta = 21 * t - 0.37 + 0.01 * np.sin(2 * np.pi * 0.4 * t)
    pitch = np.mod(theta, 1) * teeth
    signal = 5.0 * ((pitch < teeth - left_out) & (pitch % 1 < 0.4))  # an edge lies anywhere within a sample
    found = angle_from_pulses(find_pulses(signal, 10_240.0), pulses_per_revolution=teeth)
    assert found.zero_step == 1
    assert _error(found, t, theta)[0] == pytest.approx(round(_error(found, t, theta)[0]), abs=3e-3)


def test_pulses_of_every_second_revolution_name_no_tooth():
    t = np.arange(51_200) / 12_800
    theta = 25 * t - 0.3
    x = np.sin(2 * np.pi * 9 * theta) + 0.4 * np.sin(4 * np.pi * 9 * theta)
    x = x + 0.05 * np.random.default_rng(0).standard_normal(len(t))
    record = VibrationRecord({"x": x}, 12_800.0, Tachometer("waveform", 5.0 * (np.mod(theta / 2, 1) < 0.05)))
    with pytest.warns(SignalWarning, match="only harmonics 2, 4"):
        periods = cut_periods(record, GearPair(9, 14))
    assert {zero.known for zero in periods.tooth_zero.values()} == {"unknown"}
    zeros = inspect_record(record, GearPair(9, 14)).tooth_zero
    assert {zero["known"] for gears in zeros.values() for zero in gears.values()} == {"unknown"}


def test_pulses_that_go_downwards_are_said():
    t = np.arange(51_200) / 12_800
    x, values = {"x": np.sin(2 * np.pi * 225 * t)}, 5.0 * (np.mod(25 * t - 0.3, 1) > 0.1)
    record = VibrationRecord(x, 12_800.0, Tachometer("waveform", values))
    with pytest.warns(SignalWarning, match="tacho_edge=falling"):
        assert record_angle(record, GearPair(9, 14)).zero_step is None  # the mark ends there: no tooth is named
    for told in ({"edge": "falling"}, {"zero": "given"}):
        record = VibrationRecord(x, 12_800.0, Tachometer("waveform", values, **told))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SignalWarning)
            assert record_angle(record, GearPair(9, 14)).zero_step == 1


def test_a_pick_up_that_swings_both_ways_is_no_downward_pulse():
    t = np.arange(51_200) / 12_800
    swing = np.mod(25 * t + 0.2, 1) - 0.5
    values = -swing * np.exp(-np.square(swing / 0.02)) + 1e-4 * np.random.default_rng(0).standard_normal(len(t))
    record = VibrationRecord({"x": np.sin(2 * np.pi * 225 * t)}, 12_800.0, Tachometer("waveform", values))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*go downwards", category=SignalWarning)
        assert record_angle(record, GearPair(9, 14)).zero_step == 1

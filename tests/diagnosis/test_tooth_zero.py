"""How tooth zero is known goes from the recording to the sentence, and numbers that mean nothing are never compared."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from toothwise import GearPair, MapBuilder, Model, Monitor
from toothwise.diagnosis.store import JsonStore
from toothwise.healthmap import HealthMapBatch
from toothwise.simulate.maps import generate
from toothwise.vibration.records import Tachometer, VibrationRecord

PAIR, TOOTH = GearPair(11, 14), 6
RATE, SPEED = 6400.0, 20.0


def recording(seed, shaft, *, damaged=False, own=0.25, noise=0.2):
    """A record that begins anywhere in the hunting period; one pulse per revolution of a shaft."""
    rng = np.random.default_rng(seed)
    one, two = (np.random.default_rng(k).normal(size=n) for k, n in ((5, 11), (6, 14)))
    t = np.arange(int(5 * 14 / SPEED * RATE)) / RATE
    theta = np.cumsum(SPEED * (1 + 0.02 * np.sin(2 * np.pi * 0.4 * t))) / RATE + rng.uniform(0, 14)
    event = 11 * theta
    k, phase = np.floor(event).astype(int), event % 1
    burst = np.sin(2 * np.pi * 5.3 * phase) * np.sin(np.pi * phase) ** 2
    x = np.sin(2 * np.pi * event) + own * (one[k % 11] + two[k % 14]) * burst + noise * rng.standard_normal(len(t))
    if damaged:
        x += 1.2 * (k % 11 == TOOTH) * burst
    turns = theta if shaft == "driving" else theta * 11 / 14
    pulses = Tachometer("waveform", 5.0 * (turns % 1 < 0.1), shaft=shaft)
    return VibrationRecord({"vibration": x}, RATE, tacho=pulses)


def model_of(shaft, *, learned, **kind):
    healthy = [recording([1, k], shaft, **kind) for k in range(24)]
    builder = MapBuilder(PAIR)
    builder = builder.learn_from(healthy) if learned else builder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Model.fit(builder.build_many(healthy)[0], builder=builder)


def damaged(shaft, **kind):
    return [recording([2, k], shaft, damaged=True, **kind) for k in range(4)]


@pytest.mark.parametrize(
    ("shaft", "known"), [("driving", "index"), pytest.param("driven", "waveform", marks=pytest.mark.full)]
)
def test_records_name_one_tooth_and_say_how_tooth_zero_is_known(shaft, known):
    kind = {"own": 0.4, "noise": 0.1}  # teeth that differ enough for the waveform to tell them apart
    model = model_of(shaft, learned=True, **kind)
    each = [Monitor(model, {"sequence": False}).add([one]).each[0].lines[0] for one in damaged(shaft, **kind)]
    named = {(line.gear, line.tooth_zero, line.tooth) for line in each if line.tooth_zero != "unknown"}
    assert len(named) == 1  # records that the waveform cannot place surely have no number; the others agree
    gear, how, tooth = named.pop()
    assert (gear, how) == ("driving", known)
    if known == "index":
        assert tooth == TOOTH
        assert len(each) == 4
    healthy = [recording([3, k], shaft, **kind) for k in range(4)]
    assert Monitor(model, {"sequence": False}).add(healthy).tooth is None


@pytest.mark.parametrize("sequence", [False, True])
def test_a_tooth_without_a_number_is_not_given_one(sequence, tmp_path):
    model = model_of("driven", learned=False)  # the mate's pulse says nothing of the damaged driving gear
    found = Monitor(model, {"sequence": sequence}).add(damaged("driven"))
    assert (found.colour, found.gear, found.tooth, found.tooth_zero) == ("RED", "driving", None, "unknown")
    assert all(word in found.sentence for word in ("number unknown", "pulse", "learn"))
    if sequence:  # one by one, with the state in a file, says the same
        for k, one in enumerate(damaged("driven")):
            batch, _ = model.maps_of([one])
            named = HealthMapBatch.of([("", batch)], batch.table.assign(name=f"r{k}"))
            last = Monitor(model, store=JsonStore(tmp_path / "state.json")).add(named)
        assert (last.colour, last.gear, last.tooth, last.tooth_zero) == ("RED", "driving", None, "unknown")


def test_lines_of_an_unknown_gear_never_add_up_over_records():
    maps = generate(domain="C", n=60, faulty=False, seed=1, shape=(12, 17))[0]
    model = Model.fit(maps)
    few = generate(domain="C", n=30, faulty=False, seed=2, shape=(12, 17))[0]
    few[:, 4] *= 1.25  # too weak for one map, enough for many of one tooth
    batch, _ = model.maps_of(few)
    told = batch.table.assign(tooth_zero_driving="unknown", name=[f"r{k}" for k in range(30)])
    known = Monitor(model).add(HealthMapBatch.of([("", batch)], told.assign(tooth_zero_driving="index")))
    unknown = Monitor(model).add(HealthMapBatch.of([("", batch)], told))
    assert (known.tooth, known.tooth_zero) == (4, "index")
    assert unknown.tooth is None


@pytest.mark.parametrize("learned", [False, pytest.param(True, marks=pytest.mark.full)])
def test_records_that_only_each_other_place_say_that_it_is_the_same_tooth(learned):
    kind = {"own": 0.02}  # teeth too much alike for the healthy waveform; the damage tells where records begin
    found = Monitor(model_of("driven", learned=learned, **kind)).add(damaged("driven", **kind))
    assert (found.colour, found.gear, found.tooth, found.tooth_zero) == ("RED", "driving", None, "unknown")
    assert found.same_tooth == (4, 4)
    assert "same tooth in 4 of 4" in found.sentence


def test_a_record_that_alone_is_the_healthy_waveform_has_no_map():
    healthy = [recording([7, k], "driven", own=0.02) for k in range(5)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        builder = MapBuilder(PAIR).learn_from(healthy)
        maps, skipped = builder.build_many(healthy)
    assert builder.waveform.records == 1  # nobody can say where the others begin
    assert len(maps) == 4
    assert ["alone" in str(one) for one in skipped] == [True]


@pytest.mark.parametrize(("shaft", "gear", "own"), [("driven", "driving", 0.4), ("driving", "driven", 0.3)])
def test_no_all_clear_where_damage_would_drown_in_teeth_at_guessed_places(shaft, gear, own, tmp_path):
    # teeth that differ, and nothing says which is which
    model = Model.open(model_of(shaft, learned=False, own=own).save(tmp_path / "model"))
    healthy, _ = model.maps_of([recording([3, k], shaft, own=own) for k in range(4)])
    for found in (Monitor(model).add(healthy), *Monitor(model).alone(healthy)):
        assert found.colour != "GREEN"
        assert gear in found.sentence
        assert "guess" in found.sentence
        assert "fit again" in found.next_look
    found = Monitor(model).add(damaged(shaft, own=own))
    if gear == "driven":  # the other gear's evidence stays
        assert (found.colour, found.gear, found.tooth in (TOOTH, TOOTH + 1)) == ("RED", "driving", True)
    assert found.colour != "GREEN"
    assert (found.gear, found.tooth is None) != (gear, False)


def test_healthy_records_that_are_aligned_show_no_tooth():
    model = model_of("driven", learned=False)
    batch, _ = model.maps_of([recording([3, k], "driven") for k in range(8)])
    assert batch.table["aligned_driving"].notna().sum() >= 6
    found = Monitor(model).add(batch)
    assert (found.colour, found.tooth, found.same_tooth) == ("GREEN", None, None)


def test_recordings_clipped_more_often_than_healthy_ones_are_compared_within_themselves():
    model = model_of("driving", learned=True)
    cut = [replace(one, channels={"vibration": np.clip(one.channel(), -0.9, 0.9)}) for one in damaged("driving")]
    sound = [recording([4, k], "driving") for k in range(4)]
    also = [replace(one, channels={"vibration": np.clip(one.channel(), -0.9, 0.9)}) for one in sound]
    assert Monitor(model).add(sound).colour == "GREEN"
    found = Monitor(model).add(also)
    assert found.colour in ("UNKNOWN", "AMBER")
    assert "clipped samples" in found.sentence
    found = Monitor(model).add(cut)
    assert (found.colour, found.tooth) == ("AMBER", TOOTH)
    assert "clipped samples" in found.sentence

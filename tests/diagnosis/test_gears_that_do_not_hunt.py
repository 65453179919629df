"""Gears whose teeth share a divisor: a tooth meets few mates, and its waveform with each of them is compared."""

from __future__ import annotations

import json

import pytest
import yaml

from toothwise import GearPair, MapBuilder, Model, Monitor
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record

LEARNED = 6


LONG = pytest.param((15, 25), marks=pytest.mark.full)


@pytest.fixture(scope="module", params=[(20, 20), (20, 40), LONG], ids="{0[0]}/{0[1]}".format)
def gearbox(request):
    config = GearboxConfig(GearPair(*request.param), periods=20, seed=3)
    learned = [simulate_record(config, seed=k)[0] for k in range(LEARNED)]
    return config, Model.fit(learned, builder=MapBuilder.learn(config.gears, learned))


def test_maps_are_of_pairs_and_hold_those_that_meet(gearbox):
    config, model = gearbox
    made = model.builder.build(simulate_record(config, seed=50)[0])
    assert made.values.shape == (config.gears.driving, config.gears.driven)
    assert (made.count > 0).sum() == config.gears.hunting_period
    assert model.detector.name == "coherent"
    assert not any("by revolution" in note for note in model.builder.notes)


@pytest.mark.parametrize("records", [1, 4])
def test_healthy_teeth_are_not_accused(gearbox, records):
    config, model = gearbox
    told = Monitor(model).add([simulate_record(config, seed=100 + k)[0] for k in range(records)])
    assert (told.colour, told.tooth) == ("GREEN", None), told.sentence


@pytest.mark.parametrize("records", [1, 3])
@pytest.mark.parametrize(("gear", "tooth"), [("driving", 14), ("driven", 3)])
def test_a_cracked_tooth_is_named_and_not_the_next_one_nor_its_mates(gearbox, gear, tooth, records):
    config, model = gearbox
    crack = [Fault("crack", gear, tooth, 0.6)]
    told = Monitor(model).add([simulate_record(config, crack, seed=200 + k)[0] for k in range(records)])
    equal = config.gears.driving == config.gears.driven
    assert told.colour == "RED" or (equal and told.colour == "AMBER"), told.sentence
    assert told.tooth == tooth, told.sentence
    assert equal or [t.tooth for t in told.teeth] == [tooth], told.sentence
    assert equal or told.gear == gear  # with equal numbers no signal tells which of the two it is,
    assert ("so it may be there" in told.sentence) == equal  # and that is said
    assert told.contrast > 1.1  # also where its mates meet no other tooth that they could be compared with


def test_without_recordings_to_learn_from_maps_are_by_revolution():
    gears = GearPair(20, 40)
    builder = MapBuilder(gears)
    assert builder.by_revolution
    assert builder.notes[0].endswith("maps are of teeth by revolution (gear=)")
    assert builder.build(simulate_record(GearboxConfig(gears, periods=20))[0]).columns.name != "driven tooth"


def test_a_detector_of_pictures_gets_maps_by_revolution_however_it_is_fitted(tmp_path, toothwise):
    gears = GearPair(12, 24)
    config = GearboxConfig(gears, periods=8, seed=3, sampling_rate=8_000.0)
    learned = [simulate_record(config, seed=k)[0] for k in range(16)]
    model = Model.fit(learned, builder=MapBuilder.learn(gears, learned), detector="scan")
    assert model.about.shape == (12, 8)
    opened = Model.open(model.save(tmp_path / "model"))
    assert Monitor(opened).add([simulate_record(config, seed=50)[0]]).colour == "GREEN"
    builder = MapBuilder.learn(gears, learned)
    of_pairs = Model.fit(builder.build_many(learned)[0], builder=builder, detector="healthy_distance")
    assert of_pairs.about.shape == (12, 24)  # maps that were given keep the builder that makes such maps
    assert Monitor(of_pairs).add([simulate_record(config, seed=50)[0]]).colour == "GREEN"
    words = {"gears": {"driving": 12, "driven": 24}, "periods": 8, "sampling_rate": 8000.0, "series": {"records": 16}}
    (tmp_path / "gearbox.yaml").write_text(yaml.safe_dump(words))
    made, fitted = tmp_path / "made", tmp_path / "fitted"
    assert toothwise("simulate", tmp_path / "gearbox.yaml", "--output", made).code == 0
    given = ("--gears", made / "gears.yaml", "--detector", "scan", "--output", fitted, "--json")
    said = json.loads(toothwise("fit", *sorted(made.glob("*.mat")), *given).out)
    assert said["shape"] == [12, 8]
    assert "by revolution" in said["gears"][0]

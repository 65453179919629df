"""Gears of two stages on one shaft: damage of either comes once per its revolution and looks alike."""

from __future__ import annotations

import pytest

from toothwise import GearPair, MapBuilder, Model, Monitor, PlanetaryStage
from toothwise.gears.train import GearTrain, TrainStage
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record

FIRST = TrainStage("first", GearPair(12, 17), ("driving", "middle"))
SECOND = TrainStage("second", GearPair(13, 24), ("middle", "out"))


@pytest.fixture(scope="module")
def model():
    config = GearboxConfig(FIRST.gears, periods=4, sampling_rate=10_000.0, seed=2)
    learned = [simulate_record(config, seed=k)[0] for k in range(5)]
    builder = MapBuilder.learn(GearTrain((FIRST, SECOND)), learned, stage="first")
    return config, Model.fit(learned, builder=builder)


@pytest.mark.parametrize(("gear", "shared"), [("driving", False), ("driven", True)])
def test_the_other_gear_on_the_shaft_is_said(model, gear, shared):
    config, fitted = model
    record, _ = simulate_record(config, [Fault("crack", gear, 5, 0.7)], seed=40)
    for told in (Monitor(fitted).add([record]), Monitor(fitted).alone(fitted.maps_of([record])[0])[0]):
        assert (told.colour, told.gear, told.tooth) == ("RED", gear, 5)
        assert ("driving gear of stage second turns with the same shaft (middle)" in told.sentence) == shared


def test_of_healthy_teeth_and_of_a_single_stage_nothing_is_said(model):
    config, fitted = model
    told = Monitor(fitted).add([simulate_record(config, seed=41)[0]])
    assert (told.colour, "same shaft" in told.sentence) == ("GREEN", False)
    assert GearTrain.single(FIRST.gears).turning_with() == {}


def test_a_carrier_and_a_sun_have_company_too():
    stage = TrainStage("planets", PlanetaryStage(16, 14, 44, 3), ("out", "carrier"))
    last = TrainStage("last", GearPair(20, 41), ("carrier", "end"))
    train = GearTrain((SECOND, stage, last))
    assert train.turning_with("planets")["ring"] == (("carrier", "last", "driving"),)
    assert train.turning_with("second") == {"driven": (("out", "planets", "sun"),)}
    assert train.turning_with("last") == {}

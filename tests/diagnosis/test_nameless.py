"""Recordings in memory that say nothing of themselves are told apart by what they hold."""

import warnings
from dataclasses import replace

import pytest

from toothwise import GearPair, MapBuilder, Model, Monitor
from toothwise.diagnosis import JsonStore
from toothwise.errors import GuessWarning
from toothwise.simulate.gearbox import GearboxConfig, simulate_record

GEARS = GearPair(9, 14)


def record(seed, **provenance):
    made, _ = simulate_record(GearboxConfig(gears=GEARS, periods=2), seed=seed)
    return replace(made, provenance=provenance)


@pytest.fixture(scope="module")
def model():
    healthy = [record(k) for k in range(10)]
    return Model.fit(healthy, builder=MapBuilder.learn(GEARS, healthy))


def test_one_by_one_as_all_at_once(model, tmp_path):
    given = [record(100 + k) for k in range(4)]
    whole = Monitor(model).add(given)
    for make in (lambda: None, lambda: JsonStore(tmp_path / "s.json")):
        monitor = Monitor(model, store=make())
        with warnings.catch_warnings():
            warnings.simplefilter("error", GuessWarning)
            each = [monitor.add([one]) for one in given]
        assert [found.added for found in each] == [1, 1, 1, 1]
        assert each[-1].sentence == whole.sentence
        assert monitor.names == {f"record {k}" for k in (1, 2, 3, 4)}
        assert each[-1].skipped == ()
        again = monitor.add(given[1:3])  # as after a lost answer
        assert (again.added, again.records) == (0, 4)


def test_among_named_ones(model):
    monitor = Monitor(model)
    monitor.add([record(200, record="record 2"), record(201, path="a/monday.mat")])
    assert monitor.add([record(202), record(203, record="tuesday"), record(204)]).records == 5
    assert monitor.names == {"record 2", "monday", "record 3", "tuesday", "record 5"}
    monitor = Monitor(model)
    monitor.add([record(205), record(200, record="record 3")])
    assert monitor.add([record(206)]).added == 1
    assert monitor.names == {"record 1", "record 3", "record 4"}


def test_a_name_that_is_there_with_other_values_is_told(model):
    monitor = Monitor(model)
    assert monitor.add([record(300, record="monday")]).skipped == ()
    assert monitor.add([record(300, record="monday")]).skipped == ()
    with pytest.warns(GuessWarning, match="monday is there with other values"):
        found = monitor.add([record(301, record="monday")])
    assert (found.added, found.records) == (0, 1)
    assert found.skipped == ("record monday is there with other values; the first ones are kept",)

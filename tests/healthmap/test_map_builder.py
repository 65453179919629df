"""One door from recordings to maps: the same maps as step by step, however it is kept or spread over processes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from toothwise import GearPair, MapBuilder, PlanetaryStage, build_map, write_record
from toothwise.errors import InputError
from toothwise.healthmap.recordings import find_recordings
from toothwise.simulate.gearbox import GearboxConfig, simulate_record

PAIR = GearPair(9, 14)
CONFIG = GearboxConfig(gears=PAIR, periods=3, sampling_rate=12800.0, start=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("recordings")
    for k in (1, 2, 10):
        write_record(simulate_record(CONFIG, seed=k)[0], place / f"r{k}.mat")
    return place


def test_a_map_is_that_of_the_one_line_form():
    record, _ = simulate_record(CONFIG, seed=5)
    made = MapBuilder(PAIR, options={"quantity": "peak"}).build(record)
    np.testing.assert_array_equal(made.values, build_map(record, PAIR, quantity="peak").values)
    stage = PlanetaryStage(14, 11, 36, 3)
    record, _ = simulate_record(GearboxConfig(gears=stage, periods=1, sampling_rate=12800.0), seed=5)
    assert MapBuilder(stage).build(record).shape == (11, 36)


def test_files_come_in_natural_order_and_what_fails_is_named(folder, tmp_path):
    assert [path.rpartition("/")[2] for path in find_recordings([folder])] == ["r1.mat", "r2.mat", "r10.mat"]
    broken = tmp_path / "broken.mat"
    broken.write_bytes(b"nothing")
    maps, skipped = MapBuilder(PAIR).build_many([folder, broken])
    assert maps.values.shape == (3, 9, 14)
    assert [one.path for one in skipped] == [str(broken)]
    assert str(broken) in skipped[0].reason
    with pytest.raises(InputError, match=r"broken\.mat"):
        MapBuilder(PAIR).build_many([broken])


def test_processes_and_json_change_nothing(folder):
    learned = MapBuilder.learn(PAIR, folder, options={"samples_per_tooth": 16})
    again = MapBuilder.from_json(json.loads(json.dumps(learned.as_json())), learned.waveform)
    one, _ = learned.build_many(folder)
    two, _ = again.build_many(folder, jobs=2)
    np.testing.assert_array_equal(one.values, two.values)
    assert one.quantity == "rms of difference from healthy"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"options": {"quantity": "loudness"}}, "quantity must be one of"),
        ({"options": {"windows": "hann"}}, "MapConfig has no 'windows'; allowed are signal"),
        ({"reading": {"tachometer": "x"}}, "RecordMapping has no"),
        ({"stage": "second"}, "stage must be one of"),
    ],
)
def test_an_option_that_cannot_be_is_refused_at_once(options, words):
    with pytest.raises(InputError, match=words):
        MapBuilder(PAIR, **options)

"""One door from recordings to maps: the same maps as step by step, however it is kept."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from toothwise import GearPair, MapBuilder, PlanetaryStage, build_map, write_record
from toothwise.errors import InputError
from toothwise.healthmap.recordings import as_sources, record_names
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.runs import simulate_run
from toothwise.simulate.tacho import TachoConfig

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


def test_a_record_that_fits_the_waveform_nowhere_swings_by_nothing_that_is_known():
    learned = [simulate_record(CONFIG, seed=k)[0] for k in range(4)]
    builder = MapBuilder.learn(PAIR, learned)
    assert "row_swing" in builder.build(simulate_record(CONFIG, seed=7)[0]).condition
    noise = np.random.default_rng(1).standard_normal(len(learned[0].channels["vibration"]))
    noise *= np.std(learned[0].channels["vibration"])
    built = builder.build(replace(learned[0], channels={"vibration": noise.astype(np.float32)}))
    assert "row_swing" not in built.condition


def test_files_come_in_natural_order_and_what_fails_is_named(folder, tmp_path):
    assert [path.rpartition("/")[2] for path in as_sources([folder])] == ["r1.mat", "r2.mat", "r10.mat"]
    broken = tmp_path / "broken.mat"
    broken.write_bytes(b"nothing")
    maps, skipped = MapBuilder(PAIR).build_many([folder, broken])
    assert maps.values.shape == (3, 9, 14)
    assert [one.path for one in skipped] == [str(broken)]
    assert list(maps.table["name"]) == ["r1", "r2", "r10"]
    assert list(maps.table["file"]) == as_sources([folder])
    assert str(broken) in skipped[0].reason
    with pytest.raises(InputError, match=r"broken\.mat"):
        MapBuilder(PAIR).build_many([broken])


def test_json_changes_nothing(folder):
    learned = MapBuilder.learn(PAIR, folder, options={"samples_per_tooth": 16})
    again = MapBuilder.from_json(json.loads(json.dumps(learned.as_json())), learned.waveform)
    one, _ = learned.build_many(folder)
    two, _ = again.build_many(folder)
    np.testing.assert_array_equal(one.values, two.values)
    assert one.quantity == "rms of difference from healthy"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"options": {"quantity": "loudness"}}, "quantity must be one of"),
        ({"options": {"windows": "hann"}}, "unknown option 'windows'; did you mean 'window'"),
        ({"reading": {"tachometer": "x"}}, "unknown option 'tachometer'"),
        ({"stage": "second"}, "stage must be one of"),
    ],
)
def test_an_option_that_cannot_be_is_refused_at_once(options, words):
    with pytest.raises(InputError, match=words):
        MapBuilder(PAIR, **options)


def test_records_are_in_the_order_of_their_times_where_all_have_one():
    records = [replace(simulate_record(CONFIG, seed=k)[0], start_time=f"2026-01-0{4 - k}T08:00:00") for k in (1, 2, 3)]
    maps, skipped = MapBuilder(PAIR).build_many(records)
    assert list(maps.table["start_time"]) == sorted(maps.table["start_time"])
    assert (len(maps), skipped) == (3, ())
    assert len(set(maps.table["name"])) == 3
    maps, _ = MapBuilder(PAIR).build_many([*records, replace(records[0], start_time=None)])
    assert maps.table["start_time"].iloc[0] == "2026-01-03T08:00:00"


def test_recordings_of_one_name_are_told_apart_and_each_counts_once(folder):
    paths = ["a/m.mat", "a/m.csv.gz", "b/m.mat", "b/other.mat"]
    names = record_names(paths)
    assert names[1:] == ["m_csv", "b_m_mat", "other"]
    assert len(set(names)) == len(paths)
    assert len(as_sources([folder, folder / "r1.mat", str(folder / "r1.mat")])) == 3


def test_what_cannot_be_learned_from_is_left_out_or_named(folder, tmp_path):
    broken = tmp_path / "broken.mat"
    broken.write_bytes(b"nothing")
    learned = MapBuilder.learn(PAIR, [folder, broken])
    assert learned.waveform.records == 3
    assert learned.options.samples_per_tooth == learned.waveform.samples_per_tooth
    with pytest.raises(InputError, match=r"could be learned from: .*broken\.mat"):
        MapBuilder.learn(PAIR, broken)


def test_what_was_noticed_is_kept_with_the_map(folder):
    record, _ = simulate_record(CONFIG, seed=5)
    x = np.clip(record.channel(), -0.5, 0.5)
    made = MapBuilder(PAIR).build(replace(record, channels={"x": x}))
    assert "of its samples" in made.provenance["warnings"][0]
    made = MapBuilder(PAIR, tacholess=(22, 28)).build(replace(record, tacho=None))
    assert any("tooth zero is unknown" in line for line in made.provenance["warnings"])


def test_a_run_needs_to_be_told_what_is_healthy():
    run = simulate_run(seed=0)
    maps = MapBuilder.build_run(run, healthy=sorted(set(run.day[run.healthy])), window=16)
    assert maps.windows.values.shape[1:] == (run.teeth, 16)
    with pytest.raises(InputError, match="healthy"):
        MapBuilder.build_run(run, healthy=())


def test_records_behind_the_waveform_look_as_new_ones_do(tmp_path):
    """Each is seen against the waveform of the others: beside its own mean it would look healthier than healthy."""
    config = GearboxConfig(gears=PAIR, periods=2, sampling_rate=12800.0, start=None)
    records = [simulate_record(config, seed=k)[0] for k in range(14)]
    builder = MapBuilder.learn(PAIR, records[:5], options={"samples_per_tooth": 16})
    again = MapBuilder.from_json(json.loads(json.dumps(builder.as_json())), builder.waveform)
    unaware = MapBuilder.from_json(builder.as_json() | {"learned": []}, builder.waveform)
    level = {
        name: np.mean([np.nanmean(one.build(r).values) for r in chosen])
        for name, one, chosen in (
            ("learned from", again, records[:5]),
            ("new", again, records[5:]),
            ("as if new", unaware, records[:5]),
        )
    }
    assert level["learned from"] == pytest.approx(level["new"], rel=0.04)
    assert level["as if new"] < 0.93 * level["new"]


def test_healthy_windows_hold_drawn_days_beside_the_recorded_ones_and_say_which():
    run = simulate_run(seed=4)
    days = sorted(set(run.day[run.healthy]))
    maps = MapBuilder.build_run(run, healthy=days)
    drawn = maps.healthy_windows.table["drawn"].to_numpy()
    assert drawn.sum() == 900
    assert set(maps.recorded_windows.table["day"]) == set(days)
    assert all(name.startswith("drawn_day_") for name in maps.healthy_windows.table["name"][drawn])
    of_drawn, recorded = (np.log(maps.healthy_windows.values[k][:, :, -1]) for k in (drawn, ~drawn))
    # drawn days stand out about as far as held-out ones do
    spread = [np.median((x - np.median(x, axis=1, keepdims=True)).max(axis=1)) for x in (of_drawn, recorded)]
    assert 0.7 < spread[0] / spread[1] < 1.5


def test_one_healthy_day_says_that_drift_was_taken_from_within_it():
    run = simulate_run(seed=4)
    maps = MapBuilder.build_run(run, healthy=(1,))
    assert "only healthy day" in maps.drift
    assert "only healthy day" in maps.windows.provenance["drift"]


@pytest.mark.parametrize(
    ("gears", "gear", "tacho"),
    [
        (PlanetaryStage(14, 11, 36, 3), "planet", TachoConfig()),
        (GearPair(11, 18), "driven", TachoConfig()),
        (GearPair(11, 18), "driving", TachoConfig(pulses=4)),
    ],
    ids=["planet", "mate of the index", "four pulses"],
)
def test_records_of_unknown_tooth_zero_are_aligned_among_each_other(gears, gear, tacho):
    config = GearboxConfig(gears, periods=5, sampling_rate=11_000.0, start=None, lead=None, tacho=tacho, snr=20.0)
    crack = Fault("crack", gear, 4, 0.8)
    records = [simulate_record(config, [crack], seed=k)[0] for k in range(4)]
    maps, _ = MapBuilder(gears, options={"samples_per_tooth": 16}).build_many(records)
    assert set(maps.table[f"tooth_zero_{gear}"]) == {"unknown"}
    axis = 2 if gear == "driven" else 1
    teeth = maps.values.shape[axis]
    loudest = np.nanmedian(maps.values, axis=3 - axis).argmax(axis=1)
    shared = (loudest - maps.table[f"aligned_{gear}"].to_numpy()) % teeth
    assert len(set(loudest)) > 1
    assert (np.abs((shared - shared[0] + teeth / 2) % teeth - teeth / 2) <= 1.0).all()


@pytest.mark.parametrize("pair", [PAIR, GearPair(10, 13)])
def test_a_much_longer_recording_is_no_quieter(pair):
    config = replace(CONFIG, gears=pair, snr=0.0)
    builder = MapBuilder.learn(pair, [simulate_record(config, seed=k)[0] for k in range(4)])
    assert builder.waveform.periods == 3
    as_long, longer = (
        [builder.build(simulate_record(replace(config, periods=n), seed=10 + k)[0]).values for k in range(3)]
        for n in (3, 24)
    )
    assert abs(np.log(np.mean(longer) / np.mean(as_long))) < 0.15

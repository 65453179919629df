"""Runs of records, tooth by record: few healthy days, a gear that drifts, and what may be said of it."""

from dataclasses import replace

import numpy as np
import pytest

from toothwise import Model, Monitor
from toothwise.healthmap.tooth_by_record import RUN_SCAN, RunMapConfig, build_run_maps
from toothwise.simulate.runs import DRIFTS, RunConfig, simulate_run

DAYS = (45, 50, 60, 55, 50, 60)


def maps_of(records):
    known = tuple(int(day) for day in np.unique(records.day[records.healthy]))
    return build_run_maps(records, RunMapConfig(healthy_days=known))


def diagnosed(records, **settings):
    maps = maps_of(records)
    monitor = Monitor(Model.fit(maps.healthy_windows, detector="scan", options=RUN_SCAN), settings)
    return monitor.add(maps.windows[~maps.windows.table["healthy"].to_numpy()])


def run(drift, days, seed, **changes):
    return simulate_run(RunConfig(teeth=21, days=DAYS, healthy_days=days, drift=drift, day=0.03, **changes), seed=seed)


def test_a_gear_that_drifts_for_days_is_no_alarm():
    found = [diagnosed(run(drift, 2, 20 + k, faulty=False)) for k, drift in enumerate(DRIFTS)]
    reds, ambers = (sum(d.rules[rule].episodes for d in found) for rule in ("alarm", "warning"))
    assert sum(d.records for d in found) == 1125
    assert reds == 0  # 1.1 by the stated rate
    assert ambers <= 8  # 11 by the stated rate


@pytest.mark.parametrize(("drift", "mate"), [("walk", 0.0), ("path", 0.8), ("signature", 0.0)])
def test_damage_beyond_the_drift_is_found_and_its_tooth_is_right(drift, mate):
    found = diagnosed(run(drift, 2, 30, tooth=7, growth=2.0, second_contact=mate))
    assert (found.colour, found.tooth, found.pattern) == ("RED", 7, "one tooth")
    other = found.teeth[0].contact
    assert other in ((17, 18) if mate else (None,))  # half a revolution of 21 teeth ends between two
    assert ("half a revolution apart" in found.sentence) == bool(mate)


def test_records_of_a_run_do_not_add_up_and_the_answer_says_so():
    quiet = diagnosed(run("path", 2, 22, faulty=False))
    assert quiet.limits.off == ("several", "growth")
    assert quiet.rules["single"].stated == pytest.approx(10.0)
    assert "drift" in quiet.rules["growth"].rests_on
    assert quiet.colour == "GREEN"
    assert "do not add up" in quiet.sentence


def test_a_turned_run_is_seen_alike():
    records = run("walk", 1, 6, tooth=9, growth=1.2)
    turn, per_tooth = 13, records.vibration.shape[1] // 21
    turned = replace(records, vibration=np.roll(records.vibration, turn * per_tooth, axis=1))
    here, there = maps_of(records), maps_of(turned)
    np.testing.assert_allclose(there.healthy_windows.values, np.roll(here.healthy_windows.values, turn, axis=1), 1e-6)
    np.testing.assert_array_equal(there.drift_chance, here.drift_chance)

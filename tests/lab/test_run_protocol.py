"""The published rules for a run to failure, on simulated runs whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toothwise import detectors
from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps
from toothwise.simulate.runs import RunConfig, simulate_run
from toothwise_lab.run_protocol import (
    RUN_DETECTORS,
    RunProtocol,
    consistent,
    episodes,
    run_detector,
    tooth_at_failure,
)
from toothwise_lab.run_statistics import alarms, chance_alarms, score_run

DAYS = {"days": (60, 70, 60, 80, 90, 80, 70), "healthy_days": 2, "second_contact": 0.0, "day": 0.01}
PROTOCOL = RunProtocol(maps=RunMapConfig(healthy_days=(1, 2)), doubtful_days=(3, 4))
flags = st.lists(st.booleans(), min_size=1, max_size=60).map(lambda x: np.array(x, dtype=bool))


def judged(config, seed):
    maps = build_run_maps(simulate_run(config, seed=seed), PROTOCOL.maps)
    return maps, run_detector(maps, lambda: detectors.create("scan", **RUN_DETECTORS["scan"]), "scan", PROTOCOL)


@pytest.fixture(scope="module")
def faulty():
    return judged(RunConfig(tooth=8, onset=250, growth=2.0, **DAYS), 3)


def near(tooth, actual, teeth=35):
    return min((tooth - actual) % teeth, (actual - tooth) % teeth) <= 1


@given(flags, st.integers(1, 7))
def test_an_alarm_is_raised_by_the_last_of_so_many_in_a_row_as_a_plain_loop_says(above, run):
    expected, streak = [], 0
    for k, value in enumerate(above):
        streak = streak + 1 if value else 0
        expected += [k] if streak == run else []
    assert episodes(above, run).tolist() == expected


@given(flags)
def test_consistent_is_the_start_of_the_last_run_to_the_end(above):
    at = consistent(above)
    if at is None:
        assert not above[-1]
    else:
        assert above[at:].all()
        assert at == 0 or not above[at - 1]


def test_the_cracked_tooth_is_named_and_the_alarm_lasts(faulty):
    maps, run = faulty
    assert run.record[run.first_sustained] >= 250
    assert all(near(run.tooth_at(at), 8) for at in (run.first_sustained, run.consistent))
    assert run.above[run.consistent :].all()
    assert run.record[run.consistent] >= maps.healthy.sum()  # alarms count after the healthy records only


def test_a_loud_failure_is_found_without_a_detector():
    maps = build_run_maps(simulate_run(RunConfig(tooth=30, onset=250, growth=4.0, **DAYS), seed=3), PROTOCOL.maps)
    assert near(tooth_at_failure(maps), 30)


def test_the_summary_counts_as_the_run_does(faulty):
    maps, run = faulty
    found = run.summary(maps, PROTOCOL)
    assert found["first_sustained"] == maps.records.number[run.record[run.first_sustained]]
    doubtful = np.isin(maps.records.day[run.record], (3, 4))
    assert found["flagged_days_19_20"] == pytest.approx(run.above[doubtful].mean())
    fitted = RunProtocol(maps=RunMapConfig(healthy_days=(1, 2, 3)), doubtful_days=(3, 4))
    assert run.summary(maps, fitted)["flagged_days_19_20"] is None


@pytest.mark.full
@pytest.mark.parametrize("seed", [200, 201, 202])
def test_a_step_of_the_whole_gain_raises_no_alarm(seed):
    _, plain = judged(RunConfig(faulty=False, **DAYS), seed)
    _, stepped = judged(RunConfig(faulty=False, gain_steps=(250, 400), gain_step=1.6, **DAYS), seed)
    assert stepped.first_sustained is None
    np.testing.assert_allclose(stepped.score, plain.score, atol=0.05)


def test_every_way_to_score_alarms_later_where_fewer_held_out_records_may_be_above(faulty):
    maps, _ = faulty
    found = score_run(maps, PROTOCOL.maps)
    assert {"coherent", "scan", "deviation", "RMS", "NA4", "envelope 2x"} < set(found)
    for scored in found.values():
        assert len(scored.score) == len(maps.records)
        strict, loose = alarms(scored, maps, 0.0), alarms(scored, maps, 0.1)
        assert strict["flagged"] == 0 < strict["interval"][1]
        assert strict["height"] >= loose["height"]
        assert strict["first"] is None or loose["first"] <= strict["first"]
    assert near(alarms(found["coherent"], maps, 0.0)["consistent_tooth"], 8)
    assert near(chance_alarms(found["coherent"], maps, 0.001)["first_tooth"], 8)


def test_teeth_left_out_cannot_score(faulty):
    maps, _ = faulty
    found = score_run(maps, PROTOCOL.maps, without=(7, 8, 9))
    assert set(found) == {"coherent", "deviation"}
    assert not np.isin(found["coherent"].tooth, (7, 8, 9)).any()

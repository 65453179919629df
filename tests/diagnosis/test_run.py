"""The protocol of a run to failure on simulated runs whose truth is known, and the report of it."""

import html
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from toothwise import detectors
from toothwise.demo import RUN_DETECTORS
from toothwise.diagnosis.run import RunProtocol, recommend, run_detector, run_indicators, tooth_at_failure, watch_run
from toothwise.errors import InputError
from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps
from toothwise.reporting.diagnosis_report import report_of_folder
from toothwise.reporting.run_report import sentence, write_report
from toothwise.simulate.runs import RunConfig, simulate_run

PROTOCOL = RunProtocol()


def _judge(config, seed):
    maps = build_run_maps(simulate_run(config, seed=seed))
    return maps, run_detector(maps, lambda: detectors.create("scan", **RUN_DETECTORS["scan"]), "scan", PROTOCOL)


@pytest.fixture(scope="module")
def faulty():
    return _judge(RunConfig(tooth=8, onset=250), 3)


def _near(tooth, actual, teeth=35):
    return min((tooth - actual) % teeth, (actual - tooth) % teeth) <= 1


def test_the_cracked_tooth_is_named_and_the_alarm_lasts(faulty):
    _, run = faulty
    assert run.consistent is not None
    assert run.record[run.first_sustained] >= 250
    for at in (run.first_sustained, run.consistent):
        assert _near(run.diagnosis.tooth_at(at), 8)
    assert run.above[run.consistent :].all()


def test_a_loud_failure_is_found_without_a_detector():
    maps = build_run_maps(simulate_run(RunConfig(tooth=30, onset=250, growth=4.0), seed=3))
    assert _near(tooth_at_failure(maps), 30)


def test_the_summary_counts_as_the_run_does(faulty):
    maps, run = faulty
    found = run.summary(maps, PROTOCOL)
    assert found["first_sustained"] == maps.records.number[run.record[run.first_sustained]]
    doubtful = np.isin(maps.records.day[run.record], (19, 20))
    assert found["flagged_days_19_20"] == pytest.approx(run.above[doubtful].mean())
    fitted = RunProtocol(maps=RunMapConfig(healthy_days=(17, 18, 19)))
    assert run.summary(maps, fitted)["flagged_days_19_20"] is None


@pytest.mark.parametrize("seed", [200, 201, 202])
def test_a_step_of_the_whole_gain_raises_no_alarm(seed):
    config = {"faulty": False}
    _, plain = _judge(RunConfig(**config), seed)
    _, stepped = _judge(RunConfig(**config, gain_steps=(300, 500), gain_step=1.6), seed)
    assert stepped.first_sustained is None
    np.testing.assert_allclose(stepped.score, plain.score, atol=0.05)


def test_scores_do_not_know_the_future(faulty):
    maps, run = faulty
    records = maps.records
    short = type(records)(
        records.vibration[:400], 35, records.name[:400], records.day[:400], records.number[:400], records.source
    )
    again = run_detector(
        build_run_maps(short), lambda: detectors.create("scan", **RUN_DETECTORS["scan"]), "scan", PROTOCOL
    )
    np.testing.assert_allclose(again.score, run.score[: len(again.score)], rtol=1e-6)


def test_alarms_count_after_the_healthy_records_only(faulty):
    maps, run = faulty
    assert run.record[run.consistent] >= maps.healthy.sum()


def test_indicators_stand_under_the_same_rule(faulty):
    maps, run = faulty
    others = run_indicators(maps, PROTOCOL)
    assert [other.name for other in others] == ["RMS", "kurtosis", "FM4", "NA4", "envelope 2x"]
    for other in others:
        np.testing.assert_array_equal(other.record, run.record)
        assert "tooth" not in other.summary(maps, PROTOCOL)


def _candidate(name, first, lasting, teeth, rate=0.0):
    diagnosis = SimpleNamespace(tooth_at=dict(zip((first, lasting), teeth, strict=True)).get)
    return SimpleNamespace(
        name=name,
        first_sustained=first,
        consistent=lasting,
        diagnosis=diagnosis,
        rate=rate,
        score=np.zeros(100),
        threshold=SimpleNamespace(false_alarm_rate=0.01),
    )


def test_the_recommended_detector_is_consistent_and_agrees_with_itself():
    early_but_torn = _candidate("torn", 10, 12, (3, 20))
    late = _candidate("late", 40, 50, (34, 0))  # neighbours around the gear
    early_but_loud = _candidate("loud", 5, 6, (8, 8), rate=0.2)
    assert recommend([early_but_torn, late, early_but_loud], 35) == "late"
    assert recommend([early_but_torn, early_but_loud], 35) == "torn"


def test_healthy_days_must_exist_and_come_first():
    records = simulate_run(RunConfig(faulty=False), seed=0)
    for days, message in (((99,), "no record of the healthy days"), ((17, 19), "first days"), ((), "one day or more")):
        with pytest.raises(InputError, match=message):
            build_run_maps(records, RunMapConfig(healthy_days=days))


def test_report_is_self_contained_and_says_it_in_words(faulty, tmp_path):
    maps, run = faulty
    facts = write_report(tmp_path, maps, PROTOCOL, [run], run_indicators(maps, PROTOCOL), {"deep": "no <weights>"})
    assert json.loads((tmp_path / "diagnosis.json").read_text()) == facts
    needed = {
        "tooth",
        "tooth_at_failure",
        "tooth_consistent",
        "first_sustained",
        "consistent",
        "false_alarm_rate",
        "false_alarm_rate_interval",
        "flagged_days_19_20",
        "seconds",
    }
    assert needed <= set(facts["detectors"]["scan"])
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert page.count("data:image/png;base64,") >= 5
    assert "no &lt;weights&gt;" in page
    assert html.escape(facts["verdict"]) in page
    assert "Watched record by record (scan):" in page
    assert facts["watched"]["state"] == "alarm"
    assert f"Tooth {run.diagnosis.tooth_at(run.first_sustained)} is going bad" in facts["verdict"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["diagnosis.json", "report.html", "watched"]
    assert (
        report_of_folder(tmp_path / "watched", "ko")
        .first[0]
        .text.startswith(f"{facts['watched']['teeth'][0]['tooth']}번 치가")
    )


def test_a_quiet_run_says_so():
    maps, run = _judge(RunConfig(faulty=False), 200)
    assert sentence(maps, run).startswith("No alarm")
    watched = watch_run(maps, run.detector, prediction=run.diagnosis.prediction)
    assert watched.alarm.episodes == 0


def test_watched_record_by_record_the_same_tooth_is_named_and_the_few_days_are_told(faulty):
    maps, run = faulty
    d = watch_run(maps, run.detector, prediction=run.diagnosis.prediction)
    assert d.state == "alarm"
    assert _near(d.teeth[0].tooth, 8)
    assert d.alarm.first >= 250 - maps.healthy.sum()
    assert "So few cannot confirm that number" in d.confidence
    again = watch_run(maps, run.detector)
    assert again.as_json() == d.as_json()

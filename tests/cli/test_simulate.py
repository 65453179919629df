"""toothwise simulate: what it tells, and what it says of plans that cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PLAN = """
gears: {driving: 9, driven: 14}
periods: 1
sampling_rate: 8000
faults: [{kind: crack, gear: driven, tooth: 6, severity: 0.8}]
series: {records: 4, onset: 2, law: paris, start: 0.2, load: [0.6, 0.9]}
"""


@pytest.fixture
def plan(tmp_path):
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    return file


def test_the_text_tells_what_was_made(toothwise, plan, tmp_path):
    run = toothwise("simulate", plan, "--output", tmp_path / "out")
    assert run.code == 0, run.err
    assert "crack of driven tooth 6 from record 2 on, severity 0.2 to 0.8" in run.out
    run = toothwise("simulate", plan, "--output", tmp_path / "out", "--records", 2)
    assert "2 of them healthy" in run.out
    assert "not in these records, it begins at record 2" in run.out


def test_words_win_over_the_plan_and_the_gearbox_stays(toothwise, plan, tmp_path):
    made = []
    for seed in (1, 50):
        run = toothwise("simulate", plan, "--output", tmp_path / f"s{seed}", "--records", 3, "--seed", seed)
        assert run.code == 0, run.err
        made.append(json.loads((tmp_path / f"s{seed}" / "truth.json").read_text())["records"])
    one, two = made
    assert len(one) == len(two) == 3
    assert {row["record_seed"] for row in one}.isdisjoint(row["record_seed"] for row in two)
    assert {row["gearbox_seed"] for row in (*one, *two)} == {0}
    assert all(0.6 <= row["load"] <= 0.9 for row in (*one, *two))
    assert one[2]["faults"][0]["severity"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("text", "words", "says"),
    [
        (PLAN, ("--format", "wav"), "--format must be one of mat, parquet, npz, but got 'wav'"),
        (PLAN, ("--records", "few"), "few"),
        (PLAN, ("--records", "0"), "--records and --seed: records must be a whole number, 1 or more"),
        (PLAN, ("--seed", "-1"), "--records and --seed: seed must be a whole number, 0 or more, but got -1"),
        (PLAN + "snr: loud\n", (), "plan.yaml: snr must be a number, but got 'loud'"),
        (PLAN + "modes: 7\n", (), "plan.yaml: modes must be a list of [number, number, number]s, but got 7"),
        (PLAN + "runout: [1]\n", (), "plan.yaml: runout must be [number, number], but got [1]"),
        (PLAN + "seed: -1\n", (), "plan.yaml: seed must be a whole number, 0 or more, but got -1"),
        (PLAN.replace("records: 4", "records: 2.5"), (), "series: records must be a whole number, but got 2.5"),
        (PLAN.replace("tooth: 6", "tooth: 3.5"), (), "faults[0]: tooth must be a whole number, but got 3.5"),
        (PLAN.replace("tooth: 6", "tooth: 14"), (), "plan.yaml: tooth of a fault must be 0 to 13 (driven), but got 14"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(toothwise, plan, tmp_path, monkeypatch, text, words, says):
    monkeypatch.chdir(tmp_path)
    plan.write_text(text)
    run = toothwise("simulate", "plan.yaml", "--output", "out", *words)
    assert (run.code, run.out) == (2, "")
    assert run.err.count("\n") == 1
    assert says in run.err
    assert not Path("out").exists()

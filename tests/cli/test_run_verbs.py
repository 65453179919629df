"""A run to failure from records to verdict: build, fit, diagnose; and all of it at once: demo."""

from __future__ import annotations

import json

import pytest

from toothwise.healthmap.io import read_map
from toothwise.simulate.runs import simulate_run

SEED = 1
SCAN = ("--set", "lines=rows", "--set", "lengths=[8]", "--set", "clip=null")


@pytest.fixture(scope="module")
def truth():
    return simulate_run(seed=SEED).truth


@pytest.fixture
def maps(toothwise, tmp_path):
    run = toothwise("build", "simulated", "--seed", SEED, "--output", tmp_path / "maps", "--json")
    assert run.code == 0, run.err
    return tmp_path / "maps", json.loads(run.out)


def near(found: int, true: int, teeth: int = 35) -> bool:
    """At the tooth, or half a revolution away, where the same planet tooth meets its other mate."""
    return any(abs((found - true - away + teeth / 2) % teeth - teeth / 2) <= 1 for away in (0, teeth / 2))


@pytest.mark.full
def test_build_fit_diagnose_names_the_tooth_after_its_onset(toothwise, maps, tmp_path, truth):
    folder, built = maps
    assert [read_map(file).values.shape[-2] for file in built["files"]] == [35] * 4
    assert built["teeth"] == 35
    assert 2 * built["healthy"] < built["records"]
    assert built["drift"].startswith("between ")
    run = toothwise("fit", folder / "healthy_windows.npz", *SCAN, "--output", tmp_path / "scan")
    assert run.code == 0, run.err
    words = ("diagnose", tmp_path / "scan", folder / "windows.npz", "--output", tmp_path / "d.json")
    found = json.loads(toothwise(*words, "--json").out)
    assert json.loads((tmp_path / "d.json").read_text()) == found
    assert near(found["tooth"], truth["tooth"])
    assert (found["colour"], found["records"]) == ("RED", len(found["each"]))
    assert found["records"] <= built["records"] - built["healthy"]
    assert found["sentence"] in toothwise(*words).out


@pytest.mark.full
def test_the_demo_names_the_tooth_and_its_folder_holds_all_that_the_verbs_would_have_written(
    toothwise, tmp_path, truth
):
    folder = tmp_path / "demo"
    run = toothwise("demo", "--data", "simulated", "--seed", SEED, "--output", folder, "--json")
    assert run.code == 0, run.err
    found = json.loads(run.out)
    assert json.loads((folder / "diagnosis.json").read_text()).items() <= found.items()
    assert near(found["tooth"], truth["tooth"])
    report = (folder / "report.html").read_text()
    assert "<img" in report
    assert "http" not in report.replace("http-equiv", "")
    again = toothwise("report", folder, "--pdf", "false", "--output", tmp_path / "again")
    assert again.code == 0, again.err
    assert (tmp_path / "again" / "report.html").read_text() == report


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("build", "nowhere"), "nowhere"),
        (("build", "empty"), "empty"),
        (("build", "simulated", "--window", "1"), "window"),
        (("build", "simulated", "--window", "900"), "900"),
        (("build", "simulated", "--healthy-days", "[93]"), "93"),
        (("build", "simulated", "--healthy-days", "[3]"), "3"),
        (("demo", "--data", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(toothwise, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    run = toothwise(*words, "--output", tmp_path / "x")
    assert (run.code, run.out) == (2, "")
    errors = [line for line in run.err.splitlines() if line.startswith("toothwise: error: ")]
    assert len(errors) == 1
    assert says in errors[0]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("verb", [("build", "simulated"), ("demo", "--data", "simulated")])
def test_an_output_that_cannot_be_written_is_told_before_the_work(toothwise, tmp_path, verb):
    (tmp_path / "file").write_text("in the way")
    run = toothwise(*verb, "--output", tmp_path / "file" / "below")
    assert run.code == 2
    assert "below" in run.err
    assert "align" not in run.err

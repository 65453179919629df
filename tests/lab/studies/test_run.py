"""Studies that are run: killed and resumed, with trials that fail, repeated, with other code."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toothwise_lab.studies import run as module
from toothwise_lab.studies.opened import open_study

GRID = """
title: Quick trials
base: {detector: "study_toys:Quick", n_train: 16, n_test: 32, options: {sleep: SLEEP}}
overrides:
  plain: {}
  square: {options: {power: 2.0}}
  cube: {options: {power: 3.0}}
domains: [A, C]
seeds: SEEDS
metrics: [auroc, tpr_at_5_fpr]
reference: plain
"""
TIMES = ("seconds", "memory", "finished", "predict_ms", "maps_per_second")


def grid(seeds: int, sleep: float = 0.0) -> str:
    return GRID.replace("SEEDS", str(seeds)).replace("SLEEP", str(sleep))


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def numbers(folder: Path) -> dict[tuple, dict]:
    """What must not depend on when and where a trial ran, by its labels."""
    out = {}
    for row in lines(folder):
        metrics = {k: v for k, v in row["metrics"].items() if not any(word in k for word in TIMES)}
        kept = {k: row[k] for k in ("key", "status", "reason", "config_hash", "revision", "data_version", "config")}
        label = (row["arm"], row["group"], row["seed"])
        assert label not in out, "a trial is there twice"
        out[label] = {**metrics, **kept}
    return out


def kill_when(process: subprocess.Popen, folder: Path, count: int, more: float) -> int:
    """SIGKILL once so many trials are on disk and a moment has passed. Returns how many there are."""
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        if len(list(folder.glob("trials/*/row.json"))) >= count:
            time.sleep(more)
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return len(list(folder.glob("trials/*/row.json")))


def start(study: Path, folder: Path) -> subprocess.Popen:
    words = ["study", "run", str(study), "--output", str(folder), "--workers", "2", "--tracking", "none"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "toothwise", *words], env=dict(os.environ), **quiet)


def check_kills(toothwise, study: Path, tmp_path: Path, trials: int, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    there = 0
    for _ in range(kills):
        process = start(study, killed)
        there = kill_when(process, killed, min(there + rng.randint(1, trials // (kills + 1)), trials), rng.random() / 3)
    assert 0 < there < trials, "the kill came too early or too late to show anything"
    before = {p: p.stat().st_mtime_ns for p in killed.glob("trials/*/row.json")}
    words = ["study", "run", study, "--tracking", "none", "--json", "--output"]
    resumed = json.loads(toothwise(*words, killed).out)
    assert resumed["ran"] == trials - there  # none lost, none run again
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert not list(killed.rglob(".tmp-*"))
    assert json.loads(toothwise(*words, whole).out)["done"] == trials
    assert len(numbers(killed)) == trials
    assert numbers(killed) == numbers(whole)


@pytest.mark.full
def test_a_killed_study_goes_on_and_ends_as_an_undisturbed_one(local_ray, toothwise, write_study, tmp_path):
    check_kills(toothwise, write_study(grid(4, 0.05)), tmp_path, trials=24, kills=1, seed=time.time_ns())


@pytest.mark.full
def test_a_study_that_is_killed_again_and_again(local_ray, toothwise, write_study, tmp_path):
    check_kills(toothwise, write_study(grid(16, 0.2)), tmp_path, trials=96, kills=4, seed=time.time_ns())


FAILING = """
title: Trials that fail
base: {n_train: 16, n_test: 32}
resources: {memory_mib: 400}
overrides:
  good: {detector: "study_toys:Quick"}
  dies: {detector: "study_toys:Dies"}
  fails: {detector: "study_toys:Fails"}
  hungry: {detector: "study_toys:Hungry"}
seeds: 2
"""


def test_a_study_runs_and_a_trial_that_fails_does_so_alone_with_its_reason(toys, toothwise, write_study, tmp_path):
    text = FAILING.replace("seeds: 2", "seeds: 1").replace('  hungry: {detector: "study_toys:Hungry"}\n', "")
    study, folder = write_study(text), tmp_path / "out"
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    run = toothwise("study", "run", study, "--output", folder, "--tracking", "none", "--workers", "1")
    assert run.code == 3
    # Ray leaves nothing behind
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
    assert "good, C matched, seed 0: auroc" in run.err
    reasons = {row["arm"]: row["reason"] for row in lines(folder)}
    assert reasons["good"] is None
    assert reasons["fails"] == "ValueError: no luck today"
    assert "the process died" in reasons["dies"]
    status = toothwise("study", "status", folder)
    assert status.code == 0
    assert "fails, C matched, seed 0 failed: ValueError: no luck today" in status.out
    again = toothwise("study", "run", study, "--output", folder, "--tracking", "none", "--json")
    assert (again.code, json.loads(again.out)["ran"]) == (3, 0)  # a failed trial is not run again by itself
    table = json.loads(toothwise("study", "table", folder, "--resamples", "100", "--json").out)["rows"]
    assert {(row["arm"], row["seeds"], row["failed"]) for row in table} >= {("good", 1, 0), ("dies", 0, 1)}


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="limits a process as Linux does")
def test_a_trial_that_takes_too_much_memory_fails_alone(local_ray, toothwise, write_study, tmp_path):
    run = toothwise("study", "run", write_study(FAILING), "--output", tmp_path / "out", "--tracking", "none")
    assert run.code == 3
    reasons = {(row["arm"], row["seed"]): row["reason"] for row in lines(tmp_path / "out")}
    assert reasons["hungry", 0].startswith("out of memory")
    assert reasons["good", 1] is None


@pytest.mark.full
def test_other_code_is_another_result_unless_it_is_accepted(local_ray, toothwise, write_study, tmp_path, monkeypatch):
    study, folder = write_study(grid(1)), tmp_path / "out"
    words = ["study", "run", study, "--output", folder, "--tracking", "none", "--json"]
    assert json.loads(toothwise(*words).out)["ran"] == 6
    assert json.loads(toothwise(*words).out)["ran"] == 0
    monkeypatch.setattr(module, "code_revision", lambda: "anothercode1")
    row = next(folder.glob("trials/*/row.json"))
    older = json.loads(row.read_text())
    del older["config"]["depth"]  # a setting that is younger than this result
    row.write_text(json.dumps(older | {"config_hash": "another"}))
    assert json.loads(toothwise(*words, "--accept-other-revisions").out)["ran"] == 0
    assert len(open_study(folder).rows("done")) == 6
    refused = toothwise(*words)
    assert (refused.code, json.loads(refused.out)["ran"]) == (3, 6)  # the processes of trials have the old code
    assert "other code of toothwise" in next(iter(json.loads(refused.out)["failures"].values()))


@pytest.mark.full
def test_failed_trials_are_run_again_where_that_is_asked_for(local_ray, toothwise, write_study, tmp_path):
    study = write_study(FAILING.replace("seeds: 2", "seeds: 1"))
    words = ["study", "run", study, "--output", tmp_path / "out", "--tracking", "none", "--json"]
    first, retried = (json.loads(toothwise(*words, *more).out) for more in ((), ("--retry-failed",)))
    assert retried["ran"] == first["failed"]


@pytest.mark.full
def test_a_renamed_arm_keeps_its_results_and_a_changed_one_does_not(local_ray, toothwise, write_study, tmp_path):
    folder = tmp_path / "out"
    words = ["--output", folder, "--tracking", "none", "--json"]
    toothwise("study", "run", write_study(grid(1)), *words)
    renamed = write_study(grid(1).replace("square:", "squared:"))
    assert json.loads(toothwise("study", "run", renamed, *words).out)["ran"] == 0
    changed = write_study(grid(1).replace("power: 2.0", "power: 2.5"))
    assert json.loads(toothwise("study", "run", changed, *words).out)["ran"] == 2
    assert {row["arm"] for row in lines(folder)} == {"plain", "square", "cube"}


@pytest.mark.full
def test_the_primary_hypothesis_is_fixed_once_trials_have_run(local_ray, toothwise, write_study, tmp_path):
    primary = "primary: {hypothesis: GUESS, better: square, than: plain, metric: auroc, group: C matched}\n"
    folder = tmp_path / "out"
    words = ["--output", folder, "--tracking", "none"]
    assert toothwise("study", "run", write_study(grid(1) + primary), *words).code == 0
    text = grid(1) + primary.replace("square", "cube")
    run = toothwise("study", "run", write_study(text), *words)
    assert run.code == 2
    assert "the primary hypothesis was changed after trials had been run" in run.err
    table = toothwise("study", "table", folder)
    assert "primary, written down before the runs: GUESS" in table.out
    other = toothwise("study", "run", write_study(grid(1), "else.yaml"), *words)
    assert "holds the study 'tiny'" in other.err


def test_a_folder_is_used_by_one_run_at_a_time(write_study, tmp_path, toothwise):
    from toothwise_lab.studies.store import StudyFolder

    pytest.importorskip("ray")
    study = write_study(grid(1).replace("study_toys:Quick", "mean").replace(", options: {sleep: 0.0}", ""))
    text = (
        study.read_text()
        .replace("{options: {power: 2.0}}", "{n_train: 17}")
        .replace("{options: {power: 3.0}}", "{n_train: 18}")
    )
    study.write_text(text)
    with StudyFolder(tmp_path / "out").locked():
        run = toothwise("study", "run", study, "--output", tmp_path / "out")
    assert run.code == 2
    assert "another process is running this study" in run.err


@pytest.mark.full
def test_what_a_trial_takes_must_be_there(local_ray, toothwise, write_study, tmp_path):
    run = toothwise(
        "study", "run", write_study(grid(1)), "--output", tmp_path / "out", "--gpus", "8", "--tracking", "none"
    )
    assert run.code == 2
    assert "a trial takes 8 GPU, but there are" in run.err

"""MLflow holds each finished trial once, whatever happened in between."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("mlflow")

from toothwise_lab.studies.store import Entry, StudyFolder
from toothwise_lab.studies.tracking import Tracker, open_tracker

ROW = {
    "key": "k0",
    "status": "done",
    "reason": None,
    "config": {"kind": "maps", "domain": "C", "options": {"axis": "both"}},
    "config_hash": "c0",
    "revision": "r0",
    "data_version": "simulated",
    "metrics": {"auroc": 0.9, "tooth_accuracy": None, "domain": "C"},
    "info": {
        "alpha": {"0": [0.4], "1": [0.5, 0.7]},
        "attention": {"cost": {"directional": {"ms": 0.5, "peak_bytes": 4096, "weights": 9}}},
    },
    "finished_at": 1000.0,
    "seconds": 2.0,
}
CURVES = {"train_loss": [(1, 0.5), (2, 0.25)]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> StudyFolder:
    return StudyFolder(tmp_path_factory.mktemp("study"))


def entry(key: str, seed: int = 0) -> Entry:
    return Entry("", "both", "C matched", seed, "c0", key)


def runs(tracker: Tracker) -> list:
    return list(tracker._client.search_runs([tracker._experiment], max_results=100))


def opened(folder: StudyFolder) -> Tracker:
    found = open_tracker(folder, "tiny", None)
    assert isinstance(found, Tracker)
    return found


@pytest.mark.full
def test_a_trial_is_one_run_with_all_that_is_known_of_it(folder):
    pictures = {"examples.png": b"a picture", "attention_map_0.png": b"another"}
    folder.write("k0", ROW, {}, CURVES, {"maps": np.zeros((1, 2, 3))}, pictures)
    tracker = opened(folder)
    assert tracker.log(folder, entry("k0"))
    assert not tracker.log(folder, entry("k0"))
    (run,) = runs(tracker)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["auroc"] == 0.9
    assert run.data.metrics["alpha/layer_1"] == pytest.approx(0.6)
    assert run.data.metrics["attention/directional_peak_bytes"] == 4096
    assert "tooth_accuracy" not in run.data.metrics
    assert run.data.params["options.axis"] == "both"
    assert {"arm": "both", "group": "C matched", "seed": "0", "revision": "r0"}.items() <= run.data.tags.items()
    curve = tracker._client.get_metric_history(run.info.run_id, "curve/train_loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.5), (2, 0.25)]
    artifacts = [item.path for item in tracker._client.list_artifacts(run.info.run_id)]
    assert sorted(artifacts) == ["attention_map_0.png", "examples.png"]


@pytest.mark.full
def test_opened_again_it_knows_what_it_has_and_mends_what_was_cut_off(folder):
    tracker = opened(folder)
    assert not tracker.log(folder, entry("k0"))
    folder.write("k1", {**ROW, "key": "k1", "status": "failed", "reason": "no luck", "metrics": {}}, {}, {}, {})
    # killed while it was written: there, but not ended
    tracker._client.create_run(tracker._experiment, tags={"trial_key": "k1"})
    again = opened(folder)
    assert again.log(folder, entry("k1", 1))
    assert sorted((run.data.tags["trial_key"], run.info.status) for run in runs(again)) == [
        ("k0", "FINISHED"),
        ("k1", "FAILED"),
    ]
    assert next(r for r in runs(again) if r.data.tags["trial_key"] == "k1").data.tags["reason"] == "no luck"


@pytest.mark.full
def test_a_study_that_ran_untracked_is_tracked_later_and_once(local_ray, toothwise, write_study, tmp_path):
    study = write_study("base: {detector: mean, n_train: 16, n_test: 32}\nseeds: 3\n")
    words = ["study", "run", study, "--output", tmp_path / "out", "--json"]
    assert json.loads(toothwise(*words, "--tracking", "none").out)["ran"] == 3
    assert not (tmp_path / "out" / "mlflow.db").exists()
    assert json.loads(toothwise(*words).out)["ran"] == 0  # what ran without MLflow is written now
    assert json.loads(toothwise(*words).out)["ran"] == 0
    tracker = open_tracker(StudyFolder(tmp_path / "out"), "tiny", None)
    assert isinstance(tracker, Tracker)
    assert len(runs(tracker)) == 3


@pytest.mark.full
def test_without_mlflow_a_line_says_so_and_the_study_runs(local_ray, toothwise, write_study, tmp_path, monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "mlflow":
            raise ImportError("No module named 'mlflow'", name="mlflow")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    study = write_study("base: {detector: mean, n_train: 16, n_test: 32}\nseeds: 1\n")
    run = toothwise("study", "run", study, "--output", tmp_path / "out")
    assert run.code == 0
    assert run.err.count("MLflow tracking needs mlflow") == 1
    assert ".[lab]" in run.err
    assert (tmp_path / "out" / "results.jsonl").is_file()

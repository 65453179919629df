"""An export runs in the engine and precision that is fastest where it is opened, of those that hold its scores."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from toothwise import Model, detectors, processor
from toothwise.errors import InputError
from toothwise.exported import choosing
from toothwise.exported.manifest import digest
from toothwise.exported.runtime import runs_in

BOTH = ["ONNX Runtime, float32", "OpenVINO, float32"]


@pytest.fixture(autouse=True)
def _nothing_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "choices_file", lambda: tmp_path / "choices.json")
    monkeypatch.setattr(processor, "_here", {})


@pytest.fixture
def engines(monkeypatch):
    """Engines that count: how long each takes a map, and what it adds to the score, are set by the test."""
    pytest.importorskip("openvino")
    load, loaded = choosing.load_engine, []
    seconds, added = dict.fromkeys(BOTH, 0.0), dict.fromkeys(BOTH, 0.0)

    def slow(folder, manifest, threads, choice):
        engine, name = load(folder, manifest, threads, choice), str(choice)
        loaded.append(name)

        def run(maps):
            found = engine(maps)
            now[0] += seconds[name]
            return found | {"score": found["score"] + np.float32(added[name])}

        return run

    now = [0.0]
    for clock in ("perf_counter", "process_time"):
        monkeypatch.setattr(processor.time, clock, lambda: now[0])
    monkeypatch.setattr(choosing, "load_engine", slow)
    return loaded, seconds, added


@pytest.mark.parametrize("fast", BOTH)
def test_the_faster_engine_runs_an_export_and_is_remembered(network, engines, fast):
    loaded, seconds, _ = engines
    seconds.update(dict.fromkeys(BOTH, 0.02) | {fast: 0.01})
    detector = Model.open(network.exported).detector
    assert str(detector.choice) == fast
    assert detector.milliseconds == {name: pytest.approx(1e3 * taken) for name, taken in seconds.items()}
    assert f"{fast} (measured on this processor: 10 ms a map; " in runs_in(detector)
    assert sorted(loaded) == sorted(BOTH)
    again = Model.open(network.exported).detector
    assert (str(again.choice), loaded[2:]) == (fast, [fast])  # the other one is not even loaded
    Model.open(network.exported, threads=2)
    assert len(loaded) == 5  # measured anew: another number of threads


def test_an_engine_whose_scores_differ_is_not_taken_however_fast_it_is(network, engines):
    _, seconds, added = engines
    seconds.update({BOTH[0]: 1.0, BOTH[1]: 0.001})
    added[BOTH[1]] = 1e3
    assert str(Model.open(network.exported).detector.choice) == BOTH[0]


def test_an_export_that_no_engine_repeats_here_is_refused(network, engines):
    engines[2].update(dict.fromkeys(BOTH, 1e3))
    with pytest.raises(InputError, match="no engine here gives the scores"):
        Model.open(network.exported)


def test_what_a_format_and_precision_leave_to_choose_from():
    from toothwise.exported.choosing import Choice
    from toothwise.exported.export import _choices

    def named(format, precision, by_token=True):  # noqa: A002
        return [str(Choice(**choice)) for choice in _choices(format, precision, by_token=by_token)]

    assert named("auto", "auto") == [*BOTH, "OpenVINO, bfloat16"]
    assert named("auto", "auto", by_token=False) == BOTH
    assert named("auto", "bfloat16") == ["OpenVINO, bfloat16"]
    assert named("onnx", "auto") == BOTH[:1]
    assert named("openvino", "float32") == BOTH[1:]


@pytest.mark.parametrize("bad", [{"engine": "tflite"}, {"precision": "int4"}])
def test_unknown_engines_and_precisions_are_refused(network, tmp_path, bad):
    folder = tmp_path / "folder"
    shutil.copytree(network.exported, folder)
    data = json.loads((folder / "model.json").read_text())
    data["graph"]["choices"][0].update(bad)
    (folder / "model.json").write_text(json.dumps(data | {"sha256": digest(data)}))
    with pytest.raises(InputError, match=r"model.json: (engine|precision) must be one of"):
        Model.open(folder)


def test_training_measures_its_precision_where_it_is_long_enough(monkeypatch):
    pytest.importorskip("anomalib")
    import torch

    from toothwise.detectors import training

    asked = []

    def fastest(ways, key, **_):
        asked.append(list(ways))
        return ("bfloat16" if len(asked) == 1 else "float32"), {}

    monkeypatch.setattr(processor, "fastest", fastest)
    options = {"encoder_name": "test_vit", "weights": "random", "image_size": [32, 48], "batch_size": 4}
    maps = np.exp(0.2 * np.random.default_rng(0).standard_normal((16, 9, 14))).astype(np.float32)
    short = detectors.create("dinomaly", **options, max_steps=2).fit(maps)
    assert (short.info["precision"], asked) == ("float32", [])
    cpu = torch.device("cpu")
    assert training.measured_precision(lambda: torch.zeros(()), 50, cpu, "one") == "float32"
    assert asked == [["float32", "bfloat16"]] * 2  # first a product, then steps


def test_steps_in_bfloat16_are_not_even_tried_where_it_is_emulated(monkeypatch):
    pytest.importorskip("anomalib")
    import torch

    from toothwise.detectors import training

    asked = []
    monkeypatch.setattr(processor, "fastest", lambda ways, key, **_: (asked.append(list(ways)), ("float32", {}))[1])
    assert training.measured_precision(lambda: torch.zeros(()), 50, torch.device("cpu"), "two") == "float32"
    assert asked == [["float32", "bfloat16"], ["float32"]]

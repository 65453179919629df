"""int8 is offered with an export only where the model's own healthy maps show that it loses nothing."""

from __future__ import annotations

import numpy as np
import pytest

from toothwise import Model, detectors
from toothwise.exported import int8
from toothwise.exported.choosing import choices_of, load_engine
from toothwise.exported.export import export
from toothwise.exported.manifest import read_manifest

pytestmark = pytest.mark.full
TINY = {"encoder_name": "test_vit", "weights": "random", "image_size": [32, 48], "max_steps": 2}


def maps(n, seed):
    return np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, 9, 14))).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    for package in ("anomalib", "onnxscript", "onnxruntime", "openvino"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("int8") / "saved"
    Model.fit(maps(40, 0), detector="dinomaly", options=TINY).save(folder)
    return folder


def test_it_is_offered_where_it_loses_nothing_and_its_scores_are_near(model, tmp_path, monkeypatch):
    monkeypatch.setattr(int8, "LOST", 0.5)  # a network that was hardly trained may lose something
    monkeypatch.setattr(int8, "SAME", 0.5)
    manifest = export(model, tmp_path / "out")
    facts = manifest.graph["int8"]
    assert (facts["offered"], facts["share"], facts["maps"]) == (True, 0.5, 80)
    names = [str(choice) for choice in choices_of(manifest, tmp_path / "out")]
    assert names[-2:] == ["ONNX Runtime, int8", "OpenVINO, int8"]
    assert int8.FILE in manifest.files
    values = maps(12, 1)
    expected = Model.open(model).detector.predict(values).score
    for choice in choices_of(manifest, tmp_path / "out")[-2:]:
        found = load_engine(tmp_path / "out", manifest, 1, choice)(values)["score"]
        assert 0 < np.max(np.abs(found - expected)) < 0.5 * np.std(expected)


def test_it_is_not_offered_where_decisions_change_however_few_products_it_takes(model, tmp_path, monkeypatch):
    monkeypatch.setattr(int8, "SAME", 1.1)
    tried = []
    quantise = int8._quantise
    monkeypatch.setattr(int8, "_quantise", lambda *given: (tried.append(given[-1]), quantise(*given))[1])
    manifest = export(model, tmp_path / "out")
    assert tried == [0.5, 0.25]
    assert not manifest.graph["int8"]["offered"]
    assert not any("int8" in str(choice) for choice in choices_of(manifest, tmp_path / "out"))
    assert int8.FILE not in manifest.files
    assert read_manifest(tmp_path / "out").graph["int8"]["same_decisions"] <= 1.0


def test_too_few_healthy_maps_are_told(model, tmp_path):
    detector = detectors.create("dinomaly", **TINY).fit(maps(16, 0))
    Model(detector).save(tmp_path / "saved")
    manifest = export(tmp_path / "saved", tmp_path / "out")
    assert "int8" not in manifest.graph  # no healthy maps at all are kept
    assert int8.add_int8(detector, tmp_path / "out", maps(16, 0)) == {
        "offered": False,
        "why": "needs 32 healthy maps, but has 16",
    }

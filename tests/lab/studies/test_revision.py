"""What a result is found by besides its settings."""

from __future__ import annotations

import numpy as np
import pytest

from toothwise.files import finite
from toothwise_lab.studies import revision
from toothwise_lab.studies.cell_maps import Cell
from toothwise_lab.studies.image_trial import ImageTrial
from toothwise_lab.studies.revision import code_revision, data_version
from toothwise_lab.studies.run_trial import RunTrial
from toothwise_lab.studies.worker import reason_of


def test_the_code_is_known_by_its_sources(tmp_path, monkeypatch):
    here = code_revision()
    assert len(here) == 12
    for package in ("toothwise", "toothwise_lab"):
        (tmp_path / package).mkdir()
    (tmp_path / "toothwise" / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(revision, "_SOURCES", tmp_path)
    seen = set()
    for change in (
        lambda: None,
        lambda: (tmp_path / "toothwise" / "a.py").write_text("x = 2\n"),
        lambda: (tmp_path / "toothwise_lab" / "b.py").touch(),
    ):
        change()
        code_revision.cache_clear()
        seen.add(code_revision())
    (tmp_path / "page.md").touch()
    code_revision.cache_clear()
    assert code_revision() in seen
    assert len(seen) == 3
    monkeypatch.undo()
    code_revision.cache_clear()
    assert code_revision() == here


def test_data_are_known_by_what_they_hold(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOTHWISE_DATA", str(tmp_path))
    assert data_version(Cell("C", "matched", "scan", 0)) == "simulated"
    assert data_version(RunTrial("simulated", "scan", 0)) == "simulated"
    images, run = ImageTrial("rsscn7", "scan", 0), RunTrial("hums2023", "scan", 0)
    assert data_version(images) == "rsscn7 missing"
    assert data_version(run) == "hums2023 missing"
    (tmp_path / "hums2023").mkdir()
    seen = {data_version(run)}
    for content in (b"one", b"two"):
        (tmp_path / "hums2023" / "recordings.npz").write_bytes(content)
        seen.add(data_version(run))
    assert len(seen) == 3
    monkeypatch.delenv("TOOTHWISE_DATA")
    assert data_version(run) == "hums2023 missing"


def test_weights_belong_to_the_data(tmp_path, monkeypatch):
    pytest.importorskip("anomalib")
    monkeypatch.setenv("TOOTHWISE_WEIGHTS", str(tmp_path))
    options = {"encoder_name": "vit_tiny_patch16_224"}

    def of(detector: str, options: dict) -> str:
        return data_version(Cell("C", "matched", detector, 0, options))

    assert of("dinomaly", options) == "simulated, vit_tiny_patch16_224 missing"
    assert of("dinomaly", {**options, "weights": "hub"}) == "simulated, vit_tiny_patch16_224 hub"
    assert of("dinomaly", {**options, "weights": "random"}) == "simulated, vit_tiny_patch16_224 random"
    (tmp_path / "vit_tiny_patch16_224.safetensors").write_bytes(b"weights")
    found = of("dinomaly", options)
    assert found.startswith("simulated, vit_tiny_patch16_224 ")
    assert len(found.split()[-1]) == 12
    assert of("dinomaly", {**options, "pooling": "segments"}) == found
    assert found.partition(", ")[2] in of("fused", {"options": {"dinomaly_directional": options}})


def test_a_reason_is_one_line():
    assert reason_of(ValueError("a\n  b")) == "ValueError: a b"
    assert reason_of(KeyError()) == "KeyError"
    assert reason_of(MemoryError()) == "out of memory: MemoryError"
    assert reason_of(RuntimeError("DefaultCPUAllocator: can't allocate memory")).startswith("out of memory: Default")


def test_rows_hold_json_types_alone():
    given = {"a": np.float64("nan"), 1: [np.int64(3), (np.bool_(True), float("inf"))], "c": "x"}
    assert finite(given) == {"a": None, "1": [3, [True, None]], "c": "x"}


def test_what_a_killed_run_left_of_rays_files_is_swept(tmp_path, monkeypatch):
    from toothwise import ray_cluster as cluster

    monkeypatch.setattr(cluster.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(cluster, "_SHORT", 10_000)
    note, other = tmp_path / "note", tmp_path / "precious"
    with cluster._temporary(note) as left:
        assert note.read_text() == left
        cluster._sweep(note)  # as the next run does after one that was killed here
        assert not (tmp_path / left).exists()
    assert not note.exists()
    other.mkdir()
    note.write_text(str(other))
    cluster._sweep(note)
    assert other.is_dir()  # only what a run made itself

"""Simulated maps in the research data's layout."""

import hashlib
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from toothwise import read_map


@pytest.mark.parametrize("kind", ["tiff", "png16"])
def test_layout_manifest_and_masks(toothwise, tmp_path, kind):
    words = ["simulate", "maps", "--domain", "C", "D", "--mode", "realistic", "--n-train", "6", "--n-test", "8"]
    run = toothwise(*words, "--format", kind, "--output", tmp_path / "m")
    assert run.code == 0, run.err
    folder = tmp_path / "m" / "domain_C"
    suffix = {"tiff": ".tiff", "png16": ".png"}[kind]
    counts = {p: len(list((folder / p).glob(f"*{suffix}"))) for p in ("train/good", "test/good", "test/fault")}
    assert counts == {"train/good": 6, "test/good": 8, "test/fault": 8}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["domain_mapping"] == "2025-10"
    for entry in manifest["maps"]:
        assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    healthy = [e["session"] for e in manifest["maps"] if e["file"].startswith("test/good")]
    assert sorted(healthy) == ["fault"] * 4 + ["healthy"] * 4
    faulty = next(e for e in manifest["maps"] if e["label"] == 1)
    mask = np.asarray(Image.open(folder / faulty["mask"])) > 0
    assert mask[faulty["tooth"]].any()
    assert mask.any(axis=1).sum() == faulty["teeth"]
    batch = read_map(folder)
    assert len(batch) == 22
    assert batch.table["label"].sum() == 8


def test_the_same_seed_gives_the_same_files(toothwise, tmp_path):
    hashes = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        words = ["simulate", "maps", "--n-train", "3", "--n-test", "2", "--seed", seed, "--output", tmp_path / name]
        assert toothwise(*words).code == 0
        manifest = json.loads((tmp_path / name / "domain_C" / "manifest.json").read_text())
        hashes.append([entry["sha256"] for entry in manifest["maps"]])
    assert hashes[0] == hashes[1] != hashes[2]
    assert len(set(hashes[0])) == len(hashes[0])  # no map stands in train and test


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--domain", "E"], "domain must be one of"),
        (["--domain", "C", "C"], "names a domain twice"),
        (["--mode", "wild"], "mode must be one of"),
        (["--format", "jpeg"], "--format must be one of tiff, png16"),
        (["--n-test", "1"], "n_test must be a whole number, 2 or more"),
        (["--contrast", "0", "1"], "contrast"),
    ],
)
def test_what_cannot_be_simulated_leaves_nothing(toothwise, tmp_path, words, told):
    run = toothwise("simulate", "maps", "--n-train", "2", *words, "--output", tmp_path / "m")
    assert run.code == 2
    assert told in run.err
    assert list(tmp_path.iterdir()) == []


def test_a_domain_that_is_there_is_left_or_replaced_as_asked(toothwise, tmp_path):
    words = ["simulate", "maps", "--n-train", "3", "--n-test", "2", "--output", tmp_path / "m"]
    assert toothwise(*words).code == 0
    folder = tmp_path / "m" / "domain_C"
    before = (folder / "manifest.json").stat().st_mtime_ns
    run = toothwise(*words)
    assert "was there already, unchanged" in run.out
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    run = toothwise(*words, "--seed", "1")
    assert run.code == 2
    assert "made otherwise" in run.err
    assert json.loads((folder / "manifest.json").read_text())["config"]["seed"] == 0
    assert toothwise(*words, "--seed", "1", "--overwrite").code == 0
    assert json.loads((folder / "manifest.json").read_text())["config"]["seed"] == 1
    (folder / "train/good/000001.tiff").write_bytes(b"damaged")
    assert toothwise(*words, "--seed", "1").code == 2
    assert toothwise(*words, "--seed", "1", "--overwrite").code == 0
    assert len(read_map(folder)) == 7


def test_a_folder_of_something_else_is_never_replaced(toothwise, tmp_path):
    (tmp_path / "domain_C").mkdir()
    (tmp_path / "domain_C" / "measured.mat").write_bytes(b"years of work")
    run = toothwise("simulate", "maps", "--n-train", "3", "--n-test", "2", "--overwrite", "--output", tmp_path)
    assert run.code == 2
    assert "something other than simulated maps" in run.err
    assert (tmp_path / "domain_C" / "measured.mat").read_bytes() == b"years of work"


def test_a_value_that_the_scale_cannot_hold_is_an_error_and_leaves_nothing(toothwise, tmp_path):
    words = ["simulate", "maps", "--n-train", "2", "--n-test", "4", "--contrast", "30", "30", "--format", "png16"]
    run = toothwise(*words, "--output", tmp_path / "m")
    assert run.code == 2
    assert "would be clipped" in run.err
    assert str(tmp_path / "m" / "domain_C" / "test" / "fault") in run.err
    assert list(tmp_path.iterdir()) == []
    assert toothwise(*words, "--png-scale", "100", "--output", tmp_path / "m").code == 0
    assert read_map(tmp_path / "m" / "domain_C").values.max() > 4


def test_a_run_that_is_ended_leaves_nothing(tmp_path):
    code = "from toothwise.cli import main; raise SystemExit(main())"
    words = ["simulate", "maps", "--n-train", "100000", "--output", str(tmp_path / "m")]
    with subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True) as process:
        place = tmp_path / "m"
        for _ in range(3000):
            if place.is_dir() and any(place.rglob("*.tiff")):
                break
            time.sleep(0.01)
        begun = [path.name for path in place.iterdir()]
        process.terminate()
        assert process.stderr.read() == "toothwise: error: interrupted\n"
    assert len(begun) == 1
    assert begun[0].startswith(".tmp-")
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []

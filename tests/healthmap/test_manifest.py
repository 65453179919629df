"""The manifest of a domain folder is believed only where it fits the files."""

import json

import numpy as np
import pandas as pd
import pytest

from toothwise import read_map
from toothwise.errors import InputError
from toothwise.healthmap.core import Axis, HealthMapBatch
from toothwise.healthmap.manifest import Manifest, read_manifest, sha256_of, write_manifest


@pytest.fixture
def folder(tmp_path, write_folder):
    values = np.random.default_rng(0).uniform(0.1, 2.0, (4, 3, 5)).astype(np.float32)
    table = pd.DataFrame({"split": ["train", "train", "test", "test"], "label": [0, 0, 0, 1]})
    place = tmp_path / "domain_C"
    write_folder(HealthMapBatch(values, Axis.teeth("a", 3), Axis.teeth("b", 5), table), place)
    names = ["train/good/000000.tiff", "train/good/000001.tiff", "test/good/000000.tiff", "test/fault/000000.tiff"]
    table = table.assign(tooth=pd.array([None, None, None, 2], dtype="Int64"), contrast=[np.nan, np.nan, np.nan, 1.3])
    table = table.assign(file=names, sha256=[sha256_of(place / name) for name in names])
    write_manifest(place, Manifest("C", "2025-10", {"seed": 3}, {"numpy": "2"}, None, "1", table))
    return place


def _change(folder, change):
    file = folder / "manifest.json"
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def test_what_is_written_is_read(folder):
    found = read_manifest(folder)
    assert (found.domain, found.mapping, found.config, found.scale) == ("C", "2025-10", {"seed": 3}, None)
    batch = read_map(folder)
    assert batch.table["tooth"].tolist()[3] == 2
    assert batch.table["tooth"].isna().tolist() == [True, True, True, False]
    assert batch[3].condition["contrast"] == pytest.approx(1.3)
    assert "contrast" not in batch[0].condition
    assert batch.table["split"].tolist() == ["train", "train", "test", "test"]


def test_without_a_manifest_nothing_is_missed(folder):
    (folder / "manifest.json").unlink()
    assert read_manifest(folder) is None
    assert "tooth" not in read_map(folder).table


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.update(format=9), "format 9 is not 1"),
        (lambda d: d.pop("config"), "damaged"),
        (lambda d: d.update(scale=-1), "scale must be null or a positive number, but is -1"),
        (lambda d: d["maps"][0].pop("sha256"), "every map needs file, sha256, split, label"),
        (lambda d: d["maps"].append(d["maps"][0]), "lists train/good/000000.tiff twice"),
        (lambda d: d["maps"].pop(1), "does not list train/good/000001.tiff"),
        (lambda d: d["maps"][1].update(file="../out.tiff"), r"lists \.\./out\.tiff, which is not there"),
        (lambda d: d.update(maps=3), "damaged"),
        (lambda d: d["maps"][2].update(label=1), "test/good/000000.tiff is listed as test, label 1"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(folder, change, told):
    _change(folder, change)
    with pytest.raises(InputError, match=told):
        read_map(folder)


def test_a_manifest_that_is_not_json_is_refused(folder):
    (folder / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest\.json: not readable as JSON"):
        read_manifest(folder)

"""Simulated maps as files: the manifest says what the files hold, and the files hold what was generated."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from toothwise import read_map
from toothwise.errors import InputError, OutputError
from toothwise.healthmap.manifest import read_manifest
from toothwise.simulate import export
from toothwise.simulate.export import PNG_SCALE, write_domain
from toothwise.simulate.map_set import MapSetConfig
from toothwise.simulate.maps import generate
from toothwise.simulate.textures import DOMAINS


def _quiet(text, share=None):
    pass


def _write(folder, domain="C", **options):
    write_domain(domain, MapSetConfig(**{"n_train": 4, "n_test": 6, **options}), folder, _quiet)
    return read_map(folder)


def test_one_row_per_map_with_its_truth_and_its_mask(tmp_path):
    batch = _write(tmp_path / "c", mode="realistic", gear="both")
    table = batch.table
    counts = table.groupby(["split", "label", "session"]).size().to_dict()
    expected = {("train", 0, "healthy"): 4, ("test", 0, "healthy"): 3, ("test", 0, "fault"): 3, ("test", 1, "fault"): 6}
    assert counts == expected
    assert json.loads((tmp_path / "c" / "manifest.json").read_text())["counts"] == [
        {"split": s, "label": label, "session": w, "maps": n} for (s, label, w), n in sorted(expected.items())
    ]
    assert set(table[table.split == "test"].condition) == {"cold", "warm"}
    for k, row in table.iterrows():
        assert (row.label == 1) == pd.notna(row["mask"])
        if row.label:
            mask = np.asarray(Image.open(tmp_path / "c" / row["mask"])) == 255
            line = mask if row.gear == "driving" else mask.T
            teeth = np.flatnonzero(line.any(axis=1))
            np.testing.assert_array_equal(teeth, np.arange(row.tooth, row.tooth + row.teeth))
            cells = np.flatnonzero(line.any(axis=0))
            assert (cells[0], cells[-1]) == (row.start, row.start + row.length - 1)
            assert batch.values[k][mask].mean() > batch.values[k][~mask].mean()


@pytest.mark.parametrize("domain", list(DOMAINS))
def test_png_loses_half_a_step_of_a_scale_that_the_maps_do_not_choose(tmp_path, domain):
    exact = _write(tmp_path / "t", domain, mode="realistic", seed=3)
    rounded = _write(tmp_path / "p", domain, mode="realistic", seed=3, format="png16")
    step = PNG_SCALE[domain] / 65535
    assert np.abs(exact.values - rounded.values).max() <= step / 2 * 1.01
    assert read_manifest(tmp_path / "p").scale == PNG_SCALE[domain]
    assert read_manifest(tmp_path / "t").scale is None


def test_the_scale_has_room_for_maps_as_they_come():
    for domain in DOMAINS:
        bright = generate(domain, 400, True, "realistic", "test", seed=1, gear="both", segment=True, diagonals=0.5)[0]
        assert 0.3 * PNG_SCALE[domain] < bright.max() < 0.95 * PNG_SCALE[domain]


def test_png_that_lost_its_scale_on_the_way_is_read_by_the_manifest(tmp_path):
    before = _write(tmp_path / "p", format="png16").values
    for path in (tmp_path / "p").rglob("good/*.png"):
        pixels = np.asarray(Image.open(path))
        Image.fromarray(pixels.astype(np.uint16)).save(path)  # as tools do that keep pixels alone
    np.testing.assert_array_equal(read_map(tmp_path / "p").values, before)
    file = tmp_path / "p" / "manifest.json"
    file.write_text(file.read_text().replace('"scale": 4.0', '"scale": 5.0'))
    with pytest.raises(InputError, match=r"test/fault/000000\.png: the file states the scale 4, but 5 was expected"):
        read_map(tmp_path / "p")


def test_the_first_maps_do_not_depend_on_how_many_follow(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_CHUNK", 4)
    few = _write(tmp_path / "few", n_train=6, n_test=4)
    many = _write(tmp_path / "many", n_train=11, n_test=9)
    for split, label in (("train", 0), ("test", 0), ("test", 1)):
        a, b = (x.values[((x.table.split == split) & (x.table.label == label)).to_numpy()] for x in (few, many))
        np.testing.assert_array_equal(a, b[: len(a)])
        assert len(np.unique(b.reshape(len(b), -1), axis=0)) == len(b)  # chunks differ


def test_domains_and_seeds_share_no_numbers(tmp_path):
    a, b = _write(tmp_path / "a", "A"), _write(tmp_path / "b", "B")
    # levels and sizes differ by the domain, but not the order of the pixels, were the random numbers the same
    assert abs(np.corrcoef(a.values[0].ravel(), b.values[0].ravel())[0, 1]) < 0.3


def test_transients_are_as_bright_on_healthy_maps_as_on_faulty_ones(tmp_path):
    batch = _write(tmp_path / "d", n_train=60, n_test=60, diagonals=1.0, contrast=(4.0, 4.0))
    peak = batch.values.max(axis=(1, 2)) / np.median(batch.values, axis=(1, 2))
    healthy = batch.table.label.to_numpy() == 0
    assert np.quantile(peak[healthy], 0.1) > 4.0
    assert 0.4 < np.median(peak[healthy]) / np.median(peak[~healthy]) < 1.0  # a line may cross the transient


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"n_train": 0}, "n_train must be a whole number, 1 or more, but got 0"),
        ({"format": "bmp"}, "format must be one of 'tiff', 'png16'"),
        ({"png_scale": 2.0}, "png_scale 2.0 is for png16 only"),
        ({"seed": -1}, "seed must be a whole number, 0 or more"),
        ({"mode": "wild"}, "mode must be one of"),
        ({"gear": "sun"}, "gear must be one of"),
    ],
)
def test_what_cannot_be_is_told_at_once(options, told):
    with pytest.raises(InputError, match=told):
        MapSetConfig(**options)


def test_a_folder_that_is_not_ours_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="exists and is not a folder"):
        write_domain("C", MapSetConfig(n_train=1, n_test=2), tmp_path / "file", _quiet)
    with pytest.raises(InputError, match="domain must be one of 'A', 'B', 'C', 'D'"):
        write_domain("E", MapSetConfig(n_train=1, n_test=2), tmp_path / "x", _quiet)

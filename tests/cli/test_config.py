"""Configurations by name: listed, found, and taken by verbs."""

from __future__ import annotations

from pathlib import Path

import pytest

from toothwise.reading import configurations


@pytest.mark.parametrize("name", ["dinomaly_directional_base", "direction"])
def test_a_configuration_is_found_by_its_name(toothwise, name):
    run = toothwise("config", name)
    assert run.code == 0
    assert Path(run.out.strip()).stem == name
    assert Path(run.out.strip()).is_file()


def test_all_are_listed_with_what_they_are(toothwise):
    listed = toothwise("config").out
    for name, path in configurations().items():
        assert name in listed
        assert "anomalib train" not in path.read_text(encoding="utf-8").splitlines()[0]


def test_verbs_take_the_name_and_an_unknown_one_names_the_nearest(toothwise, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert toothwise("study", "run", "direction", "--smoke", "--list").code == 0
    run = toothwise("simulate", "gearbox_crak", "--output", "out")
    assert run.code == 2
    assert "did you mean 'gearbox_crack'" in run.err
    assert list(tmp_path.iterdir()) == []


def test_a_detectors_options_are_listed(toothwise):
    listed = toothwise("detectors", "scan").out
    assert '"both"' in listed
    assert "where damage may show" in listed

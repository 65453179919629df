"""Recordings as one picture."""

from __future__ import annotations

import pytest
from PIL import Image

from toothwise import GearPair
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.vibration.readers.write import write_record


@pytest.fixture
def recordings(tmp_path):
    for seed in (0, 1):
        record, _ = simulate_record(GearboxConfig(gears=GearPair(9, 14), periods=2), seed=seed)
        write_record(record, tmp_path / f"record{seed}.npz")
    (tmp_path / "gears.yaml").write_text("driving: 9\ndriven: 14\n")
    return tmp_path


@pytest.mark.parametrize("kind", ["png", *(pytest.param(kind, marks=pytest.mark.full) for kind in ("svg", "pdf"))])
def test_recordings_become_one_picture(toothwise, recordings, kind):
    picture = recordings / f"sheet.{kind}"
    files = [str(recordings / f"record{k}.npz") for k in (0, 1)]
    run = toothwise("plot", *files, "--gears", str(recordings / "gears.yaml"), "--output", str(picture))
    assert run.code == 0
    if kind == "png":
        with Image.open(picture) as image:
            assert min(image.size) > 900
    else:
        assert picture.read_bytes()[:5] in (b"%PDF-", b"<?xml")


def test_without_a_screen_gears_or_a_known_kind_one_line_says_so(toothwise, recordings, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    file, gears = str(recordings / "record0.npz"), str(recordings / "gears.yaml")
    for words, says in (
        ((file, "--gears", gears), "no screen for a window: give --output"),
        ((file,), "needs --gears FILE, or --model"),
        ((file, "--gears", gears, "--output", str(recordings / "a.gif")), "must be one of .png"),
    ):
        run = toothwise("plot", *words)
        assert run.code == 2
        assert says in run.err

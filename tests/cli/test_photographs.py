"""Folders of photographs: fitted with what suits them, measured with masks, refused by detectors of maps."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from toothwise.healthmap.io import read_map

pytest.importorskip("anomalib")


@pytest.fixture
def photographs(tmp_path):
    rng = np.random.default_rng(0)
    for place, n in (("good", 20), ("test", 6), ("crack", 6), ("masks", 6)):
        (tmp_path / place).mkdir()
        for k in range(n):
            image = rng.integers(90, 110, (48, 64, 3)).astype(np.uint8)
            if place == "crack":
                image[8 + k : 28 + k, 30:34] = 250
            elif place == "masks":
                image = np.zeros((48, 64), np.uint8)
                image[8 + k : 28 + k, 30:34] = 255
            Image.fromarray(image).save(tmp_path / place / f"{k:02d}.{'png' if place == 'masks' else 'jpg'}")
    return tmp_path


def test_photographs_are_fitted_and_measured_with_their_masks(toothwise, photographs):
    small = ("image_size=[96,128]", "coreset_ratio=1.0")
    model, good = photographs / "model", photographs / "good"
    run = toothwise("fit", str(good), "--detector", "patchcore", "--set", *small, "--output", str(model))
    assert run.code == 0, run.err
    assert "channels=grey, log=False" in run.out
    words = ("--masks", str(photographs / "masks"), "--overlays", str(photographs / "overlays"), "--json")
    run = toothwise("evaluate", str(model), str(photographs / "test"), str(photographs / "crack"), *words)
    assert run.code == 0, run.err
    found = json.loads(run.out)
    assert found["auroc"] == 1.0
    assert found["pixel_auroc"] > 0.8
    assert len(list((photographs / "overlays").glob("*.png"))) == 12


def test_detectors_of_maps_refuse_photographs(toothwise, photographs):
    run = toothwise("fit", str(photographs / "good"), "--detector", "scan", "--output", str(photographs / "model"))
    assert run.code == 2
    assert "these are photographs" in run.err
    assert "patchcore" in run.err
    assert not (photographs / "model").exists()


def test_colours_are_read_as_brightness(tmp_path):
    colours = np.zeros((2, 3, 3), np.uint8)
    colours[0] = 255
    Image.fromarray(colours).save(tmp_path / "a.png")
    found = read_map(tmp_path / "a.png")
    np.testing.assert_allclose(found.values, [[255] * 3, [0] * 3])
    assert found.rows.name == "pixel row"

"""Durations, curves and pictures of a trial."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from toothwise.detectors.curves import recorded_curves, recorder
from toothwise_lab.pictures import draw_examples
from toothwise_lab.studies.run import duration
from toothwise_lab.studies.worker import thinned


@pytest.mark.parametrize(
    ("seconds", "words"), [(1.24, "1.2 s"), (59.4, "59 s"), (75, "1 min 15 s"), (7260, "2 h 1 min")]
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


def test_curves_are_thinned_to_their_end():
    assert recorder() is None
    with recorded_curves() as curves:
        assert recorder() is curves
        for step in range(1, 1001):
            curves["loss"].append((step, 1.0 / step))
    thin = thinned(curves, 100)["loss"]
    assert len(thin) == 100
    assert thin[-1] == (1000, 0.001)
    assert len({b[0] - a[0] for a, b in pairwise(thin)}) == 1


def test_a_picture_of_a_trial():
    rng = np.random.default_rng(0)
    maps = rng.random((2, 6, 12))
    masks = np.zeros(maps.shape, dtype=bool)
    masks[:, 2, 3:9] = True
    for examples in ({"maps": maps, "anomaly": maps**2}, {"maps": maps, "anomaly": maps**2, "masks": masks}):
        assert draw_examples(examples).startswith(b"\x89PNG")

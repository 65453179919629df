"""Rivals of anomalib behind the detector contract."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("anomalib")

from toothwise.simulate.maps import generate
from toothwise_lab.anomalib_rivals import AnomalyDino, MhPatchcore

SMALL = {"encoder_name": "vit_tiny_patch16_224", "weights": "random", "image_size": [64, 96], "batch_size": 4}


@pytest.mark.parametrize("cls", [AnomalyDino, MhPatchcore])
def test_a_map_with_a_bright_patch_is_far_from_all_healthy_ones(cls):
    healthy = generate("C", 20, False, seed=1)[0]
    detector = cls(**SMALL).fit(healthy)
    wrong = healthy.copy()
    wrong[:, 12:18, 40:48] *= 6.0
    usual, found = detector.predict(healthy), detector.predict(wrong)
    assert (found.score > usual.score).all()
    rise = found.anomaly_map - usual.anomaly_map
    assert rise[:, 10:20, 38:50].mean() > 3 * np.abs(rise[:, :, 64:]).mean()


def test_anomaly_dino_keeps_every_healthy_patch():
    healthy = generate("C", 12, False, seed=1)[0]
    detector = AnomalyDino(**SMALL).fit(healthy)
    assert detector.info["patches"] == 12 * (64 // 16) * (96 // 16)
    assert detector.predict(healthy).score.max() < 1e-5  # each patch is its own nearest one

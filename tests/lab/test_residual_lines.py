"""Lines among the residual tokens of a Dinomaly."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="module")
def fitted():
    pytest.importorskip("anomalib")
    from toothwise_lab.residual_lines import ResidualLines

    inner = {
        "encoder_name": "vit_tiny_patch16_224",
        "weights": "random",
        "image_size": [80, 96],
        "pooling": "top",
        "log": False,
        "max_steps": 2,
    }
    photographs = np.random.default_rng(1).uniform(size=(60, 40, 48)).astype(np.float32)
    return ResidualLines(options=inner, max_steps=2, dim=4, blocks=1, lengths=[3]).fit(photographs), photographs


def test_the_network_sees_a_token_of_the_residual_as_a_cell(fitted):
    detector, photographs = fitted
    assert detector.info["tokens"] == [5, 6]
    left = detector._parts["inner"].vectors(photographs[:4])
    assert left.shape[1:3] == (5, 6)
    by_hand = detector._parts["lines"]._images((left**2).sum(axis=-1))
    found = detector.predict(photographs[:4])
    assert found.anomaly_map.shape == (4, 40, 48)
    import torch

    with torch.inference_mode():
        wanted = detector._parts["lines"]._module.model.judge(torch.from_numpy(by_hand)).score.numpy()
    assert found.score == pytest.approx(wanted, rel=1e-5)


def test_a_bright_line_of_tokens_is_found_where_the_residual_has_one(fitted, monkeypatch):
    detector, photographs = fitted
    plain = detector.predict(photographs[:8]).score
    vectors = type(detector._parts["inner"]).vectors

    def with_line(self, values):
        left = vectors(self, values)
        left[:, 2] *= 3.0
        return left

    monkeypatch.setattr(type(detector._parts["inner"]), "vectors", with_line)
    assert (detector.predict(photographs[:8]).score > plain + 5).all()


def test_it_is_saved_and_opened(fitted, tmp_path):
    from toothwise_lab.residual_lines import ResidualLines

    detector, photographs = fitted
    again = ResidualLines(**detector.options)
    again.shape, again.info = detector.shape, detector.info
    again._restore(detector._state())
    assert again.shape == (40, 48)
    np.testing.assert_array_equal(again.predict(photographs[:5]).score, detector.predict(photographs[:5]).score)


def test_a_study_knows_the_encoder_that_it_rests_on():
    from toothwise_lab.studies.own_detectors import encoder_files

    options = {"options": {"encoder_name": "vit_small_patch14_dinov2", "weights": "random"}, "max_steps": 2}
    assert encoder_files("toothwise_lab.residual_lines:ResidualLines", options) == [
        ("vit_small_patch14_dinov2", "random")
    ]

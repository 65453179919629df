"""Metrics for anomalib's Evaluator are the pure functions, batch by batch."""

import numpy as np
import pytest

pytest.importorskip("anomalib")
import torch
from anomalib.data import ImageBatch
from anomalib.metrics import Evaluator

from toothwise import evaluation
from toothwise.detectors.metrics import RawAUROC
from toothwise.errors import InputError
from toothwise_lab import anomalib_metrics, pixels

IMAGES = {
    "RawAUROC": evaluation.auroc,
    "RawAUPR": evaluation.aupr,
    "RawF1Max": evaluation.f1_max,
    "RawPrecisionAt90Recall": lambda s, y: evaluation.precision_at_recall(s, y, recall=0.9),
    "RawTPRAt1FPR": lambda s, y: evaluation.tpr_at_fpr(s, y, fpr=0.01),
    "RawTPRAt5FPR": lambda s, y: evaluation.tpr_at_fpr(s, y, fpr=0.05),
}
PIXELS = {"RawPixelAUROC": pixels.pixel_auroc, "RawAUPRO": pixels.aupro}
NAMES = ["RawAUROC", *anomalib_metrics.__all__]


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    masks = np.zeros((30, 6, 8), dtype=bool)
    masks[15:, 2, 1:6] = True
    heat = rng.standard_normal(masks.shape) + 1.5 * masks
    scores, labels = 50 * (heat.max(axis=(1, 2)) - 1), masks.any(axis=(1, 2))  # far outside 0..1
    return [
        ImageBatch(
            image=torch.zeros(10, 3, 6, 8),
            pred_score=torch.from_numpy(scores[k::3]),
            gt_label=torch.from_numpy(labels[k::3]),
            anomaly_map=torch.from_numpy(heat[k::3]),
            gt_mask=torch.from_numpy(masks[k::3]),
        )
        for k in range(3)
    ], (scores, labels, heat, masks)


def test_every_class_is_tested():
    assert {*IMAGES, *PIXELS} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_as_the_pure_function(batches, name):
    parts, (scores, labels, heat, masks) = batches
    metric = getattr(anomalib_metrics, name)()
    assert Evaluator(test_metrics=[metric]).test_metrics[0] is metric
    for part in parts:
        metric.update(part)
    order = np.concatenate([np.arange(30)[k::3] for k in range(3)])
    expected = IMAGES[name](scores, labels) if name in IMAGES else PIXELS[name](heat[order], masks[order])
    assert metric.compute().dtype == torch.float64
    assert float(metric.compute()) == pytest.approx(expected, abs=1e-12)
    assert expected < 1


def test_healthy_maps_alone_are_an_error(batches):
    metric = RawAUROC()
    metric.update(
        ImageBatch(image=torch.zeros(4, 3, 6, 8), pred_score=torch.rand(4), gt_label=torch.zeros(4, dtype=int))
    )
    with pytest.raises(InputError, match="class"):
        metric.compute()

"""The AUROC for anomalib's Evaluator is the pure function, batch by batch."""

import numpy as np
import pytest

pytest.importorskip("anomalib")
import torch
from anomalib.data import ImageBatch
from anomalib.metrics import Evaluator

from toothwise.detectors.metrics import RawAUROC
from toothwise.errors import InputError
from toothwise.evaluation import auroc


def test_the_same_as_the_pure_function():
    rng = np.random.default_rng(0)
    labels = np.arange(30) >= 15
    scores = 50 * (rng.standard_normal(30) + labels)  # far outside 0..1
    metric = RawAUROC()
    assert Evaluator(test_metrics=[metric]).test_metrics[0] is metric
    for k in range(3):
        part = {"pred_score": torch.from_numpy(scores[k::3]), "gt_label": torch.from_numpy(labels[k::3])}
        metric.update(ImageBatch(image=torch.zeros(10, 3, 6, 8), **part))
    assert metric.compute().dtype == torch.float64
    assert float(metric.compute()) == pytest.approx(auroc(scores, labels), abs=1e-12)


def test_healthy_maps_alone_are_an_error():
    metric = RawAUROC()
    metric.update(
        ImageBatch(image=torch.zeros(4, 3, 6, 8), pred_score=torch.rand(4), gt_label=torch.zeros(4, dtype=int))
    )
    with pytest.raises(InputError, match="class"):
        metric.compute()

"""Our metrics for anomalib's Evaluator: raw scores, float64, one class only is an error.

torchmetrics' own squash scores that leave 0..1 through a sigmoid, which saturates and ties what was ranked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from anomalib.metrics import AnomalibMetric
from torch import Tensor
from torchmetrics import Metric

from toothwise.evaluation import aupr, aupro, auroc, f1_max, pixel_auroc, precision_at_recall, tpr_at_fpr

__all__ = [
    "RawAUPR",
    "RawAUPRO",
    "RawAUROC",
    "RawF1Max",
    "RawPixelAUROC",
    "RawPrecisionAt90Recall",
    "RawTPRAt1FPR",
    "RawTPRAt5FPR",
]


class _Collected(Metric):
    """Scores and labels are kept as they come; ``metric`` sees all of them at once."""

    full_state_update = False
    metric: Callable[[np.ndarray, np.ndarray], float]
    scores: list[Tensor]
    labels: list[Tensor]

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.add_state("scores", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, scores: Tensor, labels: Tensor) -> None:
        """Scores ``[n, ...]`` and labels ``[n, ...]``, 1 = faulty."""
        self.scores.append(scores.detach().double().cpu())
        self.labels.append(labels.detach().int().cpu())

    def compute(self) -> Tensor:
        """The metric, float64."""
        scores, labels = torch.cat(list(self.scores)).numpy(), torch.cat(list(self.labels)).numpy()
        return torch.tensor(type(self).metric(scores, labels), dtype=torch.float64)


class _OfImages(_Collected):
    def update(self, scores: Tensor, labels: Tensor) -> None:
        """Scores ``[n]`` or ``[n, 1]`` and labels ``[n]``, 1 = faulty."""
        super().update(scores.flatten(), labels.flatten())


class _OfPixels(_Collected):
    def update(self, scores: Tensor, labels: Tensor) -> None:
        """Anomaly maps and masks, ``[n, rows, columns]`` or ``[n, 1, rows, columns]``."""
        super().update(scores.reshape(-1, *scores.shape[-2:]), labels.reshape(-1, *labels.shape[-2:]))


_IMAGE, _PIXEL = ("pred_score", "gt_label"), ("anomaly_map", "gt_mask")


class RawAUROC(AnomalibMetric, _OfImages):
    """Area under the ROC curve; ties count half."""

    default_fields = _IMAGE
    metric = staticmethod(auroc)


class RawAUPR(AnomalibMetric, _OfImages):
    """Average precision."""

    default_fields = _IMAGE
    metric = staticmethod(aupr)


class RawF1Max(AnomalibMetric, _OfImages):
    """Best F1 over all thresholds."""

    default_fields = _IMAGE
    metric = staticmethod(f1_max)


class RawPrecisionAt90Recall(AnomalibMetric, _OfImages):
    """Precision where 90 % of the faulty are found."""

    default_fields = _IMAGE
    metric = staticmethod(partial(precision_at_recall, recall=0.9))


class RawTPRAt1FPR(AnomalibMetric, _OfImages):
    """Share of the faulty that is found with 1 % of the healthy flagged."""

    default_fields = _IMAGE
    metric = staticmethod(partial(tpr_at_fpr, fpr=0.01))


class RawTPRAt5FPR(AnomalibMetric, _OfImages):
    """Share of the faulty that is found with 5 % of the healthy flagged."""

    default_fields = _IMAGE
    metric = staticmethod(partial(tpr_at_fpr, fpr=0.05))


class RawPixelAUROC(AnomalibMetric, _OfPixels):
    """AUROC over all pixels."""

    default_fields = _PIXEL
    metric = staticmethod(pixel_auroc)


class RawAUPRO(AnomalibMetric, _OfPixels):
    """Area under the per-region overlap up to 30 % false positives."""

    default_fields = _PIXEL
    metric = staticmethod(aupro)

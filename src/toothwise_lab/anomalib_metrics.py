"""More metrics for the Evaluator of anomalib, beside the product's ``RawAUROC``: raw scores, float64."""

from __future__ import annotations

from functools import partial

from anomalib.metrics import AnomalibMetric
from torch import Tensor

from toothwise.detectors.metrics import CollectedMetric, RawAUROC
from toothwise.evaluation import aupr, f1_max, precision_at_recall, tpr_at_fpr
from toothwise_lab.pixels import aupro, pixel_auroc

__all__ = [
    "RawAUPR",
    "RawAUPRO",
    "RawF1Max",
    "RawPixelAUROC",
    "RawPrecisionAt90Recall",
    "RawTPRAt1FPR",
    "RawTPRAt5FPR",
]


class RawAUPR(RawAUROC):
    """Average precision."""

    metric = staticmethod(aupr)


class RawF1Max(RawAUROC):
    """Best F1 over all thresholds."""

    metric = staticmethod(f1_max)


class RawPrecisionAt90Recall(RawAUROC):
    """Precision where 90 % of the faulty are found."""

    metric = staticmethod(partial(precision_at_recall, recall=0.9))


class RawTPRAt1FPR(RawAUROC):
    """Share of the faulty that is found with 1 % of the healthy flagged."""

    metric = staticmethod(partial(tpr_at_fpr, fpr=0.01))


class RawTPRAt5FPR(RawAUROC):
    """Share of the faulty that is found with 5 % of the healthy flagged."""

    metric = staticmethod(partial(tpr_at_fpr, fpr=0.05))


class _OfPixels(CollectedMetric):
    def update(self, scores: Tensor, labels: Tensor) -> None:
        """Anomaly maps and masks, ``[n, rows, columns]`` or ``[n, 1, rows, columns]``."""
        self.scores.append(scores.detach().double().cpu().reshape(-1, *scores.shape[-2:]))
        self.labels.append(labels.detach().int().cpu().reshape(-1, *labels.shape[-2:]))


class RawPixelAUROC(AnomalibMetric, _OfPixels):
    """AUROC over all pixels."""

    default_fields = ("anomaly_map", "gt_mask")
    metric = staticmethod(pixel_auroc)


class RawAUPRO(RawPixelAUROC):
    """Area under the per-region overlap up to 30 % false positives."""

    metric = staticmethod(aupro)

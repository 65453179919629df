"""AUROC for anomalib's Evaluator that keeps raw scores and computes in float64."""

from __future__ import annotations

import torch
from anomalib.metrics import AnomalibMetric
from torch import Tensor
from torchmetrics import Metric

from toothwise.evaluation.metrics import auroc

__all__ = ["RawAUROC"]


class _RawAUROC(Metric):
    """Area under the ROC curve of scores of any range; ties count half. Nothing is squashed or clamped."""

    full_state_update = False
    scores: list[Tensor]
    labels: list[Tensor]

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.add_state("scores", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, scores: Tensor, labels: Tensor) -> None:
        """Scores ``[n]`` and labels ``[n]``, 1 = faulty."""
        self.scores.append(scores.detach().flatten().double().cpu())
        self.labels.append(labels.detach().flatten().int().cpu())

    def compute(self) -> Tensor:
        """AUROC, float64; one class only is an error."""
        scores, labels = torch.cat(list(self.scores)), torch.cat(list(self.labels))
        return torch.tensor(auroc(scores.numpy(), labels.numpy()), dtype=torch.float64)


class RawAUROC(AnomalibMetric, _RawAUROC):
    """AUROC of raw scores."""

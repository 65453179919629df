"""AUROC for anomalib's Evaluator: raw scores, float64, one class only is an error.

torchmetrics' own squashes scores that leave 0..1 through a sigmoid, which saturates and ties what was ranked.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from anomalib.metrics import AnomalibMetric
from torch import Tensor
from torchmetrics import Metric

from toothwise.evaluation import auroc


class _Collected(Metric):
    """Scores and labels of images are kept as they come; ``metric`` sees all of them at once."""

    full_state_update = False
    metric: Callable[[np.ndarray, np.ndarray], float]
    scores: list[Tensor]
    labels: list[Tensor]

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.add_state("scores", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, scores: Tensor, labels: Tensor) -> None:
        """Scores ``[n]`` or ``[n, 1]`` and labels ``[n]``, 1 = faulty."""
        self.scores.append(scores.detach().double().cpu().flatten())
        self.labels.append(labels.detach().int().cpu().flatten())

    def compute(self) -> Tensor:
        """The metric, float64."""
        scores, labels = torch.cat(list(self.scores)).numpy(), torch.cat(list(self.labels)).numpy()
        return torch.tensor(type(self).metric(scores, labels), dtype=torch.float64)


class RawAUROC(AnomalibMetric, _Collected):
    """Area under the ROC curve; ties count half. Subclasses have another ``metric``, such as ``staticmethod(aupr)``."""

    default_fields = ("pred_score", "gt_label")
    metric = staticmethod(auroc)

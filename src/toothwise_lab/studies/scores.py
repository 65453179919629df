"""The scores of each map of a trial, kept so that trials can be compared map by map, and the metrics made of them.

Arrays by name: ``healthy`` and ``faulty`` (the detector's own scores), the same with ``_lines`` and ``_segments``
(its anomaly map scored by the best whole line and by the best segment), and ``warm`` (bool, thermal state of both
where the maps have one). A metric's name is made of the same words: ``tpr_at_1_fpr_cold_lines`` is the TPR at 1 % FPR
among cold maps, scored by lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.evaluation import aupr, auroc, f1_max, precision_at_recall, tpr_at_fpr
from toothwise_lab.bootstrap import Metric

SCORE_METRICS: dict[str, Metric] = {
    "auroc": auroc,
    "aupr": aupr,
    "f1_max": f1_max,
    "precision_at_90_recall": lambda scores, labels: precision_at_recall(scores, labels, recall=0.9),
    "tpr_at_1_fpr": lambda scores, labels: tpr_at_fpr(scores, labels, fpr=0.01),
    "tpr_at_5_fpr": lambda scores, labels: tpr_at_fpr(scores, labels, fpr=0.05),
}
CONDITIONS = ("cold", "warm")
POOLED = ("lines", "segments")


@dataclass(frozen=True)
class ScoreMetric:
    """A metric that per-map scores tell.

    Attributes:
        base: a name in SCORE_METRICS.
        condition: thermal state that it is restricted to, or None.
        pooling: "lines", "segments", or None = the detector's own score.
    """

    base: str
    condition: str | None = None
    pooling: str | None = None

    @property
    def name(self) -> str:
        """As in a trial's row."""
        return "_".join(word for word in (self.base, self.condition, self.pooling) if word)

    @property
    def function(self) -> Metric:
        """Of scores and labels."""
        return SCORE_METRICS[self.base]

    def pick(self, scores: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
        """Scores and labels (1 = faulty) that the metric is taken on, or None where the trial does not have them."""
        ends = "" if self.pooling is None else f"_{self.pooling}"
        if f"healthy{ends}" not in scores or (self.condition is not None and "warm" not in scores):
            return None
        healthy, faulty = scores[f"healthy{ends}"], scores[f"faulty{ends}"]
        if self.condition is not None:
            mine = scores["warm"] == (self.condition == "warm")
            healthy, faulty = healthy[mine], faulty[mine]
        if not len(healthy) or not len(faulty):
            return None
        return np.concatenate([healthy, faulty]), np.repeat([0, 1], [len(healthy), len(faulty)])

    def value(self, scores: Mapping[str, np.ndarray]) -> float | None:
        """The metric, or None where the trial does not have such scores."""
        picked = self.pick(scores)
        return None if picked is None else float(self.function(*picked))


def parse_metric(name: str) -> ScoreMetric | None:
    """The metric of this name, or None for a metric that per-map scores do not tell (tooth_accuracy, ...)."""
    pooling = next((word for word in POOLED if name.endswith(f"_{word}")), None)
    rest = name.removesuffix(f"_{pooling}") if pooling else name
    condition = next((word for word in CONDITIONS if rest.endswith(f"_{word}")), None)
    rest = rest.removesuffix(f"_{condition}") if condition else rest
    return ScoreMetric(rest, condition, pooling) if rest in SCORE_METRICS else None


def all_metrics(scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Every metric of SCORE_METRICS that these scores tell, by name.

    Raises:
        InputError: scores that are not finite.
    """
    bad = [name for name, values in scores.items() if not np.isfinite(np.asarray(values, dtype=np.float64)).all()]
    if bad:
        raise InputError(f"scores must be finite, but {', '.join(bad)} are not")
    found: dict[str, Any] = {}
    for pooling in (None, *POOLED):
        for condition in (None, *CONDITIONS):
            for base in SCORE_METRICS:
                metric = ScoreMetric(base, condition, pooling)
                value = metric.value(scores)
                if value is not None:
                    found[metric.name] = value
    return found

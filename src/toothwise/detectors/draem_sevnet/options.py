"""The options of DRAEM-SevNet, written once: its detector and its anomalib module take them by name."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DraemOptions"]


@dataclass(frozen=True)
class DraemOptions:
    """Network, faults, loss and score.

    Attributes:
        base_width, features, head_pooling: Of DraemSevNetModel.
        faults, severity_max, fault_probability, range_handling, lines: Of SyntheticFaults (``kind`` and
            ``probability`` there).
        severity_loss, severity_weight: Of DraemSevNetLoss.
        combination, mask_weight: Of ScoreRule.
    """

    base_width: int = 64
    features: str = "single"
    head_pooling: str = "gap"
    faults: str = "patch"
    severity_max: float = 10.0
    fault_probability: float = 0.5
    range_handling: str = "keep"
    lines: str = "rows"
    severity_loss: str = "mse"
    severity_weight: float = 0.5
    combination: str = "mean"
    mask_weight: float = 0.5

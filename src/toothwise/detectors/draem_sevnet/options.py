"""The options of DRAEM-SevNet, written once: its detector and its anomalib module take them by name."""

from __future__ import annotations

from dataclasses import dataclass

from toothwise.checks import check_choice, check_range, check_whole


@dataclass(frozen=True)
class DraemOptions:
    """Network, faults, loss and score.

    Attributes:
        base_width (channels): Channels of the first layer of the discriminator; the reconstruction has twice as many.
            64 as published: 97.4 million weights.
        features: What the severity head sees of the discriminator: "single" = its last feature, "multi" = the last
            five.
        head_pooling: How the head pools them: "gap" = the mean over the image, "grid" = means over a 4 x 4 grid, which
            keep the place.
        faults: What is put into healthy maps: "patch" = a part of the same map taken elsewhere, "lines" = rows or
            columns with gaps.
        severity_max (severity): Largest severity of a fault; a line of severity s has the contrast 1 + s.
        fault_probability (share): Chance of a fault for each map of a batch.
        range_handling: What is done to a faulty map that leaves its own range of values: "keep" = nothing, "clip" = it
            is cut there, "rescale" = it is mapped onto the range of the healthy one.
        lines: Where faults of kind "lines" lie: "rows", "columns" or "both" (each fault one of the two).
        severity_loss: Loss of the severity: "mse" or "smooth_l1".
        severity_weight (weight): Weight of that loss beside reconstruction, similarity and segmentation.
        combination: How the mask and the severity make the score: "mean", "weighted" or "max".
        mask_weight (weight): With "weighted": weight of the mask; the rest is that of the severity.

    Raises:
        InputError: A value that is not allowed.
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

    def __post_init__(self) -> None:
        check_whole(1, base_width=self.base_width)
        check_choice(("single", "multi"), features=self.features)
        check_choice(("gap", "grid"), head_pooling=self.head_pooling)
        check_choice(("patch", "lines"), faults=self.faults)
        check_choice(("keep", "clip", "rescale"), range_handling=self.range_handling)
        check_choice(("rows", "columns", "both"), lines=self.lines)
        check_choice(("mse", "smooth_l1"), severity_loss=self.severity_loss)
        check_choice(("mean", "weighted", "max"), combination=self.combination)
        check_range("(0, inf)", severity_max=self.severity_max)
        check_range("[0, inf)", severity_weight=self.severity_weight)
        check_range("[0, 1]", fault_probability=self.fault_probability, mask_weight=self.mask_weight)

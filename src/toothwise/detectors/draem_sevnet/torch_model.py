"""DRAEM with a severity head on the discriminator's features, and its loss."""

from __future__ import annotations

from typing import NamedTuple

import torch
from anomalib.data import InferenceBatch
from anomalib.models.image.draem.loss import DraemLoss
from anomalib.models.image.draem.torch_model import DiscriminativeSubNetwork, ReconstructiveSubNetwork
from torch import Tensor, nn
from torch.nn import functional

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.detectors.draem_sevnet.images import STRIDE
from toothwise.detectors.images import check_size
from toothwise.errors import InputError

__all__ = ["DraemSevNetLoss", "DraemSevNetModel", "ModelOutput", "ScoreRule", "SeverityHead", "focal_loss"]

_GRID = 4
_HIDDEN = (128, 64)
_SCALES = 5
_WIDTHS = (2, 4, 8, 8, 8)  # of the discriminator's last five encoder features, times the base width
_TOP = 0.01


class ModelOutput(NamedTuple):
    """What the networks make of images ``[b, 3, h, w]``.

    Attributes:
        reconstruction: ``[b, 3, h, w]``.
        logits: ``[b, 2, h, w]``, healthy and faulty.
        severity: ``[b]``, in units of the faults' severity; not limited to 0..severity_max.
    """

    reconstruction: Tensor
    logits: Tensor
    severity: Tensor


class ScoreRule(NamedTuple):
    """How the score of the mask and the severity make one score.

    Attributes:
        combination: "mean", "weighted" (``mask_weight`` for the mask, the rest for the severity) or "max".
        severity_max: severity that counts as 1.
        mask_weight: of "weighted", 0 to 1.
    """

    combination: str = "mean"
    severity_max: float = 10.0
    mask_weight: float = 0.5

    def check(self) -> ScoreRule:
        """Itself.

        Raises:
            InputError: a value that is not allowed.
        """
        check_choice(("mean", "weighted", "max"), combination=self.combination)
        check_range("(0, inf)", severity_max=self.severity_max)
        check_range("[0, 1]", mask_weight=self.mask_weight)
        return self

    def __call__(self, mask: Tensor, severity: Tensor) -> Tensor:
        """Score of the mask ``[b]`` and severity ``[b]`` -> score ``[b]``.

        Only the severity's term is held to 0..1, as in the research code: a head that is off by far must not drown
        the mask. The mask's term and the score itself are never clamped.
        """
        term = (severity / self.severity_max).clamp(0.0, 1.0).to(mask.dtype)
        if self.combination == "max":
            return torch.maximum(mask, term)
        weight = 0.5 if self.combination == "mean" else self.mask_weight
        return weight * mask + (1.0 - weight) * term


class SeverityHead(nn.Module):
    """Features of the discriminator's encoder -> severity, by a network of 128 -> 64 -> 1.

    Args:
        base_width: of the discriminator.
        features: "single" = the last feature (8 base widths), "multi" = the last five (30 base widths, 1920 channels
            as published), each pooled.
        pooling: "gap" = mean over the image, "grid" = means over a 4 x 4 grid, which keep the place.
    """

    def __init__(self, base_width: int, *, features: str = "single", pooling: str = "gap") -> None:
        super().__init__()
        check_choice(("single", "multi"), features=features)
        check_choice(("gap", "grid"), head_pooling=pooling)
        self.count = _SCALES if features == "multi" else 1
        self.pool = nn.AdaptiveAvgPool2d(_GRID if pooling == "grid" else 1)
        width = base_width * sum(_WIDTHS[-self.count :]) * (_GRID**2 if pooling == "grid" else 1)
        layers: list[nn.Module] = []
        for hidden in _HIDDEN:
            layers += [nn.Linear(width, hidden), nn.ReLU()]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, features: list[Tensor]) -> Tensor:
        """Features ``[b, c, h, w]`` of rising depth -> ``[b]``, 1 = the largest severity."""
        pooled = [self.pool(feature).flatten(1) for feature in features[-self.count :]]
        return self.layers(torch.cat(pooled, dim=1))[:, 0]


class DraemSevNetModel(nn.Module):
    """DRAEM (Zavrtanik et al., ICCV 2021) whose discriminator also estimates how severe a fault is.

    anomalib's two networks: one rebuilds the healthy image, the other finds the fault from image and reconstruction.

    Args:
        base_width: channels of the discriminator's first layer; the reconstruction has twice as many. 64 as
            published: 97.4 million weights.
        features, head_pooling: of SeverityHead.
        rule: how mask and severity make the score.
    """

    def __init__(
        self,
        *,
        base_width: int = 64,
        features: str = "single",
        head_pooling: str = "gap",
        rule: ScoreRule | None = None,
    ) -> None:
        super().__init__()
        check_whole(1, base_width=base_width)
        self.rule = (rule or ScoreRule()).check()
        self.reconstructive_subnetwork = ReconstructiveSubNetwork(base_width=2 * base_width)
        self.discriminative_subnetwork = DiscriminativeSubNetwork(in_channels=6, out_channels=2, base_width=base_width)
        self.severity_head = SeverityHead(base_width, features=features, pooling=head_pooling)

    def parts(self, images: Tensor) -> ModelOutput:
        """Reconstruction, logits and severity of images ``[b, 3, h, w]``.

        Raises:
            InputError: height or width is no multiple of 32, or one image of 32 x 32 in training, on which batch
                normalisation has nothing to average.
        """
        check_size(tuple(images.shape[2:]), STRIDE)
        if self.training and len(images) == 1 and max(images.shape[2:]) == 32:
            raise InputError("training on 32 x 32 pixels needs 2 images or more in a batch, but got 1")
        reconstruction = self.reconstructive_subnetwork(images)
        discriminator = self.discriminative_subnetwork
        features = list(discriminator.encoder_segment(torch.cat([images, reconstruction], dim=1)))
        severity = self.rule.severity_max * self.severity_head(features)
        return ModelOutput(reconstruction, discriminator.decoder_segment(*features), severity)

    def judge(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Anomaly map ``[b, 1, h, w]`` (probability of a fault), its top 1 % ``[b]``, and severity ``[b]``."""
        found = self.parts(images)
        anomaly_map = found.logits.softmax(dim=1)[:, 1:]
        flat = anomaly_map.flatten(1)
        top = flat.topk(max(1, int(flat.shape[1] * _TOP)), dim=1).values.mean(dim=1)
        return anomaly_map, top, found.severity

    def forward(self, images: Tensor) -> ModelOutput | InferenceBatch:
        """All parts in training; else anomaly map ``[b, 1, h, w]`` and the combined score ``[b]``."""
        if self.training:
            return self.parts(images)
        anomaly_map, top, severity = self.judge(images)
        return InferenceBatch(pred_score=self.rule(top, severity), anomaly_map=anomaly_map)


def focal_loss(logits: Tensor, mask: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss (Lin et al., ICCV 2017), mean over pixels of -(1 - p)^gamma log p, p = probability of the true class.

    Both classes weigh the same, as in DRAEM. anomalib asks kornia for alpha=1, which from kornia 0.9 on gives the
    healthy class the weight 0: a network that calls every pixel faulty would then have no loss.

    Args:
        logits: ``[b, 2, h, w]``.
        mask: ``[b, 1, h, w]``, 1 in a fault.
    """
    log_p = logits.log_softmax(dim=1).gather(1, mask.long())
    return (-((1.0 - log_p.exp()) ** gamma) * log_p).mean()


class DraemSevNetLoss(nn.Module):
    """MSE + 2 * SSIM + focal + weight * severity.

    SSIM stands for (1 - similarity) / 2, for values of about 0 to 1. Severities are compared in parts of severity_max,
    so that the weight means the same whatever the faults.

    Args:
        severity_loss: "mse" or "smooth_l1".
        severity_weight: lambda, 0 or more.
        severity_max: largest severity of the faults.
    """

    def __init__(self, *, severity_loss: str = "mse", severity_weight: float = 0.5, severity_max: float = 10.0) -> None:
        super().__init__()
        check_choice(("mse", "smooth_l1"), severity_loss=severity_loss)
        check_range("[0, inf)", severity_weight=severity_weight)
        self.severity_weight, self.severity_max = severity_weight, severity_max
        self.compare = functional.mse_loss if severity_loss == "mse" else functional.smooth_l1_loss
        draem = DraemLoss()
        self.mse, self.ssim = draem.l2_loss, draem.ssim_loss

    def forward(self, found: ModelOutput, images: Tensor, mask: Tensor, severity: Tensor) -> dict[str, Tensor]:
        """The terms of the loss with their weights, by name; their sum is the loss.

        Args:
            found: of the images with faults.
            images: without faults ``[b, 3, h, w]``, which the reconstruction should be.
            mask: ``[b, 1, h, w]``, 1 in a fault.
            severity: ``[b]``.
        """
        given, wanted = found.severity / self.severity_max, severity / self.severity_max
        return {
            "reconstruction": self.mse(found.reconstruction, images),
            "ssim": 2.0 * self.ssim(found.reconstruction, images),
            "focal": focal_loss(found.logits, mask),
            "severity": self.severity_weight * self.compare(given, wanted),
        }

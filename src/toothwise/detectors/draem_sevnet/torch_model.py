"""DRAEM with a severity head on the discriminator's features, and its loss."""

from __future__ import annotations

from typing import NamedTuple

import torch
from anomalib.data import InferenceBatch
from anomalib.models.image.draem.loss import DraemLoss
from anomalib.models.image.draem.torch_model import DiscriminativeSubNetwork, ReconstructiveSubNetwork
from torch import Tensor, nn
from torch.nn import functional

from toothwise.detectors.draem_sevnet.images import STRIDE
from toothwise.detectors.draem_sevnet.options import DraemOptions
from toothwise.detectors.images import check_size
from toothwise.errors import InputError

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


class SeverityHead(nn.Module):
    """Features of the discriminator's encoder -> severity, by a network of 128 -> 64 -> 1.

    The last feature has 8 base widths, the last five together 30 (1920 channels as published); a grid is of 4 x 4.
    """

    def __init__(self, options: DraemOptions) -> None:
        super().__init__()
        self.count = _SCALES if options.features == "multi" else 1
        grid = _GRID if options.head_pooling == "grid" else 1
        self.pool = nn.AdaptiveAvgPool2d(grid)
        width = options.base_width * sum(_WIDTHS[-self.count :]) * grid**2
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
    """

    def __init__(self, options: DraemOptions) -> None:
        super().__init__()
        self.options, width = options, options.base_width
        self.reconstructive_subnetwork = ReconstructiveSubNetwork(base_width=2 * width)
        self.discriminative_subnetwork = DiscriminativeSubNetwork(in_channels=6, out_channels=2, base_width=width)
        self.severity_head = SeverityHead(options)

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
        severity = self.options.severity_max * self.severity_head(features)
        return ModelOutput(reconstruction, discriminator.decoder_segment(*features), severity)

    def judge(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Anomaly map ``[b, 1, h, w]`` (probability of a fault), its top 1 % ``[b]``, and severity ``[b]``."""
        found = self.parts(images)
        anomaly_map = found.logits.softmax(dim=1)[:, 1:]
        flat = anomaly_map.flatten(1)
        top = flat.topk(max(1, int(flat.shape[1] * _TOP)), dim=1).values.mean(dim=1)
        return anomaly_map, top, found.severity

    def rule(self, mask: Tensor, severity: Tensor) -> Tensor:
        """Score of the mask ``[b]`` and severity ``[b]`` -> score ``[b]``.

        Only the severity's term is held to 0..1, as in the research code: a head that is off by far must not drown
        the mask. The mask's term and the score itself are never clamped.
        """
        o = self.options
        term = (severity / o.severity_max).clamp(0.0, 1.0).to(mask.dtype)
        if o.combination == "max":
            return torch.maximum(mask, term)
        weight = 0.5 if o.combination == "mean" else o.mask_weight
        return weight * mask + (1.0 - weight) * term

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
    """

    def __init__(self, options: DraemOptions) -> None:
        super().__init__()
        self.options = options
        self.compare = functional.mse_loss if options.severity_loss == "mse" else functional.smooth_l1_loss
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
        given, wanted = found.severity / self.options.severity_max, severity / self.options.severity_max
        return {
            "reconstruction": self.mse(found.reconstruction, images),
            "ssim": 2.0 * self.ssim(found.reconstruction, images),
            "focal": focal_loss(found.logits, mask),
            "severity": self.options.severity_weight * self.compare(given, wanted),
        }

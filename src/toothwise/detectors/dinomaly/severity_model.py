"""The anomalib module of severity-aware Dinomaly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from anomalib.data import Batch, ImageBatch
from anomalib.data.transforms.utils import extract_transforms_by_type
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms.v2 import Normalize

from toothwise.detectors.dinomaly.lightning_model import DirectionalDinomaly
from toothwise.detectors.dinomaly.options import NetworkOptions
from toothwise.detectors.dinomaly.severity_head import SeverityHead, SeverityOptions, severity_loss
from toothwise.detectors.dinomaly.torch_model import DirectionalDinomalyModel
from toothwise.errors import InputError


@dataclass
class SeverityBatch(ImageBatch):
    """A batch whose images already hold their lines: severity ``[b]``, 0 = healthy, NaN = not to learn from."""

    severity: Tensor | None = None


@dataclass(frozen=True)
class SeverityNetworkOptions(SeverityOptions, NetworkOptions):
    """What the network with its head takes."""


class SeverityAwareDinomaly(DirectionalDinomaly):
    """Directional Dinomaly that also learns how severe damage is, from synthetic lines.

    The loss is that of the reconstruction plus ``severity_weight`` times that of the severity head, which reads the
    tokens that leave the bottleneck. Maps with lines train the head only, unless ``reconstruct_augmented``. The head's
    gradients reach the bottleneck (not the frozen encoder, not the decoder) unless ``detach_head``.

    Trained by ``anomalib train`` the first ``augment_share`` of each batch (which comes in random order) gets lines:
    the images are taken back to the data's scale by undoing the Normalize of the pre-processor, multiplied by the
    contrast along lines drawn on the grid of ``map_shape`` and resized as maps are, and normalised again. This is what
    adding the logarithm of the contrast to the map does, but for the blur at a line's edges, where the resized product
    is not quite the product of what was resized. **Severity here is the head's own scale**: 0 is healthy and
    s stands for a contrast of ``max_contrast ** (s / 10)``; it is not calibrated. Images must be proportional to the
    map's values (not their logarithm), as those of HDMapDataModule are. ``severity(images)`` gives it; anomalib's
    batches have no field for it. The detector "dinomaly_severity" reports calibrated contrast.

    Args:
        map_shape: rows and columns of the maps behind the images, 31 x 95 where nothing is said.
        options: of SeverityOptions and of DirectionalDinomaly.

    Raises:
        InputError: an option that is not allowed.
    """

    def make_model(
        self, encoder_name: str, *, seed: int, map_shape: Sequence[int] = (31, 95), **options: Any
    ) -> DirectionalDinomalyModel:
        """The network with its head."""
        self.settings = o = SeverityNetworkOptions(encoder_name=encoder_name, **options)
        if len(map_shape) != 2 or min(map_shape) < 1:
            raise InputError(f"map_shape must be (rows, columns), 1 or more each, but got {tuple(map_shape)!r}")
        self.map_shape = (int(map_shape[0]), int(map_shape[1]))
        model = super().make_model(
            seed=seed, **{name: getattr(o, name) for name in NetworkOptions.__dataclass_fields__}
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model.severity_head = SeverityHead(model.encoder.dim, o)
        self._rng = np.random.default_rng(seed)
        return model

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Bottleneck and decoder as in DirectionalDinomaly; the head apart.

        The clip that both tasks share and the weight of the loss make the head's gradients small. Without amsgrad and
        with a tiny eps the size of its steps does not depend on that.
        """
        return [*super().parameter_groups(), {"params": self.head.parameters(), "eps": 1e-12, "amsgrad": False}]

    @property
    def head(self) -> SeverityHead:
        """The severity head; it is part of the model, and of its state."""
        return self.model.severity_head  # type: ignore[return-value]  # a module

    @contextmanager
    def listening(self) -> Iterator[list[Tensor]]:
        """Severities ``[b]`` of whatever goes through the bottleneck meanwhile, one entry per pass.

        The head listens there, so that nothing is encoded twice for it.
        """
        found: list[Tensor] = []

        def listen(module: nn.Module, given: Any, tokens: Tensor) -> None:
            tokens = self.model.of_grid(tokens)
            found.append(self.head(tokens.detach() if self.settings.detach_head else tokens, self.model.grid))

        handle = self.model.bottleneck[0].register_forward_hook(listen)
        try:
            yield found
        finally:
            handle.remove()

    def severity(self, images: Tensor) -> Tensor:
        """Severity ``[b]`` of images ``[b, 3, h, w]`` as the pre-processor gives them, on the head's own scale."""
        with self.listening() as found:
            self.bottleneck_tokens(images)
        return found[0]

    def bottleneck_tokens(self, images: Tensor) -> Tensor:
        """What the head reads of images ``[b, 3, h, w]``: tokens of the grid that leave the bottleneck."""
        return self.model.of_grid(self.model.bottleneck[0](self.model.encode(images)[0]))

    def training_step(self, batch: Batch, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Rebuild healthy maps, and estimate how severe the lines of the others are; the loss must stay finite."""
        given = batch.severity if isinstance(batch, SeverityBatch) else None
        images, severity = self.augment(batch.image) if given is None else (batch.image, given.to(batch.image.dtype))
        rebuilt = torch.ones_like(severity, dtype=torch.bool)
        if not self.settings.reconstruct_augmented:
            rebuilt = ~(severity > 0)
        with self.listening() as found:
            reconstruction = self.model(images[rebuilt], global_step=self.global_step)
            if not rebuilt.all():
                self.bottleneck_tokens(images[~rebuilt])
        target = torch.cat([severity[rebuilt], severity[~rebuilt]])
        severe = severity_loss(torch.cat(found).float(), target, self.settings.severity_loss)
        loss = reconstruction + self.settings.severity_weight * severe
        return self.logged(loss, reconstruction=reconstruction, severity=severe)

    def augment(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Lines on a share of the images (one at least, if there are two or more), and the severity of each ``[b]``."""
        severity = torch.zeros(len(images), dtype=images.dtype, device=images.device)
        count = min(max(1, round(self.settings.augment_share * len(images))), len(images) - 1)
        if count < 1:
            return images, severity
        lines = self.settings
        drawn = lines.severities(count, self._rng)
        mask = torch.from_numpy(lines.draw(drawn, self.map_shape, self._rng)).to(images)[:, None]
        size = (images.shape[-2], images.shape[-1])
        mask = functional.interpolate(mask, size=size, mode="bilinear", antialias=True, align_corners=False)
        severity[:count] = torch.from_numpy(drawn).to(severity)
        factor = 1.0 + mask * (torch.exp(lines.log_step * severity[:count]) - 1.0)[:, None, None, None]
        mean, std = self._normalisation(images)
        raised = (images[:count] * std + mean) * factor
        return torch.cat([(raised - mean) / std, images[count:]]), severity

    def _normalisation(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation ``[1, 3, 1, 1]`` that the pre-processor normalises with; 0 and 1 where it does not."""
        mean, std = [0.0] * 3, [1.0] * 3
        for step in extract_transforms_by_type(getattr(self.pre_processor, "transform", None), Normalize):
            mean, std = list(step.mean), list(step.std)
        return tuple(images.new_tensor(v).reshape(1, -1, 1, 1) for v in (mean, std))  # type: ignore[return-value]

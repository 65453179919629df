"""PatchCore's memory bank over patches that may know their neighbours and their place."""

from __future__ import annotations

from typing import Any

import torch
from anomalib.models.image.patchcore.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from torch import Tensor, nn
from torch.nn import functional

from toothwise.checks import check_range
from toothwise.detectors.features import CnnFeatures, VitFeatures
from toothwise.detectors.patchcore.options import PatchcoreOptions


class ContextPatchcoreModel(PatchcoreModel):
    """PatchCore (Roth et al., CVPR 2022; anomalib's) with context, place, and a bank of bounded size.

    Args:
        features: gives feature maps of images.
        seed: of the draw of healthy patches and of the coreset's.
        options: of PatchcoreOptions.
    """

    def __init__(self, features: VitFeatures | CnnFeatures, *, seed: int = 0, **options: Any) -> None:
        nn.Module.__init__(self)  # PatchcoreModel's own would build, and download, an encoder
        self.options = PatchcoreOptions(**options)
        self.tiler = None
        self.layers = features.layers
        self.num_neighbors = self.options.num_neighbors
        self.feature_extractor = features
        self.feature_pooler = nn.AvgPool2d(3, 1, 1)
        self.anomaly_map_generator = AnomalyMapGenerator()
        self.register_buffer("memory_bank", torch.empty(0))
        self.embedding_store: list[Tensor] = []
        self._generator = torch.Generator().manual_seed(seed)

    def generate_embedding(self, features: dict[str, Tensor]) -> Tensor:
        """Features of the patches with their context and place, ``[b, channels, h, w]``."""
        own, o = super().generate_embedding(features), self.options
        parts = [own]
        if o.context in ("row", "both"):
            parts += _neighbours(own, o.reach, 3)
        if o.context in ("column", "both"):
            parts += _neighbours(own, o.reach, 2)
        if o.position > 0:
            b, channels, h, w = own.shape
            place = torch.stack(torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij"))
            # two unrelated patches of unit spread are sqrt(2 * channels) apart
            scale = o.position * (2.0 * channels * len(parts)) ** 0.5
            parts.append((scale * place).to(own).expand(b, -1, -1, -1))
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def collect(self, images: Tensor, count: int) -> None:
        """Take patches of healthy images into the store, at random, so that ``count`` images give ``max_patches``."""
        features = {k: self.feature_pooler(v) for k, v in self.feature_extractor(images).items()}
        patches = self.reshape_embedding(self.generate_embedding(features))
        share = self.options.max_patches / (count * (len(patches) // len(images)))
        if share < 1:
            some = max(1, round(share * len(patches)))
            patches = patches[torch.randperm(len(patches), generator=self._generator)[:some]]
        self.embedding_store.append(patches)

    def choose(self, ratio: float) -> None:
        """Fill the bank with the share ``ratio`` of the collected patches that covers them best (k-center greedy)."""
        check_range("(0, 1]", coreset_ratio=ratio)
        patches = torch.vstack(self.embedding_store)
        self.embedding_store.clear()
        if ratio < 1:
            patches = patches[_cover(patches, max(1, round(ratio * len(patches))), self._generator)]
        self.memory_bank = patches.contiguous()


def _cover(x: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Indices of ``count`` rows of x ``[n, d]``, each the farthest from those chosen before it (k-center greedy).

    anomalib's KCenterGreedy takes the difference to every row in each step, whose temporaries fragment the heap by
    gigabytes on the CPU; squared distances by one product need none, and no random projection either.
    """
    square = (x * x).sum(dim=1)
    far = torch.full_like(square, torch.inf)
    chosen = torch.empty(count, dtype=torch.long)
    chosen[0] = torch.randint(len(x), (1,), generator=generator)[0]
    for k in range(1, count):
        last = int(chosen[k - 1])
        torch.minimum(far, square - 2 * (x @ x[last]) + square[last], out=far)
        far[last] = -torch.inf
        chosen[k] = far.argmax()
    return chosen


def _neighbours(x: Tensor, reach: int, dim: int) -> list[Tensor]:
    """The maps ``[b, c, h, w]`` moved by 1 to ``reach`` patches either way along ``dim``; the rim repeats itself."""
    pad = (reach, reach, 0, 0) if dim == 3 else (0, 0, reach, reach)
    wide = functional.pad(x, pad, mode="replicate")
    return [wide.narrow(dim, k, x.shape[dim]) for k in range(2 * reach + 1) if k != reach]

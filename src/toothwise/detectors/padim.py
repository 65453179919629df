"""PaDiM behind the detector contract: one Gaussian of patch features for every place of the map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from anomalib.models.components import MultiVariateGaussian
from anomalib.models.image.padim.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.padim.torch_model import PadimModel
from torch import Tensor, nn

from toothwise.detectors.base import Abilities, given
from toothwise.detectors.embedded import EMBEDDED, image_size_for
from toothwise.detectors.features import CnnFeatures, VitFeatures, make_features
from toothwise.detectors.patch_detector import PatchDetector
from toothwise.errors import InputError

__all__ = ["PadimDetector"]


class _Model(PadimModel):
    """anomalib's PadimModel on features of ours, which need no model hub."""

    def __init__(self, features: CnnFeatures | VitFeatures, n_features: int, seed: int) -> None:
        nn.Module.__init__(self)  # PadimModel's own would build, and download, an encoder
        total = sum(features.dims)
        if not 1 <= n_features <= total:
            raise InputError(f"n_features must be in 1..{total} for these layers, but got {n_features}")
        self.tiler = None
        self.layers = list(features.layers)
        self.feature_extractor = features
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("idx", torch.randperm(total, generator=generator)[:n_features])
        self.anomaly_map_generator = AnomalyMapGenerator()
        self.gaussian = MultiVariateGaussian()
        self.memory_bank: list[torch.Tensor] = []


class PadimDetector(PatchDetector):
    """PaDiM (Defard et al., 2021) on maps, with anomalib's Gaussians and anomaly map. Score = its largest value.

    Args:
        encoder_name: The package's own, or a CNN or a vision transformer of timm by its name.
        layers: Stages of a CNN; None = "layer1", "layer2" and "layer3".
        weights: Of the encoder: a .safetensors file; None = the package's own or a file in the folder
            TOOTHWISE_WEIGHTS; "hub" = timm's hub is asked; "random" = for tests.
        n_features (features): Channels that are kept, drawn at random; the stored covariances grow with its square.
        image_size (pixels): (height, width) that a map is resized to; None = that of the encoder, 128 x 128 for a CNN:
            the covariances grow with its area.
        channels: "grey" (three times the map) or "physical" (the map, without what its columns share, without what its
            rows share).
        log: Take the logarithm first (positive maps).
        batch_size (maps): Images at a time.
        seed: Of what is drawn.
        device: "auto", "cpu" or "cuda".

    ``info`` after fit: encoder source and hash.
    """

    name = "padim"
    can = Abilities(rows=True, columns=True, photographs=True, export="network")
    learned = ("idx", "gaussian.mean", "gaussian.inv_covariance")

    def __init__(
        self,
        *,
        encoder_name: str = EMBEDDED,
        layers: Sequence[str] | None = None,
        weights: str | None = None,
        n_features: int = 100,
        image_size: Sequence[int] | None = None,
        channels: str = "physical",
        log: bool = True,
        batch_size: int = 32,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        own = given(locals())
        size = image_size or (image_size_for(encoder_name) if "vit" in encoder_name else (128, 128))
        fixed = {"layers": None if layers is None else list(layers), "image_size": size}
        super().__init__(**own | fixed)

    def _make(self) -> _Model:
        o = self.options
        layers = o["layers"]
        if layers is None and "vit" not in o["encoder_name"]:
            layers = ("layer1", "layer2", "layer3")
        features = make_features(o["encoder_name"], layers, weights=o["weights"], seed=o["seed"])
        return _Model(features, o["n_features"], o["seed"])

    def _learn(self, model: _Model, batches: Iterator[Tensor], count: int) -> dict[str, Any]:
        del count
        model.train()
        for images in batches:
            model(images)
        model.fit()
        return {}

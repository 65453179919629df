"""PaDiM behind the detector contract: one Gaussian of patch features for every place of the map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from anomalib.models.components import MultiVariateGaussian
from anomalib.models.image.padim.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.padim.torch_model import PadimModel
from torch import Tensor, nn

from toothwise.detectors.base import Abilities
from toothwise.detectors.embedded import EMBEDDED
from toothwise.detectors.features import CnnFeatures, VitFeatures, make_features
from toothwise.detectors.patch_detector import PatchDetector
from toothwise.errors import InputError


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
        n_features (features): Channels that are kept, drawn at random; the stored covariances grow with its square.
        options: See PatchDetector.
    """

    name = "padim"
    can = Abilities(rows=True, columns=True, photographs=True, export="network")
    learned = ("idx", "gaussian.mean", "gaussian.inv_covariance")

    def __init__(self, *, n_features: int = 100, batch_size: int = 32, **options: Any) -> None:
        if options.get("image_size") is None and "vit" not in options.get("encoder_name", EMBEDDED):
            options["image_size"] = (128, 128)
        super().__init__({"n_features": n_features}, batch_size=batch_size, **options)

    def _make_module(self, shape: tuple[int, int] | None) -> _Model:
        o = self.options
        layers = o["layers"]
        if layers is None and "vit" not in o["encoder_name"]:
            layers = ("layer1", "layer2", "layer3")
        features = make_features(o["encoder_name"], layers, weights=o["weights"], seed=o["seed"])
        return _Model(features, o["n_features"], o["seed"])

    def _learn(self, model: _Model, batches: Iterator[Tensor], count: int) -> dict[str, Any]:
        model.train()
        for images in batches:
            model(images)
        model.fit()
        return {}

"""Rivals from anomalib that need no training, on the encoders at hand: AnomalyDINO and MH-PatchCore."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from anomalib.models.components import TimmFeatureExtractor
from anomalib.models.image.anomaly_dino.torch_model import AnomalyDINOModel
from anomalib.models.image.mh_patchcore.torch_model import MHPatchcoreModel
from anomalib.models.image.patchcore.anomaly_map import AnomalyMapGenerator
from torch import Tensor, nn

from toothwise.detectors.encoder import FrozenEncoder
from toothwise.detectors.patch_detector import PatchDetector


class AnomalyDino(PatchDetector):
    """AnomalyDINO (Damm et al., WACV 2025): cosine distance of each patch to the nearest healthy one, all of them kept.

    Its options are those of PatchDetector, with a vision transformer as the encoder.
    """

    name: ClassVar[str] = "anomaly_dino"

    def __init__(self, **options: Any) -> None:
        super().__init__({}, **options)

    def _encoder(self) -> FrozenEncoder:
        return FrozenEncoder(self.options["encoder_name"], weights=self.options["weights"], seed=self.options["seed"])

    def _make_module(self, shape: tuple[int, int] | None) -> Any:
        return _Dino(self._encoder())

    def _learn(self, model: Any, batches: Iterator[Tensor], count: int) -> dict[str, Any]:
        for images in batches:
            model.train()(images)
        model.fit()
        return {"patches": len(model.memory_bank)}

    def _state(self) -> dict[str, np.ndarray]:
        own = {k: v.numpy() for k, v in self._fitted().state_dict().items() if not k.startswith("feature_")}
        return self._images.state() | own


class MhPatchcore(AnomalyDino):
    """MH-PatchCore (arXiv 2605.27748): whitened patch features, and a bank that is merged as it grows.

    Its options are those of PatchDetector, with a vision transformer as the encoder.
    """

    name: ClassVar[str] = "mh_patchcore"

    def _make_module(self, shape: tuple[int, int] | None) -> Any:
        encoder = self._encoder()
        layers = [f"blocks.{k}" for k in encoder.target_layers[3::4]]
        model = MHPatchcoreModel("resnet18", ("layer2", "layer3"), pre_trained=False)
        model.layers, model.feature_extractor = tuple(layers), _features(encoder, layers, "NCHW")
        return model

    def _learn(self, model: Any, batches: Iterator[Tensor], count: int) -> dict[str, Any]:
        found = [model.train()(images) for images in batches]
        for part in (model.pca, model.covariance, model.memory_bank):
            for embeddings in found:
                part.update(embeddings)
            part.finalize()
            found = [part(embeddings) for embeddings in found] if part is not model.memory_bank else found
        return {"patches": len(model.memory_bank.bank)}


class _Dino(AnomalyDINOModel):
    def __init__(self, encoder: FrozenEncoder) -> None:
        nn.Module.__init__(self)  # AnomalyDINOModel's own would build, and download, an encoder
        self.num_neighbours, self.masking, self.coreset_subsampling = 1, False, False
        self.embedding_store: list[Tensor] = []
        self.patch_size, self.last_layer = encoder.patch[0], f"blocks.{len(encoder.vit.blocks) - 1}"
        self.feature_encoder = self.feature_extractor = _features(encoder, [self.last_layer], "NLC")
        self.register_buffer("memory_bank", torch.empty(0))
        self.anomaly_map_generator = AnomalyMapGenerator()


def _features(encoder: FrozenEncoder, layers: list[str], output: str) -> Any:
    extractor: Any = TimmFeatureExtractor("vit_tiny_patch16_224", layers, pre_trained=False, output_fmt=output)
    # in place of the network without weights that it was made with
    extractor.feature_extractor, extractor.out_dims = encoder.vit, [encoder.dim] * len(layers)
    extractor.source = encoder.source
    return extractor.eval()

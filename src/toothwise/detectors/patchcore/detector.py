"""PatchCore behind the detector contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.features import make_features
from toothwise.detectors.image_scoring import check_device, pick_device, score_images
from toothwise.detectors.images import ImageMaker
from toothwise.detectors.patchcore.torch_model import ContextPatchcoreModel
from toothwise.detectors.pooling import pool_lines
from toothwise.errors import InputError

__all__ = ["PatchcoreDetector"]


class PatchcoreDetector(Detector):
    """PatchCore (Roth et al., CVPR 2022) on maps, with anomalib's bank, score and anomaly map.

    Args:
        encoder_name: a vision transformer or a CNN of timm.
        layers: stages of a CNN; None = "layer2" and "layer3". Of a vision transformer two groups of blocks are taken.
        weights: of the encoder: a .safetensors file; None = TOOTHWISE_WEIGHTS, then the hub; "random".
        image_size: (height, width) that a map is resized to; None = 224 x 224.
        channels, log: of ImageMaker.
        context, reach, position, num_neighbors, max_patches: of ContextPatchcoreModel.
        coreset_ratio: share of those patches that the bank keeps.
        batch_size, seed, device: as usual.

    ``info`` after fit: encoder source and hash, patches in the bank.
    """

    name = "patchcore"

    def __init__(
        self,
        *,
        encoder_name: str = "vit_small_patch14_dinov2",
        layers: Sequence[str] | None = None,
        weights: str | None = None,
        image_size: Sequence[int] | None = None,
        channels: str = "physical",
        log: bool = True,
        context: str = "none",
        reach: int = 1,
        position: float = 0.0,
        num_neighbors: int = 9,
        max_patches: int = 20_000,
        coreset_ratio: float = 0.1,
        batch_size: int = 8,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size must be 1 or more, but got {batch_size}")
        check_device(device)
        super().__init__(
            encoder_name=encoder_name,
            layers=None if layers is None else list(layers),
            weights=weights,
            image_size=list(image_size or (224, 224)),
            channels=channels,
            log=log,
            context=context,
            reach=reach,
            position=position,
            num_neighbors=num_neighbors,
            max_patches=max_patches,
            coreset_ratio=coreset_ratio,
            batch_size=batch_size,
            seed=seed,
            device=device,
        )
        self.name = "patchcore" if context == "none" else "patchcore_context"  # type: ignore[misc]
        self._images = ImageMaker(tuple(self.options["image_size"]), channels=channels, log=log)
        self._model: ContextPatchcoreModel | None = None

    def _make(self) -> ContextPatchcoreModel:
        o = self.options
        features = make_features(o["encoder_name"], o["layers"], weights=o["weights"], seed=o["seed"])
        own = ("num_neighbors", "context", "reach", "position", "max_patches", "seed")
        return ContextPatchcoreModel(features, **{k: o[k] for k in own})

    def _fit(self, values: np.ndarray) -> None:
        model = self._make().eval().to(pick_device(self.options["device"]))
        self._images.fit(values)
        size, device = self.options["batch_size"], pick_device(self.options["device"])
        share = None
        for start in range(0, len(values), size):
            images = self._images(values[start : start + size]).to(device)
            share = model.share(len(values), model.patches(images)) if share is None else share
            model.collect(images, share)
            if self.watch is not None:
                self.watch(0.8 * start / len(values))
        model.choose(self.options["coreset_ratio"])
        self._model = model
        self.info = {
            "encoder": {"name": self.options["encoder_name"], **asdict(model.feature_extractor.source)},
            "patches": len(model.memory_bank),
        }

    def _predict(self, values: np.ndarray) -> Prediction:
        if self._model is None:
            raise InputError(f"{self.name} holds no bank: fit it first")
        device = pick_device(self.options["device"])
        model = self._model.to(device)
        own, heat = score_images(model, self._images, values, self.options["batch_size"], device, self.watch)
        return pool_lines(heat, "own", own)

    def _state(self) -> dict[str, np.ndarray]:
        if self._model is None:
            raise InputError(f"{self.name} has not been fitted: there is nothing to save")
        return {"memory_bank": self._model.memory_bank.cpu().numpy()} | self._images.state()

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self._images.restore(state)
        model = self._make().eval()
        model.feature_extractor.source.check(self.info.get("encoder", {}).get("sha256"))
        model.memory_bank = torch.from_numpy(np.array(state["memory_bank"]))
        self._model = model

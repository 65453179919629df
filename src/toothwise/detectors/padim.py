"""PaDiM behind the detector contract: one Gaussian of patch features for every place of the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch
from anomalib.models.components import MultiVariateGaussian
from anomalib.models.image.padim.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.padim.torch_model import PadimModel
from torch import nn

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.features import CnnFeatures, VitFeatures, make_features
from toothwise.detectors.image_scoring import check_device, pick_device, score_images
from toothwise.detectors.images import ImageMaker
from toothwise.detectors.pooling import pool_lines
from toothwise.errors import InputError

__all__ = ["PadimDetector"]


class _Model(PadimModel):
    """anomalib's PadimModel on features of ours, which need no model hub."""

    def __init__(self, features: CnnFeatures | VitFeatures, n_features: int, seed: int) -> None:
        nn.Module.__init__(self)  # PadimModel's own would build, and download, an encoder
        total = sum(features.dims)
        if not 1 <= n_features <= total:
            raise InputError(f"n_features must lie in 1..{total} for these layers, but got {n_features}")
        self.tiler = None
        self.layers = list(features.layers)
        self.feature_extractor = features
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("idx", torch.randperm(total, generator=generator)[:n_features])
        self.anomaly_map_generator = AnomalyMapGenerator()
        self.gaussian = MultiVariateGaussian()
        self.memory_bank: list[torch.Tensor] = []


class PadimDetector(Detector):
    """PaDiM (Defard et al., 2021) on maps, with anomalib's Gaussians and anomaly map. Score = its largest value.

    Args:
        encoder_name: a CNN or a vision transformer of timm.
        layers: stages of a CNN; None = "layer1", "layer2" and "layer3".
        weights: of the encoder: a .safetensors file; None = TOOTHWISE_WEIGHTS, then the hub; "random".
        n_features: channels that are kept, drawn at random; the stored covariances grow with its square.
        image_size: (height, width) that a map is resized to; None = 128 x 128: the covariances grow with its area.
        channels, log: of ImageMaker.
        batch_size, seed, device: as usual.

    ``info`` after fit: encoder source and hash.
    """

    name = "padim"

    def __init__(
        self,
        *,
        encoder_name: str = "resnet18",
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
        if batch_size < 1:
            raise InputError(f"batch_size must be 1 or more, but got {batch_size}")
        check_device(device)
        super().__init__(
            encoder_name=encoder_name,
            layers=None if layers is None else list(layers),
            weights=weights,
            n_features=n_features,
            image_size=list(image_size or (128, 128)),
            channels=channels,
            log=log,
            batch_size=batch_size,
            seed=seed,
            device=device,
        )
        self._images = ImageMaker(tuple(self.options["image_size"]), channels=channels, log=log)
        self._model: _Model | None = None

    def _make(self) -> _Model:
        o = self.options
        layers = o["layers"]
        if layers is None and "vit" not in o["encoder_name"]:
            layers = ("layer1", "layer2", "layer3")
        features = make_features(o["encoder_name"], layers, weights=o["weights"], seed=o["seed"])
        return _Model(features, o["n_features"], o["seed"])

    def _fit(self, values: np.ndarray) -> None:
        device = pick_device(self.options["device"])
        model = self._make().to(device)
        self._images.fit(values)
        model.train()
        with torch.no_grad():
            for start in range(0, len(values), self.options["batch_size"]):
                model(self._images(values[start : start + self.options["batch_size"]]).to(device))
                if self.watch is not None:
                    self.watch(0.8 * start / len(values))
            model.fit()
        self._model = model.eval()
        source = model.feature_extractor.source
        self.info = {"encoder": {"name": self.options["encoder_name"], **asdict(source)}}

    def _predict(self, values: np.ndarray) -> Prediction:
        if self._model is None:
            raise InputError(f"{self.name} holds no Gaussians: fit it first")
        device = pick_device(self.options["device"])
        model = self._model.to(device)
        own, heat = score_images(model, self._images, values, self.options["batch_size"], device, self.watch)
        return pool_lines(heat, "own", own)

    def _state(self) -> dict[str, np.ndarray]:
        if self._model is None:
            raise InputError(f"{self.name} has not been fitted: there is nothing to save")
        gaussian = self._model.gaussian
        learned = {"idx": self._model.idx, "mean": gaussian.mean, "inv_covariance": gaussian.inv_covariance}
        return {k: v.detach().cpu().numpy() for k, v in learned.items()} | self._images.state()

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self._images.restore(state)
        model = self._make().eval()
        model.feature_extractor.source.check(self.info.get("encoder", {}).get("sha256"))
        model.idx = torch.from_numpy(np.array(state["idx"]))
        model.gaussian.mean = torch.from_numpy(np.array(state["mean"]))
        model.gaussian.inv_covariance = torch.from_numpy(np.array(state["inv_covariance"]))
        self._model = model

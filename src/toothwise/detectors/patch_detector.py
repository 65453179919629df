"""What PatchCore and PaDiM share: a model over patch features of a frozen encoder, behind the detector contract."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toothwise.checks import check_whole
from toothwise.detectors.base import given
from toothwise.detectors.embedded import EMBEDDED, image_size_for
from toothwise.detectors.image_scoring import ImageDetector, check_device, pick_device
from toothwise.detectors.images import ImageMaker
from toothwise.detectors.network_parts import NetworkParts
from toothwise.progress import Progress


class PatchDetector(ImageDetector):
    """A detector whose model learns from patch features and holds them in a few tensors.

    A subclass says how the model is made (``_make_module``), how it learns (``_learn``) and which of its tensors are
    learned (``learned``). The model has a ``feature_extractor`` with a ``source``, and gives ``pred_score`` and
    ``anomaly_map``.

    Args:
        own: The subclass's own options, JSON types.
        encoder_name: The package's own, or a CNN or a vision transformer of timm by its name.
        layers: Stages of a CNN; None = "layer2" and "layer3", of padim "layer1" too. Of a vision transformer two groups
            of blocks are taken.
        weights: Of the encoder: a .safetensors file; None = the package's own or a file in the folder
            TOOTHWISE_WEIGHTS; "hub" = timm's hub is asked; "random" = for tests.
        image_size (pixels): (height, width) that a map is resized to; None = that of ``image_size_for``, of padim with
            a CNN 128 x 128: its covariances grow with the area.
        channels: "grey" (three times the map) or "physical" (the map, without what its columns share, without what its
            rows share).
        log: Take the logarithm first (positive maps).
        batch_size (maps): Images at a time.
        seed: Of what is drawn.
        device: "auto", "cpu" or "cuda".

    ``info`` after fit: encoder source and hash.
    """

    learned: tuple[str, ...]  # names of the model's learned tensors, with dots

    def __init__(
        self,
        own: dict[str, Any],
        *,
        encoder_name: str = EMBEDDED,
        layers: Sequence[str] | None = None,
        weights: str | None = None,
        image_size: Sequence[int] | None = None,
        channels: str = "physical",
        log: bool = True,
        batch_size: int = 8,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        options = given(locals())
        check_whole(1, batch_size=batch_size)
        check_device(device)
        options |= options.pop("own")
        options["layers"] = None if layers is None else list(layers)
        options["image_size"] = list(image_size or image_size_for(encoder_name))
        super().__init__(**options)
        self._images = ImageMaker(tuple(self.options["image_size"]), channels=channels, log=log)

    @abstractmethod
    def _learn(self, model: Any, batches: Iterator[Tensor], count: int) -> dict[str, Any]:
        """Learn from images of ``count`` healthy maps, batch by batch; returns what ``info`` should hold besides."""

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        device = pick_device(self.options["device"])
        model = self._make_module(None).eval().to(device)
        self._images.fit(values)
        batches = (images.to(device) for images in self._batches(values, progress, "encoding", 0.8))
        with torch.no_grad():
            more = self._learn(model, batches, len(values))
        self._module = model.eval()
        source = asdict(model.feature_extractor.source)
        self.info = {"encoder": {"name": self.options["encoder_name"], **source}, **more}

    def _network(self) -> Any:
        return self._fitted()

    def vectors(self, values: np.ndarray) -> np.ndarray:
        """Features of the patches of maps, float32 ``[n, h, w, channels]``."""

        def look(model: Any, images: Tensor) -> list[Tensor]:
            found = model.feature_extractor(images)
            if hasattr(model, "feature_pooler"):
                found = {name: model.feature_pooler(layer) for name, layer in found.items()}
            return [model.generate_embedding(found).permute(0, 2, 3, 1).float()]

        return self._looked(look, values)[0].numpy()

    def network_parts(self) -> NetworkParts:
        """What an export is made of."""
        features = self._fitted().feature_extractor
        return NetworkParts(self._fitted(), self._images, features.network, hashed_by_file=features.hashed_by_file)

    def _state(self) -> dict[str, np.ndarray]:
        weights = self._fitted().state_dict()
        return {_own(name): weights[name].cpu().numpy() for name in self.learned} | self._images.state()

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self._images.restore(state)
        model = self._make_module(self.shape).eval()
        model.feature_extractor.source.check(self.info.get("encoder", {}).get("sha256"))
        learned = {name: torch.from_numpy(np.array(state[_own(name)])) for name in self.learned}
        model.load_state_dict(learned, strict=False)
        self._module = model


def _own(name: str) -> str:
    return name.rpartition(".")[2]

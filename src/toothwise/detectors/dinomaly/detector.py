"""Dinomaly, plain or directional, behind the detector contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
import torch
from torch.utils.data import DataLoader

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.dinomaly.lightning_model import DirectionalDinomaly
from toothwise.detectors.dinomaly.options import DinomalyOptions
from toothwise.detectors.embedded import image_size_for
from toothwise.detectors.encodings import training_encodings
from toothwise.detectors.image_scoring import check_device, pick_device, score_images
from toothwise.detectors.images import ImageMaker
from toothwise.detectors.pooling import check_pooling, pool_lines
from toothwise.detectors.training import Images, check_precision, fit_quietly
from toothwise.errors import InputError

__all__ = ["DinomalyDetector"]


class DinomalyDetector(Detector):
    """Directional Dinomaly on maps; with no directional layer it is Dinomaly.

    Args:
        image_size: (height, width) that a map is resized to, multiples of the patch; None = that of
            ``image_size_for``.
        channels: "grey" (three times the map) or "physical" (the map, without what its columns share, without what
            its rows share).
        log: take the logarithm first (positive maps).
        pooling: score = "top" (top 1 % of the anomaly map), or the best line: mean of the anomaly map along a row or a
            column, less the median of all of them, so that what moves the whole map does not count; "rows", "columns"
            or "lines" (either).
        max_steps, batch_size, learning_rate: of the training; ``mining_steps`` None = a fifth of 5000 in proportion.
        seed: of weights, order and dropout.
        precision: of the training's matrix products, "float32" or "bfloat16" (faster where the processor has
            it). Scores are computed in float32 with either.
        device: "auto", "cpu" or "cuda".
        options: of DinomalyOptions.

    ``info`` after fit: encoder source and hash, alpha per directional layer, steps, final loss.
    """

    name = "dinomaly_directional"
    module_class: ClassVar[type[DirectionalDinomaly]] = DirectionalDinomaly

    def __init__(
        self,
        *,
        image_size: Sequence[int] | None = None,
        channels: str = "physical",
        log: bool = True,
        pooling: str = "lines",
        max_steps: int = 150,
        batch_size: int = 8,
        learning_rate: float = 2e-3,
        mining_steps: int | None = None,
        seed: int = 0,
        precision: str = "float32",
        device: str = "auto",
        **options: Any,
    ) -> None:
        check_pooling(pooling)
        if batch_size < 1:
            raise InputError(f"batch_size must be 1 or more, but got {batch_size}")
        check_device(device)
        check_precision(precision)
        shared = DinomalyOptions(**options)
        directional = list(shared.directional_layers)
        super().__init__(
            **(vars(shared) | {"directional_layers": directional}),
            image_size=list(image_size or image_size_for(shared.encoder_name)),
            channels=channels,
            log=log,
            pooling=pooling,
            max_steps=max_steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            mining_steps=mining_steps,
            seed=seed,
            precision=precision,
            device=device,
        )
        self.name = "dinomaly_directional" if directional else "dinomaly"  # type: ignore[misc]
        self._images = ImageMaker(tuple(self.options["image_size"]), channels=channels, log=log)
        self._module: DirectionalDinomaly | None = None

    def _make_module(self) -> DirectionalDinomaly:
        o = self.options
        own = (*DinomalyOptions.__dataclass_fields__, "max_steps", "learning_rate", "seed")
        mining = o["mining_steps"] or max(1, o["max_steps"] // 5)
        return self.module_class(
            **{k: o[k] for k in own},
            **self._more_options(),
            mining_steps=mining,
            pre_processor=False,
            evaluator=False,
            visualizer=False,
        )

    def _more_options(self) -> dict[str, Any]:
        """What a subclass's module takes besides."""
        return {}

    def _fit(self, values: np.ndarray) -> None:
        module = self._make_module()  # first: missing weights must not cost a scaling
        self._images.fit(values)
        images = self._images(values)
        module.model.encoder.grid(images)
        with training_encodings() as module.model.cache:
            loss = self._train(module, images)
        module.model.cache = None
        self._module = module.eval()
        source = asdict(module.model.encoder.source)
        self.info = {
            "encoder": {"name": self.options["encoder_name"], **source},
            "alpha": module.model.alphas(),
            "steps": self.options["max_steps"],
            "final_loss": loss,
        }

    def _train(self, module: DirectionalDinomaly, images: torch.Tensor) -> float:
        """Returns the last loss."""
        o = self.options
        return fit_quietly(
            module,
            self._loader(images),
            seed=o["seed"],
            device=o["device"],
            precision=o["precision"],
            watch=self.watch,
        )

    def _loader(self, images: torch.Tensor) -> DataLoader[Any]:
        """Batches of a training epoch."""
        from anomalib.data import ImageBatch

        return DataLoader(
            Images(images),
            batch_size=min(self.options["batch_size"], len(images)),
            shuffle=True,
            drop_last=True,
            generator=torch.Generator().manual_seed(self.options["seed"]),
            collate_fn=lambda batch: ImageBatch(image=torch.stack(batch)),
        )

    def _predict(self, values: np.ndarray) -> Prediction:
        module = self._module
        if module is None:
            raise InputError(f"{self.name} holds no weights: fit it first")
        size, device = self.options["batch_size"], pick_device(self.options["device"])
        own, heat = score_images(module.to(device).model, self._images, values, size, device, self.watch)
        return pool_lines(heat, self.options["pooling"], own)

    def _state(self) -> dict[str, np.ndarray]:
        if self._module is None:
            raise InputError(f"{self.name} has not been fitted: there is nothing to save")
        weights = {
            k: v.detach().cpu().numpy()
            for k, v in self._module.model.state_dict().items()
            if not k.startswith("encoder.")
        }
        return weights | self._images.state()

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self._images.restore(state)
        module = self._make_module().eval()
        module.model.encoder.source.check(self.info.get("encoder", {}).get("sha256"))
        own = module.model.state_dict()
        for key in own:
            if not key.startswith("encoder."):
                own[key] = torch.from_numpy(np.array(state[key]))
        module.model.load_state_dict(own)
        self._module = module

"""Dinomaly, plain or directional, behind the detector contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader

from toothwise.checks import check_choice, check_whole
from toothwise.detectors.base import Abilities, given
from toothwise.detectors.dinomaly.lightning_model import DirectionalDinomaly
from toothwise.detectors.dinomaly.options import DinomalyOptions
from toothwise.detectors.embedded import EMBEDDED, image_size_for, map_size_for
from toothwise.detectors.encodings import training_encodings
from toothwise.detectors.image_scoring import ImageDetector, check_device, pick_device
from toothwise.detectors.images import ImageMaker
from toothwise.detectors.network_parts import NetworkParts
from toothwise.detectors.pooling import POOLINGS
from toothwise.detectors.training import PRECISIONS, fit_quietly, loader_of, measured_precision
from toothwise.progress import Progress


class DinomalyDetector(ImageDetector):
    """Directional Dinomaly on maps; with no directional layer it is Dinomaly.

    Args:
        image_size (pixels): (height, width) that a map is resized to, multiples of the patch; None = with the package's
            own encoder 14 patches along the gear with fewer teeth and 10 along the other; with another, or with
            log=False, as photographs are taken, the square of ``image_size_for``.
        channels: "grey" (three times the map) or "physical" (the map, without what its columns share, without what its
            rows share).
        log: Take the logarithm first (positive maps).
        pooling: Score = "top" (top 1 % of the anomaly map), or the best line: mean of the anomaly map along a row or a
            column, less the median of all of them, so that what moves the whole map does not count; "rows", "columns"
            or "lines" (either).
        max_steps (steps): How many steps the decoder is trained.
        batch_size (maps): Maps in a step.
        learning_rate (per step): Largest learning rate of the training.
        alpha_rate (times): How many times faster than the weights the learned mix of the directions is trained.
        mining_steps (steps): Steps over which the hard-mining share rises; None = a fifth of ``max_steps``.
        seed: Of weights, order and dropout.
        precision: Of the training's matrix products: "float32", "bfloat16", or "auto" = whichever is measured to be
            faster on this processor (float32 below 50 steps). Scores are computed in float32 with either.
        device: "auto", "cpu" or "cuda".
        options: Of DinomalyOptions.

    ``info`` after fit: encoder source and hash, alpha per directional layer, steps, precision, final loss.
    """

    name = "dinomaly_directional"
    can = Abilities(rows=True, columns=True, photographs=True, export="network")
    option_groups: ClassVar[tuple[type, ...]] = (DinomalyOptions,)
    frozen = "encoder."
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
        alpha_rate: float = 10.0,
        mining_steps: int | None = None,
        seed: int = 0,
        precision: str = "auto",
        device: str = "auto",
        **options: Any,
    ) -> None:
        own = given(locals())
        check_choice(POOLINGS, pooling=pooling)
        check_whole(1, batch_size=batch_size)
        check_device(device)
        check_choice(("auto", *PRECISIONS), precision=precision)
        shared = DinomalyOptions(**options)
        usual = map_size_for if log else image_size_for
        directional, size = list(shared.directional_layers), list(image_size or usual(shared.encoder_name))
        published = not log or bool(directional) or shared.encoder_name == EMBEDDED
        self._depth = shared.depth if published or shared.decoder_depth else 2
        super().__init__(**vars(shared) | own | {"directional_layers": directional, "image_size": size})
        self.name = "dinomaly_directional" if directional else "dinomaly"  # type: ignore[misc]
        self._images = ImageMaker(tuple(self.options["image_size"]), channels=channels, log=log)
        self._by_shape = log and not image_size
        self._more: dict[str, Any] = {}  # what a subclass's module takes besides
        self._precision = "float32"  # of the last training

    def _make_module(self, shape: tuple[int, int] | None) -> DirectionalDinomaly:
        o = self.options
        own = (*DinomalyOptions.__dataclass_fields__, "max_steps", "learning_rate", "alpha_rate", "seed")
        mining = o["mining_steps"] or max(1, o["max_steps"] // 5)
        return self.module_class(
            **{k: o[k] for k in own if k in o} | {"decoder_depth": self._depth},
            **self._more,
            mining_steps=mining,
            pre_processor=False,
            evaluator=False,
            visualizer=False,
        )

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        module = self._make_module(None)  # first: missing weights must not cost a scaling
        if self._by_shape:
            self._images.size = map_size_for(self.options["encoder_name"], (values.shape[1], values.shape[2]))
            self.options["image_size"] = list(self._images.size)
        self._images.fit(values)
        images = self._images(values)
        module.model.encoder.grid(images)
        with training_encodings() as module.model.cache:
            loss = self._train(module, images, progress)
        module.model.cache = None
        self._module = module.eval()
        source = asdict(module.model.encoder.source)
        self.info = {
            "encoder": {"name": self.options["encoder_name"], **source},
            "alpha": module.model.alphas(),
            "steps": self.options["max_steps"],
            "precision": self._precision,
            "final_loss": loss,
        }

    def _train(self, module: DirectionalDinomaly, images: torch.Tensor, progress: Progress) -> float:
        """Returns the last loss."""
        o = self.options
        self._precision = o["precision"] if o["precision"] != "auto" else self._measured(module, images)
        return fit_quietly(
            module,
            self._loader(images),
            seed=o["seed"],
            device=o["device"],
            precision=self._precision,
            progress=progress,
        )

    def _measured(self, module: DirectionalDinomaly, images: torch.Tensor) -> str:
        """The precision in which steps of this training are faster, tried on a first batch."""
        o, device = self.options, pick_device(self.options["device"])
        batch = images[: o["batch_size"]].to(device)
        model = module.to(device).model
        shape = (self.name, o["encoder_name"], o["image_size"], o["directional_layers"], len(batch))
        with torch.random.fork_rng():
            best = measured_precision(lambda: model(batch, global_step=0), o["max_steps"], device, *shape)
        module.zero_grad()
        return best

    def _loader(self, images: torch.Tensor) -> DataLoader[Any]:
        """Batches of a training epoch."""
        return loader_of(
            images,
            batch_size=min(self.options["batch_size"], len(images)),
            shuffle=True,
            generator=torch.Generator().manual_seed(self.options["seed"]),
        )

    def vectors(self, values: np.ndarray) -> np.ndarray:
        """What the decoder leaves over of each token, float32 ``[n, h, w, channels]``.

        Of all groups of layers, as differences of unit vectors, whose squared lengths the anomaly map is made of.
        """

        def look(model: Any, images: torch.Tensor) -> list[torch.Tensor]:
            pairs = zip(*model.features(images), strict=True)
            left = [functional.normalize(e, dim=-1) - functional.normalize(d, dim=-1) for e, d in pairs]
            return [torch.cat(left, dim=-1).unflatten(1, model.grid).float()]

        return self._looked(look, values)[0].numpy()

    def network_parts(self) -> NetworkParts:
        """What an export is made of."""
        model = self._fitted().model
        return NetworkParts(model, self._images, model.encoder.vit, hashed_by_file=True, patch=model.encoder.patch)

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        layers = {name.split(".")[1] for name in state if name.startswith("decoder.")}
        self._depth = len(layers)
        super()._restore(state)
        self._fitted().model.encoder.source.check(self.info.get("encoder", {}).get("sha256"))

"""DRAEM-SevNet behind the detector contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import RandomSampler

from toothwise.checks import check_choice, check_whole
from toothwise.detectors.base import Abilities, Maps, Prediction, as_array, given
from toothwise.detectors.draem_sevnet.images import MapImages
from toothwise.detectors.draem_sevnet.lightning_model import DraemSevNet
from toothwise.detectors.draem_sevnet.options import DraemOptions
from toothwise.detectors.image_scoring import ImageDetector, check_device, on_map
from toothwise.detectors.network_parts import NetworkParts
from toothwise.detectors.pooling import POOLINGS, pool_lines
from toothwise.detectors.training import fit_quietly, loader_of
from toothwise.progress import Progress

_TRAINING = ("max_steps", "learning_rate", "gradient_clip", "seed")


class DraemSevNetDetector(ImageDetector):
    """DRAEM with a severity head; with lines for faults it is called draem_sevnet_rows.

    ``Prediction.severity`` is in units of the faults' severity s: a patch that was raised by s times another patch of
    its map, or a line of contrast 1 + s. It is a regression, not held to 0..severity_max. ``Prediction.score`` is raw;
    only the severity's term in it is held to 0..1 (see ``DraemSevNetModel.rule``).

    Args:
        image_size (pixels): (height, width) that a map is resized to, multiples of 32; None = 224 x 224.
        pooling: Score of the mask: "top" (mean of the top 1 % of the image), or the best line: mean of the anomaly map
            along a row or a column, less the median of all of them; "rows", "columns" or "lines" (either).
        max_steps (steps): How many steps the network is trained.
        learning_rate (per step): Learning rate at the start of the training.
        gradient_clip (norm): Longest gradient of a step; a longer one is scaled to it.
        batch_size (maps): Maps in a step, 2 or more for batch normalisation; fewer maps are drawn repeatedly, each time
            with another fault.
        seed: Of weights, order and faults.
        device: "auto", "cpu" or "cuda".
        options: Of DraemOptions; lines are drawn on the teeth of the fitted maps.

    ``info`` after fit: millions of weights, steps, final loss.
    """

    name = "draem_sevnet"
    can = Abilities(rows=True, columns=True, severity=True, photographs=True, export="network")
    option_groups = (DraemOptions,)

    def __init__(
        self,
        *,
        image_size: Sequence[int] | None = None,
        pooling: str = "top",
        max_steps: int = 1000,
        batch_size: int = 8,
        learning_rate: float = 1e-4,
        gradient_clip: float = 1.0,
        seed: int = 0,
        device: str = "auto",
        **options: Any,
    ) -> None:
        own = given(locals())
        check_choice(POOLINGS, pooling=pooling)
        check_whole(2, batch_size=batch_size)
        check_device(device)
        size = list((224, 224) if image_size is None else image_size)
        super().__init__(**vars(DraemOptions(**options)) | own | {"image_size": size})
        self.name = "draem_sevnet_rows" if self.options["faults"] == "lines" else "draem_sevnet"  # type: ignore[misc]
        self._images = MapImages(tuple(self.options["image_size"]))
        with torch.device("meta"):  # no weights: wrong options are to be refused now and not when it is fitted
            self._make_module(None)

    def _make_module(self, shape: tuple[int, int] | None) -> DraemSevNet:
        own: dict[str, Any] = {k: self.options[k] for k in (*DraemOptions.__dataclass_fields__, *_TRAINING)}
        teeth = shape if own["faults"] == "lines" else None  # patches know of no teeth
        return DraemSevNet(**own, map_shape=teeth, pre_processor=False, evaluator=False, visualizer=False)

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        self._images.fit(values)
        module = self._make_module((values.shape[1], values.shape[2]))
        o = self.options
        images, batch = self._images(values), o["batch_size"]
        generator = torch.Generator().manual_seed(o["seed"])
        few = len(images) < batch
        sampler = RandomSampler(images, replacement=few, num_samples=batch if few else None, generator=generator)
        loader = loader_of(images, batch_size=batch, sampler=sampler)
        loss = fit_quietly(module, loader, seed=o["seed"], device=o["device"], progress=progress)
        self._module = module.eval()
        self.info = {
            "million_weights": round(sum(p.numel() for p in module.model.parameters()) / 1e6, 3),
            "steps": o["max_steps"],
            "final_loss": loss,
        }

    def _judge(self, network: Any, images: Tensor) -> tuple[Tensor, ...]:
        return network.judge(images)

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        anomaly_map, top, severity = self._judged(values, progress)
        line = pool_lines(anomaly_map, self.options["pooling"], top)
        score = self._network().rule(torch.from_numpy(line.score), torch.from_numpy(severity)).numpy()
        return replace(line, score=score, severity=severity)

    def network_parts(self) -> NetworkParts:
        """What an export is made of."""
        return NetworkParts(self._fitted().model, self._images, judges=True)

    def rebuild(self, maps: Maps) -> np.ndarray:
        """The healthy map that the reconstructive network makes of each map, float32 ``[n, rows, columns]``.

        Raises:
            InputError: not fitted, or maps of another shape.
        """
        values = as_array(maps, shape=self.shape)

        def look(network: Any, images: Tensor) -> list[Tensor]:
            return [on_map(network.parts(images).reconstruction.mean(dim=1, keepdim=True), values.shape[1:])]

        out = self._looked(look, values, device="cpu")[0].numpy() * self._images.scale
        out[np.isnan(values)] = np.nan
        return out.astype(np.float32)

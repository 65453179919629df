"""PatchCore behind the detector contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from toothwise.detectors.base import Abilities, given
from toothwise.detectors.features import make_features
from toothwise.detectors.patch_detector import PatchDetector
from toothwise.detectors.patchcore.torch_model import ContextPatchcoreModel


class PatchcoreDetector(PatchDetector):
    """PatchCore (Roth et al., CVPR 2022) on maps, with anomalib's bank, score and anomaly map.

    Args:
        context: "none"; "row", "column" or "both" = each patch is joined with its neighbours in that direction.
        reach (patches): Neighbours on each side.
        position (weight): Weight of the patch's place in the distance, 0 = none.
        num_neighbors (patches): Healthy patches that weigh the image's score, 1 = the farthest patch's distance as it
            is.
        max_patches (patches): Healthy patches, drawn at random, of which the coreset is chosen; bounds memory and time.
        coreset_ratio (share): Share of those patches that the bank keeps.
        options: See PatchDetector.

    ``info`` after fit: encoder source and hash, patches in the bank.
    """

    name = "patchcore"
    can = Abilities(rows=True, columns=True, photographs=True, export="network")
    learned = ("memory_bank",)

    def __init__(
        self,
        *,
        context: str = "none",
        reach: int = 1,
        position: float = 0.0,
        num_neighbors: int = 9,
        max_patches: int = 20_000,
        coreset_ratio: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(given(locals()), **options)
        self.name = "patchcore" if context == "none" else "patchcore_context"  # type: ignore[misc]

    def _make_module(self, shape: tuple[int, int] | None) -> ContextPatchcoreModel:
        o = self.options
        features = make_features(o["encoder_name"], o["layers"], weights=o["weights"], seed=o["seed"])
        own = ("num_neighbors", "context", "reach", "position", "max_patches", "seed")
        return ContextPatchcoreModel(features, **{k: o[k] for k in own})

    def _learn(self, model: ContextPatchcoreModel, batches: Iterator[Tensor], count: int) -> dict[str, Any]:
        for images in batches:
            model.collect(images, count)
        model.choose(self.options["coreset_ratio"])
        return {"patches": len(model.memory_bank)}

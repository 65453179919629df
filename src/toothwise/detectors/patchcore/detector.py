"""PatchCore behind the detector contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from toothwise.detectors.base import Abilities
from toothwise.detectors.features import make_features
from toothwise.detectors.patch_detector import PatchDetector
from toothwise.detectors.patchcore.options import PatchcoreOptions
from toothwise.detectors.patchcore.torch_model import ContextPatchcoreModel

_OWN = PatchcoreOptions.__dataclass_fields__


class PatchcoreDetector(PatchDetector):
    """PatchCore (Roth et al., CVPR 2022) on maps, with anomalib's bank, score and anomaly map.

    Args:
        coreset_ratio (share): Share of the patches drawn that the bank keeps.
        options: Of PatchcoreOptions and of PatchDetector.

    ``info`` after fit: encoder source and hash, patches in the bank.
    """

    name = "patchcore"
    can = Abilities(rows=True, columns=True, photographs=True, export="network")
    option_groups = (PatchcoreOptions,)
    learned = ("memory_bank",)

    def __init__(self, *, coreset_ratio: float = 0.1, **options: Any) -> None:
        own = PatchcoreOptions(**{name: options.pop(name) for name in _OWN if name in options})
        super().__init__(vars(own) | {"coreset_ratio": coreset_ratio}, **options)
        self.name = "patchcore" if own.context == "none" else "patchcore_context"  # type: ignore[misc]

    def _make_module(self, shape: tuple[int, int] | None) -> ContextPatchcoreModel:
        o = self.options
        features = make_features(o["encoder_name"], o["layers"], weights=o["weights"], seed=o["seed"])
        return ContextPatchcoreModel(features, seed=o["seed"], **{name: o[name] for name in _OWN})

    def _learn(self, model: ContextPatchcoreModel, batches: Iterator[Tensor], count: int) -> dict[str, Any]:
        for images in batches:
            model.collect(images, count)
        model.choose(self.options["coreset_ratio"])
        return {"patches": len(model.memory_bank)}

"""The anomalib module of PatchCore with context, for its Engine and for ``anomalib train``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from anomalib.data import Batch
from anomalib.metrics import Evaluator
from anomalib.models.components import MemoryBankMixin
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from anomalib.visualization import Visualizer
from torch import Tensor

from toothwise.detectors.anomalib_module import EncoderApart, RawScoreModule
from toothwise.detectors.embedded import EMBEDDED
from toothwise.detectors.features import make_features
from toothwise.detectors.patchcore.torch_model import ContextPatchcoreModel


class PatchcoreContext(MemoryBankMixin, EncoderApart, RawScoreModule):
    """PatchCore whose patches may know their neighbours along the row or column.

    Differs from anomalib's Patchcore: the encoder comes from a local file where there is one and stays out of
    checkpoints, the patches that the coreset is chosen from are bounded in number, nothing is cropped, scores are raw.

    Args:
        encoder_name, layers, weights: of ``make_features``.
        context: "none"; "row", "column" or "both" = each patch is joined with its neighbours in that direction.
        coreset_ratio: share of those patches that the bank keeps.
        seed: of the choice of patches, and of a random encoder.
        pre_processor, post_processor, evaluator, visualizer: as in anomalib.
        options: of ContextPatchcoreModel.
    """

    encoder_at = "model.feature_extractor"

    def __init__(
        self,
        encoder_name: str = EMBEDDED,
        layers: Sequence[str] | None = None,
        weights: str | None = None,
        context: str = "row",
        coreset_ratio: float = 0.1,
        seed: int = 0,
        pre_processor: PreProcessor | bool = True,
        post_processor: PostProcessor | bool = True,
        evaluator: Evaluator | bool = True,
        visualizer: Visualizer | bool = True,
        **options: Any,
    ) -> None:
        super().__init__(pre_processor, post_processor, evaluator, visualizer)
        features = make_features(encoder_name, layers, weights=weights, seed=seed)
        self.model = ContextPatchcoreModel(features, context=context, seed=seed, **options)
        self.coreset_ratio = coreset_ratio
        self._count = 0  # of all images, once the first batch is there

    def training_step(self, batch: Batch, *args: Any, **kwargs: Any) -> Tensor:
        """Collect patches of healthy images; there is nothing to optimise."""
        self._count = self._count or int(self.trainer.num_training_batches) * len(batch.image)
        self.model.collect(batch.image, self._count)
        return torch.tensor(0.0, requires_grad=True, device=self.device)

    def fit(self) -> None:
        """Choose the bank from what was collected."""
        self.model.choose(self.coreset_ratio)

    @staticmethod
    def configure_optimizers() -> None:
        """None: nothing is trained."""

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """One pass over the healthy images."""
        return {"gradient_clip_val": 0, "max_epochs": 1, "num_sanity_val_steps": 0, "devices": 1}

"""The anomalib module of DRAEM-SevNet, for its Engine and for ``anomalib train``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from anomalib.data import Batch
from anomalib.data.transforms.utils import extract_transforms_by_type
from anomalib.metrics import Evaluator
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from anomalib.visualization import Visualizer
from torch import Tensor
from torchvision.transforms.v2 import Compose, Normalize, Resize

from toothwise.checks import check_range, check_whole
from toothwise.detectors.draem_sevnet.faults import SyntheticFaults
from toothwise.detectors.draem_sevnet.options import DraemOptions
from toothwise.detectors.draem_sevnet.torch_model import DraemSevNetLoss, DraemSevNetModel
from toothwise.detectors.training import StepTrained
from toothwise.errors import InputError

_FALLS, _FACTOR = (0.8, 0.9), 0.2  # the learning rate falls to a fifth at these shares of the training, as in DRAEM


class DraemSevNet(StepTrained):
    """DRAEM with a severity head, trained on faults that it draws itself: no texture is downloaded.

    Images are expected in about 0 to 1 and must not be normalised: faults are multiples of what an image shows.

    Args:
        map_shape: rows and columns of the maps, of SyntheticFaults.
        max_steps: training steps. A trainer with fewer ends earlier.
        learning_rate: of Adam; a fifth of it from 80 % of the steps on, a twenty-fifth from 90 % on.
        gradient_clip: norm that gradients are cut to where the trainer sets none; 0 = not cut.
        seed: of initial weights and faults.
        pre_processor, post_processor, evaluator, visualizer: as in anomalib. The default post-processor leaves scores
            raw: neither normalised nor clamped.
        options: of DraemOptions.
    """

    remedy = (
        "lower learning_rate, gradient_clip or severity_max, or train in float32; check the maps for extreme values"
    )

    def __init__(
        self,
        map_shape: Sequence[int] | None = None,
        max_steps: int = 5000,
        learning_rate: float = 1e-4,
        gradient_clip: float = 1.0,
        seed: int = 0,
        pre_processor: PreProcessor | bool = True,
        post_processor: PostProcessor | bool = True,
        evaluator: Evaluator | bool = True,
        visualizer: Visualizer | bool = True,
        **options: Any,
    ) -> None:
        o = DraemOptions(**options)
        check_whole(1, max_steps=max_steps)
        check_range("(0, inf)", learning_rate=learning_rate)
        check_range("[0, inf)", gradient_clip=gradient_clip)
        super().__init__(pre_processor, post_processor, evaluator, visualizer)
        self.faults = SyntheticFaults(o, None if map_shape is None else tuple(map_shape))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = DraemSevNetModel(o)
        self.loss = DraemSevNetLoss(o)
        self.max_steps, self.learning_rate, self.gradient_clip = max_steps, learning_rate, gradient_clip
        self.seed = seed

    @classmethod
    def configure_pre_processor(cls, image_size: tuple[int, int] | None = None) -> PreProcessor:
        """Resize alone (no crop, no normalisation), the same in training and after it."""
        return PreProcessor(transform=Compose([Resize(image_size or (224, 224), antialias=True)]))

    def on_train_start(self) -> None:
        """Refuse normalised images.

        Raises:
            InputError: the pre-processor normalises.
        """
        if self.pre_processor and extract_transforms_by_type(self.pre_processor.transform, Normalize):
            raise InputError(
                "DRAEM-SevNet draws multiples of what an image shows: its pre-processor must not normalise"
            )

    def training_step(self, batch: Batch, batch_idx: int = 0, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw faults, undo them, find them and estimate their severity; the loss must stay finite."""
        rng = np.random.default_rng([self.seed, self.current_epoch, batch_idx])  # a resumed run draws the same faults
        faulty, mask, severity = self.faults(batch.image, rng)
        return self.sum_of(self.loss(self.model(faulty), batch.image, mask, severity))

    def configure_optimizers(self) -> dict[str, Any]:
        """Adam, with the learning rate followed by step."""
        total = self.planned_steps()

        def factor(step: int) -> float:
            return float(_FACTOR ** sum(step >= share * total for share in _FALLS))

        optimizer = torch.optim.Adam(self.model.parameters(), lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

"""What our anomalib modules share: nothing is cropped, scores stay raw, no metric needs a tuned threshold."""

from __future__ import annotations

from typing import Any

from anomalib import LearningType
from anomalib.data import Batch
from anomalib.metrics import Evaluator
from anomalib.models.components import AnomalibModule
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from torchvision.transforms.v2 import Compose, Normalize, Resize

__all__ = ["RawScoreModule"]


class RawScoreModule(AnomalibModule):
    """Base of modules whose ``model(images)`` gives a raw score and an anomaly map in evaluation mode."""

    @classmethod
    def configure_pre_processor(cls, image_size: tuple[int, int] | None = None) -> PreProcessor:
        """Resize (no crop) and ImageNet normalisation, the same in training and after it."""
        size = image_size or (224, 224)
        steps = [Resize(size, antialias=True), Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])]
        return PreProcessor(transform=Compose(steps))

    def configure_post_processor(self) -> PostProcessor:
        """Scores stay raw and no threshold is tuned on the validation data."""
        return PostProcessor(enable_normalization=False, enable_thresholding=False)

    @staticmethod
    def configure_evaluator() -> Evaluator:
        """AUROC from raw scores in float64; no metric that needs a tuned threshold."""
        from toothwise.detectors.metrics import RawAUROC

        return Evaluator(test_metrics=[RawAUROC(prefix="image_")])

    def validation_step(self, batch: Batch, *args: Any, **kwargs: Any) -> Batch:
        """Anomaly map and raw score of a batch."""
        del args, kwargs
        found = self.model(batch.image)
        return batch.update(pred_score=found.pred_score, anomaly_map=found.anomaly_map)

    @property
    def learning_type(self) -> LearningType:
        """One class: trained on healthy maps alone."""
        return LearningType.ONE_CLASS

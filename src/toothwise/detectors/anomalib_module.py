"""What our anomalib modules share: nothing is cropped, scores stay raw, no metric needs a tuned threshold."""

from __future__ import annotations

from typing import Any, ClassVar

from anomalib import LearningType
from anomalib.data import Batch
from anomalib.metrics import Evaluator
from anomalib.models.components import AnomalibModule
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from lightning.pytorch import LightningModule
from torchvision.transforms.v2 import Compose, Normalize, Resize

from toothwise.detectors.encoder import WeightsSource
from toothwise.errors import WeightsError


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
        found = self.model(batch.image)
        return batch.update(pred_score=found.pred_score, anomaly_map=found.anomaly_map)

    @property
    def learning_type(self) -> LearningType:
        """One class: trained on healthy maps alone."""
        return LearningType.ONE_CLASS


class EncoderApart(LightningModule):
    """Mixin of modules with a frozen encoder: checkpoints hold its hash and not its weights.

    A subclass sets ``encoder_at``, the encoder's path from the module; the encoder has a ``source`` (WeightsSource).
    """

    encoder_at: ClassVar[str]

    @property
    def _source(self) -> WeightsSource:
        return self.get_submodule(self.encoder_at).source

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The frozen encoder stays out; its hash goes in."""
        super().on_save_checkpoint(checkpoint)
        state = checkpoint["state_dict"]
        for key in [k for k in state if k.startswith(f"{self.encoder_at}.")]:
            del state[key]
        checkpoint["encoder_sha256"] = self._source.sha256

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the encoder that is here into the state, if it is the one that was trained with."""
        super().on_load_checkpoint(checkpoint)
        expected, source = checkpoint.get("encoder_sha256"), self._source
        if expected is not None and expected != source.sha256:
            raise WeightsError(
                f"the checkpoint was trained with encoder weights {expected[:12]}, but {source.name} has "
                f"{source.sha256[:12]}"
            )
        for key, value in self.state_dict().items():
            if key.startswith(f"{self.encoder_at}."):
                checkpoint["state_dict"].setdefault(key, value)

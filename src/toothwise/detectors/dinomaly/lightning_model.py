"""The anomalib module of Directional Dinomaly, for its Engine and for ``anomalib train``."""

from __future__ import annotations

from typing import Any

import torch
from anomalib.data import Batch
from anomalib.metrics import Evaluator
from anomalib.models.image.dinomaly.components import StableAdamW, WarmCosineScheduler
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from anomalib.visualization import Visualizer
from torch import Tensor, nn

from toothwise.checks import check_range, check_whole
from toothwise.detectors.anomalib_module import EncoderApart
from toothwise.detectors.dinomaly.attention import DirectionalLinearAttention
from toothwise.detectors.dinomaly.attention_view import entropy_of, watched_attention
from toothwise.detectors.dinomaly.torch_model import DirectionalDinomalyModel
from toothwise.detectors.embedded import EMBEDDED
from toothwise.detectors.training import StepTrained
from toothwise.errors import TrainingError

_WARM_UP = 100
_LOOKS = 50  # at the attention weights, in a training


class DirectionalDinomaly(EncoderApart, StepTrained):
    """Dinomaly whose first decoder layers attend along rows and columns of the map.

    Differs from anomalib's Dinomaly in the training besides the attention: the learning rate follows its schedule by
    step; the run stops at ``max_steps`` whatever the epochs; a gradient clip given to the trainer counts; the
    encoder is neither stored in checkpoints nor downloaded when one is loaded; nothing is cropped.

    Args:
        encoder_name: Of the frozen encoder.
        options: Of NetworkOptions.
        max_steps: training steps; the schedule ends there. A trainer with fewer ends earlier.
        learning_rate: after warm-up; it falls to a tenth along a cosine.
        alpha_rate: How many times faster the learned mix of the two directions is trained. At the rate of the weights
            its logit could travel a tenth in a hundred steps: "learned" would be another word for its start.
        gradient_clip: norm that gradients are cut to where the trainer sets none.
        seed: of initial weights (and of a random encoder).
        pre_processor, post_processor, evaluator, visualizer: as in anomalib. The default post-processor leaves scores
            raw: neither normalised nor clamped.
    """

    encoder_at = "model.encoder"
    remedy = "lower learning_rate or gradient_clip, or train in float32; check the maps for extreme values"

    def __init__(
        self,
        encoder_name: str = EMBEDDED,
        max_steps: int = 5000,
        learning_rate: float = 2e-3,
        alpha_rate: float = 10.0,
        gradient_clip: float = 0.1,
        seed: int = 0,
        pre_processor: PreProcessor | bool = True,
        post_processor: PostProcessor | bool = True,
        evaluator: Evaluator | bool = True,
        visualizer: Visualizer | bool = True,
        **options: Any,
    ) -> None:
        check_whole(1, max_steps=max_steps)
        check_range("(0, inf)", alpha_rate=alpha_rate)
        super().__init__(pre_processor, post_processor, evaluator, visualizer)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = self.make_model(encoder_name, seed=seed, **options)
            _initialise(self.rebuilding, self.model.alpha_start)
        self.max_steps, self.gradient_clip = max_steps, gradient_clip
        self.learning_rate, self.alpha_rate = learning_rate, alpha_rate

    def make_model(self, encoder_name: str, *, seed: int, **options: Any) -> DirectionalDinomalyModel:
        """The network."""
        return DirectionalDinomalyModel(encoder_name, seed=seed, **options)

    @property
    def rebuilding(self) -> nn.ModuleList:
        """Bottleneck and decoder (a new list, so that no weight is stored under two names)."""
        return nn.ModuleList([self.model.bottleneck, self.model.decoder])

    def training_step(self, batch: Batch, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Rebuild the encoder's features; the loss must stay finite."""
        if self.global_step % max(1, self.max_steps // _LOOKS):
            return self.logged(self.model(batch.image, global_step=self.global_step))
        with watched_attention(self.model) as seen:
            loss = self.model(batch.image, global_step=self.global_step)
        for layer, (weights,) in seen.items():
            for axis, weight in weights.items():
                self.log(f"entropy_{axis}/layer_{layer}", entropy_of(weight), on_step=True, on_epoch=False)
        return self.logged(loss)

    def logged(self, loss: Tensor, **parts: Tensor) -> dict[str, Tensor]:
        """The loss of a step for the trainer, once it, its parts and every alpha are logged.

        Raises:
            TrainingError: The loss is not finite.
        """
        if not torch.isfinite(loss):
            of = f" ({', '.join(f'{name} {float(part)}' for name, part in parts.items())})" if parts else ""
            raise TrainingError(f"the loss is {float(loss)} at step {self.global_step}{of}: {self.remedy}")
        self.log("train_loss", loss, on_step=True, on_epoch=False, prog_bar=True)
        for name, part in parts.items():
            self.log(f"{name}_loss", part, on_step=True, on_epoch=False)
        for layer, alpha in self.model.alphas().items():
            self.log(f"alpha/layer_{layer}", sum(alpha) / len(alpha), on_step=True, on_epoch=False)
            for head, value in enumerate(alpha if len(alpha) > 1 else []):  # heads part, which their mean does not show
                self.log(f"alpha/layer_{layer}/head_{head}", value, on_step=True, on_epoch=False)
        return {"loss": loss}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stop with the layer's name before a gradient that is not finite spoils the weights; log the rates."""
        super().on_before_optimizer_step(optimizer)
        for group in optimizer.param_groups:
            if "rate_of" in group:
                self.log(f"learning_rate/{group['rate_of']}", group["lr"], on_step=True, on_epoch=False)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """What is trained, and how, for the optimiser."""
        return self.groups_of(self.rebuilding.named_parameters(), self.alpha_rate * self.learning_rate)

    def configure_optimizers(self) -> dict[str, Any]:
        """StableAdamW, with the warm-up and cosine schedule followed by step."""
        total = self.planned_steps()
        optimizer = StableAdamW(
            self.parameter_groups(),
            lr=self.learning_rate,
            betas=(0.9, 0.999),
            weight_decay=1e-4,
            amsgrad=True,
            eps=1e-6,
        )
        schedule = _Schedule(
            optimizer,
            base_value=self.learning_rate,
            final_value=self.learning_rate / 10,
            total_iters=total,
            warmup_iters=min(_WARM_UP, total // 10),
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The frozen encoder stays out; the schedule goes in as plain numbers."""
        super().on_save_checkpoint(checkpoint)
        for schedule in checkpoint.get("lr_schedulers", []):
            if "schedule" in schedule:  # a NumPy array would keep the checkpoint from loading with weights only
                schedule["schedule"] = [float(rate) for rate in schedule["schedule"]]


class _Schedule(WarmCosineScheduler):
    """anomalib's schedule, which gives all groups one rate, with each group in proportion to its own."""

    def get_lr(self) -> list[float]:
        """The rate of each group."""
        return [rate * (own / self.base_lrs[0]) for rate, own in zip(super().get_lr(), self.base_lrs, strict=True)]


def _initialise(modules: nn.Module, alpha: float) -> None:
    """Truncated normal weights as in Dinomaly; alpha keeps its start."""
    for module in modules.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.01, a=-0.03, b=0.03)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    for module in modules.modules():
        if isinstance(module, DirectionalLinearAttention):
            module.reset_alpha(alpha)

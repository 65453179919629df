"""What the trained detectors share: training that ends by step, leaves no file behind and says nothing."""

from __future__ import annotations

import logging
import math
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import torch
from anomalib.callbacks import ModelCheckpoint
from lightning.pytorch.callbacks import Callback, LambdaCallback
from torch import Tensor, nn
from torch.utils.data import DataLoader

from toothwise import processor
from toothwise.detectors.anomalib_module import RawScoreModule
from toothwise.detectors.curves import Curves, recorder
from toothwise.detectors.image_scoring import pick_device
from toothwise.errors import TrainingError
from toothwise.progress import Progress, silent

PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed"}
_WORTH = 50  # steps: in a shorter training, measuring costs more than the faster precision could give back
_SIDE = 256  # of the product of matrices that is tried before whole steps are
_EXPLODED = 1e6


class StepTrained(RawScoreModule):
    """An anomalib module whose training is counted in steps.

    A subclass sets ``max_steps`` (training ends there, whatever the epochs) and ``gradient_clip`` (norm that
    gradients are cut to where the trainer sets none), and ``remedy``, what errors of the training advise.
    """

    remedy: ClassVar[str]
    max_steps: int
    gradient_clip: float

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """The trainer's clip where it has one, else ours."""
        value = self.gradient_clip if gradient_clip_val is None else gradient_clip_val
        self.clip_gradients(optimizer, value, gradient_clip_algorithm)

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """End the run at ``max_steps``."""
        if self.global_step >= self.max_steps:
            self.trainer.should_stop = True

    def sum_of(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a step from its terms by name, each of which is logged.

        Raises:
            TrainingError: A term is not finite.
        """
        for name, term in terms.items():
            if not torch.isfinite(term):
                raise TrainingError(f"the {name} loss is {float(term)} at step {self.global_step}: {self.remedy}")
            self.log(f"loss/{name}", term, on_step=True, on_epoch=False)
        loss = torch.stack(list(terms.values())).sum()
        self.log("train_loss", loss, on_step=True, on_epoch=False, prog_bar=True)
        return {"loss": loss}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stop with the layer's name before a gradient that is not finite spoils the weights."""
        check_gradients(self.named_parameters(), self.global_step, self.remedy)

    @staticmethod
    def groups_of(named: Iterable[tuple[str, nn.Parameter]], alpha_rate: float, **others: Any) -> list[dict[str, Any]]:
        """What is trained, and how, for the optimiser: the weights (``others``), then the mix of directions."""
        named = list(named)
        mixes = [p for name, p in named if name.endswith("alpha_logit")]
        groups = [{"params": [p for name, p in named if not name.endswith("alpha_logit")]} | others]
        own = {"params": mixes, "lr": alpha_rate, "weight_decay": 0.0, "rate_of": "alpha"}
        return [*groups, own] if mixes else groups

    def planned_steps(self) -> int:
        """``max_steps``, or fewer where the trainer ends earlier: what a schedule of the learning rate spans."""
        planned = self.trainer.estimated_stepping_batches
        return min(self.max_steps, int(planned)) if planned != float("inf") and planned > 0 else self.max_steps

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """None that would override the user's."""
        return {"num_sanity_val_steps": 0}


def measured_precision(loss: Callable[[], torch.Tensor], steps: int, device: torch.device, *facts: Any) -> str:
    """The precision in which a training goes fastest on this processor, remembered for the next one.

    Args:
        loss: One forward pass of the training. Gradients are left as they were found: none.
        steps: Of the training. A short one is done in float32 without measuring.
        device: Where it is computed.
        facts: What the time depends on besides: the network, the size of images and batch.
    """
    if steps < _WORTH:
        return "float32"
    name = device.type if device.type == "cpu" else torch.cuda.get_device_name(device)
    key = processor.mark("training", name, torch.get_num_threads(), *facts, packages=("torch",))
    if (known := processor.recall(key)) is not None:
        return known[0]

    def work(dtype: torch.dtype, make: Callable[[], torch.Tensor]) -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            found = make()
        if found.requires_grad:
            found.backward()
        if device.type != "cpu":
            torch.cuda.synchronize()

    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    square = {n: torch.ones(_SIDE, _SIDE, device=device, dtype=d) for n, d in dtypes.items()}
    # where bfloat16 is emulated, whole steps would take a hundred times as long as they should
    products = {n: partial(work, torch.float32, partial(torch.matmul, m, m)) for n, m in square.items()}
    best, _ = processor.fastest(products, processor.mark("product", name, packages=("torch",)), seconds=0.02)
    ways = {n: partial(work, d, loss) for n, d in dtypes.items() if best == "bfloat16" or n == "float32"}
    return processor.fastest(ways, key, seconds=0.5)[0]


def check_gradients(named: Iterable[tuple[str, nn.Parameter]], step: int, remedy: str) -> None:
    """Stop before a gradient that is not finite, or that explodes, spoils the weights.

    A clip would cut an exploding gradient to size and go on in a direction that means nothing.

    Raises:
        TrainingError: with the first layer whose gradient is not finite, else with the largest where its norm is above
            a million (it is below one in a healthy training), the step and the remedy.
    """
    largest, where = 0.0, ""
    for name, parameter in named:
        if parameter.grad is None:
            continue
        norm = float(parameter.grad.norm())
        if not math.isfinite(norm):
            raise TrainingError(f"the gradient of {name} is not finite at step {step}: {remedy}")
        if norm > largest:
            largest, where = norm, name
    if largest > _EXPLODED:
        raise TrainingError(f"the gradient of {where} explodes (norm {largest:.3g}) at step {step}: {remedy}")


def loader_of(images: Tensor, **options: Any) -> DataLoader[Any]:
    """Whole batches of images ``[n, 3, height, width]`` as anomalib takes them; options are those of DataLoader."""
    from anomalib.data import ImageBatch

    def collate(batch: list[Tensor]) -> ImageBatch:
        return ImageBatch(image=torch.stack(batch))

    return DataLoader(images, drop_last=True, collate_fn=collate, **options)  # type: ignore[arg-type]  # has items


def fit_quietly(
    module: StepTrained,
    loader: DataLoader[Any],
    *,
    seed: int,
    device: str,
    precision: str = "float32",
    progress: Progress = silent,
) -> float:
    """Train through anomalib's Engine, leaving no file and the global random state as it was.

    Args:
        module: trained in place for its ``max_steps``; it logs ``train_loss``.
        loader: batches of an epoch.
        seed: of whatever draws from torch's global generator, dropout for one.
        device: "auto", "cpu" or "cuda".
        precision: one of PRECISIONS, of the matrix products; weights stay in float32.
        progress: Called after each step.

    Returns:
        The last loss.
    """
    from anomalib.engine import Engine

    def tell(trainer: Any, *_: Any) -> None:
        progress("training", trainer.global_step / module.max_steps)

    # the Engine adds a callback that writes checkpoints unless there is one
    callbacks = [ModelCheckpoint(save_top_k=0), LambdaCallback(on_train_batch_end=tell)]
    if (curves := recorder()) is not None:
        callbacks.append(_Record(curves))
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(), quiet():
        torch.manual_seed(seed)
        engine = Engine(
            default_root_dir=folder,
            max_epochs=math.ceil(module.max_steps / len(loader)),
            accelerator=pick_device(device).type if device != "auto" else "auto",
            devices=1,
            precision=PRECISIONS[precision],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=callbacks,
        )
        engine.fit(model=module, train_dataloaders=loader)
        return float(engine.trainer.callback_metrics["train_loss"])


class _Record(Callback):
    """Keeps what the module logs and the norm of each layer's gradient, before any clipping."""

    def __init__(self, curves: Curves) -> None:
        self.curves = curves
        curves.clear()

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Gradients of the layers, by the name that their weights begin with."""
        squares: dict[str, float] = {}
        for name, parameter in pl_module.named_parameters():
            if parameter.grad is not None:
                layer = _layer(name)
                squares[layer] = squares.get(layer, 0.0) + float(parameter.grad.norm()) ** 2
        for layer, square in squares.items():
            self.curves[f"gradient/{layer}"].append((trainer.global_step, math.sqrt(square)))

    def on_train_batch_end(self, trainer: Any, *args: Any, **kwargs: Any) -> None:
        """What was logged in this step."""
        for name, value in trainer.callback_metrics.items():
            self.curves[name].append((trainer.global_step, float(value)))


def _layer(name: str) -> str:
    """``model.decoder.3.attn.qkv.weight`` -> ``decoder.3``."""
    words = name.removeprefix("model.").split(".")
    return ".".join(words[:2] if len(words) > 2 and words[1].isdigit() else words[:1])


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings, and the information lines of Lightning, anomalib and torch's exporter, off."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

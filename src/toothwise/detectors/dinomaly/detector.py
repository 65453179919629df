"""Dinomaly, plain or directional, behind the detector contract."""

from __future__ import annotations

import logging
import math
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch.utils.data import DataLoader, Dataset

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.dinomaly.images import ImageMaker
from toothwise.detectors.dinomaly.lightning_model import DirectionalDinomaly
from toothwise.detectors.encoder_cache import EncoderCache, shared_cache
from toothwise.detectors.image_scoring import check_device, pick_device, score_images
from toothwise.detectors.pooling import LINE_POOLINGS, pool_lines
from toothwise.errors import InputError

__all__ = ["DinomalyDetector"]

_POOLINGS = ("top", *LINE_POOLINGS)


class DinomalyDetector(Detector):
    """Directional Dinomaly on maps; with no directional layer it is Dinomaly.

    Args:
        directional_layers, axis, mix, alpha, alpha_per, prefix, exclude, encoder_name, weights, loss, tail,
            recentre: of DirectionalDinomaly.
        image_size: (height, width) that a map is resized to, multiples of the patch; None = 224 x 224.
        channels: "grey" (three times the map) or "physical" (the map, without what its columns share, without what
            its rows share).
        log: take the logarithm first (positive maps).
        pooling: score = "top" (top 1 % of the anomaly map), or the best line: mean of the anomaly map along a row or a
            column, less the median of all of them, so that what moves the whole map does not count; "rows", "columns"
            or "lines" (either).
        max_steps, batch_size, learning_rate: of the training; ``mining_steps`` None = a fifth of 5000 in proportion.
        seed: of weights, order and dropout.
        device: "auto", "cpu" or "cuda".

    ``info`` after fit: encoder source and hash, alpha per directional layer, steps, final loss.
    """

    name = "dinomaly_directional"
    module_class: ClassVar[type[DirectionalDinomaly]] = DirectionalDinomaly

    def __init__(
        self,
        *,
        encoder_name: str = "vit_small_patch14_dinov2",
        weights: str | None = None,
        directional_layers: Sequence[int] = (0, 1, 2),
        axis: str = "both",
        mix: str = "learned",
        alpha: float = 0.5,
        alpha_per: str = "layer",
        prefix: str = "context",
        exclude: int | None = None,
        loss: str = "hard",
        tail: float = 0.05,
        recentre: str = "none",
        image_size: Sequence[int] | None = None,
        channels: str = "physical",
        log: bool = True,
        pooling: str = "lines",
        max_steps: int = 150,
        batch_size: int = 8,
        learning_rate: float = 2e-3,
        mining_steps: int | None = None,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        if pooling not in _POOLINGS:
            raise InputError(f"pooling must be one of {', '.join(_POOLINGS)}, but got {pooling!r}")
        if batch_size < 1:
            raise InputError(f"batch_size must be 1 or more, but got {batch_size}")
        check_device(device)
        super().__init__(
            encoder_name=encoder_name,
            weights=weights,
            directional_layers=list(directional_layers),
            axis=axis,
            mix=mix,
            alpha=alpha,
            alpha_per=alpha_per,
            prefix=prefix,
            exclude=exclude,
            loss=loss,
            tail=tail,
            recentre=recentre,
            image_size=list(image_size or (224, 224)),
            channels=channels,
            log=log,
            pooling=pooling,
            max_steps=max_steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            mining_steps=mining_steps,
            seed=seed,
            device=device,
        )
        self.name = "dinomaly_directional" if directional_layers else "dinomaly"  # type: ignore[misc]
        self._images = ImageMaker(tuple(self.options["image_size"]), channels=channels, log=log)
        self._module: DirectionalDinomaly | None = None

    def _make_module(self) -> DirectionalDinomaly:
        o = self.options
        own = (
            "encoder_name",
            "weights",
            "directional_layers",
            "axis",
            "mix",
            "alpha",
            "alpha_per",
            "prefix",
            "exclude",
            "loss",
            "tail",
            "recentre",
            "max_steps",
            "learning_rate",
            "seed",
        )
        mining = o["mining_steps"] or max(1, o["max_steps"] // 5)
        return self.module_class(
            **{k: o[k] for k in own},
            **self._more_options(),
            mining_steps=mining,
            pre_processor=False,
            evaluator=False,
            visualizer=False,
        )

    def _more_options(self) -> dict[str, Any]:
        """What a subclass's module takes besides."""
        return {}

    @property
    def _device(self) -> torch.device:
        return pick_device(self.options["device"])

    def _fit(self, values: np.ndarray) -> None:
        module = self._make_module()  # first: missing weights must not cost a scaling
        self._images.fit(values)
        images = self._images(values)
        module.model.encoder.grid(images)
        module.model.cache = shared_cache() or EncoderCache()
        loss = self._train(module, images)
        module.model.cache = None
        self._module = module.eval()
        source = asdict(module.model.encoder.source)
        self.info = {
            "encoder": {"name": self.options["encoder_name"], **source},
            "alpha": module.model.alphas(),
            "steps": self.options["max_steps"],
            "final_loss": loss,
        }

    def _train(self, module: DirectionalDinomaly, images: torch.Tensor) -> float:
        """Through anomalib's Engine, quietly, leaving no file behind. Returns the last loss."""
        from anomalib.engine import Engine

        o = self.options
        loader = self._loader(images)
        epochs = math.ceil(o["max_steps"] / len(loader))
        with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(), warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")
            torch.manual_seed(o["seed"])
            engine = Engine(
                default_root_dir=folder,
                max_epochs=epochs,
                accelerator=self._device.type if o["device"] != "auto" else "auto",
                devices=1,
                logger=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[_no_checkpoint(), _Watch(self)],
            )
            engine.fit(model=module, train_dataloaders=loader)
            return float(engine.trainer.callback_metrics["train_loss"])

    def _loader(self, images: torch.Tensor) -> DataLoader[Any]:
        """Batches of a training epoch."""
        from anomalib.data import ImageBatch

        return DataLoader(
            _Images(images),
            batch_size=min(self.options["batch_size"], len(images)),
            shuffle=True,
            drop_last=True,
            generator=torch.Generator().manual_seed(self.options["seed"]),
            collate_fn=lambda batch: ImageBatch(image=torch.stack(batch)),
        )

    def _predict(self, values: np.ndarray) -> Prediction:
        module = self._module
        if module is None:
            raise InputError(f"{self.name} holds no weights: fit it first")
        module.to(self._device)
        size = self.options["batch_size"]
        own, heat = score_images(module.model, self._images, values, size, self._device, self.watch)
        return pool_lines(heat, self.options["pooling"], own)

    def _state(self) -> dict[str, np.ndarray]:
        if self._module is None:
            raise InputError(f"{self.name} has not been fitted: there is nothing to save")
        weights = {
            k: v.detach().cpu().numpy()
            for k, v in self._module.model.state_dict().items()
            if not k.startswith("encoder.")
        }
        return weights | self._images.state()

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self._images.restore(state)
        module = self._make_module().eval()
        module.model.encoder.source.check(self.info.get("encoder", {}).get("sha256"))
        own = module.model.state_dict()
        for key in own:
            if not key.startswith("encoder."):
                own[key] = torch.from_numpy(np.array(state[key]))
        module.model.load_state_dict(own)
        self._module = module


def _no_checkpoint() -> Any:
    """A checkpoint callback that writes nothing: the Engine adds one that writes unless there is one."""

    class NoCheckpoint(ModelCheckpoint):
        def _save_checkpoint(self, trainer: Any, filepath: str) -> None:
            del trainer, filepath

    return NoCheckpoint(save_top_k=0)


class _Images(Dataset[torch.Tensor]):
    """Images ``[n, 3, h, w]`` one by one."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]


class _Watch(Callback):
    """Tells the detector's watcher how far the training is."""

    def __init__(self, detector: DinomalyDetector) -> None:
        self.detector = detector

    def on_train_batch_end(self, trainer: Any, *args: Any, **kwargs: Any) -> None:
        """After each step."""
        del args, kwargs
        if self.detector.watch is not None:
            self.detector.watch(trainer.global_step / self.detector.options["max_steps"])


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's and anomalib's information lines off."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)

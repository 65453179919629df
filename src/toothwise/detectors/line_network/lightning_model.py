"""The anomalib module of the line network, for its Engine and for ``anomalib train``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from anomalib.data import Batch
from anomalib.metrics import Evaluator
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from anomalib.visualization import Visualizer
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import Identity

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.detectors.line_likelihood import healthy_precision
from toothwise.detectors.line_network.drawn import DrawnMaps, MapDrawer
from toothwise.detectors.line_network.held_out import HeldOut
from toothwise.detectors.line_network.torch_model import LineNetworkModel, LineOutput
from toothwise.detectors.training import StepTrained, fit_quietly, loader_of
from toothwise.errors import InputError
from toothwise.progress import Progress

_KEPT_OUT = 4  # every 4th healthy map is not trained on: it decides what is kept
_MOST_MAPS = 4096  # of a training set: more teach nothing that cyclic shifts of these do not
_CHECKS = 6  # times in a training that the held-out maps are asked
_CELLS, _CONTRAST = 0.5, 0.1  # weights of the losses beside that of the lines


class LineNetwork(StepTrained):
    """Log odds of a damaged tooth, learned from lines drawn on healthy maps.

    Maps are taken at their own grid: nothing is resized. A batch says how many maps a step takes; which they are, and
    what is drawn on them, follows from the seed and the step, because a quarter of the healthy maps is kept to decide
    whether what was learned helps. What does not is undone, and the detector then says what ``scan_learned`` says.

    Args:
        map_shape: Rows and columns of the maps.
        max_steps: Training steps. A trainer with fewer ends earlier.
        learning_rate: At its highest; it rises over the first tenth of the steps and falls to 0 along a cosine.
        alpha_rate: How many times faster the mix of the two directions is learned.
        patience: Training stops when so many of its six checks in a row found nothing better; 0 = it never stops.
        keep: "helpful" = what does not find lines better on held-out maps is undone; "all" = nothing is, as studies
            that compare networks need it.
        gradient_clip: Norm that gradients are cut to where the trainer sets none.
        seed: Of weights and of everything drawn.
        pre_processor, post_processor, evaluator, visualizer: As in anomalib. The default post-processor leaves scores
            raw: neither normalised nor clamped.
        options: Of LineNetworkOptions.
    """

    remedy = "lower learning_rate, or check the maps for extreme values"

    def __init__(
        self,
        map_shape: Sequence[int],
        max_steps: int = 200,
        learning_rate: float = 4e-3,
        alpha_rate: float = 10.0,
        patience: int = 3,
        keep: str = "helpful",
        gradient_clip: float = 1.0,
        seed: int = 0,
        pre_processor: PreProcessor | bool = True,
        post_processor: PostProcessor | bool = True,
        evaluator: Evaluator | bool = True,
        visualizer: Visualizer | bool = True,
        **options: Any,
    ) -> None:
        check_whole(1, max_steps=max_steps)
        check_whole(0, patience=patience)
        check_range("(0, inf)", learning_rate=learning_rate)
        check_choice(("helpful", "all"), keep=keep)
        super().__init__(pre_processor, post_processor, evaluator, visualizer)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = LineNetworkModel(map_shape, **options)
        self.max_steps, self.learning_rate, self.alpha_rate = max_steps, learning_rate, alpha_rate
        self.patience, self.keep, self.gradient_clip, self.seed = patience, keep, gradient_clip, seed
        self.report: dict[str, Any] = {}  # what the held-out maps said
        self._maps: np.ndarray | None = None
        self._precision: np.ndarray | None = None
        self._planned = max_steps

    @classmethod
    def configure_pre_processor(cls, image_size: tuple[int, int] | None = None) -> PreProcessor:
        """None that changes anything: a map's cells are its teeth."""
        return PreProcessor(transform=Identity())

    def learn(self, values: np.ndarray) -> None:
        """Take over healthy maps (logarithms, if that is asked for), float32 ``[n, rows, columns]``, 8 or more.

        Raises:
            InputError: Too few maps, or maps of another shape or without texture.
        """
        shape = tuple(self.model.get_buffer("precision").shape)
        if values.shape[1:3] != shape:
            raise InputError(f"map_shape is {shape}, but the maps are {values.shape[1]} x {values.shape[2]}")
        out = np.arange(len(values)) % _KEPT_OUT == _KEPT_OUT - 1
        self._maps, maps = values[~out], self.maps_of(values)
        filled = _filled(maps)
        self._precision = healthy_precision(filled)  # of all maps, for when all is learned
        part = healthy_precision(filled[~out], least=1)
        self.model.learn_texture(part, torch.from_numpy(maps[~out]).to(self.device))
        self._drawer = self.make_drawer(part)
        self._held_out = HeldOut(self.model, values[out], self._drawer, np.random.default_rng([self.seed, 1]))

    def maps_of(self, values: np.ndarray) -> np.ndarray:
        """The log maps ``[n, rows, columns]`` whose texture is learned, of what is trained on."""
        return values

    def make_drawer(self, precision: np.ndarray) -> MapDrawer:
        """What draws the lines that are trained on."""
        return MapDrawer(self.model.options, precision)

    def on_fit_start(self) -> None:
        """Learn the texture of the training set, unless that was done already."""
        if self._maps is not None:
            return
        maps: list[np.ndarray] = []
        for batch in self.trainer.datamodule.train_dataloader():
            maps += [self.model.values_of(one[None])[0].numpy() for one in batch.image]
            if len(maps) >= _MOST_MAPS:
                break
        self.learn(np.stack(maps).astype(np.float32))

    def training_step(self, batch: Batch, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw lines on healthy maps and find them; the loss must stay finite."""
        assert self._maps is not None
        rng = np.random.default_rng([self.seed, 2, self.global_step])  # a resumed run draws the same
        count = len(batch.image)
        some = self._maps[rng.integers(0, len(self._maps), count)]
        drawn = self._drawer(some, rng, faulty=np.arange(count) % 2 == 0)
        return self.sum_of(self.losses(self.model.judge(torch.from_numpy(drawn.values).to(self.device)), drawn))

    @staticmethod
    def losses(found: LineOutput, drawn: DrawnMaps) -> dict[str, Tensor]:
        """What is wrong with what was found, by what it is about."""
        teeth = torch.cat([torch.from_numpy(drawn.teeth[a]).to(found.score) for a in found.lines], dim=1)
        odds = torch.cat(list(found.lines.values()), dim=1)
        # one of all lines is damaged, or none: the log odds of "none" are 0
        choice = torch.cat([torch.zeros_like(odds[:, :1]), odds], dim=1).log_softmax(dim=1)
        target = torch.cat([1.0 - teeth.sum(dim=1, keepdim=True), teeth], dim=1)
        cells = torch.from_numpy(drawn.cells).to(found.score)
        contrast, spread = (torch.cat(list(x.values()), 1) for x in (found.contrast, found.spread))
        truth = torch.from_numpy(drawn.contrast).to(found.score)[:, None]
        surprise = 0.5 * ((truth - contrast) / spread).clamp(-10.0, 10.0) ** 2 + spread.log()
        return {
            "lines": -(target * choice).sum(dim=1).mean(),
            "cells": _CELLS * functional.binary_cross_entropy_with_logits(found.cells, cells),
            "contrast": _CONTRAST * (teeth * surprise).sum() / teeth.sum().clamp(min=1.0),
        }

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Ask the held-out maps from time to time; end at the last step, or where nothing better was found for long."""
        super().on_train_batch_end(*args, **kwargs)
        every = max(1, math.ceil(self._planned / _CHECKS))
        if self.patience and self.global_step % every == 0 and self._held_out.check() >= self.patience:
            self.trainer.should_stop = True

    def on_train_end(self) -> None:
        """Keep what helps, and take over the texture of all healthy maps."""
        assert self._precision is not None
        self.report = self._held_out.settle(best=self.patience > 0, keep_all=self.keep == "all")
        self.model.get_buffer("precision").copy_(torch.from_numpy(self._precision))
        self.model._prepare()

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW; the mix of directions has a learning rate of its own."""
        rate = self.alpha_rate * self.learning_rate
        groups = self.groups_of(self.model.named_parameters(), rate, weight_decay=0.01)
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate)
        self._planned = total = self.planned_steps()

        def factor(step: int) -> float:
            return min((step + 1) / max(1, total // 10), 0.5 + 0.5 * math.cos(math.pi * step / total))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def train(module: LineNetwork, values: np.ndarray, options: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Train a network on healthy maps and say how that went.

    Args:
        module: With nothing learned.
        values: As of ``LineNetwork.learn``.
        options: ``batch_size``, ``seed`` and ``device`` of them.
        progress: Called with what is being done.

    Returns:
        Number of weights, final loss, and what the held-out maps said.
    """
    module.learn(values)
    nothing = torch.zeros(max(len(values), options["batch_size"]), 3, 1, 1)  # the module draws its maps itself
    loader = loader_of(nothing, batch_size=options["batch_size"])
    loss = fit_quietly(module, loader, seed=options["seed"], device=options["device"], progress=progress)
    module.eval()
    weights = sum(p.numel() for p in module.model.parameters())
    return {"weights": weights, "final_loss": loss, "held_out": module.report}


def _filled(values: np.ndarray) -> np.ndarray:
    """Maps less their mean; cells that are missing get what their row and column say."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=(1, 2), keepdims=True), 1)
    x = np.where(known, values, 0.0)
    x = np.where(known, x - x.sum(axis=(1, 2), keepdims=True) / count, 0.0)
    row, column = (x.sum(axis=d, keepdims=True) / np.maximum(known.sum(axis=d, keepdims=True), 1) for d in (2, 1))
    return np.where(known, x, row + column).astype(np.float32)

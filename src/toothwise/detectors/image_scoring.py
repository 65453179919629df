"""Detectors that look at maps as images, batch by batch, and their anomaly maps brought back to the tooth pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from toothwise.checks import check_choice
from toothwise.detectors.base import Prediction
from toothwise.detectors.module_detector import ModuleDetector
from toothwise.detectors.pooling import pool_lines
from toothwise.errors import InputError
from toothwise.progress import Progress, silent


def check_device(device: str) -> None:
    """Refuse an unknown device; whether it is available is checked when it is needed.

    Raises:
        InputError: it is not one of "auto", "cpu", "cuda".
    """
    check_choice(("auto", "cpu", "cuda"), device=device)


def pick_device(device: str) -> torch.device:
    """The device that "auto" (CUDA where there is one), "cpu" or "cuda" stands for.

    Raises:
        InputError: another name, or "cuda" where there is none.
    """
    check_device(device)
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device is 'cuda', but no CUDA device is available: use 'auto' or 'cpu'")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def on_map(heat: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An image-sized anomaly map ``[b, 1, h, w]`` at the tooth pairs, float32 ``[b, rows, columns]``."""
    full = functional.interpolate(heat, size=shape, mode="bilinear", antialias=True, align_corners=False)
    return full[:, 0].float()


class ImageDetector(ModuleDetector):
    """A detector whose network looks at images, with the options ``batch_size``, ``device`` and maybe ``pooling``."""

    def _batches(
        self, values: np.ndarray, progress: Progress = silent, doing: str = "scoring", share: float = 1.0
    ) -> Iterator[Tensor]:
        """Images of maps ``[n, rows, columns]``, batch by batch; they are ``share`` of what is being done."""
        size = self.options["batch_size"]
        for start in range(0, len(values), size):
            yield self._images(values[start : start + size])
            progress(doing, share * min(start + size, len(values)) / len(values))

    @torch.inference_mode()
    def _looked(
        self,
        look: Callable[[Any, Tensor], Sequence[Tensor]],
        values: np.ndarray,
        progress: Progress = silent,
        device: str | None = None,
    ) -> list[Tensor]:
        """What ``look`` sees with the network in each batch of images, as tensors ``[n, ...]`` of all maps."""
        where = pick_device(device or self.options["device"])
        network = self._network().to(where)
        parts = [[x.cpu() for x in look(network, images.to(where))] for images in self._batches(values, progress)]
        return [torch.cat(part) for part in zip(*parts, strict=True)]

    def _judge(self, network: Any, images: Tensor) -> tuple[Tensor, ...]:
        """Anomaly map ``[b, 1, h, w]``, score ``[b]``, and what else a network says of images ``[b]``."""
        found = network(images)
        return found.anomaly_map, found.pred_score

    def _judged(self, values: np.ndarray, progress: Progress) -> list[np.ndarray]:
        """As ``_judge``: anomaly maps float32 ``[n, rows, columns]``, NaN where maps are NaN; the rest float64."""

        def look(network: Any, images: Tensor) -> list[Tensor]:
            heat, *numbers = self._judge(network, images)
            return [on_map(heat, values.shape[1:]), *(x.double().reshape(-1) for x in numbers)]

        anomaly_map, *numbers = (x.numpy() for x in self._looked(look, values, progress))
        anomaly_map[np.isnan(values)] = np.nan
        return [anomaly_map, *numbers]

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        anomaly_map, own = self._judged(values, progress)
        return pool_lines(anomaly_map, self.options.get("pooling", "own"), own)

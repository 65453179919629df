"""Running an image model over maps, batch by batch, and bringing its anomaly map back to the tooth pairs."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from toothwise.checks import check_choice
from toothwise.detectors.images import ImageMaker
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


def on_map(heat: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """An image-sized anomaly map ``[b, 1, h, w]`` at the tooth pairs, float32 ``[b, rows, columns]``."""
    full = functional.interpolate(heat, size=shape, mode="bilinear", antialias=True, align_corners=False)
    return full[:, 0].float().cpu().numpy()


@torch.inference_mode()
def score_images(
    model: nn.Module,
    images: ImageMaker,
    values: np.ndarray,
    batch_size: int,
    device: torch.device,
    progress: Progress = silent,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and anomaly maps of a model in evaluation mode.

    Args:
        model: images ``[b, 3, H, W]`` -> an object with ``pred_score`` ``[b]`` and ``anomaly_map`` ``[b, 1, H, W]``.
        images: fitted.
        values: maps ``[n, rows, columns]``.
        batch_size: images at a time.
        device: where the model is.
        progress: Called after each batch.

    Returns:
        float64 ``[n]``, and float32 ``[n, rows, columns]`` with NaN where the map is NaN.
    """
    score, maps = [], []
    for start in range(0, len(values), batch_size):
        found = model(images(values[start : start + batch_size]).to(device))
        heat = found.anomaly_map
        if heat.ndim == 3:
            heat = heat[:, None]
        progress("scoring", start / len(values))
        score.append(found.pred_score.double().cpu().numpy().reshape(-1))
        maps.append(on_map(heat, values.shape[1:]))
    anomaly_map = np.concatenate(maps)
    anomaly_map[np.isnan(values)] = np.nan
    return np.concatenate(score), anomaly_map

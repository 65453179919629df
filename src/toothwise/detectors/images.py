"""From maps to images for the encoder: physical channels, a fixed scale, no clipping, no crop."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional

from toothwise.checks import check_choice, check_whole
from toothwise.errors import InputError
from toothwise.healthmap.logarithm import log_positive


def check_size(size: tuple[int, ...], multiple: int = 1) -> None:
    """Refuse a size that is not (height, width) in multiples of so many pixels.

    Raises:
        InputError: It is another one.
    """
    if len(size) != 2:
        raise InputError(f"image_size must be (height, width) in pixels, but got {size!r}")
    check_whole(1, image_size=size)
    if any(side % multiple for side in size):
        raise InputError(f"image_size must be (height, width) in multiples of {multiple} pixels, but got {size!r}")


class ImageMaker:
    """Maps ``[n, rows, columns]`` -> images ``[n, 3, h, w]`` in units of the healthy spread.

    The encoder expects images of mean 0 and spread 1, which is what a map minus its healthy median over its robust
    healthy spread is. The scale is that of the fitted maps for ever after; nothing is clipped, nothing is scaled image
    by image.

    Args:
        size: (height, width).
        channels: "grey" or "physical": the map, the map without its column medians (shows rows), the map without its
            row medians (shows columns).
        log: logarithm first.
    """

    proportional: ClassVar[bool] = False

    def __init__(self, size: tuple[int, int], *, channels: str = "physical", log: bool = True) -> None:
        check_choice(("grey", "physical"), channels=channels)
        check_size(size)
        self.size, self.channels, self.log = size, channels, log
        self.centre = np.zeros(3)
        self.scale = np.ones(3)

    def _channels(self, values: np.ndarray) -> np.ndarray:
        x = values.astype(np.float64)
        if self.log:
            x = log_positive(x, "log=true")
        if self.channels == "grey":
            return np.stack([x, x, x], axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a line without any pair stays NaN
            median = np.nanmedian if np.isnan(x).any() else np.median
            return np.stack([x, x - median(x, axis=1, keepdims=True), x - median(x, axis=2, keepdims=True)], axis=1)

    def fit(self, values: np.ndarray) -> None:
        """Learn the healthy median and spread of each channel."""
        x = np.moveaxis(self._channels(values), 1, 0).reshape(3, -1)
        self.centre = np.nanmedian(x, axis=1)
        spread = 1.4826 * np.nanmedian(np.abs(x - self.centre[:, None]), axis=1)
        if not spread[0] > 0:
            raise InputError("healthy maps are constant: there is nothing to learn")
        self.scale = np.where(spread > 0, spread, spread[0])

    def __call__(self, values: np.ndarray) -> torch.Tensor:
        """Images, float32; pixels without a pair are at the healthy median."""
        z = (self._channels(values) - self.centre[:, None, None]) / self.scale[:, None, None]
        tensor = torch.from_numpy(np.nan_to_num(z, nan=0.0).astype(np.float32))
        return functional.interpolate(tensor, size=self.size, mode="bilinear", antialias=True, align_corners=False)

    def state(self) -> dict[str, np.ndarray]:
        """What was learned."""
        return {"image_centre": self.centre, "image_scale": self.scale}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``."""
        self.centre, self.scale = state["image_centre"], state["image_scale"]

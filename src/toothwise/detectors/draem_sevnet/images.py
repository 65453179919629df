"""From maps to images for DRAEM-SevNet: one fixed scale, level and all, nothing clipped."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional

from toothwise.detectors.images import check_size
from toothwise.errors import InputError

STRIDE = 32  # the discriminator halves its input five times and joins both sides of each halving
_QUANTILE = 0.999


class MapImages:
    """Maps ``[n, rows, columns]`` -> images ``[n, 3, h, w]`` of three equal channels, about 0 to 1.

    A map is divided by one number, the 99.9 % quantile of all healthy pixels: a stand-in for the fixed maximum of a
    domain that one bright pixel cannot move. Images stay proportional to maps, because the synthetic faults are
    multiples of what an image shows; values above 1 stay above 1.

    Args:
        size: (height, width), multiples of 32; a map is resized without a crop.
    """

    proportional: ClassVar[bool] = True

    def __init__(self, size: tuple[int, int]) -> None:
        check_size(size, STRIDE)
        self.size = size
        self.scale, self.fill = 1.0, 0.0

    def fit(self, values: np.ndarray) -> None:
        """Learn scale and healthy median from maps.

        Raises:
            InputError: the maps are constant, or their median is not positive.
        """
        known = values[np.isfinite(values)].astype(np.float64)
        if known.min() == known.max():
            raise InputError("healthy maps are constant: there is nothing to learn")
        self.fill = float(np.median(known))
        if self.fill <= 0:
            raise InputError(
                f"DRAEM-SevNet needs maps with a positive level, because its faults are multiples of what a map shows, "
                f"but the median is {self.fill:.4g}"
            )
        self.scale = float(np.quantile(known, _QUANTILE))

    def __call__(self, values: np.ndarray) -> torch.Tensor:
        """Images, float32; pixels without a pair are at the healthy median. The channels share their memory."""
        filled = np.where(np.isnan(values), self.fill, values) / self.scale
        tensor = torch.from_numpy(filled.astype(np.float32))[:, None]
        small = functional.interpolate(tensor, size=self.size, mode="bilinear", antialias=True, align_corners=False)
        return small.expand(-1, 3, -1, -1)

    def state(self) -> dict[str, np.ndarray]:
        """What was learned."""
        return {"image_scale": np.array([self.scale, self.fill])}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``."""
        self.scale, self.fill = (float(x) for x in state["image_scale"])

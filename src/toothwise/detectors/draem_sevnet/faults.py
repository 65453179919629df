"""Synthetic faults of known severity, drawn on healthy images while DRAEM-SevNet trains."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from toothwise.detectors.draem_sevnet.options import DraemOptions
from toothwise.errors import InputError
from toothwise.simulate.lines import LineShape, draw_lines, line_masks

_GEAR = {"rows": "driving", "columns": "driven", "both": "both"}
_WIDTH = (20.0, 60.0)  # pixels of a patch in an image of 224 x 224
_RATIO = (0.3, 0.7)  # height over width: landscape
_FULL = 224.0


@dataclass(frozen=True)
class SyntheticFaults:
    """Adds a fault to some images of a batch.

    **Severity** s is drawn from U(0, severity_max), 0 for an image that stays healthy. A "patch" fault adds s times a
    patch of the same image, taken elsewhere, as the research code did: where the image is even, the place rises to
    about 1 + s of its level. A "lines" fault multiplies thin rows or columns with gaps by 1 + s, so there 1 + s is the
    contrast of the line.

    Attributes:
        options: which faults, how severe and how often. A patch is a landscape: its height is .3 to .7 of its width of
            20 to 60 of 224 pixels. To "clip" takes away most of a bright fault.
        map_shape: (rows, columns) of the maps behind the images, on which lines are drawn: a tooth is then as thick
            in the image as in a map that was resized. None = a tooth is a pixel.
        line: teeth, length and gaps of the lines.

    Raises:
        InputError: ``map_shape`` is no shape of a map.
    """

    options: DraemOptions
    map_shape: tuple[int, ...] | None = None
    line: LineShape = field(default_factory=LineShape)

    def __post_init__(self) -> None:
        shape = self.map_shape
        if shape is not None and not (len(shape) == 2 and all(isinstance(s, int) and s >= 3 for s in shape)):
            raise InputError(f"map_shape must be (rows, columns) with 3 teeth or more each, but got {shape!r}")

    def __call__(self, images: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Faults on healthy images ``[b, c, h, w]``, which are left as they are.

        Returns:
            images with faults ``[b, c, h, w]``; their pixels ``[b, 1, h, w]``, 1 in a fault and 0 elsewhere; severity
            ``[b]``.
        """
        b, size = len(images), (int(images.shape[2]), int(images.shape[3]))
        struck = rng.random(b) < self.options.fault_probability
        severity = np.where(struck, self.options.severity_max * rng.random(b), 0.0)
        share, source = (self._patches if self.options.faults == "patch" else self._lines)(images, size, rng)
        chosen = torch.from_numpy(struck).to(images.device)[:, None, None, None]
        strength = torch.from_numpy(severity).to(images)
        faulty = images + torch.where(chosen, strength[:, None, None, None] * share * source, 0.0)
        mask = ((share >= 0.5 * share.amax(dim=(2, 3), keepdim=True)) & chosen).to(images.dtype)
        return torch.where(chosen, self._into_range(faulty, images), images), mask, strength

    def _patches(self, images: Tensor, size: tuple[int, int], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Where the patches are, ``[b, 1, h, w]``, and the images shifted so that the sources are there."""
        height, width = size
        u = rng.random((len(images), 6))
        wide = _WIDTH[0] + (_WIDTH[1] - _WIDTH[0]) * u[:, 0]
        tall = wide * (_RATIO[0] + (_RATIO[1] - _RATIO[0]) * u[:, 1])
        w = np.clip(np.rint(wide * width / _FULL), 1, width).astype(np.int64)
        h = np.clip(np.rint(tall * height / _FULL), 1, height).astype(np.int64)
        top, from_top = (np.floor(u[:, k] * (height - h + 1)).astype(np.int64) for k in (2, 3))
        left, from_left = (np.floor(u[:, k] * (width - w + 1)).astype(np.int64) for k in (4, 5))
        share = torch.zeros(len(images), 1, height, width, dtype=images.dtype, device=images.device)
        source = torch.zeros_like(images)
        for i in range(len(images)):
            there = (slice(None), slice(top[i], top[i] + h[i]), slice(left[i], left[i] + w[i]))
            share[i][there] = 1.0
            rows, columns = (slice(from_top[i], from_top[i] + h[i]), slice(from_left[i], from_left[i] + w[i]))
            source[i][there] = images[i, :, rows, columns]
        return share, source

    def _lines(self, images: Tensor, size: tuple[int, int], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """How much of each pixel the lines cover, ``[b, 1, h, w]``, and the images themselves."""
        shape = size if self.map_shape is None else (self.map_shape[0], self.map_shape[1])
        mask, _ = line_masks(draw_lines(len(images), shape, _GEAR[self.options.lines], self.line, rng), shape)
        share = torch.from_numpy(mask[:, None]).to(images)
        if shape != size:  # as the maps were resized
            share = functional.interpolate(share, size=size, mode="bilinear", antialias=True, align_corners=False)
        return share, images

    def _into_range(self, faulty: Tensor, images: Tensor) -> Tensor:
        if self.options.range_handling == "keep":
            return faulty
        low, high = images.amin(dim=(1, 2, 3), keepdim=True), images.amax(dim=(1, 2, 3), keepdim=True)
        if self.options.range_handling == "clip":
            return torch.minimum(torch.maximum(faulty, low), high)
        least, most = faulty.amin(dim=(1, 2, 3), keepdim=True), faulty.amax(dim=(1, 2, 3), keepdim=True)
        spread = (most - least).clamp_min(torch.finfo(faulty.dtype).tiny)
        return low + (faulty - least) / spread * (high - low)

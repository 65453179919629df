"""The rival of the line network: the same evidence, heads, drawn lines and choice, with a small U-Net as the body."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from toothwise.detectors.line_network.detector import LineNetworkDetector
from toothwise.detectors.line_network.lightning_model import LineNetwork


class LineUNet(LineNetworkDetector):
    """``line_network`` whose blocks are a U-Net of three levels; its options (``attention`` and ``heads`` idle)."""

    name: ClassVar[str] = "line_unet"

    def _make_module(self, shape: tuple[int, int] | None) -> LineNetwork:
        module = super()._make_module(shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.options["seed"])
            module.model.blocks = nn.ModuleList([_UNet(self.options["dim"])])
        return module


class _UNet(nn.Module):
    """Features ``[n, rows, columns, dim]``; both axes close into a circle at every level."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(_layers(a * dim, b * dim) for a, b in ((1, 1), (1, 2), (2, 2)))
        self.up = nn.ModuleList(_layers(a * dim, b * dim) for a, b in ((4, 2), (3, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape."""
        now, kept = x.permute(0, 3, 1, 2), []
        for level, layers in enumerate(self.down):
            now = layers(functional.avg_pool2d(now, 2, ceil_mode=True) if level else now)
            kept.append(now)
        for layers, beside in zip(self.up, kept[-2::-1], strict=True):
            now = layers(torch.cat([functional.interpolate(now, size=beside.shape[2:]), beside], dim=1))
        return x + now.permute(0, 2, 3, 1)


def _layers(given: int, out: int) -> nn.Sequential:
    first, second = (nn.Conv2d(n, out, 3, padding=1, padding_mode="circular") for n in (given, out))
    return nn.Sequential(first, nn.GroupNorm(1, out), nn.GELU(), second, nn.GELU())

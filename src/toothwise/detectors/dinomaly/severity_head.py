"""The severity head, and the options that it shares between the detector and the anomalib module."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.detectors.graded_lines import MAX_SEVERITY, GradedLines

_SHARP = 4.0  # of the smooth maximum over lines
_START = -2.0  # softplus of it is 0.13: the first outputs lie near the mean of a batch, most of which is healthy


@dataclass(frozen=True)
class SeverityOptions(GradedLines):
    """Head, loss and augmentation, and the lines that are drawn for it.

    Attributes:
        head_pooling: How the head pools the features: "mean", "max", "attention" or "lines" (the best row or column).
        hidden (features): Width of each hidden layer of the head.
        head_dropout (share): Dropout of the head.
        detach_head: The head's gradients do not reach the bottleneck, so severity cannot change what it lets through.
        severity_weight (weight): Weight of the severity loss beside the reconstruction loss.
        severity_loss: "mse" or "smooth_l1", of severities divided by 10.
        augment_share (share): Share of each batch that has synthetic lines.
        reconstruct_augmented: Train the reconstruction on maps with lines as well.

    Raises:
        InputError: a value that is not allowed.
    """

    head_pooling: str = "lines"
    hidden: tuple[int, ...] = (256, 64)
    head_dropout: float = 0.3
    detach_head: bool = False
    severity_weight: float = 0.1
    severity_loss: str = "mse"
    augment_share: float = 0.3
    reconstruct_augmented: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(("mean", "max", "attention", "lines"), head_pooling=self.head_pooling)
        check_choice(("mse", "smooth_l1"), severity_loss=self.severity_loss)
        object.__setattr__(self, "hidden", tuple(self.hidden))
        check_whole(1, hidden=self.hidden)
        check_range("[0, 1)", head_dropout=self.head_dropout)
        check_range("[0, inf)", severity_weight=self.severity_weight)
        check_range("(0, 1)", augment_share=self.augment_share)

    def split(self, size: int, healthy: int) -> tuple[int, int]:
        """Healthy maps and maps with lines in a batch of ``size`` (less where few are healthy), 1 of each at least."""
        plain = max(1, round(size * (1.0 - self.augment_share)))
        if healthy < plain:
            return healthy, max(1, round(healthy * self.augment_share / (1.0 - self.augment_share)))
        return plain, max(1, size - plain)


class SeverityHead(nn.Module):
    """Tokens of the bottleneck -> severity of the map, 0 or more.

    Tokens are normalised one by one, pooled over the grid and mapped by a small network. The output goes through
    softplus and not ReLU: most training maps are healthy, and a ReLU that has learned to answer 0 for all of them has
    no gradient to come back from.

    Args:
        dim (features): Token dimension.
        options: Of these ``head_pooling``: "mean", "max" (per feature) or "attention" (mean weighted by a learned
            softmax over tokens): one vector for the map, in which a line, which covers few tokens, hardly shows.
            "lines": the mean of each row and of each column of tokens, less that of the map, goes through the network,
            and the outputs are put together by a smooth maximum: the damage is one of these lines. ``hidden``: empty =
            a linear map of the pooled tokens. ``head_dropout``: before each hidden layer's successor.
    """

    def __init__(self, dim: int, options: SeverityOptions) -> None:
        super().__init__()
        self.head_pooling = options.head_pooling
        self.norm = nn.LayerNorm(dim)
        self.weight_of_token = nn.Linear(dim, 1) if options.head_pooling == "attention" else None
        layers: list[nn.Module] = []
        for width in options.hidden:
            layers += [nn.Linear(dim, width), nn.GELU(), nn.Dropout(options.head_dropout)]
            dim = width
        last = nn.Linear(dim, 1)
        nn.init.constant_(last.bias, _START)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens of the grid ``[b, h*w, dim]`` and (h, w) -> severity ``[b]``; 10 = the strongest synthetic line."""
        x = self.norm(tokens)
        if self.head_pooling == "lines":
            cells = x.reshape(x.shape[0], *grid, -1)
            lines = torch.cat([cells.mean(dim=2), cells.mean(dim=1)], dim=1) - x.mean(dim=1, keepdim=True)
            found = self.layers(lines)[..., 0]
            out = (torch.logsumexp(_SHARP * found, dim=1) - math.log(found.shape[1])) / _SHARP
            return MAX_SEVERITY * functional.softplus(out)
        if self.weight_of_token is not None:
            x = (self.weight_of_token(x).softmax(dim=1) * x).sum(dim=1)
        else:
            x = x.mean(dim=1) if self.head_pooling == "mean" else x.amax(dim=1)
        return MAX_SEVERITY * functional.softplus(self.layers(x)[:, 0])


def severity_loss(raw: Tensor, target: Tensor, kind: str) -> Tensor:
    """Loss of severities ``[b]`` divided by 10; entries whose target is NaN do not count.

    In tenths, because gradients of both tasks share one clip: on a scale of 100 the first steps of the head would
    leave nothing of the reconstruction's.
    """
    known = ~torch.isnan(target)
    if not known.any():
        return raw.sum() * 0.0
    given, wanted = raw[known] / MAX_SEVERITY, target[known] / MAX_SEVERITY
    return functional.mse_loss(given, wanted) if kind == "mse" else functional.smooth_l1_loss(given, wanted, beta=0.1)

"""Losses of a reconstruction of features: anomalib's hard mining, and the mean of the worst tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from toothwise.checks import check_range


class TopTailLoss(nn.Module):
    """Cosine distance of encoder and rebuilt features, mean of the share ``tail`` of tokens that are worst.

    Tokens that are rebuilt well give no gradient at all (hard mining still gives a tenth). The worst are taken image
    by image, so that a hard map does not use up the share of the others.

    Args:
        tail: in (0, 1]; 1 = the plain mean.
    """

    def __init__(self, tail: float = 0.05) -> None:
        super().__init__()
        check_range("(0, 1]", tail=tail)
        self.tail = tail

    def forward(self, encoder_features: list[Tensor], decoder_features: list[Tensor], global_step: int) -> Tensor:
        """Loss of features ``[b, dim, h, w]``, one pair per group."""
        parts = []
        for encoder, decoder in zip(encoder_features, decoder_features, strict=True):
            distance = 1 - functional.cosine_similarity(encoder.detach(), decoder).flatten(1)
            worst = distance.topk(max(1, round(self.tail * distance.shape[1])), dim=1).values
            parts.append(worst.mean())
        return torch.stack(parts).mean()

"""Dinomaly with directional layers: frozen encoder, noisy bottleneck, decoder that rebuilds the encoder's features."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from anomalib.data import InferenceBatch
from anomalib.models.components import GaussianBlur2d
from anomalib.models.image.dinomaly.components import CosineHardMiningLoss, DinomalyMLP, LinearAttention
from anomalib.models.image.dinomaly.torch_model import DecoderViTBlock
from torch import Tensor, nn
from torch.nn import functional

from toothwise.detectors.dinomaly.attention import DirectionalLinearAttention
from toothwise.detectors.dinomaly.line_attention import line_attention, must_be_plain
from toothwise.detectors.dinomaly.loss import TopTailLoss
from toothwise.detectors.dinomaly.options import NetworkOptions
from toothwise.detectors.embedded import EMBEDDED
from toothwise.detectors.encoder import FrozenEncoder, average, encode_groups
from toothwise.detectors.encoder_cache import EncoderCache
from toothwise.errors import InputError

_SCORE_SIZE, _TOP = 256, 0.01  # the score is read off a blurred map of this size, as Dinomaly does


class DirectionalBlock(DecoderViTBlock):
    """A decoder block whose attention is directional; its weights are named as those of the plain block."""

    def __init__(self, dim: int, num_heads: int, attention: DirectionalLinearAttention, **options: object) -> None:
        super().__init__(dim=dim, num_heads=num_heads, **options)
        self.attn = attention

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens ``[b, p + h*w, dim]`` and their grid -> tokens."""
        x = x + self.drop_path(self.attn(self.norm1(x), grid))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class GlobalAttention(LinearAttention):
    """anomalib's attention, the same to 1e-5, computed faster: as attention over a single line."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Tokens ``[b, n, dim]`` -> tokens; what the plain block gives besides is of no use here."""
        if must_be_plain() or torch.compiler.is_compiling():  # over all tokens the compiler does as well
            return super().forward(x)
        b, n, dim = x.shape
        qkv = self.qkv(x).reshape(b, n, 3, self.num_heads, dim // self.num_heads)
        return self.proj_drop(self.proj(line_attention(qkv, (1, n), "x"))), None


class DirectionalDinomalyModel(nn.Module):
    """Dinomaly (Guo et al., CVPR 2025) with directional attention in chosen decoder layers.

    Args:
        encoder_name: Of the frozen encoder.
        seed: Of a random encoder.
        options: Of NetworkOptions.

    Raises:
        InputError: An option that is not allowed, or that this encoder does not fit.
    """

    def __init__(self, encoder_name: str = EMBEDDED, *, seed: int = 0, **options: Any) -> None:
        super().__init__()
        o = NetworkOptions(encoder_name=encoder_name, **options)
        self.encoder = FrozenEncoder(encoder_name, weights=o.weights, seed=seed)
        if o.recentre == "class" and not self.encoder.prefix:
            raise InputError(f"recentre 'class' needs an encoder with a class token, but {encoder_name!r} has none")
        self.recentre, self.prefix, self.alpha_start = o.recentre, o.prefix, o.alpha
        dim, heads = self.encoder.dim, self.encoder.num_heads
        # what is averaged and compared: the first and the second half, of the decoder from its last layer on
        self.fuse_encoder, self.fuse_decoder = _halves(len(self.encoder.target_layers)), _halves(o.depth)
        bottleneck = DinomalyMLP(
            in_features=dim,
            hidden_features=dim * 4,
            out_features=dim,
            act_layer=nn.GELU,
            drop=0.2,
            bias=False,
            apply_input_dropout=True,
        )
        self.bottleneck = nn.ModuleList([bottleneck])
        block = {"mlp_ratio": 4.0, "qkv_bias": True, "norm_layer": partial(nn.LayerNorm, eps=1e-8), "attn_drop": 0.0}
        own = {name: getattr(o, name) for name in ("axis", "mix", "alpha", "alpha_per", "prefix", "exclude")}
        self.decoder = nn.ModuleList(
            [
                DirectionalBlock(dim, heads, DirectionalLinearAttention(dim, heads, qkv_bias=True, **own), **block)
                if i in set(o.directional_layers)
                else DecoderViTBlock(dim=dim, num_heads=heads, attn=GlobalAttention, **block)
                for i in range(o.depth)
            ]
        )
        tail = o.loss == "tail"
        self.loss = TopTailLoss(o.tail) if tail else CosineHardMiningLoss(p_schedule_steps=o.mining_steps)
        self.blur = GaussianBlur2d(sigma=4, channels=1, kernel_size=5)
        self.cache: EncoderCache | None = None
        self.grid = (0, 0)  # of the images that were encoded last

    def alphas(self) -> dict[str, list[float]]:
        """Weight of axis y in each directional layer."""
        return {
            str(i): [float(a) for a in block.attn.alpha().detach().cpu()]
            for i, block in enumerate(self.decoder)
            if isinstance(block, DirectionalBlock)
        }

    def encode(self, images: Tensor) -> list[Tensor]:
        """Input of the bottleneck and the fused features to rebuild, each ``[b, p + h*w, dim]``; cached if asked."""
        self.grid = self.encoder.grid(images)
        start, *targets = encode_groups(self.encoder, images, self.fuse_encoder, cache=self.cache)
        skip = self.encoder.prefix
        if self.recentre == "class":
            targets = [t - t[:, :1] for t in targets]
        elif self.recentre == "mean":
            targets = [t - t[:, skip:].mean(dim=1, keepdim=True) for t in targets]
        return [start, *targets] if self.prefix != "drop" else [t[:, skip:] for t in (start, *targets)]

    def decode(self, x: Tensor, grid: tuple[int, int]) -> list[Tensor]:
        """Bottleneck and decoder: input tokens -> rebuilt features, one per group."""
        x = self.bottleneck[0](x)
        rebuilt = []
        for layer in self.decoder:
            x = layer(x, grid) if isinstance(layer, DirectionalBlock) else layer(x)
            rebuilt.append(x)
        rebuilt.reverse()
        return [average([rebuilt[i] for i in group]) for group in self.fuse_decoder]

    def features(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Encoder and rebuilt features of the grid, each ``[b, h*w, dim]``."""
        start, *targets = self.encode(images)
        rebuilt = self.decode(start, self.grid)
        return [self.of_grid(t) for t in targets], [self.of_grid(t).float() for t in rebuilt]

    def of_grid(self, tokens: Tensor) -> Tensor:
        """Tokens ``[b, p + h*w, dim]`` without those before the grid, ``[b, h*w, dim]``."""
        return tokens[:, -self.grid[0] * self.grid[1] :]

    def token_map(self, images: Tensor) -> Tensor:
        """Mean cosine distance of encoder and rebuilt features per token, ``[b, 1, h, w]``."""
        encoder, decoder = self.features(images)
        distance = [1 - functional.cosine_similarity(e, d, dim=-1) for e, d in zip(encoder, decoder, strict=True)]
        return average(distance).unflatten(1, self.grid)[:, None]

    def forward(self, images: Tensor, global_step: int | None = None) -> Tensor | InferenceBatch:
        """The loss in training; else anomaly map ``[b, 1, H, W]`` and score ``[b]`` (top 1 % of the blurred map)."""
        if self.training:
            if global_step is None:
                raise InputError("global_step must be given in training: the hard-mining share depends on it")
            encoder, decoder = ([_spatial(t, self.grid) for t in found] for found in self.features(images))
            return self.loss(encoder_features=encoder, decoder_features=decoder, global_step=global_step)
        size = (images.shape[-2], images.shape[-1])
        full = functional.interpolate(self.token_map(images), size=size, mode="bilinear", align_corners=True)
        small = functional.interpolate(full, size=_SCORE_SIZE, mode="bilinear", align_corners=False)
        flat = self.blur(small).flatten(1)
        score = flat.topk(int(flat.shape[1] * _TOP), dim=1).values.mean(dim=1)
        return InferenceBatch(pred_score=score, anomaly_map=full)


def _spatial(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """The grid's tokens ``[b, h*w, dim]`` as ``[b, dim, h, w]``."""
    return tokens.transpose(1, 2).unflatten(2, grid).contiguous()


def _halves(count: int) -> list[list[int]]:
    return [list(range(count // 2)), list(range(count // 2, count))]

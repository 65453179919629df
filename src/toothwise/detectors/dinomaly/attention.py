"""Directional linear attention: tokens attend along their column, their row, or both, mixed by alpha.

phi(x) = elu(x) + 1 and out = phi(q) (phi(k)^T v) / (phi(q) sum phi(k)), as in Katharopoulos et al., "Transformers are
RNNs", 2020, but with the sums over one line of the token grid. Axis "y": a token attends to the tokens of its own
column, so a damaged row is rebuilt from healthy rows. Axis "x": to those of its own row. "both":
alpha * out_y + (1 - alpha) * out_x. Axial attention (Ho et al., 2019) is the softmax relative.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.detectors.dinomaly.line_attention import EPS, line_attention, must_be_plain
from toothwise.errors import InputError


class DirectionalLinearAttention(nn.Module):
    """Linear attention along the lines of a token grid.

    Args:
        dim: token dimension; ``num_heads`` must divide it.
        num_heads: attention heads.
        axis: "y", "x" or "both".
        mix: with "both": "learned" (one parameter), "fixed", or "adaptive" (a linear function of the token).
        alpha: weight of axis y at the start; 0 and 1 only with mix="fixed".
        alpha_per: "layer" (one alpha) or "head" (one for each).
        prefix: "context": tokens before the grid (class, registers) join every line's keys and values and attend to
            all tokens themselves; "drop": there must be none.
        exclude: neighbours on each side, itself included, that a token does not attend to on its line (0 = itself
            alone); None = it attends to all. Then a damaged row can rebuild itself neither from its own token nor
            from the next rows, which share its pixels. A line must be longer than what is left out.
        together: multiply all heads at once, which is faster where they are of a few features each. The grid's tokens
            alone, without ``exclude``.
        qkv_bias: bias of the query, key and value projection.

    Raises:
        InputError: an option that is not allowed, or a grid that does not fit the tokens.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        axis: str = "both",
        mix: str = "learned",
        alpha: float = 0.5,
        alpha_per: str = "layer",
        prefix: str = "context",
        exclude: int | None = None,
        together: bool = False,
        qkv_bias: bool = False,
    ) -> None:
        super().__init__()
        check_choice(("y", "x", "both"), axis=axis)
        check_choice(("learned", "fixed", "adaptive"), mix=mix)
        check_choice(("layer", "head"), alpha_per=alpha_per)
        check_choice(("context", "drop"), prefix=prefix)
        check_range("[0, 1]", alpha=alpha)
        check_whole(0, exclude=0 if exclude is None else exclude)
        if together and exclude is not None:
            raise InputError("together does not go with exclude")
        if num_heads < 1 or dim % num_heads:
            raise InputError(f"num_heads must divide dim, but {num_heads} does not divide {dim}")
        if axis == "both" and mix != "fixed" and alpha in (0.0, 1.0):
            raise InputError(
                f"alpha must be strictly between 0 and 1 with mix={mix!r}, but got {alpha}; 0 and 1 are for mix='fixed'"
            )
        self.num_heads, self.axis, self.mix, self.prefix = num_heads, axis, mix, prefix
        self.exclude, self.together = exclude, together
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        count = num_heads if alpha_per == "head" else 1
        if axis == "both" and mix == "fixed":
            self.register_buffer("alpha_fixed", torch.full((count,), float(alpha)))
        elif axis == "both" and mix == "learned":
            self.alpha_logit = nn.Parameter(torch.empty(count))
        elif axis == "both":
            self.alpha_of_token = nn.Linear(dim, count)
        self.reset_alpha(alpha)

    def alpha(self) -> Tensor:
        """Weight of axis y, ``[1 or heads]``; of the adaptive mix for a token of zeros (its bias)."""
        if self.axis != "both":
            return torch.tensor([1.0 if self.axis == "y" else 0.0])
        if self.mix == "fixed":
            return self.get_buffer("alpha_fixed")
        return torch.sigmoid(self.alpha_logit if self.mix == "learned" else self.alpha_of_token.bias)

    def reset_alpha(self, alpha: float) -> None:
        """Set the start value again after a general weight initialisation."""
        logit = math.log(alpha / (1.0 - alpha)) if 0 < alpha < 1 else 0.0
        if self.axis == "both" and self.mix == "learned":
            nn.init.constant_(self.alpha_logit, logit)
        elif self.axis == "both" and self.mix == "adaptive":
            nn.init.zeros_(self.alpha_of_token.weight)
            nn.init.constant_(self.alpha_of_token.bias, logit)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens ``[b, p + h*w, dim]`` (prefix first, then the grid row by row) and ``(h, w)`` -> tokens."""
        b, n, dim = tokens.shape
        h, w = grid
        p = n - h * w
        if p < 0 or h < 1 or w < 1:
            raise InputError(f"a grid of {h} x {w} needs {h * w} tokens or more, but got {n}")
        longest = {"y": h, "x": w, "both": min(h, w)}[self.axis]
        if self.exclude is not None and longest <= 2 * self.exclude + 1:
            raise InputError(f"exclude={self.exclude} leaves nothing to attend to on a line of {longest} tokens")
        if p and self.prefix == "drop":
            raise InputError(f"prefix='drop' takes the {h * w} tokens of the grid alone, but got {n}")
        alpha = self.alpha_over_grid(tokens[:, p:], grid)
        if self.together and not p:
            return self.proj(self._of_all_heads(tokens, grid, alpha))
        qkv = self.qkv(tokens).reshape(b, n, 3, self.num_heads, dim // self.num_heads)
        # what only the plain core does: neighbours left out, and being compiled or exported as a graph
        plain = self.exclude is not None or must_be_plain()
        return self.proj(self._plain(qkv, grid, alpha) if plain else line_attention(qkv, grid, self.axis, alpha))

    def _of_all_heads(self, tokens: Tensor, grid: tuple[int, int], alpha: Tensor | None) -> Tensor:
        """What ``line_attention`` computes, tokens ``[b, h*w, dim]`` -> the same, all heads in one product.

        The sums of phi(k)^T v over a line are one matrix, in which what would mix heads is 0; so are those of phi(k).
        """
        dim = tokens.shape[-1]
        head = torch.arange(dim, device=tokens.device) // (dim // self.num_heads)
        own = (head[:, None] == head).float()
        bias = (None,) * 3 if self.qkv.bias is None else self.qkv.bias.chunk(3)
        q, k, v = (
            functional.linear(tokens, w, b).unflatten(1, grid)
            for w, b in zip(self.qkv.weight.chunk(3), bias, strict=True)
        )
        with torch.autocast(device_type=tokens.device.type, enabled=False):
            q, k, v = functional.elu(q.float()) + 1.0, functional.elu(k.float()) + 1.0, v.float()
            share = None
            if alpha is not None:  # of heads, or of tokens and heads: for the features of each head
                share = alpha.squeeze(-1).permute(0, 2, 3, 1)
                share = share[..., None].expand(*share.shape, dim // share.shape[-1]).flatten(3)
            found = []
            for axis in "yx" if self.axis == "both" else self.axis:
                a, b, c = (x.transpose(1, 2) if axis == "y" else x for x in (q, k, v))
                sums, total = (b.transpose(2, 3) @ c) * own, b.sum(2)[..., None] * own
                own_share = share if axis == "y" or share is None else 1.0 - share
                if own_share is not None and self.mix != "adaptive":  # the sums are smaller than the tokens
                    sums, own_share = sums * own_share, None
                one = (a @ sums) / (a @ total + EPS)
                one = one.transpose(1, 2) if axis == "y" else one
                found.append(one if own_share is None else one * own_share)
            mixed = found[0] if len(found) == 1 else found[0] + found[1]
        return mixed.flatten(1, 2).to(tokens.dtype)

    def alpha_over_grid(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor | None:
        """Weight of axis y that broadcasts to ``[b, heads, h, w, 1]``, float32; None without two axes."""
        if self.axis != "both":
            return None
        if self.mix != "adaptive":
            return self.alpha().float().reshape(1, -1, 1, 1, 1)
        # under autocast the tokens may be bfloat16 where the weights are not
        tokens = tokens.to(self.alpha_of_token.weight.dtype)
        return torch.sigmoid(self.alpha_of_token(tokens)).transpose(1, 2).unsqueeze(-1).float().unflatten(2, grid)

    def _plain(self, qkv: Tensor, grid: tuple[int, int], alpha: Tensor | None) -> Tensor:
        """What ``line_attention`` computes, from torch's own operations."""
        b, n, _, heads, d = qkv.shape
        p = n - grid[0] * grid[1]
        with torch.autocast(device_type=qkv.device.type, enabled=False):
            q, k, v = (x.float() for x in qkv.permute(2, 0, 3, 1, 4).unbind(0))
            q, k = functional.elu(q) + 1.0, functional.elu(k) + 1.0
            found = {}
            for axis in "yx" if self.axis == "both" else self.axis:
                own, keys, values = (_lines(x, grid, axis) for x in (q, k, v))
                one = _attend(own[:, :, :, : grid[axis == "x"]], keys, values, self.exclude)
                found[axis] = one.transpose(2, 3) if axis == "y" else one
            mixed = found[self.axis] if alpha is None else alpha * found["y"] + (1.0 - alpha) * found["x"]
            mixed = mixed.flatten(2, 3)
            if p:
                mixed = torch.cat([_attend(q[:, :, :p], k, v), mixed], dim=2)
        return mixed.transpose(1, 2).reshape(b, n, heads * d).to(qkv.dtype)

    @torch.no_grad()
    def line_weights(self, tokens: Tensor, grid: tuple[int, int]) -> dict[str, Tensor]:
        """How much each token of the grid takes from the tokens of its line: phi(q) phi(k)^T over its sum.

        Args:
            tokens, grid: as of ``forward``.

        Returns:
            For axis "y" ``[b, heads, h, w, h]`` (of the token's column), for axis "x" ``[b, heads, h, w, w]`` (of its
            row); of the axes that there are. Rows sum to 1, less what goes to prefix tokens.
        """
        b, n, dim = tokens.shape
        qkv = self.qkv(tokens).reshape(b, n, 3, self.num_heads, dim // self.num_heads).permute(2, 0, 3, 1, 4)
        q, k = (functional.elu(x.float()) + 1.0 for x in qkv[:2])
        out = {}
        with torch.autocast(device_type=tokens.device.type, enabled=False):
            for axis in "yx" if self.axis == "both" else self.axis:
                along = grid[axis == "x"]
                weight = _weights(_lines(q, grid, axis)[:, :, :, :along], _lines(k, grid, axis), self.exclude)
                weight = weight[..., :along] / (weight.sum(-1, keepdim=True) + EPS)
                out[axis] = weight.transpose(2, 3) if axis == "y" else weight
        return out


def _lines(x: Tensor, grid: tuple[int, int], axis: str) -> Tensor:
    """Tokens ``[b, heads, p + h*w, d]`` -> those of every line, behind them the p before the grid, which all share."""
    p = x.shape[2] - grid[0] * grid[1]
    lines = x[:, :, p:].unflatten(2, grid)
    lines = lines.transpose(2, 3) if axis == "y" else lines
    return torch.cat([lines, x[:, :, None, :p].expand(-1, -1, lines.shape[2], -1, -1)], dim=3) if p else lines


def _weights(q: Tensor, k: Tensor, exclude: int | None) -> Tensor:
    """phi(q) phi(k)^T, without the neighbours that are left out."""
    weight = q @ k.transpose(-2, -1)
    if exclude is None:
        return weight
    place = torch.arange(k.shape[-2], device=k.device)
    here = place[: q.shape[-2], None]
    return weight * (((here - place).abs() > exclude) | (place >= len(here)))


def _attend(q: Tensor, k: Tensor, v: Tensor, exclude: int | None = None) -> Tensor:
    """Linear attention over the last but one dimension; q, k already mapped by phi.

    (q k^T) v or q (k^T v), the one that takes fewer multiplications: the numbers are the same.
    """
    (queries, width), keys = q.shape[-2:], k.shape[-2]
    if exclude is not None or 2 * queries * keys < (queries + keys) * width:
        weight = _weights(q, k, exclude)
        return (weight @ v) / (weight.sum(-1, keepdim=True) + EPS)
    return (q @ (k.transpose(-2, -1) @ v)) / ((q * k.sum(-2, keepdim=True)).sum(-1, keepdim=True) + EPS)

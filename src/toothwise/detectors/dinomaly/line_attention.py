"""The core of directional attention with its gradient written out: the numbers of ``attention``, in fewer passes.

Left to autograd, the operations around the products take longer than these: ``elu`` and its gradient are slow on CPUs,
slices are given back as whole tensors of zeros, and products along columns copy their factors each time. Here the
projection's output is brought into the order of the lines once, in float32; phi is exp(min(x, 0)) + max(x, 0), whose
derivative is min(phi, 1); gradients are added up in place.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

EPS = 1e-6  # without it the ratio was not finite for tokens of size 1e4


@torch.compiler.disable  # as it is written it takes less time than what torch.compile makes of the plain operations
def line_attention(qkv: Tensor, grid: tuple[int, int], axis: str, alpha: Tensor | None = None) -> Tensor:
    """Linear attention along the lines of a grid of tokens.

    Args:
        qkv: ``[b, p + h*w, 3, heads, d]``: queries, keys and values, prefix tokens first.
        grid: (h, w).
        axis: "y", "x" or "both".
        alpha: with "both", weight of y, float32, that broadcasts to ``[b, heads, h, w, 1]``.

    Returns:
        ``[b, p + h*w, heads * d]`` of the type of ``qkv``; the arithmetic is float32. Prefix tokens attend to all
        tokens, and all tokens to them. There is no second derivative.
    """
    out: Tensor = _Core.apply(qkv, alpha, grid, axis)
    return out


def must_be_plain() -> bool:
    """Whether a graph is being exported, which wants torch's own operations."""
    return torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()


class _Core(torch.autograd.Function):
    """Part after part, so that what is needed in between stays small: some heads, or some lines of one head."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, alpha: Tensor | None, grid: tuple[int, int], axis: str) -> Tensor:
        b, n, _, heads, d = qkv.shape
        axes = "xy" if axis == "both" else axis
        p = n - grid[0] * grid[1]
        ctx.axes, ctx.grid, ctx.p = axes, grid, p
        ctx.parts = _parts(heads, grid, axes, b * d, qkv.device.type)
        out = qkv.new_empty(b, n, heads, d)
        seen = []
        with torch.autocast(qkv.device.type, enabled=False):
            for part, cuts in ctx.parts:
                prefix = _prefix(qkv[:, :p, :, part])
                own = _OfPrefix(prefix)
                for cut in cuts:
                    lines = _lines(_grid(qkv, ctx)[:, *cut, :, part], axes)
                    _forward(lines, prefix, _of_part(alpha, part), axes, _grid(out, ctx)[:, *cut, part])
                    own.see(lines[0])
                seen += own.finish()
                out[:, :p, part] = own.out.unflatten(0, (b, -1)).transpose(1, 2)
        ctx.save_for_backward(qkv, alpha, *seen)
        return out.flatten(2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        qkv, alpha, *seen = ctx.saved_tensors
        p, axes = ctx.p, ctx.axes
        grad = grad.unflatten(2, qkv.shape[3:])
        of_qkv = torch.empty_like(qkv, memory_format=torch.contiguous_format)
        of_alpha = torch.zeros_like(alpha) if ctx.needs_input_grad[1] else None
        with torch.autocast(grad.device.type, enabled=False):
            for number, (part, cuts) in enumerate(ctx.parts):
                prefix = _prefix(qkv[:, :p, :, part])  # all again: to keep it takes twice qkv
                of_prefix = torch.zeros_like(prefix)
                own = _OfPrefix(prefix, seen[2 * number : 2 * number + 2])
                own.begin(_ordered(grad[:, :p, part].transpose(1, 2)).flatten(0, 1), of_prefix)
                for cut in cuts:
                    lines = _lines(_grid(qkv, ctx)[:, *cut, :, part], axes)
                    g, into = _grid(grad, ctx)[:, *cut, part], _grid(of_qkv, ctx)[:, *cut, :, part]
                    met = _backward(g, _of_part(alpha, part), prefix, own, lines, axes, into, of_prefix)
                    if of_alpha is not None:
                        place = _of_part(of_alpha, part)
                        place += (met["y"] - met["x"]).sum_to_size(place.shape)
                _through_phi(of_prefix, prefix)
                of_qkv[:, :p, :, part] = of_prefix.permute(1, 3, 0, 2, 4)
        return of_qkv, of_alpha, None, None


def _parts(
    heads: int, grid: tuple[int, int], axes: str, width: int, device: str
) -> list[tuple[slice, list[tuple[slice, slice]]]]:
    """Slices of the heads, and of each the cuts of the grid; ``width``: numbers of one head at one place.

    A part's tensors should fit into a processor's cache. Lines of two axes cross, and are not cut.
    """
    limit, size = 1 << 17 if device == "cpu" else 1 << 23, grid[0] * grid[1] * width
    step = max(1, limit // size)
    whole = slice(None)
    cuts = [(whole, whole)]
    if len(axes) == 1 and size > limit:
        count = grid[axes == "y"]
        lines = max(1, count * limit // size)
        along = [slice(i, i + lines) for i in range(0, count, lines)]
        cuts = [(whole, cut) if axes == "y" else (cut, whole) for cut in along]
    return [(slice(i, min(i + step, heads)), cuts) for i in range(0, heads, step)]


def _grid(t: Tensor, ctx: Any) -> Tensor:
    """``[b, p + h*w, ...]`` -> ``[b, h, w, ...]``."""
    return t[:, ctx.p :].unflatten(1, ctx.grid)


def _of_part(alpha: Tensor | None, part: slice) -> Any:
    return alpha if alpha is None or alpha.shape[1] == 1 else alpha[:, part]


def _prefix(qkv: Tensor) -> Tensor:
    """``[b, p, 3, heads, d]`` -> ``[3, b, heads, p, d]`` in float32, phi applied."""
    prefix = _ordered(qkv.permute(2, 0, 3, 1, 4))
    _phi(prefix[:2])
    return prefix


def _lines(qkv: Tensor, axes: str) -> list[Tensor]:
    """``[b, h, w, 3, heads, d]`` -> by axis ``[3, b, heads, lines, length, d]`` in float32, phi applied."""
    first = _ordered(_turned(qkv.permute(3, 0, 4, 1, 2, 5), axes[0]))
    _phi(first[:2])
    return [first, *(_turned(first, a).contiguous() for a in axes[1:])]


def _forward(lines: list[Tensor], prefix: Tensor, alpha: Tensor | None, axes: str, out: Tensor) -> None:
    """Attention of a part, into ``out`` ``[b, h, w, heads, d]``."""
    found = [_turned(_along(t, prefix).forward().view_as(t[0]), a) for t, a in zip(lines, axes, strict=True)]
    mixed = found[0] if alpha is None else torch.lerp(found[0], found[1], alpha)
    out.permute(0, 3, 1, 2, 4).copy_(mixed)


def _backward(
    grad: Tensor,
    alpha: Tensor | None,
    prefix: Tensor,
    own: _OfPrefix,
    lines: list[Tensor],
    axes: str,
    of_qkv: Tensor,
    of_prefix: Tensor,
) -> dict[str, Tensor]:
    """Gradient of a part, into ``of_qkv``; that of the prefix is added.

    Returns:
        By axis the gradient of its share, ``[b, heads, h, w, 1]``.
    """
    of_lines, met = [], {}
    for t, axis in zip(lines, axes, strict=True):
        share = None if alpha is None else alpha if axis == "y" else 1.0 - alpha
        if share is not None:
            share = _turned(share, axis).expand(*t.shape[1:5], 1).reshape(-1, t.shape[4], 1)
        into, g = torch.empty_like(t), _ordered(_turned(grad.permute(0, 3, 1, 2, 4), axis)).flatten(0, 2)
        scores = _along(t, prefix).backward(g, share, into.flatten(1, 3), of_prefix[1:].flatten(1, 2))
        of_lines.append(into)
        met[axis] = _turned(scores.view(*t.shape[1:5], 1), axis)
    own.add(lines[0], of_lines[0])
    for given, t in zip(of_lines, lines, strict=True):
        _through_phi(given, t)
    total = _turned(of_lines[0], axes[0])
    for given, axis in zip(of_lines[1:], axes[1:], strict=True):
        total.add_(_turned(given, axis))
    of_qkv.permute(3, 0, 4, 1, 2, 5).copy_(total)
    return met


class _OfPrefix:
    """Attention of the prefix tokens ``[3, b, heads, p, d]``, which attend to all tokens, part after part.

    Args:
        seen: ``out`` and ``total`` of the forward pass, for the gradient.
    """

    def __init__(self, prefix: Tensor, seen: list[Tensor] | None = None) -> None:
        self.prefix = prefix.flatten(1, 2)
        self.q = self.prefix[0]
        self.out, self.total = seen or [torch.zeros_like(self.q), self.q.new_full((*self.q.shape[:2], 1), EPS)]

    def see(self, tokens: Tensor) -> None:
        """Forward: keys and values of some tokens, ``[3, b, heads, ..., d]``."""
        if self.q.shape[1]:
            _, k, v = _flat(tokens)
            score = self.q @ k.mT
            self.total += score.sum(-1, keepdim=True)
            self.out.baddbmm_(score, v)

    def finish(self) -> list[Tensor]:
        """Forward, after the last: ``out`` ``[b*heads, p, d]`` and ``total`` ``[b*heads, p, 1]``."""
        self.see(self.prefix[:, :, None])
        self.out /= self.total
        return [self.out, self.total]

    def begin(self, g: Tensor, of_prefix: Tensor) -> None:
        """Backward, before the first part: gradient of ``out``, and where those of the prefix are added."""
        self.g, self.of_prefix = g, of_prefix.flatten(1, 2)
        self.met = (g * self.out).sum(-1, keepdim=True)
        self.add(self.prefix[:, :, None], self.of_prefix[:, :, None])

    def add(self, tokens: Tensor, given: Tensor) -> None:
        """Backward: gradients of the keys and values of some tokens are added to ``given``."""
        if self.q.shape[1]:
            (_, k, v), (_, of_k, of_v) = _flat(tokens), _flat(given)
            score, got = self.q @ k.mT, self.g @ v.mT
            of_score = got.sub_(self.met).div_(self.total)
            self.of_prefix[0].baddbmm_(of_score, k)
            of_k.baddbmm_(of_score.mT, self.q)
            of_v.baddbmm_(score.div_(self.total).mT, self.g)


def _flat(t: Tensor) -> Tensor:
    """``[3, b, heads, lines, length, d]`` or ``[3, b*heads, 1, p, d]`` -> ``[3, b*heads, tokens, d]``."""
    return t.view(3, -1, t.shape[-3] * t.shape[-2], t.shape[-1])


def _through_phi(grad: Tensor, phi: Tensor) -> None:
    """Gradient of phi -> of what it was applied to, ``[3, ...]`` in place; the derivative is min(phi, 1)."""
    for k in range(2):
        grad[k].mul_(phi[k].clamp(max=1.0))


class _Attention:
    """Queries ``[m, i, d]`` over keys and values ``[m, j, d]`` and over common ones ``[c, p, d]``; c divides m.

    Args:
        short: (q k^T) v, the cheaper order where few keys meet few queries; else q (k^T v).
    """

    def __init__(self, q: Tensor, k: Tensor, v: Tensor, common: Tensor, *, short: bool) -> None:
        self.q, self.k, self.v, self.short = q, k, v, short
        self.common_k, self.common_v = common
        self.common = common.shape[2] > 0

    def _together(self, t: Tensor) -> Tensor:
        """``[m, i, ...]`` -> ``[c, m/c * i, ...]``."""
        return t.view(len(self.common_k), -1, t.shape[-1])

    def forward(self) -> Tensor:
        """``[m, i, d]``."""
        if self.short:
            score = self.q @ self.k.mT
            total, out = score.sum(-1, keepdim=True), score @ self.v
        else:
            total, out = self.q @ self.k.sum(1, keepdim=True).mT, self.q @ (self.k.mT @ self.v)
        if self.common:
            more = self._together(self.q) @ self.common_k.mT
            total += more.sum(-1, keepdim=True).view_as(total)
            self._together(out).baddbmm_(more, self.common_v)
        return out.div_(total.add_(EPS))

    def backward(self, g: Tensor, share: Tensor | None, into: Any, of_common: Tensor) -> Tensor:
        """Gradients, from that of the output ``[m, i, d]``.

        Args:
            g: gradient of the output.
            share: ``[m, i, 1]``, factor of the output; None = 1.
            into: where those of q, k and v go.
            of_common: ``[2, c, p, d]``, where those of the common keys and values are added.

        Returns:
            ``[m, i, 1]``: g times the output, the gradient of ``share``.
        """
        of_q, of_k, of_v = into
        if self.short:
            score, got = self.q @ self.k.mT, g @ self.v.mT
            total, met = score.sum(-1, keepdim=True), (score * got).sum(-1, keepdim=True)
        else:
            kv, k_sum = self.k.mT @ self.v, self.k.sum(1, keepdim=True)
            got = torch.bmm(g, kv.mT, out=of_q)
            del kv  # before the next of its size is made
            total, met = self.q @ k_sum.mT, torch.mul(self.q, got, out=of_k).sum(-1, keepdim=True)
        if self.common:
            more, more_got = self._together(self.q) @ self.common_k.mT, self._together(g) @ self.common_v.mT
            total += more.sum(-1, keepdim=True).view_as(total)
            met += (more * more_got).sum(-1, keepdim=True).view_as(met)
        total += EPS
        met /= total
        scale = total.reciprocal_() if share is None else share / total
        if self.short:
            of_score, weight = got.sub_(met).mul_(scale).mT, score.mul_(scale).mT
            torch.bmm(of_score.mT, self.k, out=of_q)
            torch.bmm(of_score, self.q, out=of_k)
            torch.bmm(weight, g, out=of_v)
        else:
            of_total = (met * scale).neg_()
            of_kv = self.q.mT @ torch.mul(g, scale, out=of_v)
            got.mul_(scale).baddbmm_(of_total, k_sum)
            torch.baddbmm(of_total.mT @ self.q, self.v, of_kv.mT, out=of_k)
            torch.bmm(self.k, of_kv, out=of_v)
        if self.common:
            of_more = more_got.sub_(self._together(met)).mul_(self._together(scale))
            self._together(of_q).baddbmm_(of_more, self.common_k)
            of_common[0].baddbmm_(of_more.mT, self._together(self.q))
            of_common[1].baddbmm_(more.mul_(self._together(scale)).mT, self._together(g))
        return met


def _along(lines: Tensor, prefix: Tensor) -> _Attention:
    """Of the tokens of each line, ``[3, b, heads, lines, length, d]``."""
    q, k, v = lines.flatten(1, 3)
    return _Attention(q, k, v, prefix[1:].flatten(1, 2), short=lines.shape[4] < lines.shape[5])


def _turned(t: Tensor, axis: str) -> Tensor:
    """``[..., h, w, d]`` <-> ``[..., lines, length, d]``."""
    return t.transpose(-3, -2) if axis == "y" else t


def _ordered(t: Tensor) -> Tensor:
    """Contiguous and in float32, in one pass; always a copy."""
    return torch.empty(t.shape, dtype=torch.float32, device=t.device).copy_(t)


def _phi(t: Tensor) -> None:
    """elu(t) + 1 in place."""
    low = t.clamp(max=0.0).exp_()
    t.clamp_(min=0.0).add_(low)

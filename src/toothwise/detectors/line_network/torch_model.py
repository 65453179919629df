"""The network: maps at their own grid in, log odds of cells, lines and the map out.

Each tooth starts with the evidence of ``LineEvidence``. Blocks of a circular 3 x 3 depthwise convolution, attention
along rows and columns (``DirectionalLinearAttention`` at the map's own teeth) and an MLP look at the map; heads add
what they find to that evidence, beginning at nothing. The score of a map is the log of the summed likelihoods of all
its lines, as a line is somewhere, not everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from anomalib.data import InferenceBatch
from torch import Tensor, nn

from toothwise.detectors.dinomaly.attention import DirectionalLinearAttention
from toothwise.detectors.line_likelihood import (
    AXES,
    HUBER,
    HUBER_MEAN,
    HUBER_STEPS,
    OUTLIER,
    OWN_SCALE,
    ROUGH,
    LineLikelihood,
)
from toothwise.detectors.line_network.evidence import Evidence, LineEvidence
from toothwise.detectors.line_network.options import LineNetworkOptions
from toothwise.errors import InputError

CHANNELS = 5
_HIDDEN = 32
_CLIP = 5.0  # standard deviations that a cell counts with at most, as of the scan


def known_median(x: Tensor, known: Tensor, dim: int) -> Tensor:
    """Median over a dimension of what is known, the dimension kept; 0 where nothing is."""
    size = x.shape[dim]
    ordered = torch.where(known, x, torch.inf).sort(dim=dim).values
    count = known.sum(dim=dim, keepdim=True)
    low = ordered.gather(dim, ((count - 1) // 2).clamp(0, size - 1))
    high = ordered.gather(dim, (count // 2).clamp(0, size - 1))
    return torch.where(count > 0, 0.5 * low + 0.5 * high, 0.0)


@dataclass(frozen=True, eq=False)
class LineOutput(Evidence):
    """What the network says of maps, by axis where it is of lines (1 = rows, 2 = columns).

    Attributes:
        lines: Log odds of each line, ``[n, lines]``.
        contrast, spread: Log contrast of each line if it is damaged, and its standard deviation, ``[n, lines]``.
        cells: Log odds of each cell, ``[n, rows, columns]``.
        score: Log odds of the map, ``[n]``.
    """

    score: Tensor

    def likeliest(self) -> tuple[Tensor, Tensor]:
        """Log contrast ``[n]`` of the likeliest line and its standard deviation."""
        lines, contrast, spread = (torch.cat(list(x.values()), 1) for x in (self.lines, self.contrast, self.spread))
        at = lines.argmax(dim=1, keepdim=True)
        return contrast.gather(1, at)[:, 0], spread.gather(1, at)[:, 0]


class LineNetworkModel(nn.Module):
    """The network and the evidence it starts from.

    Args:
        map_shape: Rows and columns of the maps.
        options: Of LineNetworkOptions.

    ``learn_texture`` gives it the texture of healthy maps; until then noise is taken to be white.
    """

    def __init__(self, map_shape: Sequence[int], **options: Any) -> None:
        super().__init__()
        self.options = o = LineNetworkOptions(**options)
        if len(map_shape) != 2 or min(map_shape) < 3:
            raise InputError(f"map_shape must be (rows, columns) of 3 teeth or more each, but got {tuple(map_shape)!r}")
        self.axes = AXES[o.lines]
        self.corrected = True
        white = np.ones(tuple(map_shape), dtype=np.float32)
        white[0, 0] = 0.0
        self.register_buffer("precision", torch.from_numpy(white))
        self.register_buffer("spread", torch.ones(3))  # of the first three channels on healthy maps
        self.register_buffer("usual", torch.ones(()))  # own scale of a usual healthy map
        self.register_buffer("spots", torch.full((2,), 0.3))  # what short bright spots count beside lines
        self.register_buffer("gain", torch.ones(()))  # share of the correction that is kept
        # measured contrast -> contrast: factor, what is added, spread in parts of it, and what widens the spread
        self.register_buffer("contrast", torch.tensor([1.0, 0.0, 0.0, 1.0]))
        self.register_load_state_dict_post_hook(lambda module, _: module._prepare())
        self._prepare()
        self.stem = nn.Linear(CHANNELS, o.dim)
        self.blocks = nn.ModuleList(_Block(o.dim, o.heads, o.attention) for _ in range(o.blocks))
        self.norm = nn.LayerNorm(o.dim)
        self.cell_head = _silent(nn.Linear(o.dim, 1))
        self.line_heads = nn.ModuleDict({str(axis): _LineHead(o.dim) for axis in self.axes})

    def skip_unkept(self) -> None:
        """Compute the correction no longer where nothing of it was kept."""
        self.corrected = bool(self.get_buffer("gain"))

    def _search(self) -> LineLikelihood:
        o, (precision, spots) = self.options, (self.get_buffer(name).cpu().numpy() for name in ("precision", "spots"))
        return LineLikelihood(precision, list(o.lengths), teeth=o.teeth, gaps=o.gaps, clip=_CLIP, spots=spots)

    def _prepare(self) -> None:
        self.evidence = LineEvidence(self._search(), self.axes).to(self.get_buffer("precision").device)

    def learn_texture(self, precision: np.ndarray, maps: Tensor) -> None:
        """Take over the texture of healthy maps.

        Args:
            precision: ``[rows, columns]``, of ``healthy_precision``.
            maps: Some of these maps (logarithms, if that is asked for), float32 ``[n, rows, columns]``.
        """
        self.get_buffer("precision").copy_(torch.from_numpy(np.array(precision)))
        self._prepare()
        known = ~torch.isnan(maps)
        x, whitened = self._whitened(maps, known)
        own = self._own_scale(whitened, known)
        self.get_buffer("usual").copy_(own.quantile(0.5).clamp(min=1e-6))
        search = self._search()
        search.learn(x.cpu().numpy())
        self.get_buffer("spots").copy_(torch.tensor(search.spots))
        self._prepare()
        channels = self._plain_channels(x, known)
        spread = 1.4826 * torch.stack([c[known].abs().median() for c in channels])
        self.get_buffer("spread").copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))

    def _whitened(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Maps less their mean, missing cells filled in by row and column; and the whitened maps, 0 where missing."""
        x = torch.where(known, values, 0.0)
        count = known.sum(dim=(1, 2), keepdim=True)
        x = torch.where(known, x - x.sum(dim=(1, 2), keepdim=True) / count, 0.0)
        row, column = (x.sum(dim=d, keepdim=True) / known.sum(dim=d, keepdim=True).clamp(min=1) for d in (2, 1))
        x = torch.where(known, x, row + column)
        return x, torch.where(known, self.evidence.whiten(x), 0.0)

    def _own_scale(self, whitened: Tensor, known: Tensor) -> Tensor:
        """Spread of each map's texture in units of the learned one, ``[n, 1, 1]``."""
        z = (whitened / self.evidence.scale).clamp(-OUTLIER, OUTLIER)
        return ((z**2).sum(dim=(1, 2), keepdim=True) / known.sum(dim=(1, 2), keepdim=True)).clamp(min=1e-12).sqrt()

    def _scales(self, whitened: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """As ``LineLikelihood._scales``: what maps are divided by, and how far their cells scatter, ``[n, 1, 1]``."""
        usual = self.get_buffer("usual")
        own, square = self._own_scale(whitened, known) / usual, (whitened / (self.evidence.scale * usual)) ** 2
        count = known.sum(dim=(1, 2), keepdim=True)
        wide = square.sum(dim=(1, 2), keepdim=True) / count
        for _ in range(HUBER_STEPS):
            wide = torch.minimum(square, HUBER**2 * wide).sum(dim=(1, 2), keepdim=True) / (HUBER_MEAN * count)
        for dim in (1, 2):
            line = square.sum(dim=dim, keepdim=True) / known.sum(dim=dim, keepdim=True).clamp(min=1)
            # the lower median by topk: the ONNX exporter knows no median
            half = torch.topk(line, (line.shape[3 - dim] + 1) // 2, dim=3 - dim, largest=False).values
            wide = torch.minimum(wide, half.amax(dim=3 - dim, keepdim=True))
        wide = wide.sqrt()
        white = (1.0 + self.evidence.white * (wide**2 - 1.0).clamp(min=0.0)).sqrt()
        own = torch.where((own > ROUGH) & (wide > ROUGH), torch.maximum(own, white), own)
        return own.clamp(*OWN_SCALE), (wide / ROUGH).clamp(min=1.0)

    def scatter_ratio(self, values: Tensor) -> Tensor:
        """As ``Detector.scatter_ratio``, of maps as for ``judge``, ``[n]``."""
        known = ~torch.isnan(values)
        return self._scales(self._whitened(values, known)[1], known)[1][:, 0, 0]

    @staticmethod
    def _plain_channels(x: Tensor, known: Tensor) -> list[Tensor]:
        """The map, the map without its column medians (shows rows), without its row medians (shows columns)."""
        return [x, x - known_median(x, known, 1), x - known_median(x, known, 2)]

    def judge(
        self,
        values: Tensor,
        *,
        cells: bool = True,
        more: Tensor | None = None,
        start: dict[int, Tensor] | None = None,
    ) -> LineOutput:
        """What the network says of maps.

        Args:
            values: Logarithms of maps (or maps, with log=False), ``[n, rows, columns]``, NaN where no pair meets.
            cells: Without, the evidence of cells is left at what the network adds.
            more: Added to the features of each cell, ``[n, rows, columns, dim]``.
            start: Log odds of the lines to begin with, in place of the likelihood's.
        """
        known = ~torch.isnan(values)
        x, whitened = self._whitened(values, known)
        own, _ = self._scales(whitened, known)
        whitened = whitened / own
        found = self.evidence(whitened, cells=cells)
        lines, heat = dict(found.lines if start is None else start), found.cells
        # lines are looked for on the scale of the map's own texture, but contrast is that of the map as it is
        contrast = {axis: c * own[:, :, 0] for axis, c in found.contrast.items()}
        spread = {axis: s * own[:, :, 0] for axis, s in found.spread.items()}
        gain = self.get_buffer("gain")
        if self.training or self.corrected:
            tokens = self._features(x, whitened, known, own, more)
            for axis in self.axes:
                added = self.line_heads[str(axis)](
                    tokens, known, axis, lines[axis], found.contrast[axis], found.spread[axis], own
                )
                lines[axis] = lines[axis] + gain * added[..., 0]
                contrast[axis] = contrast[axis] + gain * added[..., 1] * spread[axis]
                spread[axis] = spread[axis] * (gain * added[..., 2]).exp()
            heat = heat + gain * self.cell_head(tokens)[..., 0]
        factor, more, part, wider = self.get_buffer("contrast")
        spread = {axis: wider * (s**2 + (part * contrast[axis]) ** 2).sqrt() for axis, s in spread.items()}
        contrast = {axis: factor * c + more for axis, c in contrast.items()}
        return LineOutput(lines, contrast, spread, heat, torch.cat(list(lines.values()), 1).logsumexp(1))

    def _features(self, x: Tensor, whitened: Tensor, known: Tensor, own: Tensor, more: Tensor | None) -> Tensor:
        """What the blocks make of a map, ``[n, rows, columns, dim]``."""
        plain = [c / s / own for c, s in zip(self._plain_channels(x, known), self.get_buffer("spread"), strict=True)]
        channels = [*plain, whitened / self.evidence.scale]
        fields = [torch.where(known, c.clamp(-10.0, 10.0), 0.0) for c in channels] + [known.to(x.dtype)]
        tokens = self.stem(torch.stack(fields, dim=-1))
        tokens = tokens if more is None else tokens + more
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def forward(self, images: Tensor) -> InferenceBatch:
        """Images ``[n, channels, rows, columns]`` of equal channels: raw score ``[n]``, anomaly map ``[n, 1, ...]``."""
        found = self.judge(self.values_of(images))
        return InferenceBatch(pred_score=found.score, anomaly_map=found.cells[:, None])

    def values_of(self, images: Tensor) -> Tensor:
        """What ``judge`` takes, of images of equal channels."""
        maps = images[:, 0]
        return maps.log() if self.options.log else maps


class _LineHead(nn.Module):
    """What is added to the evidence, the contrast (in standard deviations) and the log spread of each line."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3 * dim + 4, _HIDDEN), nn.GELU(), _silent(nn.Linear(_HIDDEN, 3)))

    def forward(
        self, tokens: Tensor, known: Tensor, axis: int, evidence: Tensor, contrast: Tensor, spread: Tensor, own: Tensor
    ) -> Tensor:
        """Features ``[n, rows, columns, dim]`` -> ``[n, lines, 3]``."""
        there = known[..., None]
        along = 3 - axis
        count = there.sum(dim=along).clamp(min=1)
        mean = torch.where(there, tokens, 0.0).sum(dim=along) / count
        most = torch.where(there, tokens, -1e4).amax(dim=along).clamp(min=-1e3)
        everywhere = mean.mean(dim=1, keepdim=True).expand_as(mean)
        score = evidence.logsumexp(1, keepdim=True).expand_as(evidence)
        numbers = [evidence / 5.0, score / 5.0, contrast / spread / 5.0, own[:, :, 0].log().expand_as(evidence)]
        return self.layers(torch.cat([mean, most, everywhere, torch.stack(numbers, dim=-1)], dim=-1))


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, attention: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, groups=dim)
        self.norm_attention, self.norm_mlp = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = attention
        if attention == "means":
            self.mix: nn.Module = nn.Linear(4 * dim, dim)
        elif attention != "none":
            axis = "x" if attention == "global" else attention
            self.mix = DirectionalLinearAttention(dim, heads, axis=axis, alpha_per="head", prefix="drop", together=True)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Features ``[n, rows, columns, dim]``; both axes close into a circle, as teeth do."""
        wide = torch.cat([x[:, -1:], x, x[:, :1]], dim=1)
        wide = torch.cat([wide[:, :, -1:], wide, wide[:, :, :1]], dim=2)
        x = x + self.conv(wide.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        if self.attention != "none":
            x = x + self._mixed(self.norm_attention(x))
        return x + self.mlp(self.norm_mlp(x))

    def _mixed(self, x: Tensor) -> Tensor:
        if self.attention == "means":
            means = [x.mean(dim=d, keepdim=True).expand_as(x) for d in (2, 1, (1, 2))]
            return self.mix(torch.cat([x, *means], dim=-1))
        rows, columns = x.shape[1], x.shape[2]
        # all cells as one line: attention along it is attention to the whole map
        grid = (1, rows * columns) if self.attention == "global" else (rows, columns)
        return self.mix(x.flatten(1, 2), grid).unflatten(1, (rows, columns))


def _silent(layer: nn.Linear) -> nn.Linear:
    """A layer that gives 0 until it is trained."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer

"""A detector as one torch module, maps in and scores out, to be exported: everything around the network is in it too.

Resizing is written as a product with two constant matrices, because engines differ in how they antialias. Medians
leave out pairs that never mesh, as NumPy's nanmedian does. Everything is float32: engines that run networks know
little else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from toothwise.detectors.base import Detector
from toothwise.detectors.encoder import FrozenEncoder
from toothwise.detectors.images import ImageMaker
from toothwise.detectors.line_network.torch_model import known_median
from toothwise.detectors.network_parts import NetworkParts
from toothwise.detectors.pooling import LINE_POOLINGS
from toothwise.detectors.severity_scale import ContrastScale
from toothwise.errors import InputError
from toothwise.exported.line_graph import LineGraph

STANDARDISED = "standardised"  # output of a graph for bfloat16: see DetectorGraph


def _matrix(given: int, wanted: int, *, corners: bool = False) -> Tensor:
    """The matrix ``[wanted, given]`` of a bilinear resize along one axis.

    Antialiased as images are, or from corner to corner as anomalib spreads tokens over an image.
    """
    eye = torch.eye(given, dtype=torch.float64)[None, None]
    how = {"antialias": not corners, "align_corners": corners}
    return functional.interpolate(eye, size=(wanted, given), mode="bilinear", **how)[0, 0]


class Resize(nn.Module):
    """Bilinear, antialiased resize of ``[n, c, h, w]`` from one fixed size to another."""

    def __init__(self, given: tuple[int, int], wanted: tuple[int, int]) -> None:
        super().__init__()
        self.register_buffer("rows", _matrix(given[0], wanted[0]).float())
        self.register_buffer("columns", _matrix(given[1], wanted[1]).T.contiguous().float())

    def forward(self, x: Tensor) -> Tensor:
        """``[n, c, h, w]`` -> ``[n, c, H, W]``."""
        return self.get_buffer("rows") @ x @ self.get_buffer("columns")


class TokensToMap(nn.Module):
    """Tokens ``[n, 1, h, w]`` -> map pixels ``[n, rows, columns]``: spread over the image and resized back at once.

    Sums in place of matrix products: an engine that computes products in bfloat16 leaves them in float32.
    """

    def __init__(self, grid: tuple[int, int], size: tuple[int, int], shape: tuple[int, int]) -> None:
        super().__init__()
        rows, columns = (
            _matrix(s, wanted) @ _matrix(given, s, corners=True)
            for given, s, wanted in zip(grid, size, shape, strict=True)
        )
        self.register_buffer("rows", rows[:, :, None].float())
        self.register_buffer("columns", columns.T.contiguous().float())

    def forward(self, x: Tensor) -> Tensor:
        """As of the class."""
        lines = (self.get_buffer("rows") * x).sum(dim=2)
        return (lines[..., None] * self.get_buffer("columns")).sum(dim=2)


class MapsToImages(nn.Module):
    """``ImageMaker`` as part of the graph: maps ``[n, rows, columns]`` -> images ``[n, 3, H, W]``."""

    def __init__(self, images: ImageMaker, shape: tuple[int, int]) -> None:
        super().__init__()
        self.log, self.physical = images.log, images.channels == "physical"
        self.register_buffer("centre", torch.from_numpy(np.asarray(images.centre)).float()[:, None, None])
        self.register_buffer("scale", torch.from_numpy(np.asarray(images.scale)).float()[:, None, None])
        self.resize = Resize(shape, images.size)

    def standardised(self, maps: Tensor, known: Tensor) -> Tensor:
        """Channels ``[n, 3, rows, columns]`` of maps with anything in place of NaN, and where they are known."""
        x = torch.log(maps) if self.log else maps
        parts = [x, x, x]
        if self.physical:
            parts = [x, x - known_median(x, known, 1), x - known_median(x, known, 2)]
        z = (torch.stack(parts, dim=1) - self.get_buffer("centre")) / self.get_buffer("scale")
        return torch.where(known[:, None], z, 0.0)

    def forward(self, standardised: Tensor) -> Tensor:
        """Images of the channels."""
        return self.resize(standardised)


class ScaledImages(nn.Module):
    """``MapImages`` of DRAEM-SevNet: one scale, three equal channels."""

    def __init__(self, images: Any, shape: tuple[int, int]) -> None:
        super().__init__()
        self.scale, self.fill = images.scale, images.fill
        self.resize = Resize(shape, images.size)

    def standardised(self, maps: Tensor, known: Tensor) -> Tensor:
        """As of MapsToImages, one channel."""
        return (torch.where(known, maps, self.fill) / self.scale)[:, None]

    def forward(self, standardised: Tensor) -> Tensor:
        """As of MapsToImages."""
        return self.resize(standardised).expand(-1, 3, -1, -1)


class PiecewiseLinear(nn.Module):
    """numpy.interp with fixed knots: ``[n]`` -> ``[n]``, flat beyond the knots."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__()
        wide = np.diff(x) > 0
        self.register_buffer("start", torch.from_numpy(x[:-1][wide]).float())
        self.register_buffer("width", torch.from_numpy(np.diff(x)[wide]).float())
        self.register_buffer("slope", torch.from_numpy(np.diff(y)[wide] / np.diff(x)[wide]).float())
        self.first = float(y[0])

    def forward(self, x: Tensor) -> Tensor:
        """Sum of what each piece adds."""
        start, width, slope = (self.get_buffer(name) for name in ("start", "width", "slope"))
        inside = torch.minimum((x[:, None] - start).clamp(min=0.0), width)
        return self.first + (inside * slope).sum(dim=1)


class Contrast(nn.Module):
    """``ContrastScale`` as part of the graph."""

    def __init__(self, scale: ContrastScale) -> None:
        super().__init__()
        self.curve = PiecewiseLinear(scale.output, scale.log_contrast)
        self.last, self.step = float(scale.output[-1]), float(scale.log_step)

    def forward(self, output: Tensor) -> Tensor:
        """Output of the head ``[n]`` -> contrast ``[n]``."""
        return torch.exp(self.curve(output) + self.step * (output - self.last).clamp(min=0.0))


class Rank(nn.Module):
    """``healthy_rank`` as part of the graph."""

    def __init__(self, healthy: np.ndarray) -> None:
        super().__init__()
        ordered = np.sort(np.asarray(healthy, dtype=np.float64))
        middle = float(np.median(ordered))
        self.curve = PiecewiseLinear(ordered, (np.arange(len(ordered)) + 0.5) / len(ordered))
        self.ends = [
            (float(end), sign, max(abs(float(end) - middle), 1e-12 + 1e-6 * abs(middle)))
            for end, sign in ((ordered[-1], 1.0), (ordered[0], -1.0))
        ]

    def forward(self, score: Tensor) -> Tensor:
        """Scores ``[n]`` -> ranks ``[n]``."""
        rank = self.curve(score)
        for end, sign, width in self.ends:
            rank = rank + sign * 0.5 * (sign * (score - end)).clamp(min=0.0) / width
        return rank


def line_contrast(heat: Tensor, known: Tensor, axis: int) -> Tensor:
    """``pooling.line_contrast`` of anomaly maps ``[n, rows, columns]`` with anything where they are not known."""
    along = 3 - axis
    count = known.sum(dim=along)
    means = torch.where(known, heat, 0.0).sum(dim=along) / count.clamp(min=1)
    there = count > 0
    return torch.where(there, means - known_median(means, there, 1), -torch.inf)


class DetectorGraph(nn.Module):
    """Maps ``[n, rows, columns]`` -> score ``[n]``, anomaly map, evidence and, where there is one, severity ``[n]``.

    Args:
        detector: fitted.
        standardised: also give the maps in units of the healthy spread. What leads from a map to an output without a
            product of matrices OpenVINO computes in float32 where it is asked for bfloat16; logarithms less their
            median would lose most of their digits.

    Attributes:
        outputs: names of what ``forward`` returns, in order.
        size: (height, width) of the images.
    """

    def __init__(self, detector: Detector, *, standardised: bool = False) -> None:
        super().__init__()
        parts: NetworkParts = detector.network_parts()  # type: ignore[attr-defined]
        self.judges, self.head = parts.judges, None
        self.size: tuple[int, int] = tuple(detector.options["image_size"])
        shape = detector.shape or (1, 1)
        self.back: nn.Module = Resize(self.size, shape)
        self.pooling = str(detector.options.get("pooling", "own"))
        self.by_token = False  # the anomaly map is read off the tokens, without one of the image's size in between
        make_images = ScaledImages if parts.images.proportional else MapsToImages
        self.images: Any = make_images(parts.images, shape)
        self.network: Any = parts.network
        if parts.patch is not None and self.pooling in LINE_POOLINGS:
            grid = (self.size[0] // parts.patch[0], self.size[1] // parts.patch[1])
            self.by_token, self.back = True, TokensToMap(grid, self.size, shape)
        self.severity: nn.Module | None = nn.Identity() if self.judges else None
        if parts.contrast is not None:
            self.severity = Contrast(parts.contrast)
        object.__setattr__(self, "head", parts.head)  # not a submodule: its weights are the network's
        self.score_of = detector.options.get("score", "anomaly")
        self.ranks = None if parts.healthy is None else nn.ModuleList(Rank(healthy) for healthy in parts.healthy)
        self.outputs = ["score", "anomaly_map"]
        self.outputs += [] if self.pooling == "columns" else ["row_evidence"]
        self.outputs += [] if self.pooling == "rows" else ["column_evidence"]
        self.outputs += [] if self.severity is None else ["severity"]
        self.outputs += [STANDARDISED] if standardised else []
        self.eval().requires_grad_(False)

    def _run(self, images: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Anomaly of maps ``[n, rows, columns]``, the network's own score ``[n]``, and the head's output ``[n]``.

        The last two are None where they are not needed or there is none.
        """
        if self.judges:
            heat, top, severity = self.network.judge(images)
            return self._at_map(heat), top, severity
        with nullcontext([None]) if self.head is None else self.head.listening() as heard:
            if self.by_token:
                return self.back(self.network.token_map(images)), None, heard[0]
            found = self.network(images)
        return self._at_map(found.anomaly_map), found.pred_score, heard[0]

    def _at_map(self, heat: Tensor) -> Tensor:
        return self.back(heat if heat.dim() == 4 else heat[:, None])[:, 0]

    def forward(self, maps: Tensor) -> tuple[Tensor, ...]:
        """The outputs of ``outputs``."""
        known = ~torch.isnan(maps)
        standardised = self.images.standardised(torch.where(known, maps, 1.0), known)
        heat, own, output = self._run(self.images(standardised))
        rows, columns = (line_contrast(heat, known, axis) for axis in (1, 2))
        best = {"rows": [rows], "columns": [columns], "lines": [rows, columns]}.get(self.pooling, [])
        if own is None or self.pooling in LINE_POOLINGS:
            own = torch.cat(best, dim=1).amax(dim=1)
        score = own.reshape(-1)
        if self.judges:
            score = self.network.rule(score, output)
        elif self.score_of == "severity" and output is not None:
            score = output
        elif self.ranks is not None:
            score = 0.5 * (self.ranks[0](score) + self.ranks[1](output))
        found = {"score": score, "anomaly_map": torch.where(known, heat, torch.nan)}
        found |= {"row_evidence": rows, "column_evidence": columns, STANDARDISED: standardised}
        if self.severity is not None:
            found["severity"] = self.severity(output)
        return tuple(found[name] for name in self.outputs)


def graph_of(detector: Detector, *, standardised: bool = False) -> DetectorGraph | LineGraph:
    """The graph of a fitted detector, on the CPU; it shares the detector's weights.

    Args:
        detector, standardised: of DetectorGraph.

    Raises:
        InputError: a detector that is not a network.
    """
    if detector.can.export != "network":
        raise InputError(f"detector {detector.name!r} cannot be exported as a network; it can be saved as it is")
    if detector.network_parts().on_maps:  # type: ignore[attr-defined]
        return LineGraph(detector).cpu()
    return DetectorGraph(detector, standardised=standardised).cpu()


def _nearest_at_once(self: Any, embedding: Tensor, n_neighbors: int) -> tuple[Tensor, Tensor]:
    """PatchCore's search without a loop over chunks, whose number would depend on the batch."""
    distances = self.euclidean_dist(embedding, self.memory_bank)
    if n_neighbors == 1:
        nearest, at = distances.min(1)
        return nearest, at
    found = distances.topk(k=n_neighbors, largest=False, dim=1)
    return found.values, found.indices


@contextmanager
def exportable(graph: DetectorGraph | LineGraph) -> Iterator[None]:
    """Within this block the graph holds nothing that depends on the batch or is computed anew for images of one size.

    timm resizes position embeddings with an antialiased bicubic kernel in each run: here once. PatchCore searches its
    bank in chunks: here at once.
    """
    from timm.models import vision_transformer

    network = graph.network
    found = vision_transformer.resample_abs_pos_embed
    resample = getattr(found, "__wrapped__", found)  # anomalib replaces it in the whole process
    before = []
    try:
        if hasattr(network, "nearest_neighbors"):
            network.nearest_neighbors = MethodType(_nearest_at_once, network)
        for encoder in (m for m in graph.modules() if isinstance(m, FrozenEncoder)):
            vit = encoder.vit
            if getattr(vit, "pos_embed", None) is None:
                continue
            before.append((vit, vit.pos_embed))
            grid = (graph.size[0] // encoder.patch[0], graph.size[1] // encoder.patch[1])
            prefix = 0 if vit.no_embed_class else vit.num_prefix_tokens
            old = vit.patch_embed.grid_size
            resized = resample(vit.pos_embed, new_size=grid, old_size=old, num_prefix_tokens=prefix)
            vit.pos_embed = nn.Parameter(resized.detach().clone(), requires_grad=False)
        vision_transformer.resample_abs_pos_embed = lambda posemb, *args, **options: posemb
        yield
    finally:
        vision_transformer.resample_abs_pos_embed = found
        network.__dict__.pop("nearest_neighbors", None)
        for vit, embedding in before:
            vit.pos_embed = embedding

"""The learned likelihood of lines as a torch module: what the network starts from, and what an export carries.

The numbers are those of ``line_likelihood.LineLikelihood``: the same whitening, segments and sums. In addition each
line gets the log contrast that its best segments measure, with its standard deviation, and each cell the evidence of
the best segment that covers it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from toothwise.detectors.line_likelihood import LineLikelihood

_LEAST = -1e9  # of an evidence that is not there: finite, because engines and softmax take it everywhere


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the search says of maps, of each axis that is searched (1 = rows, 2 = columns).

    Attributes:
        lines: Log likelihood ratio of a line somewhere along each tooth, ``[n, lines]``.
        contrast: Log contrast that the best segments of each tooth measure, ``[n, lines]``.
        spread: Standard deviation of ``contrast``, ``[n, lines]``.
        cells: Log likelihood ratio of the best line over each cell, ``[n, rows, columns]``.
    """

    lines: dict[int, Tensor]
    contrast: dict[int, Tensor]
    spread: dict[int, Tensor]
    cells: Tensor


class LineEvidence(nn.Module):
    """Whitens log maps and searches them for lines, in float32.

    Args:
        search: Whose numbers these are.
        axes: 1 = rows, 2 = columns.
    """

    def __init__(self, search: LineLikelihood, axes: tuple[int, ...] = (1, 2)) -> None:
        super().__init__()
        self.axes, self.scale, self.clip, self.white = axes, search.scale, search.clip, search.white
        self.segments = {axis: search._segments[axis] for axis in axes}
        for name, matrix in (("across", search._across), ("along", search._along), ("weight", search._weight)):
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(matrix)), persistent=False)
        for axis in axes:  # sums over all places of a length, as a product: engines are slow at running sums
            size = search._along.shape[1] if axis == 1 else search._across.shape[1]
            for length in {s.length for s in self.segments[axis]}:
                at = np.arange(size)[:, None] - np.arange(size - length + 1)
                window = torch.from_numpy(((at >= 0) & (at < length)).astype(np.float32))
                self.register_buffer(f"window_{axis}_{length}", window, persistent=False)

    def whiten(self, x: Tensor) -> Tensor:
        """Precision matrix times maps ``[n, rows, columns]``, not clipped."""
        across, along = self.get_buffer("across"), self.get_buffer("along")
        return across.T @ (self.get_buffer("weight") * (across @ x @ along.T)) @ along

    def forward(self, whitened: Tensor, *, cells: bool = True) -> Evidence:
        """Search whitened maps ``[n, rows, columns]``; without ``cells`` their evidence is left at 0."""
        y = whitened if self.clip is None else whitened.clamp(-self.clip, self.clip)
        lines, contrast, spread = {}, {}, {}
        covers: list[Tensor] = []
        for axis in self.axes:
            field = y if axis == 1 else y.transpose(1, 2)
            lines[axis], contrast[axis], spread[axis], cover = self._search(field, axis, cells)
            if cover is not None:
                covers.append(cover if axis == 1 else cover.transpose(1, 2))
        return Evidence(lines, contrast, spread, reduce(torch.maximum, covers) if covers else torch.zeros_like(y))

    def _search(self, field: Tensor, axis: int, cells: bool) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """One axis, ``[n, lines, along]``: evidence, contrast and spread ``[n, lines]``, and the cells' evidence."""
        bands, each, contrasts, variances = {1: field}, [], [], []
        places: dict[int, list[Tensor]] = {}
        alone: dict[int, Tensor] = {}  # of one tooth; those of several add up, as all lines have one step
        for s in self.segments[axis]:
            if s.teeth not in bands:
                bands[s.teeth] = bands[s.teeth - 1][:, :-1] + field[:, s.teeth - 1 :]
            window = self.get_buffer(f"window_{axis}_{s.length}")
            if s.dark is not None:  # a cell in a gap says nothing against the line
                ratio = (bands[s.teeth] * s.step + (s.bright - s.half / s.length)).clamp(min=s.dark) @ window
            elif s.teeth == 1:
                ratio = alone[s.length] = field @ (s.step * window)
            else:
                more = alone[s.length]
                ratio = reduce(torch.add, [more[:, t : more.shape[1] - s.teeth + 1 + t] for t in range(s.teeth)])
            most = ratio.amax(2)
            power = near = (ratio - most[:, :, None]).exp()
            terms = []
            for m in s.multiples:
                power = power if m == 1 else power * near  # exp(m x) is a power of exp(x)
                terms.append(power.sum(2).log() + (m * most - s.taken(m)))
            line = _log_sum(torch.stack(terms), 0) + (s.weight - float(np.log(s.teeth)))
            energy = 2.0 * s.half / s.step**2  # of the segment at a contrast of e
            measured = (most + (0.0 if s.dark is None else s.half - s.length * s.bright)) / (s.step * energy)
            for tooth in range(s.teeth):
                room = (tooth, s.teeth - 1 - tooth)
                each.append(nn.functional.pad(line, room, value=_LEAST))
                contrasts.append(nn.functional.pad(measured, room, value=0.0))
                variances.append(torch.full_like(field[:, :, 0], 1.0 / energy))
            if cells:
                best = reduce(torch.maximum, [m * ratio + (s.weight - s.taken(m)) for m in s.multiples])
                places.setdefault(s.length, []).append(_reach(best, s.teeth, 1))
        found = torch.stack(each)
        share = found.softmax(0)
        mean = (share * torch.stack(contrasts)).sum(0)
        square = (share * (torch.stack(variances) + torch.stack(contrasts) ** 2)).sum(0)
        cover = _cover(places) if cells else None
        return _log_sum(found, 0), mean, (square - mean**2).clamp(min=1e-8).sqrt(), cover


def _log_sum(x: Tensor, dim: int) -> Tensor:
    """``x.logsumexp(dim)`` of finite values, in operations that engines are fast at."""
    most = x.amax(dim, keepdim=True)
    return (x - most).exp().sum(dim).log() + most.squeeze(dim)


def _cover(places: dict[int, list[Tensor]]) -> Tensor:
    """At each cell the best segment that covers it; by length the evidence of all places ``[n, lines, places]``."""
    longest, *shorter = sorted(places, reverse=True)
    best = reduce(torch.maximum, places[longest])
    for before, length in pairwise([longest, *shorter, 1]):  # a segment covers what its parts of the next length cover
        best = reduce(torch.maximum, [_reach(best, before - length + 1, 2), *places.get(length, [])])
    return best


def _reach(x: Tensor, size: int, dim: int) -> Tensor:
    """Each value ``[n, lines, along]`` at its own and the next ``size - 1`` places of a dimension, the largest wins."""
    room = (size - 1, size - 1)
    x = nn.functional.pad(x, room if dim == 2 else (0, 0, *room), value=_LEAST)
    reach = 1
    while reach < size:  # each step doubles the reach
        step = min(reach, size - reach)
        rest = x.shape[dim] - step
        x = torch.maximum(x.narrow(dim, 0, rest), x.narrow(dim, step, rest))
        reach += step
    return x

"""The line network as one torch module, maps in and scores out, to be exported."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toothwise.detectors.base import Detector

_EVIDENCE = {1: "row_evidence", 2: "column_evidence"}


class LineGraph(nn.Module):
    """Maps ``[n, rows, columns]`` -> score ``[n]``, anomaly map, evidence of lines, and contrast ``[n]``.

    Args:
        detector: Fitted.

    Attributes:
        outputs: Names of what ``forward`` returns, in order.
        size: Rows and columns, as nothing is resized.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.size, self.pooling, self.by_token = detector.shape or (1, 1), "own", False
        self.network = detector.network_parts().network  # type: ignore[attr-defined]
        self.outputs = ["score", "anomaly_map", *(_EVIDENCE[axis] for axis in self.network.axes), "severity"]
        self.eval().requires_grad_(False)

    def forward(self, maps: Tensor) -> tuple[Tensor, ...]:
        """The outputs of ``outputs``."""
        known = ~torch.isnan(maps)
        values = torch.where(known, maps, 1.0)
        values = values.log() if self.network.options.log else values
        found = self.network.judge(torch.where(known, values, torch.nan))
        heat = torch.where(known, found.cells, torch.nan)
        return (found.score, heat, *found.lines.values(), found.likeliest()[0].exp())

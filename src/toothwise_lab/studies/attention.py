"""What the directional layers of a trial's detector attend to: numbers for its row, a view for its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.detectors.base import Detector

if TYPE_CHECKING:
    from toothwise.detectors.dinomaly.attention_view import AttentionView

_AXES = ("y", "x")
_LAYERS = 8  # of the decoder that detectors have
ENTROPY_MEANS = tuple(f"attention_entropy_{axis}" for axis in _AXES)
ATTENTION_METRICS = (*ENTROPY_MEANS, *(f"{name}_layer_{k}" for name in ENTROPY_MEANS for k in range(_LAYERS)))


def look(detector: Detector | None, maps: np.ndarray | None) -> AttentionView | None:
    """The view of these maps ``[n, rows, columns]``; None for a detector without directional layers."""
    if detector is None or maps is None or not len(maps):
        return None
    inner = getattr(detector, "_inner", detector)  # a LinePooled one holds the detector
    if getattr(inner, "_module", None) is None:
        return None  # before torch is imported
    from toothwise.detectors.dinomaly.attention_view import attends_along_lines, view_attention

    return view_attention(detector, maps) if attends_along_lines(detector) else None


def attention_metrics(view: AttentionView) -> dict[str, float]:
    """Entropy of the weights by axis: the mean over layers, and of each layer; 1 = all tokens of a line alike."""
    out = {}
    for axis in _AXES:
        found = {layer.layer: layer.entropy[axis] for layer in view.layers if axis in layer.entropy}
        if found:
            out[f"attention_entropy_{axis}"] = float(np.mean(list(found.values())))
            out |= {f"attention_entropy_{axis}_layer_{k}": value for k, value in found.items()}
    return out


def attention_data(detector: Detector, view: AttentionView) -> dict[str, Any]:
    """Tokens, alpha and entropy by layer, and what a layer costs beside global attention; JSON types."""
    from toothwise_lab.studies.attention_cost import attention_cost

    return {**view.data, "cost": attention_cost(detector, view.grid)}

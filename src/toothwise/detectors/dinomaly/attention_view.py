"""What the directional layers of a fitted Dinomaly attend to: weights of chosen tokens, alpha, entropy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.detectors.base import Detector
from toothwise.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from toothwise.detectors.dinomaly.torch_model import DirectionalDinomalyModel

_BATCH = 8  # images at a time


@dataclass(frozen=True, eq=False)
class LayerView:
    """One directional layer on some maps.

    Attributes:
        layer: 0 = next to the bottleneck.
        alpha: weight of attention along columns, one or one per head; of the adaptive mix for a token of zeros.
        weights: by axis, of the chosen tokens, mean over heads: ``[maps, tokens, line]``.
        entropy: by axis, mean over maps, heads and tokens, in parts of that of equal weights: 1 = all alike.
    """

    layer: int
    alpha: list[float]
    weights: dict[str, np.ndarray]
    entropy: dict[str, float]


@dataclass(frozen=True, eq=False)
class AttentionView:
    """The layers of a detector on some maps.

    Attributes:
        grid: rows and columns of tokens.
        tokens: row and column of the chosen tokens, int ``[maps, tokens, 2]``.
        anomaly: distance of encoder and rebuilt features per token, ``[maps, rows, columns]``.
        layers: in the order of the decoder.
    """

    grid: tuple[int, int]
    tokens: np.ndarray
    anomaly: np.ndarray
    layers: list[LayerView]

    @property
    def data(self) -> dict[str, Any]:
        """JSON types, without the weights."""
        return {
            "grid": list(self.grid),
            "tokens": self.tokens.tolist(),
            "layers": [{"layer": v.layer, "alpha": v.alpha, "entropy": v.entropy} for v in self.layers],
        }


def directional_model(detector: Detector) -> tuple[DirectionalDinomalyModel, Any]:
    """The network and the maker of its images.

    Raises:
        InputError: a detector without directional layers.
    """
    inner: Any = getattr(detector, "_inner", detector)  # a LinePooled one holds the detector
    module = getattr(inner, "_module", None)
    model = getattr(module, "model", None)
    if model is None or not hasattr(model, "alphas") or not model.alphas():
        raise InputError(
            f"attention is that of a fitted Dinomaly with directional layers, but this is {inner.name!r} without any"
        )
    return model, inner._images


def attends_along_lines(detector: Detector) -> bool:
    """Whether a detector is a fitted Dinomaly with directional layers."""
    try:
        directional_model(detector)
    except InputError:
        return False
    return True


def view_attention(detector: Detector, maps: np.ndarray, *, cell: tuple[int, int] | None = None) -> AttentionView:
    """Run maps through the detector and look into its directional layers.

    Args:
        detector: a fitted one of the Dinomaly family with directional layers.
        maps: ``[n, rows, columns]``.
        cell: row and column of the map whose token is looked at in all maps; None = the most anomalous token of each
            map, and beside it the one of median anomaly.

    Raises:
        InputError: another detector, or a cell outside the map.
    """
    import torch

    model, images = directional_model(detector)
    model.cpu().eval()
    with torch.inference_mode(), watched_attention(model) as taken:
        parts = [model.token_map(images(maps[at : at + _BATCH])) for at in range(0, len(maps), _BATCH)]
    anomaly = torch.cat(parts)[:, 0].numpy()
    grid = (anomaly.shape[1], anomaly.shape[2])
    tokens = _tokens(anomaly, maps.shape[1:], cell)
    layers = []
    for k in taken:
        whole = {axis: torch.cat([part[axis] for part in taken[k]]).numpy() for axis in taken[k][0]}
        at = (np.arange(len(maps))[:, None], tokens[:, :, 0], tokens[:, :, 1])
        chosen = {axis: w.mean(axis=1)[at] for axis, w in whole.items()}
        alpha = model.alphas()[str(k)]
        layers.append(LayerView(k, alpha, chosen, {axis: entropy_of(w) for axis, w in whole.items()}))
    return AttentionView(grid, tokens, anomaly, layers)


def _tokens(anomaly: np.ndarray, shape: tuple[int, ...], cell: tuple[int, int] | None) -> np.ndarray:
    n, h, w = anomaly.shape
    if cell is not None:
        if not (0 <= cell[0] < shape[0] and 0 <= cell[1] < shape[1]):
            raise InputError(f"the cell must be in a map of {shape[0]} x {shape[1]}, but is {cell[0]}, {cell[1]}")
        token = [cell[0] * h // shape[0], cell[1] * w // shape[1]]
        return np.tile(np.array([[token]]), (n, 1, 1))
    order = anomaly.reshape(n, -1).argsort(axis=1)
    flat = np.stack([order[:, -1], order[:, order.shape[1] // 2]], axis=1)
    return np.stack([flat // w, flat % w], axis=2)


@contextmanager
def watched_attention(model: DirectionalDinomalyModel) -> Iterator[dict[int, list[dict[str, Tensor]]]]:
    """What the directional layers attend to in this block: by layer, for each pass, what ``line_weights`` gives."""
    from toothwise.detectors.dinomaly.torch_model import DirectionalBlock

    blocks = {k: block for k, block in enumerate(model.decoder) if isinstance(block, DirectionalBlock)}
    taken: dict[int, list[dict[str, Tensor]]] = {k: [] for k in blocks}

    def look(layer: int, module: Any, args: tuple[Any, ...]) -> None:
        taken[layer].append(module.line_weights(*args))

    hooks = [block.attn.register_forward_pre_hook(partial(look, k)) for k, block in blocks.items()]
    try:
        yield taken
    finally:
        for hook in hooks:
            hook.remove()


def entropy_of(weights: np.ndarray | Tensor) -> float:
    """Mean entropy of weights ``[..., line]``, brought to sum 1, over that of equal weights: 1 = all alike."""
    length = weights.shape[-1]
    if length < 2:
        return 1.0
    own = np.asarray(weights if isinstance(weights, np.ndarray) else weights.cpu())
    p = own / np.maximum(own.sum(axis=-1, keepdims=True), 1e-12)
    return float(np.mean(-np.sum(p * np.log(np.maximum(p, 1e-12)), axis=-1)) / np.log(length))

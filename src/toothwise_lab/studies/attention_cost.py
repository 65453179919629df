"""What a directional layer costs beside global attention."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from toothwise.detectors.base import Detector
from toothwise.detectors.dinomaly.attention_view import directional_model
from toothwise_lab.studies.measures import peak_tensors

_BATCH = 8  # images at a time
_ROUNDS = 5


def attention_cost(detector: Detector, grid: tuple[int, int]) -> dict[str, Any]:
    """Time and memory of a layer on random tokens of this grid, against global attention, on the CPU.

    Returns:
        For "directional", "global_linear" and "global_softmax": ``ms`` per map (median, of batches of 8),
        ``peak_bytes``, the most that tensors took at a time while the layer worked on one map, beyond weights and
        input (measured), and ``weights``, the numbers in the largest array of attention weights or of their substitute
        that a head holds (counted).
    """
    import torch
    from anomalib.models.image.dinomaly.components.layers import LinearAttention
    from timm.layers import Attention

    from toothwise.detectors.dinomaly.torch_model import DirectionalBlock

    model, _ = directional_model(detector)
    own: Any = next(block.attn for block in model.decoder if isinstance(block, DirectionalBlock))
    dim, heads, (h, w) = own.qkv.in_features, own.num_heads, grid
    tokens = torch.randn(_BATCH, h * w, dim, generator=torch.Generator().manual_seed(0))
    d = dim // heads
    along = {"y": [(w, h)], "x": [(h, w)], "both": [(w, h), (h, w)]}[own.axis]
    directional = sum(count * (length * length if length < d else d * d) for count, length in along)
    layers = {
        "directional": (lambda x: own(x, grid), directional),
        "global_linear": (LinearAttention(dim, num_heads=heads, qkv_bias=True).eval(), d * d),
        "global_softmax": (Attention(dim, num_heads=heads, qkv_bias=True).eval(), (h * w) ** 2),
    }
    out = {}
    with torch.inference_mode():
        for name, (call, held) in layers.items():
            call(tokens)
            times = []
            for _ in range(_ROUNDS):
                begin = time.perf_counter()
                call(tokens)
                times.append(time.perf_counter() - begin)
            out[name] = {
                "ms": 1000 * float(np.median(times)) / _BATCH,
                "peak_bytes": peak_tensors(partial(call, tokens[:1])),
                "weights": int(held),
            }
    return out

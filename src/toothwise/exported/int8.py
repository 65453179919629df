"""The network of an export in whole numbers of 8 bits, offered only where healthy maps show that nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.detectors.base import Detector
from toothwise.errors import need
from toothwise.evaluation import auroc
from toothwise.exported.choosing import one_by_one
from toothwise.exported.engines import onnx_engine
from toothwise.exported.manifest import read_manifest, write_manifest
from toothwise.progress import Progress, silent

FILE = "model_int8.onnx"
LOST, SAME = 0.002, 0.995  # AUROC that may be lost, and decisions that must be the same
_CALIBRATION, _HELD, _LINES = 16, 24, 3  # maps: for the ranges, held out, and copies of these with a line each
_CONTRAST = (1.1, 1.5)
# Shares of the products that are tried, from the network's end: an error grows through all the layers behind it. The
# whole network is not: where it held on so few maps it lost 0.005 AUROC on others.
_SHARES = (0.5, 0.25)


def add_int8(detector: Detector, folder: Path, healthy: np.ndarray, *, progress: Progress = silent) -> dict[str, Any]:
    """Add the network in int8 to an export of format "auto", if it holds; what was measured goes into the manifest.

    Products with weights take 7 bits per output channel (with 8, sums of two products overflow on processors without
    VNNI), their inputs 8 bits over the range that healthy maps have (ONNX Runtime's static quantisation). The last half
    of them is tried, then the last quarter, until AUROC and decisions hold on healthy maps that the ranges were not
    taken from, without and with lines drawn on them.

    Args:
        detector: The fitted Dinomaly.
        folder: Of its export; files and manifest are changed.
        healthy: Its own healthy maps ``[n, rows, columns]``.
        progress: Called with what is being done.

    Returns:
        ``offered``, and of the last share of products that was tried ``share``, ``auroc_lost``, ``same_decisions``; or
        ``why`` nothing was tried.
    """
    manifest = read_manifest(folder)
    calibration, held = healthy[::2][:_CALIBRATION], healthy[1::2][:_HELD]
    facts: dict[str, Any] = {"offered": False, "why": f"needs {2 * _CALIBRATION} healthy maps, but has {len(healthy)}"}
    if len(healthy) >= 2 * _CALIBRATION:
        maps, labels = _with_lines(held)
        expected = _scores(folder / "model.onnx", maps)
        limit = float(np.quantile(expected[labels == 0], 0.99))
        limit = detector.threshold.value if detector.threshold is not None else limit
        width = detector.network_parts().network.encoder.dim  # type: ignore[attr-defined]
        for share in _SHARES:
            progress(f"trying int8 in {share:.0%} of the products")
            _quantise(folder / "model.onnx", folder / FILE, calibration, width, share)
            found = _scores(folder / FILE, maps)
            facts = {
                "share": share,
                "auroc_lost": round(auroc(expected, labels) - auroc(found, labels), 5),
                "same_decisions": round(float(np.mean((found > limit) == (expected > limit))), 5),
                "maps": len(maps),
            }
            facts["offered"] = facts["auroc_lost"] <= LOST and facts["same_decisions"] >= SAME
            if facts["offered"]:
                break
            (folder / FILE).unlink()
    choices = list(manifest.graph["choices"])
    if facts["offered"]:
        choices += [{"engine": engine, "precision": "int8", "file": FILE} for engine in ("onnx", "openvino")]
    write_manifest(folder, replace(manifest, graph=manifest.graph | {"choices": choices, "int8": facts}))
    return facts


def _with_lines(held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Healthy maps and copies with a line each, along a row or a column, and which is which."""
    rng = np.random.default_rng(0)
    copies = np.tile(held, (_LINES, 1, 1))
    for k, values in enumerate(copies):
        view = values if k % 2 else values.T
        length = int(rng.integers(view.shape[1] // 3, view.shape[1] + 1))
        start = int(rng.integers(0, view.shape[1] - length + 1))
        view[rng.integers(len(view)), start : start + length] *= rng.uniform(*_CONTRAST)
    return np.concatenate([held, copies]), np.repeat([0, 1], [len(held), len(copies)])


def _scores(path: Path, maps: np.ndarray) -> np.ndarray:
    engine = onnx_engine(path.read_bytes(), ["score"], threads=None, what=str(path))
    return one_by_one(engine, maps).astype(np.float64)


def _quantise(source: Path, target: Path, maps: Sequence[np.ndarray] | np.ndarray, width: int, share: float) -> None:
    """int8 in the last products with weights, ranges of their inputs from maps."""
    onnx = need("onnx", "exporting a network in int8")
    quantisation = need("onnxruntime.quantization", "exporting a network in int8")
    graph = onnx.load(source).graph
    weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    # the resize of maps is a product with constants, too, but with none as wide as a token
    products = [
        node.name
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm") and any(min(weights.get(name, (0,))) >= width for name in node.input)
    ]

    given = ({"maps": one[None]} for one in maps)

    class Maps(quantisation.CalibrationDataReader):  # type: ignore[name-defined]
        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(given, None)

    quantisation.quantize_static(
        str(source),
        str(target),
        Maps(),
        quant_format=quantisation.QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        weight_type=quantisation.QuantType.QInt8,
        activation_type=quantisation.QuantType.QUInt8,
        nodes_to_quantize=products[-max(1, round(share * len(products))) :],
    )

"""One fitted detector in every engine and precision that there is on a CPU, from maps to scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from measuring.machine import has_bfloat16
from toothwise.detectors.base import Detector
from toothwise.exported.choosing import choices_of, load_engine, open_fastest
from toothwise.exported.engines import Engine, onnx_engine, openvino_engine
from toothwise.exported.export import _write_openvino, export_detector
from toothwise.exported.graph import graph_of
from toothwise.exported.manifest import read_manifest

__all__ = ["Score", "variants"]

_LARGE = 384  # from this width on int8 in the decoder alone is left out: it takes its time, and says no more
Score = Callable[[np.ndarray], np.ndarray]  # maps [n, rows, columns] -> scores [n]


def variants(
    detector: Detector, folder: Path, healthy: np.ndarray | None, *, few: bool = False, threads: int = 1
) -> dict[str, Score]:
    """Name of engine and precision -> how maps become scores; everything around the network is part of the graph.

    Args:
        detector: a fitted Dinomaly.
        folder: where its exports are written; what is there already serves again.
        healthy: maps that int8 is calibrated on, or None = without int8.
        few: only what differs most.
        threads: of the engines other than PyTorch.
    """
    place = exported(detector, folder, "auto", "auto")
    onnx, manifest = place / "model.onnx", read_manifest(place)
    found = {"PyTorch, float32": _torch(detector, "float32")}
    if not few and has_bfloat16():
        found["PyTorch, bfloat16"] = _torch(detector, "bfloat16")
    for choice in choices_of(manifest, place):
        if choice.precision == "float32" or has_bfloat16():
            found[str(choice)] = _scores(load_engine(place, manifest, threads, choice))
    engine, choice, _ = open_fastest(place, manifest, threads)
    found[f"auto ({choice})"] = _scores(engine)
    if few:
        return found
    if healthy is not None:
        small = detector._module.model.encoder.dim < _LARGE  # type: ignore[attr-defined]
        for words, alone in (("int8", False), ("int8 in the decoder alone", True))[: 2 if small else 1]:
            path = folder / f"{words.replace(' ', '_')}.onnx"
            if not path.exists():
                quantise(onnx, path, healthy, detector, alone)
                _write_openvino(path, path.with_suffix(".xml"))
            if not alone:
                found[f"ONNX Runtime, {words}"] = _onnx(path, threads)
            found[f"OpenVINO, {words}"] = _openvino(path.with_suffix(".xml"), threads)
    return found


def exported(detector: Detector, folder: Path, form: str, precision: str) -> Path:
    """The folder of one export."""
    place = folder / f"{form}_{precision}"
    if not (place / "model.json").exists():
        place.mkdir(parents=True, exist_ok=True)
        export_detector(detector, place, form, precision)
        assert read_manifest(place).graph["outputs"][0] == "score"
    return place


def quantise(source: Path, target: Path, healthy: np.ndarray, detector: Detector, decoder_alone: bool) -> None:
    """int8 of the products with weights, for each output of a layer, ranges of their inputs from healthy maps.

    Args:
        source, target: ONNX files.
        healthy: maps.
        detector: whose blocks are counted.
        decoder_alone: the encoder's stay float32.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    graph = onnx.load(source).graph
    weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    width = detector._module.model.encoder.dim  # type: ignore[attr-defined]
    # the resize of maps is a product with constants, too, but with none as wide as a token
    products = [
        node.name
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm") and any(min(weights.get(name, (0,))) >= width for name in node.input)
    ]
    if decoder_alone:
        model: Any = detector._module.model  # type: ignore[attr-defined]
        products = products[-(2 * len(model.bottleneck) + 4 * len(model.decoder)) :]

    class Maps(CalibrationDataReader):
        def __init__(self) -> None:
            self.left: Iterator[np.ndarray] = iter(healthy[:, None])

        def get_next(self) -> dict[str, np.ndarray] | None:
            one = next(self.left, None)
            return None if one is None else {"maps": one}

    quantize_static(
        str(source),
        str(target),
        Maps(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        nodes_to_quantize=products,
    )


def _torch(detector: Detector, precision: str) -> Score:
    graph = graph_of(detector)
    graph.images.register_forward_hook(lambda module, given, images: images.float())  # as the encoder wants them

    @torch.inference_mode()
    def run(maps: np.ndarray) -> np.ndarray:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            return graph(torch.from_numpy(maps))[0].numpy()

    return run


def _scores(engine: Engine) -> Score:
    return lambda maps: engine(maps)["score"]


def _onnx(path: Path, threads: int) -> Score:
    return _scores(onnx_engine(path.read_bytes(), ["score"], threads=threads, what=str(path)))


def _openvino(path: Path, threads: int) -> Score:
    content = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    return _scores(openvino_engine(*content, ["score"], threads=threads, what=str(path)))

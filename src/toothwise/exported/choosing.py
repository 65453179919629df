"""Which engine and precision an exported network runs in: those that hold its accuracy are timed where it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from toothwise import processor
from toothwise.errors import InputError, MissingDependencyError
from toothwise.exported.engines import Engine, onnx_engine, openvino_engine, threads_of
from toothwise.exported.manifest import FILE, Manifest, verified
from toothwise.fields import from_mapping

SAMPLE = "sample.safetensors"  # maps, and the scores that the fitted detector gives them
ALLOWED = {"float32": 1e-4, "bfloat16": 0.05, "int8": 0.2}  # of a score, or of the scores' spread where that is more
_ENGINES = {"onnx": "ONNX Runtime", "openvino": "OpenVINO"}
_PACKAGES = ("onnxruntime", "openvino")
_IN_TURN = 3  # maps scored one by one at a time: the first finds another network in the processor's caches


@dataclass(frozen=True)
class Choice:
    """One way to run an exported network.

    Attributes:
        engine: "onnx" (ONNX Runtime) or "openvino".
        precision: Of the products: "float32", "bfloat16" or "int8".
        file: The network in the folder.
    """

    engine: Literal["onnx", "openvino"]
    precision: Literal["float32", "bfloat16", "int8"]
    file: str

    def __str__(self) -> str:
        return f"{_ENGINES[self.engine]}, {self.precision}"


def choices_of(manifest: Manifest, folder: Path) -> list[Choice]:
    """What a manifest offers, the preferred one first.

    Raises:
        InputError: An engine or precision that there is not, or no choice.
    """
    choices = [from_mapping(Choice, each, str(folder / FILE)) for each in manifest.graph.get("choices", ())]
    if not choices:
        raise InputError(f"{folder / FILE}: offers no engine")
    return choices


@dataclass(frozen=True)
class Opened:
    """An exported network that is ready.

    Attributes:
        run: Maps -> outputs.
        choice: What runs it.
        milliseconds: Per map, of every choice that was measured ({} = there is but one).
    """

    run: Engine
    choice: Choice
    milliseconds: dict[str, float]


def open_fastest(folder: Path, manifest: Manifest, threads: int | None) -> Opened:
    """The engine of the choice that is fastest on this processor, among those that hold the accuracy here.

    Args:
        folder: Of an export.
        manifest: Its own.
        threads: See ``threads_of``.

    Raises:
        InputError: No engine can run it.
        MissingDependencyError: No engine for it is installed.
    """
    from safetensors.numpy import load as load_arrays

    choices = choices_of(manifest, folder)
    load = partial(load_engine, folder, manifest, threads)
    if len(choices) == 1:
        return Opened(load(choices[0]), choices[0], {})
    names = {str(choice): choice for choice in choices}
    files = [manifest.files[name]["sha256"] for name in sorted({choice.file for choice in choices})]
    key = processor.mark("inference", files, threads, list(names), packages=_PACKAGES)
    known = processor.recall(key)
    if known is not None and known[0] in names:
        return Opened(load(names[known[0]]), names[known[0]], _per_map(known[1]))
    data = load_arrays(verified(folder, manifest, SAMPLE))
    ways: dict[str, Callable[[], Any]] = {}
    engines, missing = {}, None
    for name, choice in names.items():
        if choice.precision == "bfloat16" and not _has_bfloat16():
            continue
        try:
            engine = load(choice)
        except MissingDependencyError as error:
            missing = missing or error  # the preferred engine is the one to install
            continue
        if worst_difference(data["scores"], one_by_one(engine, data["maps"])) <= ALLOWED[choice.precision]:
            engines[name] = engine
            ways[name] = partial(one_by_one, engine, data["maps"][:_IN_TURN])
    if not engines:
        raise missing or InputError(f"{folder}: no engine here gives the scores of the detector that was exported")
    best, ms = processor.fastest(ways, key, one_thread=threads_of(threads) == 1)
    return Opened(engines[best], names[best], _per_map(ms))


def _per_map(ms: dict[str, float]) -> dict[str, float]:
    return {name: round(taken / _IN_TURN, 3) for name, taken in ms.items()}


def worst_difference(expected: np.ndarray, found: np.ndarray) -> float:
    """The largest difference of scores, each over its size, or over the scores' spread where that is more."""
    least = max(float(np.std(expected)), 1e-12)  # some scores cross zero
    return float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), least)))


def load_engine(folder: Path, manifest: Manifest, threads: int | None, choice: Choice) -> Engine:
    """The engine of one choice.

    Raises:
        MissingDependencyError: It is not installed.
        InputError: Not a model that it can run.
    """
    outputs, what = manifest.graph["outputs"], f"{folder / choice.file}"
    model = verified(folder, manifest, choice.file)
    if choice.engine == "onnx":
        return onnx_engine(model, outputs, threads=threads, what=what)
    weights = verified(folder, manifest, "model.bin") if choice.file.endswith(".xml") else None
    bfloat16 = choice.precision == "bfloat16"  # int8 is part of the network itself
    return openvino_engine(model, weights, outputs, threads=threads, what=what, bfloat16=bfloat16)


def _has_bfloat16() -> bool:
    """Whether OpenVINO computes bfloat16 here, in place of float32 under that name."""
    try:
        import openvino
    except ImportError:
        return True  # said where the engine is loaded
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def one_by_one(engine: Engine, maps: np.ndarray) -> np.ndarray:
    """The scores of maps that come one at a time."""
    return np.concatenate([engine(maps[k : k + 1])["score"] for k in range(len(maps))])

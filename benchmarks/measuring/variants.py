"""One fitted detector in every engine and precision that there is on a CPU, from maps to scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from measuring.machine import has_bfloat16
from toothwise.detectors.base import Detector
from toothwise.exported.choosing import choices_of, load_engine, open_fastest
from toothwise.exported.engines import Engine
from toothwise.exported.export import export_detector
from toothwise.exported.graph import graph_of
from toothwise.exported.int8 import add_int8
from toothwise.exported.manifest import read_manifest

Score = Callable[[np.ndarray], np.ndarray]  # maps [n, rows, columns] -> scores [n]


def variants(
    detector: Detector, folder: Path, healthy: np.ndarray | None, *, few: bool = False, threads: int = 1
) -> dict[str, Score]:
    """Name of engine and precision -> how maps become scores; everything around the network is part of the graph.

    Args:
        detector: a fitted Dinomaly.
        folder: where its exports are written; what is there already serves again.
        healthy: maps that int8 is calibrated and tried on, or None = without int8.
        few: only what differs most.
        threads: of the engines other than PyTorch.
    """
    place = exported(detector, folder, healthy)
    manifest = read_manifest(place)
    found = {"PyTorch, float32": _torch(detector, "float32")}
    if not few and has_bfloat16():
        found["PyTorch, bfloat16"] = _torch(detector, "bfloat16")
    for choice in choices_of(manifest, place):
        if choice.precision != "bfloat16" or has_bfloat16():
            found[str(choice)] = _scores(load_engine(place, manifest, threads, choice))
    opened = open_fastest(place, manifest, threads)
    found[f"auto ({opened.choice})"] = _scores(opened.run)
    return found


def exported(detector: Detector, folder: Path, healthy: np.ndarray | None) -> Path:
    """The folder of an export with all choices; in int8 too, where that holds on these maps."""
    place = folder / "auto"
    if not (place / "model.json").exists():
        place.mkdir(parents=True, exist_ok=True)
        export_detector(detector, place, "auto")
        if healthy is not None:
            print(f"int8, {place.parent.name}: {add_int8(detector, place, healthy)}", flush=True)
    return place


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

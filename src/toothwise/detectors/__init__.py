"""One contract, one registry, and the anomalib modules by name for ``anomalib train``."""

from __future__ import annotations

from typing import Any

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.registry import create, describe, load, names

__all__ = ["Detector", "DirectionalDinomaly", "DraemSevNet", "Prediction", "create", "describe", "load", "names"]


def __getattr__(name: str) -> Any:
    if name == "DirectionalDinomaly":  # torch and anomalib load only when the module is asked for
        from toothwise.detectors.dinomaly.lightning_model import DirectionalDinomaly

        return DirectionalDinomaly
    if name == "DraemSevNet":
        from toothwise.detectors.draem_sevnet.lightning_model import DraemSevNet

        return DraemSevNet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

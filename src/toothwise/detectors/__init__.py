"""One contract, one registry, and the anomalib modules by name for ``anomalib train``."""

from __future__ import annotations

from typing import Any

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.registry import create, describe, load, names

__all__ = [
    "Detector",
    "DirectionalDinomaly",
    "Prediction",
    "SeverityAwareDinomaly",
    "create",
    "describe",
    "load",
    "names",
]


def __getattr__(name: str) -> Any:
    if name == "DirectionalDinomaly":  # torch and anomalib load only when the module is asked for
        from toothwise.detectors.dinomaly.lightning_model import DirectionalDinomaly

        return DirectionalDinomaly
    if name == "SeverityAwareDinomaly":
        from toothwise.detectors.dinomaly.severity_model import SeverityAwareDinomaly

        return SeverityAwareDinomaly
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

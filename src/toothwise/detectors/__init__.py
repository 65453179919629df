"""One contract, one registry, and the anomalib modules by name for ``anomalib train``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.registry import create, describe, names, register

_MODULES = {
    "DirectionalDinomaly": "dinomaly.lightning_model",
    "DraemSevNet": "draem_sevnet.lightning_model",
    "LineNetwork": "line_network.lightning_model",
    "PatchcoreContext": "patchcore.lightning_model",
    "SeverityAwareDinomaly": "dinomaly.severity_model",
}
__all__ = ["Detector", "Prediction", "create", "describe", "names", "register"]
__all__ += list(_MODULES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:  # torch and anomalib load only when a module is asked for
        return getattr(import_module(f"toothwise.detectors.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

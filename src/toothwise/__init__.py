"""Toothwise finds the gear tooth that is going bad, how badly, and since when."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

# Heavy modules load on first use, so that ``import toothwise`` stays fast.
_LAZY = {
    "GearPair": "toothwise.gears",
    "PlanetaryStage": "toothwise.gears",
    "HealthMap": "toothwise.healthmap.core",
    "HealthMapBatch": "toothwise.healthmap.core",
    "Model": "toothwise.model",
    "Monitor": "toothwise.diagnosis.monitor",
    "MapBuilder": "toothwise.healthmap.map_builder",
    "build_map": "toothwise.healthmap.build",
    "read_map": "toothwise.healthmap.io",
    "Tachometer": "toothwise.vibration.records",
    "VibrationRecord": "toothwise.vibration.records",
    "read_record": "toothwise.vibration.readers",
    "write_record": "toothwise.vibration.readers",
    "write_map": "toothwise.healthmap.io",
}
_MODULES = {"detectors", "diagnosis", "evaluation", "gears", "healthmap", "simulate", "vibration", "data", "reporting"}
__all__ = ["__version__", *_LAZY, *sorted(_MODULES)]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _MODULES:
        return import_module(f"toothwise.{name}")
    raise AttributeError(f"module 'toothwise' has no attribute {name!r}")

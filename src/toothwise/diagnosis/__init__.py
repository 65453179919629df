"""Which gear and tooth, how badly, what kind of damage, since when, and how sure that is."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# name: module; loaded when asked for
_NAMES = {
    "Diagnosis": "verdict",
    "JsonStore": "store",
    "MapDiagnosis": "verdict",
    "MemoryStore": "store",
    "Monitor": "monitor",
    "MonitorSettings": "rules",
    "Reset": "rules",
    "State": "store",
    "Store": "store",
    "diagnose_maps": "single",
    "judge": "judging",
    "learn_baseline": "baseline",
    "summarize_records": "summary",
}
__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"toothwise.diagnosis.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

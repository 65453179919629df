"""Many gearboxes: maps scored by the million, and records diagnosed as they come."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# name: module; loaded when asked for
_NAMES = {
    "MachineMonitor": "keeper",
    "ScoreOptions": "run",
    "open_database": "database",
    "plan_shards": "shards",
    "score_fleet": "run",
}
__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"toothwise.fleet.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""A detector as one folder that runs without PyTorch: export, graph, engines, and opening it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toothwise.exported.export import export
    from toothwise.exported.opening import open_detector

__all__ = ["export", "open_detector"]

_PLACES = {"export": "toothwise.exported.export", "open_detector": "toothwise.exported.opening"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)

"""From a fitted detector to a running service: export, runtime, HTTP API and web page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toothwise.serving.export import export
    from toothwise.serving.opening import open_detector

__all__ = ["export", "open_detector"]

_PLACES = {"export": "toothwise.serving.export", "open_detector": "toothwise.serving.opening"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)

"""Maps and image sets as anomalib datamodules."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_LAZY = {
    "HDMapDataModule": "toothwise.data.hdmap",
    "FolderDataModule": "toothwise.data.folders",
    "PRESETS": "toothwise.data.folders",
    "image_set": "toothwise.data.folders",
}
__all__ = ["PRESETS", "FolderDataModule", "HDMapDataModule", "image_set"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:  # torch and anomalib load only when it is asked for
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

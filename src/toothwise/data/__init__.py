"""Maps and image sets as anomalib datamodules."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_LAZY = {
    "HDMapDataModule": "toothwise.data.hdmap",
    "FolderDataModule": "toothwise.data.folders",
    "PRESETS": "toothwise.data.imagesets",
    "ImageArrays": "toothwise.data.arrays",
    "load_images": "toothwise.data.arrays",
    "image_set": "toothwise.data.folders",
}
__all__ = ["PRESETS", "FolderDataModule", "HDMapDataModule", "ImageArrays", "image_set", "load_images"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:  # torch and anomalib load only when it is asked for
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

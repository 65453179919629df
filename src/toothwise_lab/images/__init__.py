"""Image sets of other fields, split by recording: what detectors of lines do on photographs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_LAZY = {
    "FolderDataModule": "toothwise_lab.images.folders",
    "PRESETS": "toothwise_lab.images.sets",
    "ImageArrays": "toothwise_lab.images.arrays",
    "load_images": "toothwise_lab.images.arrays",
    "image_set": "toothwise_lab.images.folders",
}
__all__ = ["PRESETS", "FolderDataModule", "ImageArrays", "image_set", "load_images"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:  # torch and anomalib load only when it is asked for
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

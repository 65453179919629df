"""Maps as an anomalib datamodule."""

from __future__ import annotations

from typing import Any

__all__ = ["HDMapDataModule"]


def __getattr__(name: str) -> Any:
    if name == "HDMapDataModule":  # torch and anomalib load only when it is asked for
        from toothwise.data.hdmap import HDMapDataModule

        return HDMapDataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

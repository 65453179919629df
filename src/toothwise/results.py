"""What a result rests on: the versions of the packages that made it."""

from __future__ import annotations

import importlib.metadata
import platform
from contextlib import suppress

from toothwise import __version__


def versions() -> dict[str, str]:
    """Versions of what a result rests on; only packages that are installed."""
    found = {"toothwise": __version__, "python": platform.python_version()}
    for name in ("numpy", "scipy", "torch", "anomalib", "timm"):
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found

"""How results are written: JSON with config, seed, revision, versions and machine."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from toothwise import __version__
from toothwise.files import write_json
from toothwise.processor import flags, model_name


def versions() -> dict[str, str]:
    """Versions of what a result rests on; only packages that are installed."""
    found = {"toothwise": __version__, "python": platform.python_version()}
    for name in ("numpy", "scipy", "torch", "anomalib", "timm"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def revision(folder: Path) -> str:
    """Commit of the checkout at ``folder``, with "+changes" where tracked files differ from it."""
    git = ["git", "-C", str(folder)]
    try:
        head = _output([*git, "rev-parse", "HEAD"]).strip()
        changed = _output([*git, "status", "--porcelain", "-uno"]).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+changes" if changed else "")


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603


# A result may be written hours after its process began, and anywhere: the code that made it is what was here then.
_RUNNING = revision(Path(__file__).parent)


def machine() -> dict[str, Any]:
    """Processor, its instructions for products of matrices, cores, memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"processor": model_name(), "flags": list(flags()), "cores": os.cpu_count(), "memory_gib": round(memory, 1)}


def write_result(path: Path, config: dict[str, Any], result: Any, *, seed: int | None = None) -> Path:
    """Write a result with all that it takes to repeat it."""
    facts = {
        "config": config,
        "seed": seed,
        "result": result,
        "revision": _RUNNING,
        "versions": versions(),
        "machine": machine(),
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }
    write_json(path, facts)
    return path

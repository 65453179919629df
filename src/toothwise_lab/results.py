"""How results are written: JSON with config, seed, revision, versions and machine."""

from __future__ import annotations

import datetime
import os
import subprocess
from pathlib import Path
from typing import Any

from toothwise.files import write_json
from toothwise.processor import flags, model_name
from toothwise.results import versions


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


def kind(of: tuple[str, ...] | None = None) -> str:
    """The kind of processor that timings hold for.

    Args:
        of: Its flags. None = those of the processor that is here.

    Returns:
        "amx" (matrix units for bfloat16), "avx512", "avx2" or "other".

    Examples:
        >>> kind(("amx_bf16", "avx512_bf16", "avx2")), kind(("avx2",))
        ('amx', 'avx2')
    """
    of = flags() if of is None else of
    for flag, name in (("amx_bf16", "amx"), ("avx512f", "avx512"), ("avx2", "avx2")):
        if flag in of:
            return name
    return "other"

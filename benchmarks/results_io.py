"""How measurements are written: JSON with config, seed, revision, versions and machine."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from toothwise.files import write_json
from toothwise.reporting.run_report import versions

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def revision() -> str:
    """Commit of the checkout, with "+changes" where tracked files differ from it."""
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        status = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+changes" if status.stdout.strip() else "")


def machine() -> dict[str, Any]:
    """Processor, cores, memory."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"processor": model, "cores": os.cpu_count(), "memory_gib": round(memory, 1)}


def write_result(name: str, config: dict[str, Any], result: Any) -> Path:
    """Write benchmarks/results/NAME.json."""
    path = RESULTS / f"{name}.json"
    write_json(
        path,
        {
            "name": name,
            "config": config,
            "result": result,
            "revision": revision(),
            "versions": versions(),
            "machine": machine(),
            "date": datetime.date.today().isoformat(),
        },
    )
    return path

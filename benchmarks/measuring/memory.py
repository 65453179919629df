"""Memory of a process, as Linux tells it."""

from __future__ import annotations

from pathlib import Path


def memory(what: str, process: int | str = "self") -> int:
    """Bytes: "VmRSS" is what a process holds, "VmHWM" the most that it held. OSError, IndexError: it has ended."""
    return int(Path(f"/proc/{process}/status").read_text(encoding="utf-8").partition(f"{what}:")[2].split()[0]) * 1024

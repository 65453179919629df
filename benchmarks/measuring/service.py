"""``toothwise serve`` as a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def served(model: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process of a service and its address; at the end it is killed where it still runs."""
    command = [sys.executable, "-W", "ignore", "-m", "toothwise", "serve", str(model), "--port", "0", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        address = next(m[1] for line in process.stderr or () if (m := re.search(r"on (http://\S+)/", line)))
        threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True).start()
        yield process, address
    finally:
        process.kill()
        process.wait()

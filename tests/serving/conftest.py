from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from toothwise import GearPair, MapBuilder, Model


@contextmanager
def _serving(
    run: Path, *words: object, env: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``toothwise serve`` in a process of its own: the process and its address."""
    command = [sys.executable, "-W", "ignore", "-m", "toothwise", "serve", str(run), "--port", "0", *map(str, words)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )
    try:
        for line in process.stderr:
            found = re.search(r"on (https?://\S+)/", line)
            if found:
                break
        else:
            raise AssertionError("it never listened")
        # it listens before its workers have started: on a busy machine a client's patience is over before that
        trusting = ssl._create_unverified_context()
        with urlopen(f"{found[1]}/healthz", timeout=120, context=trusting if "https" in found[1] else None):
            pass
        yield process, found[1]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def serving() -> object:
    """``with serving(run, *words) as (process, address)``: a service in a process of its own."""
    return _serving


@pytest.fixture(scope="session")
def building(scan, tmp_path_factory):
    """The folder of the scan's model that knows how recordings become maps."""
    model = replace(Model.open(scan.saved), builder=MapBuilder(GearPair(9, 14), options={"signal": "residual"}))
    return model.save(tmp_path_factory.mktemp("building") / "model")

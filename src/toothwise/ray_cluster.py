"""Ray, started so that nobody else can reach it and nothing is left behind; or a cluster by its address."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toothwise.checks import check_whole
from toothwise.errors import InputError, need
from toothwise.signals import handling

_NAMESPACE = "toothwise"
_STORE_BYTES = 200_000_000  # results are small: rows and scores
_LOCAL = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's word for "one machine only": all of its servers then listen on the loopback address alone
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # a process's own handling of GPUs is left as Ray has it today, without its warning
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
}
_PATIENCE = 10.0  # seconds
_PREFIX = "toothwise-"
_SHORT = 24  # characters of a temporary folder; paths of sockets below it may have 107


@dataclass(frozen=True)
class Need:
    """What one worker takes, and what for.

    Attributes:
        cpus, gpus: that a worker holds; may be fractions.
        name: of a worker, "a trial".
        purpose: "studies run", for the message where ray is missing.
        extra: of this package that brings ray.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    name: str = "a worker"
    purpose: str = "more than one worker"
    extra: str = "fleet"


def import_ray(purpose: str, extra: str) -> Any:
    """The package, imported when it is needed.

    Raises:
        MissingDependencyError: it is not installed; says for what and by which extra.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    return need("ray", purpose, extra)


@contextlib.contextmanager
def ray_cluster(address: str | None, need: Need, workers: int | None, *, note: Path | None = None) -> Iterator[int]:
    """A connection to Ray, ended at the end unless it was there before.

    Args:
        address: of a cluster ("auto", "HOST:PORT", "ray://..."); None = a local one that nobody else can reach.
        need: of one worker, and what it does in words.
        workers: at once on this machine; None = as many as its cores and GPUs allow. Of a cluster: at most.
        note: file that holds where Ray's own files are while it runs; those of a run that was killed are removed.

    Yields:
        How many workers can run at once.

    Raises:
        MissingDependencyError: ray is not installed.
        InputError: the cluster cannot be reached, or has too little for a single worker.
    """
    check_whole(1, workers=1 if workers is None else workers)
    _sweep(note)
    if address is None:
        os.environ.update({name: os.environ.get(name, value) for name, value in _LOCAL.items()})
        # a word that only this run knows, so that Ray leaves none in the user's home
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    else:
        _check_address(address)
    ray = import_ray(need.purpose, need.extra)
    with contextlib.ExitStack() as ending:
        if not ray.is_initialized():
            ending.enter_context(handling(signal.SIGINT, signal.SIGTERM))  # Ray leaves handlers of its own behind
            options: dict[str, Any] = {"namespace": _NAMESPACE, "log_to_driver": False, "logging_level": logging.ERROR}
            if address is None:
                cpus = math.ceil(workers * need.cpus) if workers else os.cpu_count() or 1
                options |= {
                    "num_cpus": max(cpus, math.ceil(need.cpus)),
                    "include_dashboard": False,
                    "object_store_memory": _STORE_BYTES,
                    "_temp_dir": ending.enter_context(_temporary(note)),
                }
            else:
                options["address"] = address
            try:
                ray.init(**options)
            except (ConnectionError, ValueError, RuntimeError) as error:
                text = " ".join(str(error).split())[:200]
                raise InputError(f"Ray cannot be reached at {address or 'this machine'}: {text}") from None
            ending.callback(ray.shutdown)
        yield _places(ray.cluster_resources(), need, workers)


def _check_address(address: str) -> None:
    """Refuse an address where nobody listens: Ray would end this process."""
    host, sign, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not sign or not port.isdigit():
        raise InputError(f"a cluster's address is 'auto', HOST:PORT or ray://HOST:PORT, but got {address!r}")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE):
            return
    except (OSError, OverflowError) as error:
        raise InputError(f"Ray cannot be reached at {address}: {error}") from None


def _base() -> Path:
    base = Path(tempfile.gettempdir())
    return base if len(str(base)) <= _SHORT or os.name == "nt" else Path("/tmp")  # noqa: S108


def _sweep(note: Path | None) -> None:
    """Remove Ray's files of a run that was killed."""
    if note is not None and note.is_file():
        left = Path(note.read_text(encoding="utf-8").strip())
        if left.parent == _base() and left.name.startswith(_PREFIX):
            shutil.rmtree(left, ignore_errors=True)
        note.unlink(missing_ok=True)


@contextlib.contextmanager
def _temporary(note: Path | None) -> Iterator[str]:
    """A folder for Ray's files whose sockets' paths are not too long; removed at the end, as its note is."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_base(), ignore_cleanup_errors=True) as folder:
        if note is not None:
            note.write_text(folder, encoding="utf-8")
        yield folder
    if note is not None:
        note.unlink(missing_ok=True)


def _places(there: dict[str, float], need: Need, workers: int | None) -> int:
    """How many workers the cluster can run at once."""
    counts = []
    for name, each in (("CPU", need.cpus), ("GPU", need.gpus)):
        if each > 0:
            if there.get(name, 0.0) < each:
                raise InputError(f"{need.name} takes {each:g} {name}, but there are {there.get(name, 0.0):g}")
            counts.append(int(there[name] / each))
    possible = min(counts) if counts else os.cpu_count() or 1
    return max(1, min(possible, workers or possible))

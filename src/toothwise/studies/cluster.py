"""Trials on Ray: this machine's own by default, a cluster by its address. A process that dies fails one trial."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from toothwise.errors import InputError, MissingDependencyError
from toothwise.studies.config import Resources
from toothwise.studies.trial import Trial
from toothwise.studies.worker import Outcome, run_trial

__all__ = ["cluster", "run_on_cluster"]

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


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise MissingDependencyError("studies run on ray: install it with pip install 'toothwise[studies]'") from None
    return ray


@contextlib.contextmanager
def cluster(
    address: str | None, resources: Resources, workers: int | None, *, note: Path | None = None
) -> Iterator[int]:
    """A connection to Ray, ended at the end unless it was there before.

    Args:
        address: of a cluster ("auto", "HOST:PORT", "ray://..."); None = a local one that nobody else can reach.
        resources: of a trial.
        workers: trials at once on this machine; None = as many as its cores and GPUs allow. Of a cluster: at most.
        note: file that holds where Ray's own files are while it runs; those of a run that was killed are removed.

    Yields:
        How many trials can run at once.

    Raises:
        MissingDependencyError: ray is not installed.
        InputError: the cluster cannot be reached, or has too little for a single trial.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers must be 1 or more, but got {workers}")
    _sweep(note)
    folder: str | None = None
    if address is None:
        os.environ.update({name: os.environ.get(name, value) for name, value in _LOCAL.items()})
        # a word that only this run knows, so that Ray leaves none in the user's home
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    else:
        _check_address(address)
    ray = _ray()
    mine = not ray.is_initialized()
    if mine:
        options: dict[str, Any] = {"namespace": _NAMESPACE, "log_to_driver": False, "logging_level": logging.ERROR}
        if address is None:
            folder = _temporary(note)
            cpus = math.ceil((workers or 1) * resources.cpus) if workers else os.cpu_count() or 1
            options |= {
                "num_cpus": max(cpus, math.ceil(resources.cpus)),
                "include_dashboard": False,
                "object_store_memory": _STORE_BYTES,
                "_temp_dir": folder,
            }
        else:
            options["address"] = address
        try:
            ray.init(**options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            text = " ".join(str(error).split())[:200]
            raise InputError(f"Ray cannot be reached at {address or 'this machine'}: {text}") from None
    try:
        yield _places(ray.cluster_resources(), resources, workers)
    finally:
        if mine:
            ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
            if note is not None:
                note.unlink(missing_ok=True)


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


def _temporary(note: Path | None) -> str:
    """A folder for Ray's files whose sockets' paths are not too long."""
    base = _base()
    folder = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
    if note is not None:
        note.write_text(folder, encoding="utf-8")
    return folder


def _places(there: dict[str, float], resources: Resources, workers: int | None) -> int:
    """How many trials the cluster can run at once."""
    counts = []
    for name, each in (("CPU", resources.cpus), ("GPU", resources.gpus)):
        if each > 0:
            if there.get(name, 0.0) < each:
                raise InputError(f"a trial takes {each:g} {name}, but there are {there.get(name, 0.0):g}")
            counts.append(int(there[name] / each))
    possible = min(counts) if counts else os.cpu_count() or 1
    return max(1, min(possible, workers or possible))


def run_on_cluster(
    trials: Sequence[Trial],
    resources: Resources,
    places: int,
    *,
    finished: Callable[[int, Outcome], None],
    started: Callable[[int], None],
    idle: Callable[[], None],
) -> None:
    """Run trials, a few more in the queue than there are places; a trial whose process dies comes back as failed.

    Args:
        trials: in the order in which they begin.
        resources: of each.
        places: how many can run at once.
        finished: told a trial's number and what came back, in the order in which they end.
        started: told the number of a trial that was handed over.
        idle: called again and again while nothing ends.
    """
    ray = _ray()
    options: dict[str, Any] = {"num_cpus": resources.cpus, "num_gpus": resources.gpus, "max_retries": 0}
    if resources.fresh_process:
        options["max_calls"] = 1
    remote = ray.remote(**options)(run_trial)
    running: dict[Any, int] = {}
    waiting = list(range(len(trials)))[::-1]
    while waiting or running:
        while waiting and len(running) < places + 1:  # one in the queue, so that no place waits for this process
            number = waiting.pop()
            running[remote.remote(trials[number], resources)] = number
            started(number)
        ended, _ = ray.wait(list(running), num_returns=1, timeout=0.5)
        if not ended:
            idle()
        for reference in ended:
            finished(running.pop(reference), _outcome(ray, reference))


def _outcome(ray: Any, reference: Any) -> Outcome:
    try:
        found: Outcome = ray.get(reference)
    except ray.exceptions.OutOfMemoryError:
        return _failed("out of memory: Ray ended the process because the machine had too little memory left")
    except ray.exceptions.WorkerCrashedError:
        return _failed("the process died (killed, out of memory, or a crash in native code)")
    except ray.exceptions.RayError as error:
        return _failed(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    return found


def _failed(reason: str) -> Outcome:
    return Outcome({"status": "failed", "reason": reason, "metrics": {}, "info": {}, "seconds": None})

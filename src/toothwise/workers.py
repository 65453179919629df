"""Worker processes for inputs from strangers: processor time, memory and time are bounded, whatever the input is.

A reader that hangs in a library cannot be stopped inside a process. So it runs in a process of its own, which is
killed and replaced when it passes a limit. What a worker answers is bytes, which are never unpickled.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toothwise import errors
from toothwise.checks import check_range
from toothwise.errors import LimitError, ToothwiseError

resource: Any = None
with suppress(ImportError):  # Windows has none
    import resource

MB = 2**20
_PING = b"ping"


@dataclass(frozen=True)
class WorkLimits:
    """What one job may take.

    Attributes:
        cpu_seconds: Processor time.
        seconds: Time on the clock; it is larger, because other work shares the processors.
        memory: Bytes of address space on top of what an idle worker has. Where the system cannot bound it (macOS,
            Windows), the other two limits remain.

    Raises:
        InputError: A limit that is not positive.

    Examples:
        >>> WorkLimits(cpu_seconds=5).memory == 2**31
        True
    """

    cpu_seconds: float = 10.0
    seconds: float = 20.0
    memory: int = 2**31

    def __post_init__(self) -> None:
        check_range("(0, inf)", **vars(self))


class WorkerPool:
    """A few processes that run one function.

    Args:
        work: Takes a job and returns bytes; it is pickled once for each worker. Errors of toothwise that it raises
            come back as they are.
        size: How many workers there are.
        limits: Of each job.
        preload: Modules that are imported once and shared by all workers, so that a replacement starts at once.
    """

    def __init__(
        self, work: Callable[[Any], bytes], size: int, limits: WorkLimits, *, preload: tuple[str, ...] = ()
    ) -> None:
        self._work, self.limits = work, limits
        known = multiprocessing.get_all_start_methods()
        # not "fork": a process with threads may leave its locks closed in the child
        self._context: Any = multiprocessing.get_context("forkserver" if "forkserver" in known else "spawn")
        if "forkserver" in known:
            self._context.set_forkserver_preload([*preload, __name__])
        self._closed = threading.Event()
        self._all: set[_Worker] = set()
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()  # None = a worker that is still to be started
        for _ in range(size):
            self._free.put(None)

    def run(self, job: Any, *, seconds: float | None = None) -> bytes:
        """The answer to a job; blocks, and may be called from many threads.

        Args:
            job: What the function takes; it is pickled.
            seconds: To wait for the answer at most, less than the limit; None = the limit.

        Raises:
            LimitError: The job passed a limit, or ended its worker.
            RuntimeError: The function has a defect; the message is its trace.
            TimeoutError: No worker became free in time, or the pool was closed.
        """
        patience = min(seconds or self.limits.seconds, self.limits.seconds)
        try:
            worker = self._free.get(timeout=patience)
        except queue.Empty:
            raise TimeoutError("every worker is busy") from None
        try:
            worker = worker or self._start()
            return worker.ask(job, patience)
        except LimitError:
            self._refuse_if_closed()
            raise
        finally:
            if worker is not None and not worker.usable:
                self._all.discard(worker)
                worker.kill()
                worker = None
            self._free.put(worker)

    def ping(self, seconds: float) -> bool:
        """Whether a worker answers within a time."""
        with suppress(TimeoutError, LimitError, OSError):
            return self.run(_PING, seconds=seconds) == _PING
        return False

    def warm_up(self) -> None:
        """Start every worker that has not been started yet, and wait until each answers."""
        workers = [self._free.get_nowait() or self._start() for _ in range(self._free.qsize())]
        for worker in workers:
            worker.ask(_PING, self.limits.seconds)
            self._free.put(worker)

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        self._closed.set()
        for worker in list(self._all):
            worker.kill()

    def _start(self) -> _Worker:
        self._refuse_if_closed()
        worker = _Worker(self._context, self._work, self.limits)
        self._all.add(worker)
        return worker

    def _refuse_if_closed(self) -> None:
        if self._closed.is_set():
            raise TimeoutError("the workers have been closed")


class _Worker:
    """One process as its owner sees it."""

    def __init__(self, context: Any, work: Callable[[Any], bytes], limits: WorkLimits) -> None:
        self._pipe, its_end = context.Pipe()
        self._limits, self.usable = limits, True
        self._process = context.Process(target=_serve, args=(its_end, work, limits), daemon=True)
        self._process.start()
        its_end.close()

    def ask(self, job: Any, seconds: float) -> bytes:
        self.usable = False  # until the answer is there
        try:
            self._pipe.send(job)
            if not self._pipe.poll(seconds):
                raise LimitError(f"reading takes more than {seconds:g} s")
            reply = self._pipe.recv_bytes()
        except (EOFError, OSError):
            raise LimitError(self._why_it_ended()) from None
        self.usable = reply[:1] == b"+"
        if reply[1:2] == b"+":
            return bytes(reply[2:])
        name, message = json.loads(reply[2:])
        kind = getattr(errors, name, None)
        raise kind(message) if isinstance(kind, type) else RuntimeError(message)

    def _why_it_ended(self) -> str:
        self._process.join(1.0)
        if self._process.exitcode == -getattr(signal, "SIGXCPU", 0):
            return f"reading takes more than {self._limits.cpu_seconds:g} s of processor time"
        return "reading it ended the process that read it"

    def kill(self) -> None:
        with suppress(ValueError, OSError):
            self._process.kill()
            self._process.join(1.0)
        with suppress(OSError):
            self._pipe.close()


def _serve(pipe: Any, work: Callable[[Any], bytes], limits: WorkLimits) -> None:
    """The life of a worker: job after job, until its owner goes away or a job has left it too large."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they are for the owner, which still has answers to give
        signal.signal(number, signal.SIG_IGN)
    _bound_memory(limits.memory)
    idle = peak_memory()
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        _bound_processor_time(limits.cpu_seconds)
        try:
            reply = b"+" + (job if job == _PING else work(job))
        except ToothwiseError as error:
            reply = _failure(type(error).__name__, str(error))
        except MemoryError:
            reply = _failure("LimitError", f"reading takes more than {limits.memory // MB} MB of memory")
        except Exception:  # a defect: whoever asked raises it, with the trace from here
            reply = _failure("", traceback.format_exc())
        # memory that a large job leaves behind goes back with its process
        spent = peak_memory() - idle > limits.memory // 8
        with suppress(OSError):
            pipe.send_bytes((b"-" if spent else b"+") + reply)
        if spent:
            return


def _failure(kind: str, message: str) -> bytes:
    return b"-" + json.dumps([kind, message]).encode()


def peak_memory() -> int:
    """The most memory that this process has had, in bytes; 0 where the system does not say."""
    if resource is None:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _bound_memory(memory: int) -> None:
    with suppress(AttributeError, OSError, ValueError):  # systems that cannot
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + memory,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _bound_processor_time(seconds: float) -> None:
    """Let the system end this process once it has worked so long from now on."""
    with suppress(AttributeError, OSError, ValueError):  # systems that cannot
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime + seconds), most))

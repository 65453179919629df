"""Worker processes: what passes a limit is stopped and told in one line, and the next job is served."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from toothwise.errors import InputError, LimitError
from toothwise.workers import WorkerPool, WorkLimits

LIMITS = WorkLimits(cpu_seconds=1, seconds=8, memory=300 * 2**20)  # on a busy machine a second takes several


def work(job):
    """Runs in a worker."""
    match job:
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(60)
        case "memory":
            return bytes(10**9)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "bad":
            raise InputError("x.npz: is bad")
        case "defect":
            return 1 / 0
        case "large":
            bytearray(100 * 2**20)
    return str(os.getpid()).encode()


@pytest.fixture(scope="module")
def pool():
    found = WorkerPool(work, 1, LIMITS)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("job", "words"),
    [("spin", "1 s of processor time"), ("sleep", "more than 8 s"), ("memory", "300 MB of memory"), ("crash", "ended")],
)
def test_a_job_that_passes_a_limit_is_stopped_and_the_next_is_served(pool, job, words):
    begin = time.monotonic()
    with pytest.raises(LimitError, match=words):
        pool.run(job)
    assert time.monotonic() - begin < 30  # on a busy machine processor time comes slowly
    assert pool.run("good").isdigit()


def test_errors_come_back_as_they_are(pool):
    before = pool.run("good")
    with pytest.raises(InputError, match=r"^x.npz: is bad$"):
        pool.run("bad")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        pool.run("defect")
    assert pool.run("good") == before  # the same process


def test_a_worker_that_grew_is_replaced(pool):
    before = pool.run("good")
    assert pool.run("large") == before
    assert pool.run("good") != before


def test_who_comes_while_all_are_busy_waits_no_longer_than_told(pool):
    def spin():
        with pytest.raises(LimitError):
            pool.run("spin")

    thread = threading.Thread(target=spin)
    thread.start()
    time.sleep(0.3)
    assert not pool.ping(0.2)
    thread.join()
    assert pool.ping(2)


def test_closing_ends_what_runs():
    pool, ended = WorkerPool(work, 2, WorkLimits(60, 60)), []

    def ask():
        with pytest.raises(TimeoutError):
            pool.run("spin")
        ended.append(True)

    pool.warm_up()
    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    pool.close()
    thread.join(3)
    assert ended == [True]
    with pytest.raises(TimeoutError):
        pool.run("good")

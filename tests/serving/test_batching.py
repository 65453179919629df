"""Micro-batches: together when it pays, each with its own answer, none lost."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.serving.batching import Batcher
from toothwise.serving.limits import ApiError
from toothwise.serving.service import Job, Service


def run(main):
    return asyncio.run(asyncio.wait_for(main, 20))


def make(work, most=4, gather=0.01):
    return Batcher(work, most=most, gather=gather)


def test_what_waits_is_worked_on_together_but_no_more_than_allowed():
    seen, gate = [], threading.Event()

    def work(items):
        seen.append(sum(map(len, items)))
        gate.wait(5)
        return [item.upper() for item in items]

    async def main():
        batcher = make(work)
        first = asyncio.create_task(batcher.submit("a"))
        await asyncio.sleep(0.1)
        rest = [asyncio.create_task(batcher.submit(item)) for item in ("bb", "c", "dd", "eeeeee", "f")]
        await asyncio.sleep(0.05)
        gate.set()
        answers = [await task for task in (first, *rest)]
        await batcher.close()
        return answers

    assert run(main()) == ["A", "BB", "C", "DD", "EEEEEE", "F"]
    assert seen == [1, 3, 2, 6, 1]


def test_closing_finishes_what_waits_and_takes_nothing_new():
    gate = threading.Event()

    def work(items):
        gate.wait(5)
        return items

    async def main():
        batcher = make(work, most=1)
        tasks = [asyncio.create_task(batcher.submit([k])) for k in range(5)]
        await asyncio.sleep(0.05)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0.05)
        with pytest.raises(ApiError, match="shutting down") as told:
            await batcher.submit([9])
        assert told.value.status == 503
        gate.set()
        await closing
        return [await task for task in tasks]

    assert run(main()) == [[0], [1], [2], [3], [4]]


def test_a_defect_is_told_to_those_it_hit_and_the_next_are_served():
    def work(items):
        if any(item == "bad" for item in items):
            raise ZeroDivisionError
        return items

    async def main():
        batcher = make(work)
        with pytest.raises(ZeroDivisionError):
            await batcher.submit("bad")
        answer = await batcher.submit("good")
        await batcher.close()
        return answer

    assert run(main()) == "good"


def test_whoever_gave_up_is_left_out():
    seen, gate = [], threading.Event()

    def work(items):
        seen.extend(items)
        gate.wait(5)
        return items

    async def main():
        batcher = make(work, most=1)
        first = asyncio.create_task(batcher.submit("a"))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.submit("b"), 0.05)
        gate.set()
        await first
        await batcher.close()

    run(main())
    assert seen == ["a"]


def test_whoever_gives_up_while_it_is_worked_on_costs_the_others_nothing():
    gate = threading.Event()

    def work(items):
        gate.wait(5)
        return [item.upper() for item in items]

    async def main():
        batcher = make(work)
        first, second = (asyncio.create_task(batcher.submit(item)) for item in "ab")
        await asyncio.sleep(0.05)
        first.cancel()
        third = asyncio.create_task(batcher.submit("c"))
        await asyncio.sleep(0.05)
        gate.set()
        answers = await second, await third
        await batcher.close()
        return answers

    assert run(main()) == ("B", "C")


def test_one_bad_job_spoils_no_other(scan):
    service = Service.open(scan.exported)
    maps = np.exp(0.2 * np.random.default_rng(3).standard_normal((2, 9, 14))).astype(np.float32)
    jobs = [Job(maps[:1], ("a",)), Job(-maps[1:], ("bad",)), Job(maps[1:], ("c",))]
    first, bad, last = service.answer(jobs)
    assert isinstance(bad, InputError)
    alone = [service.answer([jobs[k]])[0] for k in (0, 2)]
    assert [first, last] == alone

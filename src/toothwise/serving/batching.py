"""Requests that wait at the same time are scored together, and none that was taken is lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from toothwise.serving.limits import ApiError
from toothwise.serving.service import Job

Answer = list[dict[str, Any]]


class Batcher:
    """A queue in front of one worker thread.

    Whoever's turn it is has all worked on that waits, up to ``most`` maps; the others find their answer there when
    their turn comes. A lone job waits ``gather`` seconds for company. Whoever gave up waiting is left out.

    Args:
        work: jobs -> an answer or an exception for each, in order; runs in the thread.
        most: maps that are worked on together (a larger job goes alone).
        gather: seconds.
    """

    def __init__(
        self, work: Callable[[Sequence[Job]], Sequence[Answer | Exception]], *, most: int, gather: float
    ) -> None:
        self._work, self._most, self._gather = work, most, gather
        self._waiting: deque[tuple[Job, asyncio.Future[Answer]]] = deque()
        self._turn = asyncio.Lock()  # first come, first served
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self.alive = True

    async def submit(self, job: Job) -> Answer:
        """The answer to a job, or what the work raised for it.

        Raises:
            ApiError: 503, the service is shutting down.
        """
        if not self.alive:
            raise ApiError(503, "busy", "the service is shutting down", retry=5)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, future))
        try:
            async with self._turn:
                if not future.done():
                    if self.alive and sum(len(each) for each, _ in self._waiting) < self._most:
                        await asyncio.sleep(self._gather)
                    if taken := self._take():  # whoever gives up meanwhile takes no answer from the others
                        await asyncio.shield(self._answer(taken))
            return await future
        finally:
            future.cancel()

    async def close(self) -> None:
        """Take nothing new, finish what waits."""
        self.alive = False
        async with self._turn:
            self._thread.shutdown(wait=True)

    def _take(self) -> list[tuple[Job, asyncio.Future[Answer]]]:
        taken: list[tuple[Job, asyncio.Future[Answer]]] = []
        maps = 0
        while self._waiting:
            job, future = self._waiting[0]
            if not future.done():  # else given up
                maps += len(job)
                if taken and maps > self._most:
                    break
                taken.append((job, future))
            self._waiting.popleft()
        return taken

    async def _answer(self, taken: list[tuple[Job, asyncio.Future[Answer]]]) -> None:
        work = partial(self._work, [job for job, _ in taken])
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except Exception as error:  # a defect: whoever waits must get an answer, and the next ones be served
            answers = [error] * len(taken)
        for (_, future), answer in zip(taken, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

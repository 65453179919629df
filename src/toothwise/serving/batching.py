"""Requests that wait at the same time are scored together, and none that was taken is lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from toothwise.serving.limits import ApiError

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """A queue in front of one worker thread.

    While the worker is busy, what arrives gathers; it is then worked on together, up to ``most`` maps. A lone item
    waits ``gather`` seconds for company. Whoever gave up waiting is left out.

    Args:
        work: items -> an answer or an exception for each, in order; runs in the thread.
        size: maps of an item.
        most: maps that are worked on together (a larger item goes alone).
        gather: seconds.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Answer | Exception]],
        size: Callable[[Item], int],
        *,
        most: int,
        gather: float,
    ) -> None:
        self._work, self._size, self._most, self._gather = work, size, most, gather
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._arrived = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scoring")

    def start(self) -> None:
        """Begin to work; needs a running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def alive(self) -> bool:
        """Whether items are taken and worked on."""
        return self._task is not None and not self._task.done() and not self._closing

    async def submit(self, item: Item) -> Answer:
        """The answer to an item, or what the work raised for it.

        Raises:
            ApiError: 503, the service is shutting down.
        """
        if not self.alive:
            raise ApiError(503, "busy", "the service is shutting down", retry=5)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._arrived.set()
        return await future

    async def close(self) -> None:
        """Take nothing new, finish what waits."""
        self._closing = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown(wait=True)

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if self._waiting and not self._closing and self._count() < self._most:
                await asyncio.sleep(self._gather)
            taken = self._take()
            if taken:
                await self._answer(taken)
            elif self._closing and not self._waiting:
                return
            if not self._waiting and not self._closing:
                self._arrived.clear()

    def _count(self) -> int:
        return sum(self._size(item) for item, _ in self._waiting)

    def _take(self) -> list[tuple[Item, asyncio.Future[Answer]]]:
        taken: list[tuple[Item, asyncio.Future[Answer]]] = []
        maps = 0
        while self._waiting:
            item, future = self._waiting[0]
            if future.done():  # given up
                self._waiting.popleft()
                continue
            if taken and maps + self._size(item) > self._most:
                break
            maps += self._size(item)
            taken.append(self._waiting.popleft())
        return taken

    async def _answer(self, taken: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._thread, self._work, [item for item, _ in taken])
        except Exception as error:  # a defect: whoever waits must get an answer, and the next ones be served
            answers = [error] * len(taken)
        for (_, future), answer in zip(taken, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

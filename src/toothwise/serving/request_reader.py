"""The body of a request on its way in: counted byte by byte, timed, and turned into jobs outside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from functools import partial
from typing import Any, TypeVar

import anyio
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from toothwise.serving.bodies import Recordings, Upload, job_of_files, jobs_of_json
from toothwise.serving.limits import ApiError, Limits
from toothwise.serving.service import Job, Service

__all__ = ["RequestReader"]

Found = TypeVar("Found")
_DECODERS, _MOST_FILES, _MOST_TEXT = 2, 64, 2**16


class RequestReader:
    """Takes requests in, no more than the queue holds.

    Args:
        service: that the maps are for.
        limits: of a request.
        recordings: how recordings become maps.
        watch: told how many requests are inside.
    """

    def __init__(self, service: Service, limits: Limits, recordings: Recordings, watch: Callable[[int], Any]) -> None:
        self.service, self.limits, self.recordings, self.watch = service, limits, recordings, watch
        self.inside = 0
        self._threads: anyio.CapacityLimiter | None = None

    @property
    def full(self) -> bool:
        """Whether one more request would be refused."""
        return self.inside >= self.limits.queue

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among the requests inside.

        Raises:
            Refusal: 429, there is none.
        """
        if self.full:
            raise ApiError(429, "busy", f"{self.inside} requests are being served: come back later", retry=1)
        self.inside += 1
        self.watch(self.inside)
        try:
            yield
        finally:
            self.inside -= 1
            self.watch(self.inside)

    async def jobs(self, request: Request, *, many: bool = False, form: bool = True) -> list[Job | ApiError]:
        """The jobs of a request.

        Raises:
            Refusal: 400, 408, 413, 415 or 422.
        """
        about = Message()
        about["content-type"] = request.headers.get("content-type", "")
        kind = about.get_content_type() if request.headers.get("content-type") else "none"
        if kind == "application/json":
            body = await self._timed(self._whole(request))
            return await self.aside(partial(jobs_of_json, body, self.service, self.limits, many=many))
        if kind == "multipart/form-data" and form:
            return await self._form(request)
        allowed = "application/json or multipart/form-data" if form else "application/json"
        raise ApiError(415, "unsupported", f"the content type must be {allowed}, but is {kind[:60]}")

    async def aside(self, work: Callable[[], Found]) -> Found:
        """Run what takes time in one of a few threads."""
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(_DECODERS)
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)

    async def _timed(self, reading: Any) -> Any:
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await reading
        except TimeoutError:
            raise ApiError(408, "timeout", f"the body took more than {self.limits.seconds:g} s to come") from None
        except ClientDisconnect:
            raise ApiError(400, "bad_request", "the body ended early") from None

    async def _stream(self, request: Request) -> AsyncGenerator[bytes, None]:
        most = self.limits.max_bytes
        stated = request.headers.get("content-length", "0")
        if not (stated.isascii() and stated.isdigit()):
            raise ApiError(400, "bad_request", "content-length must be a whole number")
        too_large = ApiError(413, "too_large", f"the body may hold {most} bytes")
        if len(stated) > 18 or int(stated) > most:
            raise too_large
        total = 0
        async for chunk in request.stream():
            total += len(chunk)
            if total > most:
                raise too_large
            yield chunk

    async def _whole(self, request: Request) -> bytes:
        return b"".join([chunk async for chunk in self._stream(request)])

    async def _form(self, request: Request) -> list[Job | ApiError]:
        parser = MultiPartParser(
            request.headers,
            self._stream(request),
            max_files=_MOST_FILES,
            max_fields=16,
            max_part_size=_MOST_TEXT,
        )
        try:
            form = await self._timed(parser.parse())
        except (MultiPartException, KeyError, ValueError, LookupError) as error:
            raise ApiError(400, "bad_request", f"not a readable form ({str(error)[:200]})") from None
        try:
            texts, files = {}, []
            for name, item in form.multi_items():
                if isinstance(item, UploadFile):
                    files.append((name, Upload(item.filename or "", item.file)))
                else:
                    texts[name] = item
            work = partial(job_of_files, texts, files, self.service, self.limits, self.recordings)
            return [await self.aside(work)]
        finally:
            await form.close()

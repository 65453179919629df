"""The body of a request on its way in: counted byte by byte, timed, and decoded outside the event loop."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from toothwise.errors import InputError
from toothwise.serving.decoding import MAP_SUFFIXES, RECORD_SUFFIXES, Decoder, Upload, clean, suffix_of
from toothwise.serving.limits import ApiError
from toothwise.serving.schemas import FormFields, first_error
from toothwise.serving.service import Job
from toothwise.workers import WorkerPool

Found = TypeVar("Found")
_THREADS, _MOST_FILES, _MOST_TEXT = 2, 64, 2**16
_SMALL = 256 * 2**10  # bytes of JSON that are decoded in less time than a worker is asked in
_FIELDS = ("file", "record", *FormFields.model_fields)
_PRELOAD = ("toothwise.serving.decoding", "toothwise.healthmap.io", "toothwise.healthmap.map_builder")


class RequestReader:
    """Takes requests in, no more than the queue holds.

    Args:
        decoder: Turns bodies into maps.

    Attributes:
        inside: Number of requests that are inside.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder, self.limits, self.inside = decoder, decoder.limits, 0
        self._folder = tempfile.TemporaryDirectory(prefix="toothwise-")  # private: mode 0700
        self._workers = WorkerPool(decoder, self.limits.workers, self.limits.work, preload=_PRELOAD)
        # a request waits for its turn in the event loop, where it can be given up, and not in a thread
        self._turns = anyio.CapacityLimiter(self.limits.workers)
        self._threads, self._pings = anyio.CapacityLimiter(_THREADS), anyio.CapacityLimiter(1)

    async def start(self) -> None:
        """Start the workers."""
        await self.aside(self._workers.warm_up)

    def close(self) -> None:
        """End the workers, whatever they are doing, and remove the private folder."""
        self._workers.close()
        self._folder.cleanup()

    @property
    def full(self) -> bool:
        """Whether one more request would be refused."""
        return self.inside >= self.limits.queue

    async def answers(self) -> bool:
        """Whether a worker answers within half a second."""
        ping = partial(self._workers.ping, 0.5)
        return await anyio.to_thread.run_sync(ping, abandon_on_cancel=True, limiter=self._pings)

    @asynccontextmanager
    async def place(self, request: Request) -> AsyncIterator[None]:
        """A place among the requests inside, for no longer than the limit.

        Raises:
            ApiError: 429, no place is free; 408, the body came too slowly; 503, the answer would take too long.
        """
        if self.full:
            raise ApiError(429, "busy", f"{self.inside} requests are being served: come back later", retry=1)
        self.inside += 1
        seconds = self.limits.seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            if not getattr(request.state, "whole", False):
                raise ApiError(408, "timeout", f"request body not received within {seconds:g} s") from None
            raise ApiError(503, "busy", f"the answer would take more than {seconds:g} s", retry=5) from None
        finally:
            self.inside -= 1

    async def decoded(self, request: Request, *, many: bool = False) -> Job:
        """The maps of a request; ``many`` come as JSON alone.

        Raises:
            ApiError: 400 or 415.
            InputError, LimitError: The body cannot be used, or holds too much.
        """
        about = Message()
        about["content-type"] = request.headers.get("content-type", "")
        kind = about.get_content_type() if request.headers.get("content-type") else "none"
        if kind == "application/json":
            most = min(self.limits.max_bytes, self.limits.max_json_bytes)
            body = b"".join([chunk async for chunk in self._stream(request, most)])
            request.state.whole = True
            self.decoder.price(body)
            if len(body) <= _SMALL:
                return await self.aside(partial(self.decoder.json, body, many))
            return await self._in_worker((body, many))
        if kind == "multipart/form-data" and not many:
            return await self._form(request)
        allowed = "application/json" if many else "application/json or multipart/form-data"
        raise ApiError(415, "unsupported", f"the content type must be {allowed}, but is {kind[:60]}")

    async def aside(self, work: Callable[[], Found]) -> Found:
        """Run what takes time, but is bounded, in one of a few threads."""
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)

    async def _in_worker(self, job: tuple[Any, ...]) -> Job:
        work = partial(self._workers.run, job)
        return Job.unpack(await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._turns))

    async def _stream(self, request: Request, most: int) -> AsyncGenerator[bytes, None]:
        stated = request.headers.get("content-length", "0")
        if not (stated.isascii() and stated.isdigit()):
            raise ApiError(400, "bad_request", "content-length must be a whole number")
        too_large = ApiError(413, "too_large", f"the body may hold {most} bytes")
        if len(stated) > 18 or int(stated) > most:
            raise too_large
        total = 0
        try:
            async for chunk in request.stream():
                total += len(chunk)
                if total > most:
                    raise too_large
                yield chunk
        except ClientDisconnect:
            raise ApiError(400, "bad_request", "the body ended early") from None

    async def _form(self, request: Request) -> Job:
        parser = MultiPartParser(
            request.headers,
            self._stream(request, self.limits.max_bytes),
            max_files=_MOST_FILES,
            max_fields=16,
            max_part_size=_MOST_TEXT,
        )
        try:
            form = await parser.parse()
        except (MultiPartException, KeyError, ValueError, LookupError) as error:
            raise ApiError(400, "bad_request", f"not a readable form ({str(error)[:200]})") from None
        request.state.whole = True
        try:
            files = [(name, item) for name, item in form.multi_items() if isinstance(item, UploadFile)]
            texts = {name: item for name, item in form.multi_items() if not isinstance(item, UploadFile)}
            fields = _fields(texts, {name for name, _ in files})
            with tempfile.TemporaryDirectory(dir=self._folder.name) as place:
                uploads = await self.aside(partial(_written, files, Path(place)))
                return await self._in_worker((uploads, fields))
        finally:
            await form.close()


def _fields(texts: dict[str, Any], kinds: set[str]) -> FormFields:
    """The texts of a form, checked.

    Raises:
        InputError: A field that is unknown or cannot be used, or not one kind of files.
    """
    unknown = sorted(({*texts} | kinds) - set(_FIELDS))
    if unknown:
        raise InputError(f"the form takes {', '.join(_FIELDS)}, but got {unknown[0][:60]!r}")
    if kinds not in ({"file"}, {"record"}):
        raise InputError("the form must hold files of maps ('file') or recordings ('record'), one kind")
    try:
        return FormFields.model_validate(texts)
    except ValidationError as error:
        raise InputError(first_error(error)) from None


def _written(files: list[tuple[str, UploadFile]], folder: Path) -> list[Upload]:
    """The files of a form in a private folder, under names of our own."""
    uploads = []
    for k, (kind, sent) in enumerate(files):
        name = sent.filename or ""
        path = folder / f"{k}{suffix_of(name, RECORD_SUFFIXES if kind == 'record' else MAP_SUFFIXES)}"
        with path.open("xb") as out:
            shutil.copyfileobj(sent.file, out)
        uploads.append(Upload(path, clean(name) or "a file without a name", kind == "record"))
    return uploads

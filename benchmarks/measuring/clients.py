"""Clients that ask a service over kept connections and know of each request how far it got.

Plain sockets on asyncio: an HTTP library hides whether a request had left in full before its connection ended, and
takes several times the processor time that the measured service takes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PAUSE = 0.05  # seconds before asking again after 429


@dataclass
class Asked:
    """One request.

    Attributes:
        sent: whether all its bytes were handed to the system.
        status: of the answer; None = no answer came in full.
        seconds: from the first byte sent to the last one received.
        received: bytes of an answer that came, whole or not.
        headers: of the answer, names in lower case.
        first: whether it was the first one on its connection.
        at: time.monotonic() when it was sent.
    """

    first: bool
    sent: bool = False
    status: int | None = None
    seconds: float = 0.0
    received: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    at: float = 0.0


async def ask_all(
    address: str,
    bodies: Sequence[bytes],
    *,
    clients: int,
    stop: Callable[[], bool],
    watch: Callable[[int], None] = lambda count: None,
    path: str = "/v1/diagnose",
) -> tuple[list[Asked], int]:
    """Clients that each ask one body after the other until ``stop()``, or until they cannot connect any more.

    Args:
        address: ``http://host:port``.
        bodies: JSON; client k takes every ``clients``-th one.
        clients: at once.
        stop: asked before every request.
        watch: told after every answer how many requests there were.

    Returns:
        All requests, and how many connections were refused.
    """
    asked: list[Asked] = []
    refused = 0
    host, port = urlsplit(address).hostname or "", urlsplit(address).port or 80

    async def one(k: int) -> None:
        nonlocal refused
        while not stop():
            try:
                reader, writer = await asyncio.open_connection(host, port)
            except OSError:
                refused += 1
                return
            try:
                first = True
                while not stop():
                    request = Asked(first)
                    asked.append(request)
                    await _ask(reader, writer, host, path, bodies[(k + len(asked) * clients) % len(bodies)], request)
                    watch(len(asked))
                    first = False
                    if request.status == 429:
                        await asyncio.sleep(PAUSE)
                    if request.status is None or request.headers.get("connection") == "close":
                        break
            finally:
                writer.close()

    await asyncio.gather(*(one(k) for k in range(clients)))
    return asked, refused


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str, body: bytes, request: Asked
) -> None:
    head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    began = request.at = time.monotonic()
    try:
        writer.write(head.encode() + b"\r\n" + body)
        await writer.drain()
        # drain returns while a small rest may wait in this process: the request has left when nothing waits
        while writer.transport.get_write_buffer_size():
            await asyncio.sleep(0.001)
        request.sent = not writer.transport.is_closing()
        answer = await reader.readuntil(b"\r\n\r\n")
        request.received = len(answer)
        lines = answer.decode("latin-1").split("\r\n")
        request.headers = {
            name.lower(): value.strip().lower() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        content = await reader.readexactly(int(request.headers["content-length"]))
        request.received += len(content)
        request.status = int(lines[0].split()[1])
    except asyncio.IncompleteReadError as error:
        request.received += len(error.partial)
    except OSError:
        pass
    request.seconds = time.monotonic() - began

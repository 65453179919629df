"""An end that loses nothing: a client that keeps its connection may send its next request at the very moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

GRACE = 1.0  # seconds that kept connections have to send what is under way
HEAD = 10.0  # seconds in which the head of a request must have come


class TimedProtocol(H11Protocol):
    """uvicorn's protocol, whose connections would stay open for ever when only half a head is sent."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new connection: the time of its first head begins."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """More of a head or a body."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of a connection."""
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._late is None:
            self._late = self.loop.call_later(HEAD, self.transport.close)
        elif not waits and self._late is not None:
            self._late.cancel()
            self._late = None


class GracefulServer(uvicorn.Server):
    """uvicorn's server, which would close a kept connection at once where no request of it is being worked on.

    A request that has left the client by then would be lost, and the client could not know whether it had been taken.
    So new connections end first; those that are there are answered with ``Connection: close`` for a moment, and what is
    still open after it is idle.

    Args:
        config: Of uvicorn.
        closing: Called when the end begins; from then on every answer must say ``Connection: close``.
        seconds: After which the process ends whatever it is doing.
    """

    def __init__(self, config: uvicorn.Config, closing: Callable[[], None], seconds: float) -> None:
        super().__init__(config)
        self._closing = closing
        self.last_resort = threading.Timer(seconds, os._exit, (1,))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in order, and in time."""
        self.last_resort.daemon = True
        self.last_resort.start()
        loop = asyncio.get_running_loop()
        for listening in sockets or []:
            with contextlib.suppress(NotImplementedError, OSError):  # loops that cannot are left to uvicorn
                loop.remove_reader(listening)
        # a connection that was accepted a moment ago gets its protocol in the next rounds; a closed server has none
        for _ in range(3):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        self._closing()
        until = loop.time() + GRACE
        while self.server_state.connections and loop.time() < until and not self.force_exit:
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)

"""An end that loses nothing: a client that keeps its connection may send its next request at the very moment."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

import uvicorn

__all__ = ["GRACE", "GracefulServer"]

GRACE = 1.0  # seconds that kept connections have to send what is under way


class GracefulServer(uvicorn.Server):
    """uvicorn's server, which would close a kept connection at once where no request of it is being worked on.

    A request that has left the client by then would be lost, and the client could not tell whether it had been taken.
    So new connections end first; those that are there are answered with ``Connection: close`` for a moment, and what is
    still open after it is idle.

    Args:
        config: of uvicorn.
        closing: called when the end begins; from then on every answer must say ``Connection: close``.
    """

    def __init__(self, config: uvicorn.Config, closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in order."""
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

"""In front of every address: who asks, how long it took, and what a browser may do with the answer."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from toothwise.serving.access import check_token
from toothwise.serving.limits import ApiError
from toothwise.serving.metrics import Metrics

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Callable[[], Awaitable[Message]], Send], Awaitable[None]]

OPEN = ("/healthz", "/readyz", "/openapi.json")  # and the page's own files
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)


def refusal_response(refusal: ApiError, headers: dict[str, str] | None = None) -> Response:
    """The answer that refuses."""
    more = {} if refusal.retry is None else {"retry-after": str(refusal.retry)}
    more |= {"www-authenticate": "Bearer"} if refusal.status == 401 else {}
    return JSONResponse({"error": refusal.as_json()}, refusal.status, {**(headers or {}), **more})


@dataclass(frozen=True, eq=False, repr=False)
class SecurityMiddleware:
    """ASGI middleware: host, origin and token of a request; time and status of its answer; headers.

    Attributes:
        app: what is behind it.
        metrics: Counts every request.
        token: that a protected address asks for, or None.
        hosts: names that a request may give as its host, or None = any.
        paths: all addresses there are; others are counted as one.
        pages: addresses of the page, open to everybody.
        closing: whether the service is ending: then no client may keep its connection.
    """

    app: App
    metrics: Metrics
    token: str | None
    hosts: tuple[str, ...] | None
    paths: frozenset[str]
    pages: frozenset[str]
    closing: Callable[[], bool]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Send) -> None:
        """Serve one connection's event stream."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, seen = time.perf_counter(), {"status": 500}
        path = scope["path"] if scope["path"] in self.paths else "other"
        self.metrics.taken.inc()

        async def progress(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                message["headers"] = [*message.get("headers", []), *_HEADERS]
                if self.closing():
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            refusal = self._refusal(scope["path"], headers)
            if refusal is None:
                await self.app(scope, receive, progress)
            else:
                await refusal_response(refusal)(scope, receive, progress)
        finally:
            self.metrics.requests.labels(path, str(seen["status"])).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - began)

    def _refusal(self, path: str, headers: dict[bytes, str]) -> ApiError | None:
        host = headers.get(b"host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            return ApiError(403, "forbidden", f"the host must be one of {', '.join(self.hosts)}, but is {host[:60]!r}")
        origin = headers.get(b"origin")
        if origin is not None and origin.partition("://")[2] != host:
            return ApiError(403, "forbidden", f"pages of {origin[:60]!r} may not ask this service")
        secret = None if path in self.pages or path in OPEN else self.token
        if secret is not None and not check_token(headers.get(b"authorization"), secret):
            return ApiError(401, "unauthorized", "give the service's token in a header 'Authorization: Bearer ...'")
        return None


def _name(host: str) -> str:
    """A Host header without its port; "" where it is not a name or an address with a port or none."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::[0-9]{1,5})?", host)
    return found[1] if found else ""

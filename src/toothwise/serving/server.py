"""A service on a port: checks everything before it listens, and ends without losing what it took."""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

from toothwise.errors import InputError, OutputError, need
from toothwise.exported.runtime import runs_in
from toothwise.serving.access import is_loopback, read_token
from toothwise.serving.limits import Serving
from toothwise.serving.service import Service
from toothwise.signals import handling

_TOLD = {"taken": "requests_taken", "requests": "requests", "maps": "maps"}


def serve(model: str | Path, settings: Serving) -> dict[str, Any]:
    """Serve until SIGTERM or SIGINT; requests that were taken are answered first.

    The address is printed on stderr once it listens.

    Args:
        model: Folder of a fitted or exported model.
        settings: How it is served, and what a request may ask.

    Returns:
        Requests that were taken, requests that were answered, and maps that were diagnosed.

    Raises:
        InputError: No model, no token where one is needed, certificates that cannot be used.
        OutputError: The service cannot bind to the port.
        MissingDependencyError: The extra ``serve`` is not installed.
    """
    for module in ("uvicorn", "toothwise.serving.app"):
        need(module, "serving")
    import uvicorn

    from toothwise.serving.app import create_app
    from toothwise.serving.closing import GRACE, GracefulServer, TimedProtocol

    host, limits = settings.host, settings.limits
    token = read_token(settings.token_file, host)
    tls = _tls(settings.certificate, settings.key)
    service = Service.open(model, threads=settings.threads)
    app = create_app(service, limits, host=host, token=token)
    listening = _listen(host, settings.port)
    shown = f"[{host}]" if ":" in host else host
    if token is not None and not tls and not is_loopback(host):
        _say("warning: without --certificate and --key the token travels unencrypted")
    address = f"{'https' if tls else 'http'}://{shown}:{listening.getsockname()[1]}/"
    _say(f"serving {service.about()['run']} ({service.model.detector.name}) on {address}")
    if how := runs_in(service.model.detector):
        _say(f"computed by {how}")
    server = GracefulServer(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="on",
            server_header=False,
            http=TimedProtocol,
            ws="none",
            h11_max_incomplete_event_size=32 * 1024,  # of a request's head
            timeout_keep_alive=15,
            timeout_graceful_shutdown=math.ceil(limits.seconds + 3 - GRACE),
            backlog=256,
            **tls,
        ),
        app.state.closing.set,
        limits.seconds + 5,
    )
    logging.getLogger("toothwise.serving").addHandler(logging.StreamHandler(sys.stderr))
    try:
        # uvicorn raises the signal that ended it once more when it has ended in order: that must not kill the process
        with contextlib.suppress(KeyboardInterrupt), handling(signal.SIGTERM, by=lambda *_: None):
            server.run(sockets=[listening])
    finally:
        server.last_resort.cancel()
        listening.close()
    return {name: app.state.metrics.total(f"toothwise_{word}_total") for name, word in _TOLD.items()}


def _say(text: str) -> None:
    sys.stderr.write(f"toothwise: {text}\n")
    sys.stderr.flush()


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that the port is known and a taken one is an error of one line."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(256)  # from here on a connection waits and is not refused
    except OSError as error:
        raise OutputError(f"cannot bind to {host}:{port} ({error.strerror or error})") from None
    return listening


def _tls(certificate: Path | None, key: Path | None) -> dict[str, Any]:
    if certificate is None and key is None:
        return {}
    if certificate is None or key is None:
        raise InputError("TLS needs both --certificate and --key")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"{certificate} with {key}: cannot be used for TLS ({error})") from None
    return {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}

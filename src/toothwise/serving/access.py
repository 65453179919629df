"""Who may ask: loopback needs nothing, any other address a bearer token."""

from __future__ import annotations

import hmac
import ipaddress
import os
from pathlib import Path

from toothwise.errors import InputError
from toothwise.reading import read_text

# names that a request to a loopback service may give as its host: a page of another site may let its own name lead to
# this machine (DNS rebinding), which the name gives away
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
VARIABLE = "TOOTHWISE_TOKEN"
_SHORTEST = 16


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name may lead anywhere


def read_token(file: Path | None, host: str) -> str | None:
    """The token of a service: from a file, else from TOOTHWISE_TOKEN; None = none is asked for.

    Raises:
        InputError: an unreadable or short token, or none where the address is not loopback.
    """
    token = os.environ.get(VARIABLE, "").strip() or None
    if file is not None:
        token = read_text(file).strip()
    if token is not None and (len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token):
        raise InputError(f"{file or VARIABLE}: a token has {_SHORTEST} or more ASCII letters and digits, and no space")
    if token is None and not is_loopback(host):
        raise InputError(
            f"host {host} can be reached from other machines: give a bearer token with --token-file FILE or {VARIABLE}"
        )
    return token


def check_token(header: str | None, token: str) -> bool:
    """Whether an Authorization header holds the token; the time that it takes does not depend on it."""
    scheme, _, given = (header or "").partition(" ")
    right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
    return right and scheme.lower() == "bearer"

"""What one request may ask of a service, and what it is told when it asks for more."""

from __future__ import annotations

from dataclasses import dataclass

from toothwise.errors import InputError

__all__ = ["ApiError", "Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds of a service.

    Attributes:
        max_bytes: of a request's body.
        max_values: numbers of a request once they are unpacked (16 million take 128 MB as float64).
        max_maps: maps of a request.
        seconds: from the first byte to the answer.
        queue: requests that are being read, wait or are worked on; one more is answered with 429.
        batch: maps that are scored together at most.
        gather: seconds that a lone request waits for others to be scored with.

    Raises:
        InputError: a value that is not positive.
    """

    max_bytes: int = 32 * 2**20
    max_values: int = 2**24
    max_maps: int = 256
    seconds: float = 30.0
    queue: int = 64
    batch: int = 32
    gather: float = 0.002

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_values", "max_maps", "seconds", "queue", "batch"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name.replace('_', '-')} must be positive, but got {getattr(self, name)!r}")
        if not 0 <= self.gather <= 1:
            raise InputError(f"gather must lie in 0..1 seconds, but got {self.gather!r}")


class ApiError(Exception):
    """A request that is not served: HTTP status, a code for programs, a sentence for people.

    Args:
        status: of HTTP.
        code: one word of ``CODES``.
        message: what was given and what is allowed.
        retry: seconds after which to try again, or None.
    """

    def __init__(self, status: int, code: str, message: str, *, retry: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry = status, code, " ".join(message.split()), retry


CODES = {
    "bad_request": "the body is not what its content type says",
    "unauthorized": "the bearer token is missing or wrong",
    "forbidden": "a page of another site asked",
    "not_found": "no such address",
    "method_not_allowed": "the address takes another method",
    "timeout": "the body came too slowly",
    "too_large": "the body, or what it unpacks to, is larger than allowed",
    "unsupported": "a content type or a kind of file that is not taken",
    "invalid": "the body can be read, but not diagnosed",
    "busy": "too many requests at once, or the answer would take too long",
    "internal": "a defect of the service",
}

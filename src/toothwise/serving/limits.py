"""What one request may ask of a service, and how it is refused when it asks for more."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from toothwise.checks import check_range
from toothwise.errors import LimitError, ToothwiseError
from toothwise.workers import WorkLimits


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of a service.

    Attributes:
        max_bytes (N): Bytes of a request's body.
        max_json_bytes (N): Bytes of a body that is JSON; it costs more to read than a file.
        max_values (N): Numbers of a request once they are unpacked (16 million take 128 MB as float64).
        max_maps (N): Maps of a request.
        seconds (SECONDS): Time from the first byte to the answer.
        queue (N): Requests that are being read, wait or are worked on; one more is answered with 429.
        batch (N): Maps that are scored together at most.
        gather (SECONDS): Seconds that a lone request waits for others to be scored with.
        workers (N): Processes that read files and large bodies.
        worker_cpu_seconds (SECONDS): Processor time that reading one request may take.
        worker_megabytes (N): Memory that reading one request may take.

    Raises:
        InputError: A value that is not positive.
    """

    max_bytes: int = 32 * 2**20
    max_json_bytes: int = 8 * 2**20
    max_values: int = 2**24
    max_maps: int = 256
    seconds: float = 30.0
    queue: int = 64
    batch: int = 32
    gather: float = 0.002
    workers: int = 3
    worker_cpu_seconds: float = 10.0
    worker_megabytes: int = 1536

    def __post_init__(self) -> None:
        bounds = {f.name.replace("_", "-"): getattr(self, f.name) for f in fields(Limits)}
        check_range("[0, 1]", gather=bounds.pop("gather"))
        check_range("(0, inf)", **bounds)

    @property
    def work(self) -> WorkLimits:
        """What a worker may take for one request; it is stopped before the request's own time is over."""
        return WorkLimits(self.worker_cpu_seconds, 0.8 * self.seconds, self.worker_megabytes * 2**20)


@dataclass(frozen=True, kw_only=True)
class Serving(Limits):
    """How a model is served.

    Attributes:
        host (ADDRESS): Address to listen on; any but this machine's own loopback needs a token.
        port (N): Port to listen on; 0 takes any that is free.
        token_file (FILE): File with the bearer token; otherwise the variable TOOTHWISE_TOKEN is used.
        certificate (FILE): PEM certificate, for TLS.
        key (FILE): PEM key of the certificate.
        threads (N): Threads of an exported network; OMP_NUM_THREADS otherwise.

    Raises:
        InputError: A port that there is not, or as of ``Limits``.
    """

    host: str = "127.0.0.1"
    port: int = 8750
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("[0, 65535]", port=self.port)

    @property
    def limits(self) -> Limits:
        """The bounds alone."""
        return Limits(**{field.name: getattr(self, field.name) for field in fields(Limits)})


class ApiError(Exception):
    """A request that is not served: HTTP status, a code for programs, a sentence for people.

    Args:
        status: Of HTTP.
        code: One word of ``CODES``.
        message: What was given and what is allowed.
        retry: Seconds after which to try again, or None.
    """

    def __init__(self, status: int, code: str, message: str, *, retry: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry = status, code, " ".join(message.split()), retry

    @classmethod
    def of(cls, error: Exception) -> ApiError:
        """The answer to an error: it names what is wrong with the request, and gives no details of a defect."""
        if isinstance(error, ApiError):
            return error
        if isinstance(error, LimitError):
            return cls(413, "too_large", str(error))
        if isinstance(error, ToothwiseError):
            return cls(422, "invalid", str(error))
        return cls(500, "internal", "internal error of the service; its log has the details")

    def as_json(self) -> dict[str, str]:
        """The error as part of an answer."""
        return {"code": self.code, "message": self.message}


CODES = (
    *("bad_request", "unauthorized", "forbidden", "not_found", "method_not_allowed", "timeout"),
    *("too_large", "unsupported", "invalid", "busy", "internal"),
)

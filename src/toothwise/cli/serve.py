"""Serve a model over HTTP, with a page for people.

MODEL is the folder of a fitted or exported model. Recordings in requests become maps as its healthy recordings did.
Addresses: POST /v1/diagnose (JSON, files of maps, or recordings), POST /v1/diagnose/batch, POST /v1/report,
GET /v1/model, /healthz, /readyz, /metrics, /openapi.json, and the page at /. The service listens on this machine only,
unless --host says otherwise; then every request must bring a bearer token. On SIGTERM it answers what it has accepted,
and ends.

examples:
  toothwise serve exported/
  toothwise serve exported/ --port 8443 --host 0.0.0.0 --token-file token --certificate cert.pem --key key.pem
  toothwise serve exported/ --max-bytes 8000000 --workers 4 --worker-cpu-seconds 30
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress
from toothwise.serving.limits import Limits


@dataclass(frozen=True)
class _Model:
    """What to serve.

    Attributes:
        model (MODEL): Folder of a fitted or exported model.
    """

    model: str


@dataclass(frozen=True, kw_only=True)
class Options(Limits, _Model):
    """How to serve it.

    Attributes:
        host (ADDRESS): Address to listen on; any but this machine's own loopback needs a token.
        port (N): Port to listen on; 0 takes any that is free.
        token_file (FILE): File with the bearer token; otherwise the variable TOOTHWISE_TOKEN is used.
        certificate (FILE): PEM certificate, for TLS.
        key (FILE): PEM key of the certificate.
        threads (N): Threads of an exported network; OMP_NUM_THREADS otherwise.
    """

    host: str = "127.0.0.1"
    port: int = 8750
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    threads: int | None = None


def run(options: Options, progress: Progress) -> Result:
    """Load, listen, serve until SIGTERM or Ctrl-C."""
    from toothwise.serving.server import serve

    words = asdict(options)
    limits = Limits(**{field.name: words.pop(field.name) for field in fields(Limits)})
    progress(f"loading {options.model}")
    served = serve(words.pop("model"), limits, **words)
    text = "answered {requests} of {taken} requests, with {maps} maps; ended\n"
    return Result(served, lambda: text.format(**served))

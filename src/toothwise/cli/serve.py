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

from dataclasses import dataclass

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress
from toothwise.serving.limits import Serving


@dataclass(frozen=True)
class Options(Serving):
    """What to serve, and how.

    Attributes:
        model (MODEL): Folder of a fitted or exported model.
    """

    model: str


def run(options: Options, progress: Progress) -> Result:
    """Load, listen, serve until SIGTERM or Ctrl-C."""
    from toothwise.serving.server import serve

    progress(f"loading {options.model}")
    served = serve(options.model, options)
    text = "answered {requests} of {taken} requests, with {maps} maps; ended\n"
    return Result(served, lambda: text.format(**served))

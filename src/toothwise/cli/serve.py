"""Serve a detector over HTTP, with a page for people.

RUN is the folder of a saved detector, or one that 'toothwise export' wrote. Addresses: POST /v1/diagnose (JSON, files
of maps, or recordings with their gears), POST /v1/diagnose/batch, POST /v1/report, GET /v1/model, /healthz, /readyz,
/metrics, /openapi.json, and the page at /. Only this machine is listened to, unless --host says otherwise; then every
request must bring a bearer token. SIGTERM ends the service once what it took is answered.

examples:
  toothwise serve exported/
  toothwise serve exported/ --port 8443 --host 0.0.0.0 --token-file token --certificate cert.pem --key key.pem
  toothwise serve exported/ --waveform healthy.npz --set quantity=rms --max-bytes 8000000
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result, key_values
from toothwise.cli.terminal import Progress
from toothwise.serving.limits import Limits


@dataclass(frozen=True)
class Options:
    """What to serve how.

    Attributes:
        run: folder of a saved or exported detector.
        host, port: to listen on; port 0 = any that is free.
        token_file: file with the bearer token, or None = the variable TOOTHWISE_TOKEN.
        certificate, key: PEM files for TLS, or None.
        threads: of an exported network; None = OMP_NUM_THREADS, else as its engine thinks best.
        waveform: .npz file of a healthy waveform that is taken off recordings, or None.
        set: NAME=VALUE, fields of MapConfig for recordings.
        max_bytes, max_values, max_maps, seconds, queue, batch: of Limits.
    """

    run: str
    host: str = "127.0.0.1"
    port: int = 8750
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    threads: int | None = None
    waveform: Path | None = None
    set: list[str] = field(default_factory=list)
    max_bytes: int = Limits.max_bytes
    max_values: int = Limits.max_values
    max_maps: int = Limits.max_maps
    seconds: float = Limits.seconds
    queue: int = Limits.queue
    batch: int = Limits.batch


def add_arguments(parser: ArgumentParser) -> None:
    """RUN and the options above."""
    add = parser.add_argument
    add("run", type=str, metavar="RUN", help="folder of a saved or exported detector")
    add("--host", type=str, default="127.0.0.1", metavar="ADDRESS", help="to listen on; not loopback: needs a token")
    add("--port", type=int, default=8750, metavar="N", help="to listen on; 0 = any that is free")
    add("--token-file", type=Path | None, metavar="FILE", help="holds the bearer token; else TOOTHWISE_TOKEN")
    add("--certificate", type=Path | None, metavar="FILE", help="PEM certificate, for TLS")
    add("--key", type=Path | None, metavar="FILE", help="PEM key of the certificate")
    add("--threads", type=int | None, metavar="N", help="of an exported network")
    add("--waveform", type=Path | None, metavar="FILE", help="healthy waveform that is taken off recordings")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="how recordings become maps; as of 'build'")
    add("--max-bytes", type=int, default=Limits.max_bytes, metavar="N", help="of a request")
    add("--max-values", type=int, default=Limits.max_values, metavar="N", help="numbers of a request, unpacked")
    add("--max-maps", type=int, default=Limits.max_maps, metavar="N", help="of a request")
    add("--seconds", type=float, default=Limits.seconds, metavar="N", help="from first byte to answer")
    add("--queue", type=int, default=Limits.queue, metavar="N", help="requests at once; more are answered with 429")
    add("--batch", type=int, default=Limits.batch, metavar="N", help="maps that are scored together")


def run(options: Options, progress: Progress) -> Result:
    """Load, listen, serve until SIGTERM or Ctrl-C."""
    from toothwise.serving.server import serve

    limits = Limits(
        max_bytes=options.max_bytes,
        max_values=options.max_values,
        max_maps=options.max_maps,
        seconds=options.seconds,
        queue=options.queue,
        batch=options.batch,
    )
    progress(f"loading {options.run}")
    served = serve(
        options.run,
        limits,
        host=options.host,
        port=options.port,
        token_file=options.token_file,
        certificate=options.certificate,
        key=options.key,
        threads=options.threads,
        config=key_values(options.set),
        waveform=options.waveform,
    )
    told = "answered {requests} of {taken} requests, with {maps} maps; ended\n"
    return Result(served, lambda: told.format(**served))

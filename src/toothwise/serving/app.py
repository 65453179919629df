"""The HTTP API: addresses and answers. What they do is in ``service``, what they take in ``intake``."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from toothwise import __version__
from toothwise.errors import ToothwiseError
from toothwise.serving.access import allowed_hosts
from toothwise.serving.batching import Batcher
from toothwise.serving.bodies import Recordings
from toothwise.serving.decoding import MAP_SUFFIXES, RECORD_SUFFIXES
from toothwise.serving.limits import ApiError, Limits
from toothwise.serving.metrics import Metrics
from toothwise.serving.report import report_of
from toothwise.serving.request_reader import RequestReader
from toothwise.serving.schemas import Answers, Health, Model, batch_body, diagnose_body, refusals
from toothwise.serving.security import SecurityMiddleware, refusal_body
from toothwise.serving.service import Job, Service
from toothwise.serving.web_page import page_files

__all__ = ["Settings", "create_app"]

_log = logging.getLogger("toothwise.serving")
_ABOUT = "Diagnoses health maps of gears: which tooth, how badly, how sure. Errors are {'error': {code, message}}."


@dataclass(frozen=True)
class Settings:
    """How a detector is served.

    Attributes:
        limits: of a request.
        host: address that is listened on.
        token: that is asked for, or None.
        config: fields of MapConfig, for recordings.
        waveform: healthy waveform that is taken off recordings, or None.
    """

    limits: Limits = field(default_factory=Limits)
    host: str = "127.0.0.1"
    token: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    waveform: Path | None = None


def create_app(service: Service, settings: Settings | None = None) -> FastAPI:
    """The application around a service.

    Args:
        service: what is served.
        settings: how.
    """
    settings = settings or Settings()
    limits, metrics = settings.limits, Metrics(service)
    folder = tempfile.TemporaryDirectory(prefix="toothwise-")  # private: mode 0700

    def work(jobs: Sequence[Job]) -> list[list[dict[str, Any]] | Exception]:
        began = time.perf_counter()
        metrics.batches.observe(sum(map(len, jobs)))
        answers = service.answer(jobs)
        metrics.scoring.observe(time.perf_counter() - began)
        for answer in answers:
            if isinstance(answer, list):
                metrics.maps.inc(len(answer))
                metrics.alarms.inc(sum(bool(one["alarm"]) for one in answer))
        return answers

    batcher: Batcher[Job, list[dict[str, Any]]] = Batcher(work, len, most=limits.batch, gather=limits.gather)
    recordings = Recordings(Path(folder.name), settings.config, settings.waveform)
    intake = RequestReader(service, limits, recordings, metrics.inside.set)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        # the first run of an engine is slow; a detector that cannot run is told now and not to the first client
        await intake.aside(lambda: service.answer([Job(service.example()[None], ("example",))]))
        batcher.start()
        try:
            yield
        finally:
            await batcher.close()
            folder.cleanup()

    app = FastAPI(
        title="toothwise", description=_ABOUT, version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.metrics, app.state.closing = metrics, threading.Event()
    pages = page_files()
    _add_pages(app, pages)
    _add_state(app, service, limits, metrics, intake, batcher)
    _add_diagnosis(app, service, limits, intake, batcher)
    _add_errors(app, metrics)
    app.add_middleware(
        SecurityMiddleware,
        metrics=metrics,
        token=settings.token,
        hosts=allowed_hosts(settings.host),
        paths=frozenset(getattr(route, "path", "") for route in app.routes),
        pages=frozenset(pages),
        closing=app.state.closing.is_set,
    )
    return app


def _add_pages(app: FastAPI, pages: dict[str, tuple[bytes, str]]) -> None:
    for path, (content, kind) in pages.items():

        async def page(content: bytes = content, kind: str = kind) -> Response:
            return Response(content, media_type=kind)

        app.add_api_route(path, page, include_in_schema=False)


def _add_state(
    app: FastAPI, service: Service, limits: Limits, metrics: Metrics, intake: RequestReader, batcher: Batcher[Any, Any]
) -> None:
    about = service.about() | {
        "limits": asdict(limits),
        "map_files": list(MAP_SUFFIXES),
        "record_files": list(RECORD_SUFFIXES),
    }

    @app.get("/healthz", summary="Whether the process lives", response_model=Health, responses=_only(403))
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @app.get(
        "/readyz",
        summary="Whether requests are taken",
        response_model=Health,
        responses=_only(403) | {503: {"model": Health}},
    )
    async def readyz() -> JSONResponse:
        if not batcher.alive:
            return JSONResponse({"status": "shutting down"}, 503)
        return JSONResponse({"status": "full"}, 503) if intake.full else JSONResponse({"status": "ready"})

    @app.get("/v1/model", summary="The detector that is served", response_model=Model, responses=refusals())
    async def model() -> JSONResponse:
        return JSONResponse(about)

    @app.get("/v1/example", summary="A made-up map to try", responses=refusals())
    async def example() -> dict[str, list[list[float]]]:
        return {"values": service.example().tolist()}

    @app.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=Response,
        responses=refusals() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def prometheus() -> Response:
        content, kind = metrics.text()
        return Response(content, headers={"content-type": kind})


def _only(status: int) -> dict[int | str, dict[str, Any]]:
    return {status: refusals()[status]}


def _add_diagnosis(
    app: FastAPI, service: Service, limits: Limits, intake: RequestReader, batcher: Batcher[Job, list[dict[str, Any]]]
) -> None:
    refused = refusals(400, 408, 413, 415, 422, 429, 503)

    async def submitted(job: Job) -> list[dict[str, Any]]:
        return await batcher.submit(job)

    async def answers(jobs: list[Job | ApiError]) -> list[dict[str, Any]]:
        """Of every job in order; a refusal stands in its place."""
        try:
            async with asyncio.timeout(limits.seconds):
                found = await asyncio.gather(
                    *(submitted(job) for job in jobs if isinstance(job, Job)), return_exceptions=True
                )
        except TimeoutError:
            raise ApiError(503, "busy", f"the answer would take more than {limits.seconds:g} s", retry=5) from None
        scored, out = iter(found), []
        for k, job in enumerate(jobs):
            answer = next(scored) if isinstance(job, Job) else job
            if isinstance(answer, list):
                out += answer
            elif len(jobs) > 1 and isinstance(answer, ApiError | ToothwiseError):
                name = job.records[0] if isinstance(job, Job) else f"map {k}"
                code = answer.code if isinstance(answer, ApiError) else "invalid"
                out.append({"record": name, "error": {"code": code, "message": str(answer)}})
            else:
                raise answer
        return out

    @app.post(
        "/v1/diagnose",
        summary="Diagnose a map, files of maps, or recordings",
        response_model=Answers,
        responses=refused,
        openapi_extra=diagnose_body(service),
    )
    async def diagnose(request: Request) -> JSONResponse:
        with intake.place():
            return JSONResponse({"results": await answers(await intake.jobs(request))})

    @app.post(
        "/v1/diagnose/batch",
        summary="Diagnose many maps; a bad one has its error in its place",
        response_model=Answers,
        responses=refused,
        openapi_extra=batch_body(service, limits),
    )
    async def batch(request: Request) -> JSONResponse:
        with intake.place():
            jobs = await intake.jobs(request, many=True, form=False)
            if len(jobs) == 1 and isinstance(jobs[0], ApiError):
                return JSONResponse({"results": [_failed("map 0", jobs[0])]})
            return JSONResponse({"results": await answers(jobs)})

    @app.post(
        "/v1/report",
        summary="The diagnosis as one HTML page",
        response_class=Response,
        responses=refused | {200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
        openapi_extra=diagnose_body(service),
    )
    async def report(request: Request) -> Response:
        with intake.place():
            jobs = [job for job in await intake.jobs(request) if isinstance(job, Job)]
            try:
                async with asyncio.timeout(limits.seconds):
                    page = await intake.aside(partial(report_of, jobs, service))
            except TimeoutError:
                raise ApiError(503, "busy", f"the report would take more than {limits.seconds:g} s", retry=5) from None
            name = {"content-disposition": 'attachment; filename="toothwise-report.html"'}
            return Response(page, media_type="text/html", headers=name)


def _failed(record: str, refusal: ApiError) -> dict[str, Any]:
    return {"record": record, "error": {"code": refusal.code, "message": refusal.message}}


def _add_errors(app: FastAPI, metrics: Metrics) -> None:
    def told(refusal: ApiError) -> Response:
        metrics.refused.labels(refusal.code).inc()
        headers = {} if refusal.retry is None else {"retry-after": str(refusal.retry)}
        return Response(refusal_body(refusal), refusal.status, headers, "application/json")

    @app.exception_handler(ApiError)
    async def refused(request: Request, error: ApiError) -> Response:
        del request
        return told(error)

    @app.exception_handler(ToothwiseError)
    async def unsuitable(request: Request, error: ToothwiseError) -> Response:
        del request
        return told(ApiError(422, "invalid", str(error)))

    @app.exception_handler(HTTPException)
    async def no_such(request: Request, error: HTTPException) -> Response:
        del request
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
        answer = told(ApiError(error.status_code, code, str(error.detail)))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        _log.error("%s: %s", request.url.path, type(error).__name__, exc_info=error)
        return told(ApiError(500, "internal", "a defect of the service; its log tells more"))

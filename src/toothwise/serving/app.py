"""The HTTP API: addresses and answers. What they do is in ``service``, what they take in ``request_reader``."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from toothwise import __version__
from toothwise.errors import InputError, ToothwiseError
from toothwise.files import finite
from toothwise.messages import LANGUAGES, language, messages_from
from toothwise.serving.access import LOOPBACK_NAMES, is_loopback
from toothwise.serving.batching import Answer, Batcher
from toothwise.serving.decoding import MAP_SUFFIXES, RECORD_SUFFIXES, Decoder
from toothwise.serving.limits import ApiError, Limits
from toothwise.serving.metrics import Metrics
from toothwise.serving.openapi import batch_body, diagnose_body, refusals
from toothwise.serving.report import report_page
from toothwise.serving.request_reader import RequestReader
from toothwise.serving.schemas import Answers, Health, ModelInfo
from toothwise.serving.security import SecurityMiddleware, refusal_response
from toothwise.serving.service import Job, Service
from toothwise.serving.web_page import page_files

_SAID = ("verdict", "confidence", "next_look")  # sentences of a diagnosis
_log = logging.getLogger("toothwise.serving")
_ABOUT = "Diagnoses health maps of gears: which tooth, how badly, how sure. Errors are {'error': {code, message}}."


def create_app(
    service: Service, limits: Limits | None = None, *, host: str = "127.0.0.1", token: str | None = None
) -> FastAPI:
    """The application around a service.

    Args:
        service: What is served.
        limits: Of a request.
        host: Address that the service listens on.
        token: That a request must bring, or None.
    """
    limits, metrics = limits or Limits(), Metrics(service)

    def work(jobs: Sequence[Job]) -> list[Answer | Exception]:
        began = time.perf_counter()
        metrics.batches.observe(sum(map(len, jobs)))
        answers = service.answer(jobs)
        metrics.scoring.observe(time.perf_counter() - began)
        for answer in answers:
            if isinstance(answer, list):
                metrics.maps.inc(len(answer))
                metrics.alarms.inc(sum(bool(one["alarm"]) for one in answer))
        return answers

    batcher = Batcher(work, most=limits.batch, gather=limits.gather)
    reader = RequestReader(Decoder(service.expected, limits, service.model.builder))
    metrics.inside.set_function(lambda: reader.inside)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        await reader.start()
        # the first run of an engine is slow; a detector that cannot run says so now and not to the first client
        await reader.aside(lambda: service.answer([service.warm_up()]))
        try:
            yield
        finally:
            await batcher.close()
            reader.close()

    app = FastAPI(
        title="toothwise", description=_ABOUT, version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.metrics, app.state.closing = metrics, threading.Event()
    pages = page_files()
    _add_state(app, service, metrics, reader, batcher)
    _add_diagnosis(app, service, reader, batcher)
    _add_errors(app, metrics)
    for path, (content, kind) in pages.items():
        app.add_api_route(path, partial(_page, content, kind), include_in_schema=False)
    app.add_middleware(
        SecurityMiddleware,
        metrics=metrics,
        token=token,
        hosts=LOOPBACK_NAMES if is_loopback(host) else None,
        paths=frozenset(getattr(route, "path", "") for route in app.routes),
        pages=frozenset(pages),
        closing=app.state.closing.is_set,
    )
    return app


async def _page(content: bytes, kind: str) -> Response:
    return Response(content, media_type=kind)


def _add_state(app: FastAPI, service: Service, metrics: Metrics, reader: RequestReader, batcher: Batcher) -> None:
    about = service.about() | {
        "limits": asdict(reader.limits),
        "map_files": list(MAP_SUFFIXES),
        "record_files": list(RECORD_SUFFIXES),
        "builds": service.model.builder is not None,
    }

    @app.get("/healthz", summary="Whether the process lives", response_model=Health, responses=refusals(403))
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @app.get(
        "/readyz",
        summary="Whether requests are taken and a worker answers",
        response_model=Health,
        responses=refusals(403) | {503: {"model": Health}},
    )
    async def readyz() -> JSONResponse:
        if not batcher.alive:
            return JSONResponse({"status": "shutting down"}, 503)
        if reader.full:
            return JSONResponse({"status": "full"}, 503)
        return JSONResponse({"status": "ready"}) if await reader.answers() else JSONResponse({"status": "busy"}, 503)

    @app.get("/v1/model", summary="The model that is served", response_model=ModelInfo, responses=refusals(401, 403))
    async def model() -> JSONResponse:
        return JSONResponse(about)

    @app.get("/v1/example", summary="A simulated map to try", responses=refusals(401, 403))
    async def example() -> dict[str, list[list[float]]]:
        return {"values": service.example().tolist()}

    @app.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=Response,
        responses=refusals(401, 403) | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def prometheus() -> Response:
        content, kind = metrics.text()
        return Response(content, headers={"content-type": kind})


def _add_diagnosis(app: FastAPI, service: Service, reader: RequestReader, batcher: Batcher) -> None:
    refused = refusals(401, 403, 400, 408, 413, 415, 422, 429, 503)
    described = diagnose_body(service)

    async def together(job: Job) -> dict[str, Any]:
        """The diagnosis of all maps as records in time order, where it was asked for."""
        if "sequence" not in job.include or not len(job):
            return {}
        _, said = await reader.aside(partial(service.monitor, job))
        return {"diagnosis": finite(said.as_json())}

    @app.post(
        "/v1/diagnose",
        summary="Diagnose a map, files of maps, or recordings",
        response_model=Answers,
        responses=refused,
        openapi_extra=described,
    )
    async def diagnose(request: Request) -> JSONResponse:
        async with reader.place(request):
            job = await reader.decoded(request)
            answers = await batcher.submit(job)
            return JSONResponse(_in_language({"results": answers, **await together(job)}, request))

    @app.post(
        "/v1/diagnose/batch",
        summary="Diagnose many maps; a bad one has its error in its place",
        response_model=Answers,
        responses=refused,
        openapi_extra=batch_body(service, reader.limits),
    )
    async def batch(request: Request) -> JSONResponse:
        async with reader.place(request):
            job = await reader.decoded(request, many=True)
            jobs = [Job(job.values[k : k + 1], (name,), job.include) for k, name in enumerate(job.records)]
            answers: list[Any] = []
            for at in range(0, len(jobs), reader.limits.batch):  # between two parts others have their turn
                part = jobs[at : at + reader.limits.batch]
                answers += await asyncio.gather(*map(batcher.submit, part), return_exceptions=True)
            results = [_placed(answer, name) for answer, name in zip(answers, job.records, strict=True)]
            for place, name, reason in job.bad:
                results.insert(place, _placed(InputError(reason), name))
            return JSONResponse(_in_language({"results": results, **await together(job)}, request))

    @app.post(
        "/v1/report",
        summary="The diagnosis as one HTML page",
        response_class=Response,
        responses=refused | {200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
        openapi_extra=described,
    )
    async def report(request: Request) -> Response:
        async with reader.place(request):
            job = await reader.decoded(request)
            page = await reader.aside(partial(report_page, job, service, _asked(request)))
            name = {"content-disposition": 'attachment; filename="toothwise-report.html"'}
            return Response(page, media_type="text/html", headers=name)


def _asked(request: Request) -> str:
    """The language that a client prefers, of those that there are."""
    code = request.headers.get("accept-language", "")[:2].lower()
    return code if code in LANGUAGES else "en"


def _in_language(answer: dict[str, Any], request: Request) -> dict[str, Any]:
    """The answer with its sentences in the language that the client prefers."""
    code = _asked(request)
    if code == "en":
        return answer
    for one in [answer, *answer["results"]]:
        said = one.get("diagnosis")
        if said:
            words = {key: language(code).sentences(messages_from(said["messages"][key])) for key in _SAID}
            one["diagnosis"] = said | {"sentence": words["verdict"]} | {key: words[key] for key in _SAID[1:]}
            if "verdict" in one:
                one["verdict"] = words["verdict"]
    return answer


def _placed(answer: Any, record: str) -> dict[str, Any]:
    """The entry of one map of a batch: its answer, or its error."""
    if isinstance(answer, list):
        return dict(answer[0])
    if not isinstance(answer, ApiError | ToothwiseError):
        raise answer
    return {"record": record, "error": ApiError.of(answer).as_json()}


def _add_errors(app: FastAPI, metrics: Metrics) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        refusal, headers = ApiError.of(error), {}
        if isinstance(error, HTTPException):  # of the routes: no such address, or not this way
            code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
            refusal, headers = ApiError(error.status_code, code, str(error.detail)), dict(error.headers or {})
        elif refusal.code == "internal":
            _log.error("%s: %s", request.url.path, type(error).__name__, exc_info=error)
        metrics.refused.labels(refusal.code).inc()
        return refusal_response(refusal, headers)

    for kind in (ApiError, ToothwiseError, HTTPException, Exception):
        app.add_exception_handler(kind, refused)

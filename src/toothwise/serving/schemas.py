"""What the OpenAPI description says of bodies and answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from toothwise.serving.bodies import FIELDS
from toothwise.serving.decoding import MAP_SUFFIXES, RECORD_SUFFIXES
from toothwise.serving.limits import CODES, Limits
from toothwise.serving.service import INCLUDE, Service

__all__ = ["Answer", "Answers", "Failure", "Health", "Model", "batch_body", "diagnose_body", "refusals"]

_FLOAT32 = 3.4028234663852886e38


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Neighbour(_Told):
    """A tooth beside the damaged one, over the same extent."""

    tooth: int
    contrast: float
    p_value: float
    raised: bool


class Line(_Told):
    """One damaged tooth."""

    gear: str = Field(description="driving, driven, planet, ...; 'gear' where the map is of one gear")
    tooth: int = Field(description="counted from 0")
    axis: int = Field(description="1 = it is a row of the map, 2 = a column")
    p_value: float = Field(description="chance that the best line of a healthy map has so much evidence")
    contrast: float = Field(description="over background; 1 = as the background")
    interval: list[float] = Field(description="95 % of the contrast")
    first: int | str
    last: int | str
    cells: int
    share: float = Field(description="of the line that the extent covers")
    neighbours: list[Neighbour]


class Diagnosis(_Told):
    """Which gear and tooth, what pattern, how sure."""

    record: str
    pattern: str
    lines: list[Line]
    p_values: dict[str, float]
    rate: float = Field(description="chance that a healthy map is called anything")
    level: float = Field(description="log level over the healthy median, in healthy standard deviations")
    cycle_gear: str | None
    diagonal: dict[str, Any] | None
    healthy: int
    effective: float
    score: float
    verdict: str
    confidence: str
    next_look: str
    also: list[str]
    # what later versions of the diagnosis add must not break an old description
    model_config = ConfigDict(extra="allow")


class Error(_Told):
    """What went wrong: a word for programs and a sentence for people."""

    code: str = Field(description="; ".join(f"{code}: {text}" for code, text in CODES.items()))
    message: str


class Failure(_Told):
    """The answer of every request that is not served."""

    error: Error


class Answer(_Told):
    """What is said of one map. In a batch a map that cannot be used has only ``record`` and ``error``."""

    record: str
    verdict: str | None = None
    score: float | None = None
    threshold: float | None = None
    alarm: bool | None = Field(default=None, description="score above the threshold")
    row: int | None = Field(default=None, description="most suspicious row (driving tooth), from 0")
    column: int | None = Field(default=None, description="most suspicious column, from 0")
    severity: float | None = Field(default=None, description="contrast over background, of detectors that tell it")
    p_value: float | None = None
    diagnosis: Diagnosis | None = None
    row_evidence: list[float | None] | None = None
    column_evidence: list[float | None] | None = None
    anomaly_map: list[list[float | None]] | None = None
    map: list[list[float | None]] | None = None
    error: Error | None = None


class Answers(_Told):
    """One answer per map, in the order of the request."""

    results: list[Answer]


class Health(_Told):
    """Whether the service lives, or takes requests."""

    status: str


class Model(BaseModel):
    """The detector that is served, its threshold, its gears, the hashes of its files, and the limits of a request."""

    run: str
    detector: str
    options: dict[str, Any]
    shape: list[int]
    rows: str
    columns: str
    gear: dict[str, Any] | None
    threshold: dict[str, Any] | None
    healthy_maps: int | None
    false_alarms_per_map: float | None
    fingerprint: str
    exported: bool
    files: dict[str, str]
    toothwise: str
    limits: dict[str, float]
    map_files: list[str]
    record_files: list[str]


def refusals(*more: int) -> dict[int | str, dict[str, Any]]:
    """Answers of a protected address besides the good one."""
    texts = {
        400: "not what the content type says",
        401: "token missing or wrong",
        403: "a page of another site asked, or another host was named",
        408: "the body came too slowly",
        413: "larger than allowed, as sent or unpacked",
        415: "a content type or kind of file that is not taken",
        422: "can be read, but not diagnosed",
        429: "too many requests at once; Retry-After tells when to come back",
        503: "would take too long, or the service is shutting down",
    }
    return {status: {"model": Failure, "description": texts[status]} for status in (401, 403, *more)}


def _values(service: Service) -> dict[str, Any]:
    rows, columns = service.shape
    number: dict[str, Any] = {"type": ["number", "null"], "maximum": _FLOAT32}
    number |= {"minimum": -_FLOAT32} if service.reference is None else {"exclusiveMinimum": 1e-38}
    row = {"type": "array", "items": number, "minItems": columns, "maxItems": columns}
    about = f"{rows} rows ({service.rows.name}) of {columns} numbers; null = pair not measured"
    return {"type": "array", "items": row, "minItems": rows, "maxItems": rows, "description": about}


_INCLUDE = {
    "type": "array",
    "items": {"enum": list(INCLUDE)},
    "uniqueItems": True,
    "description": "what the answer holds besides the verdict",
}
_RECORD = {"type": "string", "maxLength": 200, "description": "a name that comes back with the answer"}


def _body(json_schema: dict[str, Any], example: Any, *, form: bool) -> dict[str, Any]:
    content: dict[str, Any] = {
        "application/json": {
            "schema": json_schema | {"additionalProperties": False, "type": "object"},
            "examples": {"map": {"summary": "a made-up map with a bright row", "value": example}},
        }
    }
    if form:
        texts = {name: {"type": "string"} for name in FIELDS if name not in ("file", "record")}
        texts["gears"] |= {
            "description": "YAML or JSON, such as {driving: 18, driven: 35}; the service's own if absent"
        }
        texts["read"] |= {"description": "JSON object: channels, tacho, sampling_rate, pulses_per_revolution, ..."}
        texts["include"] |= {"description": "words of 'include' with commas between them"}
        files = {"type": "array", "items": {"type": "string", "format": "binary"}}
        content["multipart/form-data"] = {
            "schema": {
                "type": "object",
                "properties": {
                    "file": files | {"description": f"maps: {', '.join(MAP_SUFFIXES)}"},
                    "record": files | {"description": f"recordings: {', '.join(RECORD_SUFFIXES)}"},
                    **texts,
                },
            }
        }
    return {"requestBody": {"required": True, "content": content}}


def diagnose_body(service: Service) -> dict[str, Any]:
    """The body of ``POST /v1/diagnose``."""
    properties = {"values": _values(service), "record": _RECORD, "include": _INCLUDE}
    example = {"values": _shown(service), "record": "monday", "include": ["evidence"]}
    return _body({"properties": properties, "required": ["values"]}, example, form=True)


def batch_body(service: Service, limits: Limits) -> dict[str, Any]:
    """The body of ``POST /v1/diagnose/batch``."""
    one = {
        "type": "object",
        "properties": {"values": _values(service), "record": _RECORD},
        "required": ["values"],
        "additionalProperties": False,
    }
    maps = {"type": "array", "items": one, "minItems": 1, "maxItems": limits.max_maps}
    example = {"maps": [{"values": _shown(service), "record": "monday"}], "include": []}
    return _body({"properties": {"maps": maps, "include": _INCLUDE}, "required": ["maps"]}, example, form=False)


def _shown(service: Service) -> list[list[float]]:
    return [[float(f"{value:.4g}") for value in row] for row in service.example().tolist()]

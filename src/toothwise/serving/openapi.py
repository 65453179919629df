"""What the OpenAPI description says of bodies, for the shape of the model's own maps."""

from __future__ import annotations

from typing import Any

from toothwise.serving.decoding import MAP_SUFFIXES, RECORD_SUFFIXES
from toothwise.serving.limits import Limits
from toothwise.serving.schemas import BatchBody, DiagnoseBody, Failure, FormFields, MapBody
from toothwise.serving.service import Service

_FLOAT32 = 3.4028234663852886e38
_REFUSED = {
    400: "not what the content type says",
    401: "token missing or wrong",
    403: "a page of another site asked, or another host was named",
    408: "the body came too slowly",
    413: "larger than allowed, as sent, unpacked, or in the work that it asks for",
    415: "a content type or kind of file that is not taken",
    422: "can be read, but not diagnosed",
    429: "too many requests at once; Retry-After says when to come back",
    503: "would take too long, or the service is shutting down",
}


def refusals(*listed: int) -> dict[int | str, dict[str, Any]]:
    """Answers of an address besides the good one."""
    return {status: {"model": Failure, "description": _REFUSED[status]} for status in listed}


def diagnose_body(service: Service) -> dict[str, Any]:
    """The body of ``POST /v1/diagnose`` and ``POST /v1/report``: JSON, or a form with files."""
    schema = DiagnoseBody.model_json_schema()
    schema["properties"]["values"] = _values(service)
    example = {"values": _shown(service), "record": "monday", "include": ["evidence"]}
    form = FormFields.model_json_schema()
    for name, text in FormFields.model_fields.items():  # a form has no types but text and files
        form["properties"][name] = {"type": "string", "description": text.description}
    files = {"type": "array", "items": {"type": "string", "format": "binary"}}
    form["properties"] |= {
        "file": files | {"description": f"maps: {', '.join(MAP_SUFFIXES)}"},
        "record": files | {"description": f"recordings: {', '.join(RECORD_SUFFIXES)}"},
    }
    form.pop("$defs", None)
    return _body(schema, example, {"multipart/form-data": {"schema": form}})


def batch_body(service: Service, limits: Limits) -> dict[str, Any]:
    """The body of ``POST /v1/diagnose/batch``."""
    schema, one = BatchBody.model_json_schema(), MapBody.model_json_schema()
    one["properties"]["values"] = _values(service)
    schema["properties"]["maps"] |= {"items": one, "maxItems": limits.max_maps}
    schema.pop("$defs", None)
    return _body(schema, {"maps": [{"values": _shown(service), "record": "monday"}], "include": []}, {})


def _body(schema: dict[str, Any], example: Any, more: dict[str, Any]) -> dict[str, Any]:
    shown = {"map": {"summary": "a simulated map with a bright row", "value": example}}
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "examples": shown}, **more},
        }
    }


def _values(service: Service) -> dict[str, Any]:
    rows, columns = service.model.about.shape
    number: dict[str, Any] = {"type": ["number", "null"], "maximum": _FLOAT32}
    number |= {"exclusiveMinimum": 1e-38} if service.expected.positive else {"minimum": -_FLOAT32}
    row = {"type": "array", "items": number, "minItems": columns, "maxItems": columns}
    about = f"{rows} rows ({service.model.about.rows.name}) of {columns} numbers; null = pair not measured"
    return {"type": "array", "items": row, "minItems": rows, "maxItems": rows, "description": about}


def _shown(service: Service) -> list[list[float]]:
    return [[float(f"{value:.4g}") for value in row] for row in service.example().tolist()]

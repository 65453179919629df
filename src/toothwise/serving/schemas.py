"""The bodies of requests and answers: pydantic checks the first and describes both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field, Json, ValidationError, WrapValidator

from toothwise.errors import InputError
from toothwise.serving.limits import CODES

Include = Literal["evidence", "anomaly_map", "map", "sequence"]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Body(_Closed):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class MapBody(_Body):
    """One map."""

    values: Annotated[list[Annotated[list[float | None], FailFast()]], FailFast()]
    record: str = Field(default="", max_length=200, description="a name that comes back with the answer")


_INCLUDE: Any = Field(
    default=[],
    description="what the answer holds besides the verdict; sequence: a diagnosis of all maps as records in time order",
)


class DiagnoseBody(MapBody):
    """JSON of ``POST /v1/diagnose`` and ``POST /v1/report``."""

    include: list[Include] = _INCLUDE


def _kept(value: Any, check: Callable[[Any], MapBody]) -> MapBody | InputError:
    """A map that cannot be used is an error in its place, and spoils no other."""
    try:
        return check(value)
    except ValidationError as error:
        return InputError(first_error(error))


class BatchBody(_Body):
    """JSON of ``POST /v1/diagnose/batch``."""

    maps: Annotated[list[Annotated[MapBody, WrapValidator(_kept)]], Field(min_length=1)]
    include: list[Include] = _INCLUDE


class Reading(_Body):
    """What the names in a recording's file do not say; everything else is as the model's healthy recordings were."""

    channels: list[str] | None = Field(default=None, min_length=1, max_length=64)
    tacho: str | None = Field(default=None, max_length=200)
    sampling_rate: float | None = Field(default=None, gt=0, le=1e8)


Teeth = Annotated[int, Field(ge=3, le=10_000)]


class Gears(_Body):
    """The gears of recordings, for a model that was fitted on maps and does not know how recordings become maps.

    Either ``driving`` and ``driven``, or ``sun``, ``planet``, ``ring`` and ``planets``; ``tacho_shaft`` names the shaft
    of the tachometer (driving or driven; sun or carrier).
    """

    driving: Teeth | None = None
    driven: Teeth | None = None
    sun: Teeth | None = None
    planet: Teeth | None = None
    ring: Teeth | None = None
    planets: Annotated[int, Field(ge=1, le=100)] | None = None
    tacho_shaft: str = Field(default="", max_length=60)


class FormFields(_Closed):
    """Texts of a form, beside its files."""

    read: Json[Reading] = Field(default=Reading(), description="JSON object: channels, tacho, sampling_rate")
    gears: Json[Gears] | None = Field(
        default=None, description="JSON object: driving and driven, or sun, planet, ring and planets; tacho_shaft"
    )
    include: Annotated[
        list[Include], BeforeValidator(lambda text: [word.strip() for word in text.split(",") if word.strip()])
    ] = Field(default=[], description="words of 'include' with commas between them")


def first_error(error: ValidationError) -> str:
    """The first thing that is wrong with a body, in one line."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part)[:60] for part in found["loc"])
    return f"{place}: {found['msg']}" if place else str(found["msg"])


class Error(_Closed):
    """What went wrong: a word for programs and a sentence for people."""

    code: Literal[CODES]  # type: ignore[valid-type]
    message: str


class Failure(_Closed):
    """The answer of every request that is not served."""

    error: Error


class Answer(_Closed):
    """What is said of one map. In a batch a map that cannot be used has only ``record`` and ``error``."""

    record: str
    verdict: str | None = None
    score: float | None = None
    threshold: float | None = None
    alarm: bool | None = Field(default=None, description="score above the threshold")
    row: int | None = Field(default=None, description="most suspicious row (driving tooth), from 0")
    column: int | None = Field(default=None, description="most suspicious column, from 0")
    severity: float | None = Field(default=None, description="contrast over background, of detectors that estimate it")
    p_value: float | None = None
    diagnosis: dict[str, Any] | None = Field(default=None, description="what the Monitor says of the map alone")
    row_evidence: list[float | None] | None = None
    column_evidence: list[float | None] | None = None
    anomaly_map: list[list[float | None]] | None = None
    map: list[list[float | None]] | None = None
    error: Error | None = None


class Answers(_Closed):
    """One answer per map, in the order of the request."""

    results: list[Answer]
    diagnosis: dict[str, Any] | None = Field(default=None, description="of all maps as records in time order")


class Health(_Closed):
    """Whether the service lives, or takes requests."""

    status: str


class ModelInfo(BaseModel):
    """The model that is served, its threshold, its gears, the hashes of its files, and the limits of a request."""

    model_config = ConfigDict(extra="allow")
    detector: str
    shape: list[int]
    gear: dict[str, Any] | None
    limits: dict[str, float]

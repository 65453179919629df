"""From the body of a request to maps: JSON, files of maps, or a raw recording with its gears."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.errors import InputError, ToothwiseError
from toothwise.healthmap.core import gear_from_json
from toothwise.serving.decoding import MAP_SUFFIXES, RECORD_SUFFIXES, decode_map, decode_record, suffix_of, unreadable
from toothwise.serving.limits import ApiError, Limits
from toothwise.serving.service import INCLUDE, Job, Service

__all__ = ["Recordings", "Upload", "job_of_files", "jobs_of_json"]

_LONGEST_NAME, _LONGEST_TEXT = 200, 64 * 1024
FIELDS = ("file", "record", "gears", "stage", "channel", "read", "include")


@dataclass(frozen=True)
class Upload:
    """A file of a request: its name, of which only the suffix is used, and where its content lies."""

    name: str
    content: Any  # a binary file, open at its start


@dataclass(frozen=True)
class Recordings:
    """How recordings become maps: as the healthy ones did.

    Attributes:
        config: fields of MapConfig.
        waveform: file of a healthy waveform, or None.
        folder: private, for files while they are read.
    """

    folder: Path
    config: dict[str, Any] = field(default_factory=dict)
    waveform: Path | None = None


def parse_json(body: bytes) -> Any:
    """JSON as the standard has it: no NaN, no Infinity, UTF-8.

    Raises:
        Refusal: 400.
    """

    def refuse(word: str) -> Any:
        raise ApiError(400, "bad_request", f"JSON has no {word}: give null for a tooth pair that was not measured")

    try:
        return json.loads(body.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_request", f"the body is not JSON ({str(error)[:200] or 'too deep'})") from None


def _object(data: Any, allowed: Sequence[str], needed: str, what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ApiError(422, "invalid", f"{what} must be an object with {needed!r}, but is {_kind(data)}")
    unknown = sorted(set(data) - set(allowed))
    if unknown:
        raise ApiError(422, "invalid", f"{what} takes {', '.join(allowed)}, but got {unknown[0][:60]!r}")
    if needed not in data:
        raise ApiError(422, "invalid", f"{what} lacks {needed!r}")
    return data


def _kind(data: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null", bool: "true or false"}
    return names.get(type(data), "a number")


def jobs_of_json(body: bytes, service: Service, limits: Limits, *, many: bool) -> list[Job | ApiError]:
    """One job, or for a batch one for each map: a map that cannot be used is a refusal in its place.

    Raises:
        Refusal: the body as a whole cannot be used; for a single map also what is wrong with it.
    """
    data = parse_json(body)
    if not many:
        data = _object(data, ("values", "record", "include"), "values", "the body")
        include = _included(data.get("include", []))
        return [_job(data, service, limits, include, "map 0")]
    data = _object(data, ("maps", "include"), "maps", "the body")
    include = _included(data.get("include", []))
    maps = data["maps"]
    if not isinstance(maps, list) or not maps:
        raise ApiError(422, "invalid", "maps must be a list of one or more objects with 'values'")
    if len(maps) > limits.max_maps:
        raise ApiError(413, "too_large", f"{len(maps)} maps, more than {limits.max_maps} in one request")
    out: list[Job | ApiError] = []
    for k, item in enumerate(maps):
        try:
            one = _object(item, ("values", "record"), "values", f"map {k}")
            out.append(_job(one, service, limits, include, f"map {k}"))
        except ApiError as refusal:
            out.append(refusal)
    return out


def _included(words: Any) -> frozenset[str]:
    if not isinstance(words, list) or not all(isinstance(word, str) and word in INCLUDE for word in words):
        raise ApiError(422, "invalid", f"include must be a list of words among {', '.join(INCLUDE)}")
    return frozenset(words)


def _job(data: dict[str, Any], service: Service, limits: Limits, include: frozenset[str], name: str) -> Job:
    record = data.get("record", name)
    if not isinstance(record, str):
        raise ApiError(422, "invalid", f"record must be a text, but is {_kind(record)}")
    values = _array(data["values"], limits)
    return _checked(service, values[None], (clean(record) or name,), include)


def _array(values: Any, limits: Limits) -> np.ndarray:
    """Rows of numbers and nulls as float64 ``[rows, columns]``."""
    if not isinstance(values, list) or not values or not all(isinstance(row, list) and row for row in values):
        raise ApiError(422, "invalid", "values must be a list of rows, each a list of numbers (null = not measured)")
    if len({len(row) for row in values}) != 1:
        raise ApiError(422, "invalid", "values must have rows of one length")
    if len(values) * len(values[0]) > limits.max_values:
        raise ApiError(413, "too_large", f"values: more than {limits.max_values} numbers")
    for row in values:
        for value in row:
            if value is not None and type(value) not in (int, float):
                raise ApiError(422, "invalid", f"values must be numbers or null, but hold {_kind(value)}")
    try:
        array = np.array(values, dtype=np.float64)  # null becomes NaN
    except OverflowError:
        raise ApiError(422, "invalid", "values hold a whole number too large for a float") from None
    if np.isinf(array).any() or np.any(np.abs(array) > np.finfo(np.float32).max):
        raise ApiError(422, "invalid", "values must be finite and fit a float of 32 bits")
    return array


def _checked(service: Service, values: np.ndarray, records: tuple[str, ...], include: frozenset[str]) -> Job:
    try:
        return Job(service.check(values), records, include)
    except InputError as error:
        raise ApiError(422, "invalid", str(error)) from None


def clean(name: str) -> str:
    """A name that may be shown: printable, no folders, not endless."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter if letter.isprintable() else "?" for letter in last).strip()[:_LONGEST_NAME]


def job_of_files(
    texts: dict[str, str],
    files: Sequence[tuple[str, Upload]],
    service: Service,
    limits: Limits,
    recordings: Recordings,
) -> Job:
    """The maps of a form: files of maps (``file``), or recordings (``record``) with ``gears``. Runs in a thread.

    Raises:
        Refusal: what cannot be used, and why.
    """
    unknown = sorted(({*texts} | {name for name, _ in files}) - set(FIELDS))
    if unknown:
        raise ApiError(422, "invalid", f"the form takes {', '.join(FIELDS)}, but got {unknown[0][:60]!r}")
    kinds = {name for name, _ in files}
    if kinds not in ({"file"}, {"record"}):
        raise ApiError(422, "invalid", "the form must hold files of maps ('file') or recordings ('record'), one kind")
    include = _included([word.strip() for word in texts.get("include", "").split(",") if word.strip()])
    values, records, total = [], [], 0
    for kind, upload in files:
        shown = clean(upload.name) or "a file without a name"
        found = _maps_of(kind, upload, shown, texts, service, limits, recordings)
        total += found.size
        if total > limits.max_values:
            raise ApiError(
                413, "too_large", f"{shown}: with it the request holds more than {limits.max_values} numbers"
            )
        values.append(_checked(service, found, (), include).values)
        records += [shown] if len(found) == 1 else [f"{shown}[{k}]" for k in range(len(found))]
    if len(records) > limits.max_maps:
        raise ApiError(413, "too_large", f"{len(records)} maps, more than {limits.max_maps} in one request")
    return Job(np.concatenate(values), tuple(records), include)


def _maps_of(
    kind: str,
    upload: Upload,
    shown: str,
    texts: dict[str, str],
    service: Service,
    limits: Limits,
    recordings: Recordings,
) -> np.ndarray:
    """Maps ``[k, rows, columns]`` of one file, which lies in the private folder only while it is read."""
    import tempfile

    suffix = suffix_of(upload.name, MAP_SUFFIXES if kind == "file" else RECORD_SUFFIXES)
    with tempfile.TemporaryDirectory(dir=recordings.folder) as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(place) / f"upload{suffix}"
        with path.open("xb") as out:
            shutil.copyfileobj(upload.content, out)
        try:
            if kind == "file":
                return decode_map(path, shown, limits).values
            return _build(path, shown, texts, service, limits, recordings)
        except ApiError:
            raise
        except ToothwiseError as error:  # a record that is no good, an optional package that is missing
            raise unreadable(error, path, shown) from None


def _build(
    path: Path, shown: str, texts: dict[str, str], service: Service, limits: Limits, recordings: Recordings
) -> np.ndarray:
    from toothwise.healthmap.build import MapConfig, build_map
    from toothwise.healthmap.waveform import HealthyWaveform

    options = parse_json(texts.get("read", "{}").encode())
    if not isinstance(options, dict):
        raise ApiError(422, "invalid", f"read must be an object, but is {_kind(options)}")
    if isinstance(options.get("channels"), list):
        options["channels"] = tuple(options["channels"])
    gears = gears_of(texts.get("gears"), service)
    record = decode_record(path, shown, limits, options)
    made = build_map(
        record,
        gears,
        MapConfig(**recordings.config),
        channel=texts.get("channel") or None,
        stage=texts.get("stage") or None,
        waveform=None if recordings.waveform is None else HealthyWaveform.load(recordings.waveform),
    )
    return np.array(made.values[None])


def gears_of(text: str | None, service: Service) -> Any:
    """The gears of a form, as YAML or JSON; without any those of the service.

    Raises:
        Refusal: 422, no gears or not gears.
    """
    import yaml

    from toothwise.gears.train import make_train

    if text is None or not text.strip():
        if service.gear is None:
            raise ApiError(422, "invalid", "a recording needs its gears: give them in the field 'gears'")
        return gear_from_json(service.gear)
    if len(text) > _LONGEST_TEXT:
        raise ApiError(413, "too_large", f"gears: more than {_LONGEST_TEXT} letters")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ApiError(422, "invalid", "gears: YAML aliases are not taken")
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ApiError(422, "invalid", f"gears: not YAML ({str(error)[:200]})") from None
    try:
        return make_train(data)
    except (InputError, TypeError, ValueError, AttributeError) as error:
        raise ApiError(422, "invalid", str(error)[:500]) from None

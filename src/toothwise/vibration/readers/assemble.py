"""From what a file holds to a record: sampling rate, kind of tachometer, units, and what had to be guessed."""

from __future__ import annotations

import datetime
from contextlib import suppress
from typing import Any

import numpy as np

from toothwise.checks import check_range
from toothwise.errors import InputError
from toothwise.vibration.readers.choose import Choice, choose
from toothwise.vibration.readers.contents import Contents
from toothwise.vibration.readers.mapping import RecordMapping
from toothwise.vibration.readers.names import read_name, unit_factor
from toothwise.vibration.readers.tachometer import SAME, Beside, read_tacho
from toothwise.vibration.readers.time_column import uniform_rate
from toothwise.vibration.readers.units import number_of, rate_hertz
from toothwise.vibration.records import VibrationRecord

_NAMED = 12  # signals that are listed where one has to be named
_OF_TACHO = ("kind", "sampling_rate", "shaft", "ratio", "edge", "threshold", "zero")  # as write_record calls them
_PART = 0.05  # of a sample: channels that begin so far apart are told of


def assemble(contents: Contents, mapping: RecordMapping) -> VibrationRecord:
    """The record in a file; ``provenance["guessed"]`` lists in sentences what its names did not say.

    Raises:
        InputError: something is missing, contradicts itself, or may be several things.
    """
    header = contents.header()
    asked = mapping.unit
    mapping = _with_header(contents, mapping, header)
    choice = choose(contents, mapping)
    guessed = choice.guessed
    stated = _stated_rate(contents, mapping, choice)
    if stated is not None:
        check_range("(0, inf)", sampling_rate=stated)
    names = [*choice.channels.values(), choice.tacho, choice.time if stated is None else None]
    arrays = contents.load(list(dict.fromkeys(name for name in names if name is not None)))
    channels = {name: arrays[source] for name, source in choice.channels.items()}
    rate, origin = (float(stated), 0.0) if stated is not None else _rate_of_time(contents, choice, arrays)
    channels, begin = _common_span(contents, choice, channels, rate, guessed)
    tacho = None
    if choice.tacho is not None:
        beside = Beside(len(next(iter(channels.values()))), rate, origin, contents.signals[choice.tacho].start - begin)
        tacho = read_tacho(contents, mapping, choice.tacho, arrays[choice.tacho], beside, guessed)
    units = {name: unit for name, source in choice.channels.items() if (unit := contents.unit_of(source)) is not None}
    unit = mapping.unit or (next(iter(units.values())) if len(set(units.values())) == 1 else None)
    unit = unit or next((t for n, t in contents.texts.items() if read_name(n).role == "unit" and "." not in n), None)
    unit = unit or "unknown"
    start = mapping.start_time or contents.start_time or _start(contents)
    if asked is not None:  # the user's word is about all channels
        units = {}
    elif header:
        units = {name: one for name, one in header.get("units", {}).items() if name in channels}
    taken = {*choice.channels.values(), choice.tacho, choice.time}
    others = [name for name, signal in contents.signals.items() if signal.size > 1 and name not in taken]
    provenance: dict[str, Any] = {
        "format": contents.format,
        **contents.facts,
        "names": dict(choice.channels),
        "tacho_name": choice.tacho,
        "left_out": dict(contents.left_out),
        "beside": others[:_NAMED],
        "memory_mapped": all(isinstance(values, np.memmap) for values in channels.values()),
        "guessed": guessed,
    }
    if header.get("provenance"):
        provenance["origin"] = header["provenance"]
    condition = {**header.get("condition", {}), **mapping.condition}
    units = {name: one for name, one in units.items() if one != unit}
    return VibrationRecord(channels, rate, tacho, unit, start, condition, provenance, units)


def _common_span(
    contents: Contents, choice: Choice, channels: dict[str, np.ndarray], rate: float, guessed: list[str]
) -> tuple[dict[str, np.ndarray], float]:
    """The channels cut to the span that all of them cover, and where it begins on the file's time axis (s)."""
    starts = {name: contents.signals[source].start for name, source in choice.channels.items()}
    begin = max(starts.values())
    if max(starts.values()) - min(starts.values()) < _PART / rate:
        return channels, begin
    skipped = {name: round((begin - start) * rate) for name, start in starts.items()}
    size = min(len(values) - skipped[name] for name, values in channels.items())
    if size < 1:
        raise InputError(f"its channels {', '.join(channels)} have no time in common")
    off = max(abs((begin - start) * rate - skipped[name]) for name, start in starts.items())
    guessed.append(
        f"the channels begin at different times and are cut to the {size} samples that all have"
        + (f", up to {off:.2g} of a sample apart" if off > _PART else "")
    )
    return {name: values[skipped[name] : skipped[name] + size] for name, values in channels.items()}, begin


def _with_header(contents: Contents, mapping: RecordMapping, header: dict[str, Any]) -> RecordMapping:
    """The user's mapping, and the header's word where the user says nothing."""
    if not header:
        return mapping
    tacho = header.get("tacho") or {}
    own = mapping.tacho is None or mapping.tacho == tacho.get("name")
    stated = {
        "channels": dict(header["channels"]),
        "tacho": tacho.get("name", "none"),
        "time": "none",
        **{name: header.get(name) for name in ("sampling_rate", "unit", "start_time")},
    }
    if own and tacho:
        stated |= {f"tacho_{name}": tacho.get(name) for name in _OF_TACHO}
        stated["pulses_per_revolution"] = tacho.get("pulses_per_revolution")
    given = {name: value for name, value in vars(mapping).items() if value is not None}
    if isinstance(mapping.channels, tuple | list | str):  # names of the record stand for names in the file
        wanted = mapping.wanted()
        given["channels"] = {name: header["channels"].get(source, source) for name, source in wanted.items()}
    return RecordMapping(**{**stated, **given})


def _stated_rate(contents: Contents, mapping: RecordMapping, choice: Choice) -> float | None:
    """The sampling rate that the user, a signal or a number of the file says."""
    if isinstance(mapping.sampling_rate, str):
        if mapping.sampling_rate in contents.numbers:
            return contents.numbers[mapping.sampling_rate]
        found = number_of(mapping.sampling_rate)
        if found is None:
            listed = ", ".join(contents.numbers) or "none"
            raise InputError(f"sampling_rate={mapping.sampling_rate!r} is no number of the file: it has {listed}")
        return found[0] * (rate_hertz(found[1], f"sampling_rate={mapping.sampling_rate!r}") if found[1] else 1.0)
    if mapping.sampling_rate is not None:
        return mapping.sampling_rate
    stated = {name: rate for name in choice.channels.values() for rate in list(contents.rates(name).values())[:1]}
    stated = stated or contents.rates()
    if not stated:
        unread = [f"{name}={text!r}" for name, text in contents.texts.items() if read_name(name).role == "rate"]
        if unread and choice.time is None:
            raise InputError(f"{unread[0]} is no sampling rate: give it in Hz with sampling_rate=")
        return None
    low, high = min(stated.values()), max(stated.values())
    if high - low > SAME * abs(high):
        listed = ", ".join(f"{name} {rate:g}" for name, rate in stated.items())
        raise InputError(f"states several sampling rates, {listed}: give sampling_rate=, or name channels of one rate")
    return next(iter(stated.values()))


def _rate_of_time(contents: Contents, choice: Choice, arrays: dict[str, np.ndarray]) -> tuple[float, float]:
    """Hz by the time column, and the instant in seconds of the first sample."""
    if choice.time is None:
        raise InputError("says no sampling rate: give it in Hz with sampling_rate=, or name a time column with time=")
    said = read_name(choice.time)
    seconds = np.asarray(arrays[choice.time], np.float64) * unit_factor(said, contents.signals[choice.time].unit)
    return uniform_rate(seconds, what=f"the time column {choice.time}"), float(seconds[0])


def _start(contents: Contents) -> str | None:
    """The start time in the file's texts, if it is ISO 8601."""
    for name, text in contents.texts.items():
        if read_name(name).role == "start":
            with suppress(ValueError):
                return datetime.datetime.fromisoformat(text.strip()).isoformat()
    return None

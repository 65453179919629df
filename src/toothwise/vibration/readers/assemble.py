"""From what a file holds to a record: sampling rate, kind of tachometer, units, and what had to be guessed."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.readers.choose import Choice, choose
from toothwise.vibration.readers.contents import Contents
from toothwise.vibration.readers.mapping import RecordMapping
from toothwise.vibration.readers.names import Role, read_name, unit_factor
from toothwise.vibration.readers.time_column import uniform_rate
from toothwise.vibration.records import TachoKind, Tachometer, VibrationRecord

__all__ = ["assemble"]

_SAME = 1e-6  # relative: two statements of one sampling rate
_CHUNK = 1 << 20
_TURNS = {"deg": 1 / 360, "degree": 1 / 360, "degrees": 1 / 360, "°": 1 / 360, "rad": 1 / math.tau, "rev": 1.0}


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
    needs_time = choice.time is not None and _stated_rate(contents, mapping, choice) is None
    names = [*choice.channels.values(), choice.tacho, choice.time if needs_time else None]
    arrays = contents.load(list(dict.fromkeys(name for name in names if name is not None)))
    channels = {name: arrays[source] for name, source in choice.channels.items()}
    rate, origin = _sampling_rate(contents, mapping, choice, arrays)
    tacho = None
    if choice.tacho is not None:
        samples = len(next(iter(channels.values())))
        tacho = _tacho(contents, mapping, choice, arrays, samples, rate, origin)
    units = {name: unit for name, source in choice.channels.items() if (unit := _unit(contents, source)) is not None}
    unit = mapping.unit or (next(iter(units.values())) if len(set(units.values())) == 1 else None)
    unit = unit or next((t for n, t in contents.texts.items() if read_name(n).role == "unit" and "." not in n), None)
    start = mapping.start_time or contents.start_time or _start(contents)
    if asked is not None:  # the user's word is about all channels
        units = {}
    elif header:
        units = {name: one for name, one in header.get("units", {}).items() if name in channels}
    provenance: dict[str, Any] = {
        "format": contents.format,
        **contents.facts,
        "names": dict(choice.channels),
        "tacho_name": choice.tacho,
        "left_out": dict(contents.left_out),
        "memory_mapped": all(_is_mapped(values) for values in channels.values()),
        "guessed": guessed,
    }
    if header.get("provenance"):
        provenance["origin"] = header["provenance"]
    return VibrationRecord(
        channels=channels,
        sampling_rate=rate,
        tacho=tacho,
        unit=unit or "unknown",
        start_time=start,
        condition={**header.get("condition", {}), **mapping.condition},
        provenance=provenance,
        units={name: one for name, one in units.items() if one != (unit or "unknown")},
    )


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
        "sampling_rate": header.get("sampling_rate"),
        "unit": header.get("unit"),
        "start_time": header.get("start_time"),
    }
    if own and tacho:
        stated |= {
            "tacho_kind": tacho.get("kind"),
            "tacho_sampling_rate": tacho.get("sampling_rate"),
            "pulses_per_revolution": tacho.get("pulses_per_revolution"),
            "tacho_shaft": tacho.get("shaft"),
            "tacho_ratio": tacho.get("ratio"),
        }
    given = {name: value for name, value in vars(mapping).items() if value is not None}
    if isinstance(mapping.channels, tuple | list | str):  # names of the record stand for names in the file
        wanted = mapping.wanted()
        given["channels"] = {name: header["channels"].get(source, source) for name, source in wanted.items()}
    return RecordMapping(**{**stated, **given})


def _numbers(contents: Contents, role: Role) -> dict[str, float]:
    """Numbers of a role that belong to no single signal; only those whose names say it best."""
    signals = set(contents.signals) | {signal.parent for signal in contents.signals.values()}
    found = {name: n for name, n in contents.numbers.items() if name.rpartition(".")[0] not in signals}
    ranks = {name: said.rank for name in found if (said := read_name(name)).role == role}
    return {name: found[name] for name, rank in ranks.items() if rank == min(ranks.values())}


def _stated_rate(contents: Contents, mapping: RecordMapping, choice: Choice) -> float | None:
    """The sampling rate that the user, a signal or a number of the file says."""
    if isinstance(mapping.sampling_rate, str):
        if mapping.sampling_rate not in contents.numbers:
            listed = ", ".join(contents.numbers) or "none"
            raise InputError(f"sampling_rate={mapping.sampling_rate!r} is no number of the file: it has {listed}")
        return contents.numbers[mapping.sampling_rate]
    if mapping.sampling_rate is not None:
        return mapping.sampling_rate
    own = {name: contents.signals[name].rate for name in choice.channels.values()}
    stated = {name: rate for name, rate in own.items() if rate is not None}
    if not stated:
        stated = _numbers(contents, "rate")
    if not stated:
        stated = {name: 1 / step for name, step in _numbers(contents, "interval").items() if step > 0}
    if not stated:
        return None
    low, high = min(stated.values()), max(stated.values())
    if high - low > _SAME * abs(high):
        listed = ", ".join(f"{name} {rate:g}" for name, rate in stated.items())
        raise InputError(f"states several sampling rates, {listed}: give sampling_rate=, or name channels of one rate")
    return next(iter(stated.values()))


def _sampling_rate(
    contents: Contents, mapping: RecordMapping, choice: Choice, arrays: dict[str, np.ndarray]
) -> tuple[float, float]:
    """Hz, and the instant in seconds of the first sample."""
    stated = _stated_rate(contents, mapping, choice)
    if stated is not None:
        if not math.isfinite(stated) or stated <= 0:
            raise InputError(f"the sampling rate must be a positive number, but is {stated:g}")
        return float(stated), 0.0
    if choice.time is None:
        raise InputError("says no sampling rate: give it in Hz with sampling_rate=, or name a time column with time=")
    said = read_name(choice.time)
    seconds = np.asarray(arrays[choice.time], np.float64) * unit_factor(said)
    return uniform_rate(seconds, what=f"the time column {choice.time}"), float(seconds[0])


def _tacho(
    contents: Contents,
    mapping: RecordMapping,
    choice: Choice,
    arrays: dict[str, np.ndarray],
    samples: int,
    rate: float,
    origin: float,
) -> Tachometer:
    name = str(choice.tacho)
    values = arrays[name]
    values = values if values.dtype.kind == "f" else values.astype(np.float32 if values.dtype.itemsize < 4 else float)
    own, stated = mapping.tacho_sampling_rate, contents.signals[name].rate
    if own is None and stated is not None and (abs(stated - rate) > _SAME * rate or len(values) != samples):
        own = stated
    kind = mapping.tacho_kind
    if kind is None:
        kind, values = _kind(name, values, samples, own, choice.guessed)
        if kind == "times":
            values = _times(name, np.asarray(values, np.float64), samples / rate, origin, choice.guessed)
    if kind == "angle":
        values = _turns(name, contents, values, choice.guessed if mapping.tacho_kind is None else [])
    pulses = mapping.pulses_per_revolution
    if pulses is None:
        found = _numbers(contents, "pulses") | _own_pulses(contents, name)
        if len(set(found.values())) > 1:
            raise InputError(f"states several pulses per revolution, {found}: give pulses_per_revolution=")
        pulses = next(iter(found.values()), 1)
    return Tachometer(
        kind=kind,
        values=values,
        pulses_per_revolution=int(pulses) if float(pulses).is_integer() else pulses,
        shaft="driving" if mapping.tacho_shaft is None else mapping.tacho_shaft,
        ratio=1.0 if mapping.tacho_ratio is None else mapping.tacho_ratio,
        sampling_rate=None if kind == "times" else own,
    )


def _own_pulses(contents: Contents, name: str) -> dict[str, float]:
    keys = [key for key in contents.numbers if key.rpartition(".")[0] == name and read_name(key).role == "pulses"]
    return {key: contents.numbers[key] for key in keys}


def _kind(
    name: str, values: np.ndarray, samples: int, own_rate: float | None, guessed: list[str]
) -> tuple[TachoKind, np.ndarray]:
    """Kind of a tachometer by its length and whether it increases."""
    tail = len(values)
    while tail and np.isnan(values[tail - 1]):  # a short column of a table is filled up with gaps
        tail -= 1
    short = values[:tail]
    if 0 < tail < samples / 2 and own_rate is None and _increases(short, strictly=True):
        guessed.append(f"{name} is taken as pulse times in seconds: {tail} increasing values beside {samples} samples")
        return "times", short
    if len(values) == samples or own_rate is not None:
        backwards = values[0] > values[-1]
        if _increases(-values if backwards else values, strictly=False):
            guessed.append(f"{name} is taken as an angle: it goes one way only")
            return "angle", values
        return "waveform", values
    raise InputError(
        f"the tachometer {name} has {len(values)} values beside {samples} samples, neither as many nor a few that "
        "increase: say what it is with tacho_kind= and tacho_sampling_rate="
    )


def _increases(values: np.ndarray, *, strictly: bool) -> bool:
    if len(values) == 0 or not values[-1] > values[0]:
        return len(values) == 1
    for begin in range(0, len(values) - 1, _CHUNK):
        steps = np.diff(values[begin : begin + _CHUNK + 1])
        if not ((steps > 0) if strictly else (steps >= 0)).all():
            return False
    return True


def _times(name: str, values: np.ndarray, duration: float, origin: float, guessed: list[str]) -> np.ndarray:
    """Pulse times from the record's start."""
    if origin:
        guessed.append(f"{name} counts from the same zero as the time column: {origin:g} s were taken off")
        values = values - origin
    if values[-1] > 1.01 * duration or values[0] < -0.01 * duration:
        raise InputError(
            f"the tachometer {name} goes from {values[0]:g} to {values[-1]:g}, but the record lasts {duration:g} s: "
            "pulse times must be seconds from its start"
        )
    return values


def _turns(name: str, contents: Contents, values: np.ndarray, guessed: list[str]) -> np.ndarray:
    """Angle in revolutions, converted where the unit is said to be another."""
    said = read_name(name)
    unit = (contents.signals[name].unit or said.unit or said.last.rpartition("_")[2]).lower()
    factor = _TURNS.get(unit, 1.0)
    if unit not in _TURNS and not unit.startswith("rev"):
        guessed.append(f"{name} is taken to be in revolutions")
    return values if factor == 1.0 else np.asarray(values, np.float64) * factor


def _unit(contents: Contents, source: str) -> str | None:
    signal = contents.signals[source]
    named = contents.texts.get(f"{source}.unit") or contents.texts.get(f"{signal.parent}.unit")
    return signal.unit or named or read_name(source).unit


def _start(contents: Contents) -> str | None:
    """The start time in the file's texts, if it is ISO 8601."""
    for name, text in contents.texts.items():
        if read_name(name).role == "start":
            try:
                return datetime.datetime.fromisoformat(text.strip()).isoformat()
            except ValueError:
                continue
    return None


def _is_mapped(values: np.ndarray) -> bool:
    base: Any = values
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return True
        base = base.base
    return False

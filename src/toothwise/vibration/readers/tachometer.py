"""What a tachometer's numbers are: a waveform, pulse times, an angle or a speed; by name, unit and form, and said.

An angle may be in degrees (0 to 360 or -180 to 180), radians, revolutions or counts; it may wrap, begin anywhere and
run backwards. Counts are told by a resolution (``pulses_per_revolution``); without one, one wrap is one revolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.readers.contents import Contents
from toothwise.vibration.readers.mapping import RecordMapping
from toothwise.vibration.readers.names import Name, read_name
from toothwise.vibration.readers.units import angle_turns, time_seconds
from toothwise.vibration.records import TachoKind, Tachometer, ZeroWord

_CHUNK = 1 << 20
_SAME = 1e-6  # relative: two statements of one sampling rate
_SPEED_UNITS = {"rpm": 1 / 60, "1/min": 1 / 60, "min-1": 1 / 60, "r/min": 1 / 60, "hz": 1.0, "rev/s": 1.0, "rps": 1.0}
_SPEED_WORDS = ("rpm", "speed", "velocity")
_FULL = ((360.0, 1 / 360, "degrees"), (2 * np.pi, 0.5 / np.pi, "radians"), (1.0, 1.0, "revolutions"))
_WRAP = 0.5  # of the range: steps back that are larger are a wrap


@dataclass
class _Place:
    """Where the numbers stand: their record's length and rate, and what had to be guessed."""

    name: str
    samples: int
    rate: float
    origin: float
    own_rate: float | None
    guessed: list[str]
    said: Name
    unit: str


def read_tacho(
    contents: Contents,
    mapping: RecordMapping,
    name: str,
    values: np.ndarray,
    *,
    samples: int,
    rate: float,
    origin: float,
    start: float,
    guessed: list[str],
) -> Tachometer:
    """The tachometer in a signal of a file.

    Args:
        contents, mapping: What the file and the user say.
        name: Of the signal.
        values: ``[n]``.
        samples, rate: Of the vibration.
        origin: Seconds of the vibration's first sample on the file's time axis.
        start: Seconds by which the tachometer's first sample is later than the vibration's.
        guessed: Sentences on what was taken; it is added to.

    Raises:
        InputError: numbers that are none of the kinds, or a unit that is not known.
    """
    values = values if values.dtype.kind == "f" else values.astype(np.float32 if values.dtype.itemsize < 3 else float)
    own, stated = mapping.tacho_sampling_rate, contents.signals[name].rate
    if own is None and stated is not None and (abs(stated - rate) > _SAME * rate or len(values) != samples):
        own = stated
    said = read_name(name)
    unit = contents.signals[name].unit or said.unit or said.last.rpartition("_")[2]
    place = _Place(name, samples, rate, origin, own, guessed, said, unit)
    pulses = _pulses(contents, mapping, name)
    kind = mapping.tacho_kind or _kind(place, values)
    written = contents.header().get("tacho") or {}
    as_written = written.get("name") == name and written.get("kind") == kind  # by write_record: in our own units
    zero: ZeroWord = mapping.tacho_zero or "auto"
    if as_written:
        start = float(written.get("start", 0.0))
    elif kind == "times":
        values = _times(
            place, np.asarray(values, np.float64)[: _filled(values)], said_so=mapping.tacho_kind is not None
        )
    elif kind == "angle":
        values, whole = _turns(place, values, pulses)
        pulses = 1
        zero = zero if whole or zero == "given" else "unknown"
    elif kind == "speed":
        values, own = _speed(place, values)
        pulses = 1
    return Tachometer(
        kind=kind,
        values=values,
        pulses_per_revolution=1 if pulses is None else pulses,
        shaft="driving" if mapping.tacho_shaft is None else mapping.tacho_shaft,
        ratio=1.0 if mapping.tacho_ratio is None else mapping.tacho_ratio,
        sampling_rate=None if kind == "times" else own if own is not None else rate if start else None,
        start=start if as_written or kind != "times" else 0.0,
        edge=mapping.tacho_edge or "rising",
        threshold=mapping.tacho_threshold,
        zero=zero,
    )


def _pulses(contents: Contents, mapping: RecordMapping, name: str) -> float | None:
    """Pulses (counts) per revolution, where somebody says them."""
    pulses = mapping.pulses_per_revolution
    if pulses is None:
        found = contents.numbers_of("pulses")
        for key, number in contents.numbers.items():
            if key.rpartition(".")[0] == name and read_name(key).role == "pulses":
                found[key] = number
        if len(set(found.values())) > 1:
            raise InputError(f"states several pulses per revolution, {found}: give pulses_per_revolution=")
        pulses = next(iter(found.values()), None)
    return int(pulses) if pulses is not None and float(pulses).is_integer() else pulses


def _filled(values: np.ndarray) -> int:
    """Length without the NaN with which a short column of a table is filled up."""
    tail = len(values)
    while tail and np.isnan(values[tail - 1]):
        tail -= 1
    return tail


def _kind(place: _Place, values: np.ndarray) -> TachoKind:
    """Kind of a tachometer: by unit and name, else by its length and form."""
    name, short = place.name, values[: _filled(values)]
    few = 0 < len(short) < place.samples / 2 and place.own_rate is None
    if few and _increases(short, strictly=True):
        unit = _time_word(place)
        place.guessed.append(
            f"{name} is taken as pulse times in {unit or 'seconds'}: {len(short)} increasing values beside "
            f"{place.samples} samples"
        )
        return "times"
    if _is_speed(place):
        return "speed"
    if len(values) != place.samples and place.own_rate is None:
        raise InputError(
            f"the tachometer {name} has {len(values)} values beside {place.samples} samples, neither as many nor a few "
            "that increase: say what it is with tacho_kind= and tacho_sampling_rate="
        )
    if _increases(-values if values[0] > values[-1] else values, strictly=False):
        place.guessed.append(f"{name} is taken as an angle: it goes one way only")
        return "angle"
    if _wrap(values) is not None:
        place.guessed.append(f"{name} is taken as an angle: it goes one way and wraps")
        return "angle"
    return "waveform"


def _is_speed(place: _Place) -> bool:
    last = place.said.last
    by_name = any(word in last for word in _SPEED_WORDS) and not last.startswith(("tach", "key"))
    return by_name or _speed_factor(place) is not None


def _speed_factor(place: _Place) -> float | None:
    for unit in (place.unit, place.said.last.rpartition("_")[2], place.said.last):
        if (factor := _SPEED_UNITS.get(unit.lower())) is not None:
            return factor
    return None


def _increases(values: np.ndarray, *, strictly: bool) -> bool:
    if len(values) == 0 or not values[-1] > values[0]:
        return len(values) == 1
    for begin in range(0, len(values) - 1, _CHUNK):
        steps = np.diff(values[begin : begin + _CHUNK + 1])
        if not ((steps > 0) if strictly else (steps >= 0)).all():
            return False
    return True


def _wrap(values: np.ndarray) -> float | None:
    """The jump by which a sawtooth falls back, or None where the numbers are no sawtooth that goes one way."""
    x = np.asarray(values, np.float64)
    if not np.isfinite(x).all():
        return None
    reach, steps = float(np.ptp(x)), np.diff(x)
    if reach <= 0:
        return None
    jumps = np.abs(steps) > _WRAP * reach
    small = steps[~jumps]
    up = bool(np.sum(small) >= 0)
    if up is False:
        steps, small = -steps, -small
    # a waveform rises as often as it falls; an angle falls at its wraps only, and by the same amount each time
    if jumps.sum() < 1 or not (steps[jumps] < 0).all() or (small < -1e-3 * reach).any() or not (small > 0).any():
        return None
    if (small > 0).mean() < 0.02:
        return None
    return float(np.median(-steps[jumps])) + float(np.median(small[small >= 0]))


def _turns(place: _Place, values: np.ndarray, pulses: float | None) -> tuple[np.ndarray, bool]:
    """Angle in revolutions, unwrapped, and whether its zero is the same place of the shaft in every record."""
    x = np.asarray(values, np.float64)
    jump, factor = _wrap(x), angle_turns(place.unit)
    whole = all(float(v).is_integer() for v in x[:1000])
    counted = factor == 0.0 or (factor is None and pulses is not None and pulses > 1)
    if factor is None and not counted and jump is not None:
        for full, per, word in _FULL:
            if abs(jump - full) < 0.02 * full:
                factor = per
                place.guessed.append(f"{place.name} is taken to be in {word}: it wraps by {full:g}")
                break
        else:
            counted = whole
    if counted:
        return _counts(place, x, jump, pulses)
    if factor is None:
        factor = 1.0
        place.guessed.append(f"{place.name} is taken to be in revolutions")
    if jump is not None:
        wraps = jump * factor
        # what wraps once in several revolutions still tells the place within one
        x = np.unwrap(x * factor, period=max(round(wraps), 1) if wraps > 0.75 else wraps)
        return x, True
    return (values if factor == 1.0 else x * factor), True


def _counts(place: _Place, x: np.ndarray, jump: float | None, pulses: float | None) -> tuple[np.ndarray, bool]:
    """Counts of an encoder in revolutions; a counter that wraps at some power of two is unwrapped."""
    period = None if jump is None else float(round(jump))
    if pulses is None:
        if period is None:
            raise InputError(
                f"the encoder {place.name} counts without a wrap and nobody says its resolution: give "
                "pulses_per_revolution="
            )
        place.guessed.append(f"{place.name} is taken to count {period:g} per revolution: it wraps by as many")
        pulses = period
    absolute = period is not None and abs(period - pulses) < 0.02 * pulses
    if period is not None:
        # a counter steps by whole counts: at its wrap it has gone on by the usual step
        period = float(pulses) if absolute else float(2 ** round(np.log2(period)))
        x = np.unwrap(x, period=period)
    if not absolute:
        place.guessed.append(f"{place.name} counts on over revolutions: where tooth 0 is stays unknown")
    return x / pulses, absolute


def _time_word(place: _Place) -> str | None:
    """The unit of time that a name or a file says; None = none, which is seconds."""
    if place.said.unit is not None or place.unit != place.said.last.rpartition("_")[2]:
        return place.unit
    try:
        time_seconds(place.unit, "")
    except InputError:
        return None
    return place.unit


def _times(place: _Place, values: np.ndarray, *, said_so: bool) -> np.ndarray:
    """Pulse times in seconds from the record's start."""
    name, duration = place.name, place.samples / place.rate
    unit = _time_word(place)
    if unit is not None and unit.lower() in ("samples", "sample"):
        return values / place.rate
    if unit is not None:
        values = values * time_seconds(unit, f"the tachometer {name}")
    if place.origin and not said_so:
        place.guessed.append(f"{name} counts from the same zero as the time column: {place.origin:g} s were subtracted")
        values = values - place.origin
    if len(values) and (values[-1] > 1.01 * duration or values[0] < -0.01 * duration):
        last = float(values[-1])  # near the end of the record as numbers of samples, and not as milliseconds
        numbers = bool((values == np.rint(values)).all()) and 0.8 * place.samples < last <= place.samples
        numbers = numbers and not 0.8 < last / (1e3 * duration) < 1.01
        if numbers and unit is None and not place.origin:
            place.guessed.append(f"{name} is taken as numbers of samples: whole numbers up to {values[-1]:g}")
            return values / place.rate
        raise InputError(
            f"the tachometer {name} goes from {values[0]:g} to {values[-1]:g}, but the record lasts {duration:g} s: "
            "pulse times must be seconds from its start"
        )
    return values


def _speed(place: _Place, values: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Speed in revolutions per second, and its sampling rate where that is not the vibration's."""
    factor = _speed_factor(place)
    if factor is None:
        factor = 1 / 60
        place.guessed.append(f"{place.name} is taken to be a speed in rpm")
    else:
        place.guessed.append(f"{place.name} is taken to be a speed: it says nothing about tooth zero")
    x = np.asarray(values[: _filled(values)], np.float64) * factor
    rate: Any = place.own_rate
    if rate is None and len(x) != place.samples:
        rate = len(x) * place.rate / place.samples
        place.guessed.append(f"{place.name} is taken to span the record: {len(x)} values, {rate:g} Hz")
    return x, rate

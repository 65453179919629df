"""What a tachometer's numbers are: a waveform, pulse times, an angle or a speed; by name, unit and form, and said.

An angle may be in degrees (0 to 360 or -180 to 180), radians, revolutions or counts; it may wrap, begin anywhere and
run backwards. Counts are told by a resolution (``pulses_per_revolution``); without one, one wrap is one revolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.readers.contents import Contents
from toothwise.vibration.readers.mapping import RecordMapping
from toothwise.vibration.readers.names import Name, read_name
from toothwise.vibration.readers.units import angle_turns, is_time, time_seconds
from toothwise.vibration.records import TachoKind, Tachometer, ZeroWord

SAME = 1e-6  # relative: two statements of one sampling rate
_SPEED_UNITS = {"rpm": 1 / 60, "1/min": 1 / 60, "min-1": 1 / 60, "r/min": 1 / 60, "hz": 1.0, "rev/s": 1.0, "rps": 1.0}
_SPEED_WORDS = ("rpm", "speed", "velocity")
_FULL = ((360.0, 1 / 360, "degrees"), (2 * np.pi, 0.5 / np.pi, "radians"), (1.0, 1.0, "revolutions"))
_WRAP = 0.5  # of the range: steps back that are larger are a wrap


@dataclass(frozen=True)
class Beside:
    """The vibration that a tachometer stands beside.

    Attributes:
        samples, rate: Of the vibration.
        origin: Seconds of its first sample on the file's time axis.
        start: Seconds by which the tachometer's first sample is later.
    """

    samples: int
    rate: float
    origin: float
    start: float


def read_tacho(
    contents: Contents, mapping: RecordMapping, name: str, values: np.ndarray, beside: Beside, guessed: list[str]
) -> Tachometer:
    """The tachometer in a signal of a file.

    Args:
        contents, mapping: What the file and the user say.
        name: Of the signal.
        values: ``[n]``.
        beside: What is known of the vibration.
        guessed: Sentences on what was taken; it is added to.

    Raises:
        InputError: numbers that are none of the kinds, or a unit that is not known.
    """
    values = values if values.dtype.kind == "f" else values.astype(np.float32 if values.dtype.itemsize < 3 else float)
    own, stated = mapping.tacho_sampling_rate, next(iter(contents.rates(name).values()), None)
    differs = stated is not None and abs(stated - beside.rate) > SAME * beside.rate
    if own is None and (differs or len(values) != beside.samples):
        own = stated
    place = _Place(name, read_name(name), contents.unit_of(name), beside, own, guessed)
    pulses = _pulses(contents, mapping, name)
    kind = mapping.tacho_kind or _kind(place, values)
    written = contents.header().get("tacho") or {}
    zero: ZeroWord = mapping.tacho_zero or "auto"
    start = 0.0 if kind == "times" else beside.start
    if written.get("name") == name and written.get("kind") == kind:  # by write_record: in our own units
        start = float(written.get("start", 0.0))
    elif kind == "times":
        values = _times(place, np.asarray(_filled(values), np.float64), said_so=mapping.tacho_kind is not None)
    elif kind == "angle":
        values, whole = _turns(place, values, pulses)
        pulses = 1
        zero = zero if whole or zero == "given" else "unknown"
    elif kind == "speed":
        values, own = _speed(place, values)
        pulses = 1
    if kind == "times":
        own = None
    elif own is None and start:
        own = beside.rate
    said = {name: getattr(mapping, f"tacho_{name}") for name in ("shaft", "ratio", "edge", "threshold")}
    said = {name: value for name, value in (said | {"pulses_per_revolution": pulses}).items() if value is not None}
    return Tachometer(kind, values, sampling_rate=own, start=start, zero=zero, **said)


@dataclass
class _Place:
    """A signal: its name and unit, the vibration beside it, its own sampling rate, and what had to be guessed."""

    name: str
    said: Name
    unit: str | None
    beside: Beside
    own_rate: float | None
    guessed: list[str]

    def guess(self, text: str) -> None:
        self.guessed.append(f"{self.name} {text}")

    @property
    def last(self) -> str:
        """What may be a unit at the end of the name."""
        return self.said.last.rpartition("_")[2]

    @property
    def speed_factor(self) -> float | None:
        units = (self.unit or "", self.last, self.said.last)
        return next((factor for unit in units if (factor := _SPEED_UNITS.get(unit.lower())) is not None), None)

    @property
    def time_unit(self) -> str | None:
        """The unit of time that a name or a file says; None = none, which is seconds."""
        return self.unit or (self.last if is_time(self.last) else None)


def _pulses(contents: Contents, mapping: RecordMapping, name: str) -> float | None:
    """Pulses (counts) per revolution, where somebody says them."""
    pulses = mapping.pulses_per_revolution
    if pulses is None:
        found = contents.numbers_of("pulses") | contents.numbers_of("pulses", name)
        if len(set(found.values())) > 1:
            raise InputError(f"states several pulses per revolution, {found}: give pulses_per_revolution=")
        pulses = next(iter(found.values()), None)
    return int(pulses) if pulses is not None and float(pulses).is_integer() else pulses


def _filled(values: np.ndarray) -> np.ndarray:
    """The values without the NaN with which a short column of a table is filled up."""
    known = np.flatnonzero(~np.isnan(values))
    return values[: known[-1] + 1 if len(known) else 0]


def _kind(place: _Place, values: np.ndarray) -> TachoKind:
    """Kind of a tachometer: by unit and name, else by its length and form."""
    short, last, samples = _filled(values), place.said.last, place.beside.samples
    few = 0 < len(short) < samples / 2 and place.own_rate is None
    if few and _increases(short, strictly=True):
        unit = place.time_unit or "seconds"
        place.guess(f"is taken as pulse times in {unit}: {len(short)} increasing values beside {samples} samples")
        return "times"
    named = any(word in last for word in _SPEED_WORDS) and not last.startswith(("tach", "key"))
    if named or place.speed_factor is not None:
        return "speed"
    if len(values) != samples and place.own_rate is None:
        raise InputError(
            f"the tachometer {place.name} has {len(values)} values beside {samples} samples, neither as many nor a few "
            "that increase: say what it is with tacho_kind= and tacho_sampling_rate="
        )
    if _increases(-values if values[0] > values[-1] else values, strictly=False):
        place.guess("is taken as an angle: it goes one way only")
        return "angle"
    if _wrap(values) is not None:
        place.guess("is taken as an angle: it goes one way and wraps")
        return "angle"
    return "waveform"


def _increases(values: np.ndarray, *, strictly: bool) -> bool:
    steps = np.diff(values)
    rises = (steps > 0) if strictly else (steps >= 0)
    return len(values) == 1 or bool(rises.all() and values[-1] > values[0])


def _wrap(values: np.ndarray) -> float | None:
    """The jump by which a sawtooth falls back, or None where the numbers are no sawtooth that goes one way."""
    x = np.asarray(values, np.float64)
    if not np.isfinite(x).all() or np.ptp(x) <= 0:
        return None
    reach, steps = float(np.ptp(x)), np.diff(x)
    jumps = np.abs(steps) > _WRAP * reach
    small = steps[~jumps]
    if np.sum(small) < 0:
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
    jump, factor = _wrap(x), angle_turns(place.unit or place.last)
    whole = all(float(v).is_integer() for v in x[:1000])
    counted = factor == 0.0 or (factor is None and pulses is not None and pulses > 1)
    if factor is None and not counted and jump is not None:
        for full, per, word in _FULL:
            if abs(jump - full) < 0.02 * full:
                factor = per
                place.guess(f"is taken to be in {word}: it wraps by {full:g}")
                break
        else:
            counted = whole
    if counted:
        return _counts(place, x, jump, pulses)
    if factor is None:
        factor = 1.0
        place.guess("is taken to be in revolutions")
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
        place.guess(f"is taken to count {period:g} per revolution: it wraps by as many")
        pulses = period
    absolute = period is not None and abs(period - pulses) < 0.02 * pulses
    if period is not None:
        # a counter steps by whole counts: at its wrap it has gone on by the usual step
        period = float(pulses) if absolute else float(2 ** round(np.log2(period)))
        x = np.unwrap(x, period=period)
    if not absolute:
        place.guess("counts on over revolutions: where tooth 0 is stays unknown")
    return x / pulses, absolute


def _times(place: _Place, values: np.ndarray, *, said_so: bool) -> np.ndarray:
    """Pulse times in seconds from the record's start."""
    unit, rate, origin = place.time_unit, place.beside.rate, place.beside.origin
    duration = place.beside.samples / rate
    if unit is not None and unit.lower() in ("samples", "sample"):
        return values / rate
    if unit is not None:
        values = values * time_seconds(unit, f"the tachometer {place.name}")
    if origin and not said_so:
        place.guess(f"counts from the same zero as the time column: {origin:g} s were subtracted")
        values = values - origin
    if len(values) and (values[-1] > 1.01 * duration or values[0] < -0.01 * duration):
        last = float(values[-1])  # near the end of the record as numbers of samples, and not as milliseconds
        numbers = bool((values == np.rint(values)).all()) and 0.8 * place.beside.samples < last <= place.beside.samples
        numbers = numbers and not 0.8 < last / (1e3 * duration) < 1.01
        if numbers and unit is None and not origin:
            place.guess(f"is taken as numbers of samples: whole numbers up to {last:g}")
            return values / rate
        raise InputError(
            f"the tachometer {place.name} goes from {values[0]:g} to {last:g}, but the record lasts "
            f"{duration:g} s: pulse times must be seconds from its start"
        )
    return values


def _speed(place: _Place, values: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Speed in revolutions per second, and its sampling rate where that is not the vibration's."""
    factor, rate = place.speed_factor, place.own_rate
    told = "a speed in rpm" if factor is None else "a speed: it says nothing about tooth zero"
    place.guess(f"is taken to be {told}")
    x = np.asarray(_filled(values), np.float64) * (factor or 1 / 60)
    if rate is None and len(x) != place.beside.samples:
        rate = len(x) * place.beside.rate / place.beside.samples
        place.guess(f"is taken to span the record: {len(x)} values, {rate:g} Hz")
    return x, rate

"""Which of a file's arrays is vibration, which is the tachometer, and how fast it was sampled."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.readers.formats import RATE_NAMES, even_rate
from toothwise.vibration.readers.raw import Raw
from toothwise.vibration.records import TACHO_KINDS, Tachometer, VibrationRecord

__all__ = ["RecordMapping", "identify"]

# tried in this order, on the last part of a name (after dots and slashes), lower case
_VIBRATION = (r"vib", r"acc", r"(x|y|z|ax|ay|az)$", r"(signal|sensor|channel|ch|data)[_ ]?\d*$")
_TACHO = r"(tach|keyph|encoder|pulse|trigger|index|tp$|t_pulse)"
_TIME = {"t", "time", "times", "timestamp", "timestamps", "time_s", "seconds", "time (s)", "time [s]"}
_PULSES = {"pulses_per_revolution", "pulses_per_rev", "ppr"}


@dataclass(frozen=True)
class RecordMapping:
    """What is what in a file; everything that is None is found by common names.

    Attributes:
        channels: names of the vibration channels, or one name.
        tacho: name of the tachometer; "" = there is none, whatever the names say.
        sampling_rate: hertz.
        time: name of the time column.
        pulses_per_revolution: of the tachometer.
        tacho_kind: "waveform", "times" or "angle".
        tacho_shaft: shaft that the tachometer turns with.
        tacho_ratio: revolutions of the driving shaft per revolution of the tachometer's own.
        unit: of the vibration.
    """

    channels: list[str] | str | None = None
    tacho: str | None = None
    sampling_rate: float | None = None
    time: str | None = None
    pulses_per_revolution: float | None = None
    tacho_kind: str | None = None
    tacho_shaft: str = "driving"
    tacho_ratio: float = 1.0
    unit: str | None = None

    def __post_init__(self) -> None:
        if self.tacho_kind is not None and self.tacho_kind not in TACHO_KINDS:
            raise InputError(
                f"tacho_kind must be one of {', '.join(map(repr, TACHO_KINDS))}, but got {self.tacho_kind!r}"
            )


@dataclass
class _Search:
    """Names that are still free, and what had to be guessed."""

    raw: Raw
    left: dict[str, np.ndarray]
    guessed: list[str] = field(default_factory=list)

    def take(self, name: str, what: str) -> tuple[str, np.ndarray]:
        """An array that was named; upper and lower case do not matter."""
        for given in self.raw.arrays:
            if given.lower() == name.lower() or _last(given) == name.lower():
                self.left.pop(given, None)
                return given, self.raw.arrays[given]
        raise InputError(f"holds no array {name!r} for {what}; it holds {_listed(self.raw.arrays)}")


def _last(name: str) -> str:
    return re.split(r"[./]", name)[-1].strip().lower()


def _listed(arrays: dict[str, np.ndarray]) -> str:
    shown = [f"{name} [{len(x)}]" for name, x in list(arrays.items())[:12]]
    return ", ".join(shown) + (", ..." if len(arrays) > 12 else "") if shown else "no arrays of numbers"


def identify(raw: Raw, mapping: RecordMapping) -> VibrationRecord:
    """A record from what a file holds.

    Raises:
        InputError: nothing that could be vibration, several arrays that cannot be told apart, names that are not
            there, no sampling rate.
    """
    if not raw.arrays:
        raise InputError("holds no arrays of numbers")
    search = _Search(raw, dict(raw.arrays))
    time_name, time = _time(search, mapping)
    tacho_name, tacho = _find_tacho(search, mapping)
    channels = _channels(search, mapping)
    n = len(next(iter(channels.values())))
    rate = _rate(search, mapping, channels, time_name, time, n)
    found: Tachometer | None = None
    if tacho_name is not None and tacho is not None:
        found = _tachometer(search, mapping, tacho_name, tacho, n, rate)
    units = {raw.units[name] for name in channels if name in raw.units}
    unit = mapping.unit or (units.pop() if len(units) == 1 else str(raw.scalars.get("unit", "unknown")))
    return VibrationRecord(
        channels,
        rate,
        found,
        unit,
        raw.start_time or (str(raw.scalars["start_time"]) if "start_time" in raw.scalars else None),
        provenance={"guessed": search.guessed} if search.guessed else {},
    )


def _time(search: _Search, mapping: RecordMapping) -> tuple[str, np.ndarray | None]:
    if mapping.time is not None:
        return search.take(mapping.time, "time")
    for name in list(search.left):
        if _last(name) in _TIME and len(search.left[name]) > 2 and (np.diff(search.left[name][:1000]) > 0).all():
            return name, search.left.pop(name)
    return "", None


def _find_tacho(search: _Search, mapping: RecordMapping) -> tuple[str | None, np.ndarray | None]:
    if mapping.tacho == "":
        return None, None
    if mapping.tacho is not None:
        return search.take(mapping.tacho, "the tachometer")
    names = [name for name in search.left if re.match(_TACHO, _last(name))]
    if len(names) > 1:
        raise InputError(f"holds several arrays that may be the tachometer, {', '.join(names)}: say tacho=NAME")
    if not names:
        return None, None
    return names[0], search.left.pop(names[0])


def _channels(search: _Search, mapping: RecordMapping) -> dict[str, np.ndarray]:
    if mapping.channels is not None:
        wanted = [mapping.channels] if isinstance(mapping.channels, str) else list(mapping.channels)
        found = dict(search.take(name, "vibration") for name in wanted)
        lengths = {name: len(x) for name, x in found.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(f"channels must have one length, but have {lengths}")
        return found
    for pattern in _VIBRATION:
        names = [name for name in search.left if re.match(pattern, _last(name))]
        if not names:
            continue
        longest = max(len(search.left[name]) for name in names)
        return {name: search.left[name] for name in names if len(search.left[name]) == longest}
    if not search.left:
        raise InputError(f"holds no array that could be vibration besides those named: {_listed(search.raw.arrays)}")
    longest = max(len(x) for x in search.left.values())
    names = [name for name, x in search.left.items() if len(x) == longest]
    if len(names) > 1:
        raise InputError(
            f"holds several arrays that may be vibration, {', '.join(names[:12])}: say channels=NAME or "
            "channels=[NAME, ...]"
        )
    search.guessed.append(f"took {names[0]!r} as vibration, the longest array that is left")
    return {names[0]: search.left[names[0]]}


def _rate(
    search: _Search,
    mapping: RecordMapping,
    channels: dict[str, np.ndarray],
    time_name: str,
    time: np.ndarray | None,
    n: int,
) -> float:
    if mapping.sampling_rate is not None:
        return float(mapping.sampling_rate)
    rates = {search.raw.rates[name] for name in channels if name in search.raw.rates}
    if rates:
        low, high = min(rates), max(rates)
        if high - low > 1e-6 * high:
            raise InputError(f"channels have different sampling rates, {low:g} to {high:g} Hz: say channels=NAME")
        return high
    named = {name: value for name, value in search.raw.scalars.items() if _last(name) in RATE_NAMES}
    numbers = {name: float(v) for name, v in named.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    if numbers:
        if len(set(numbers.values())) > 1:
            raise InputError(f"states several sampling rates, {numbers}: say sampling_rate=HZ")
        return next(iter(numbers.values()))
    if time is not None and len(time) == n:
        rate = even_rate(time, f"the times {time_name!r}")
        search.guessed.append(f"took the sampling rate of {rate:.6g} Hz from the times {time_name!r}, as seconds")
        return rate
    raise InputError("states no sampling rate: say sampling_rate=HZ")


def _tachometer(
    search: _Search, mapping: RecordMapping, name: str, values: np.ndarray, n: int, rate: float
) -> Tachometer:
    kind = mapping.tacho_kind
    own = search.raw.rates.get(name)
    if kind is None:
        rising = bool((np.diff(values[: 1 << 20]) > 0).all())
        if len(values) == n or (own is not None and not rising):
            kind = "angle" if rising else "waveform"
        elif rising and len(values) < n:
            kind = "times"
        else:
            raise InputError(
                f"tachometer {name!r} has {len(values)} samples and the vibration {n}: say tacho_kind="
                f"{' or '.join(TACHO_KINDS)}"
            )
        if kind != "waveform":
            search.guessed.append(f"took the tachometer {name!r} as {kind}, by its length and rising values")
    pulses = mapping.pulses_per_revolution
    if pulses is None:
        known = [v for key, v in search.raw.scalars.items() if _last(key) in _PULSES and isinstance(v, int | float)]
        pulses = float(known[0]) if known else 1.0
    other: Any = own if kind != "times" and own is not None and abs(own - rate) > 1e-9 * rate else None
    return Tachometer(kind, values, pulses, mapping.tacho_shaft, mapping.tacho_ratio, other)  # type: ignore[arg-type]

"""What a reader finds in a file, before anybody decides what is vibration and what is not.

A reader lists signals without reading their samples, and hands over one function that reads those that are chosen:
most files hold more than is needed, and some are larger than the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from toothwise import errors
from toothwise.errors import InputError
from toothwise.reading import parse_json
from toothwise.vibration.readers.names import Role, read_name
from toothwise.vibration.readers.units import number_of, rate_hertz, time_seconds

HEADER = "toothwise_record"  # the text in which write_record keeps what a file of plain arrays cannot say
_MOST_COLUMNS = 64
_FACTORS = {"rate": rate_hertz, "interval": time_seconds}  # of the units that numbers of a role may have

Load = Callable[[Sequence[str]], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Signal:
    """A one-dimensional array of real numbers in a file.

    Attributes:
        size: samples; of a CSV, whose columns are all alike, those that were looked at.
        rate: Hz, where the file says it of this signal.
        unit: where the file says it of this signal.
        parent: name of the two-dimensional array whose column it is.
        is_vibration: the format itself says that it is an acceleration.
        start: Seconds of its first sample on the file's own time axis, where channels need not begin together.
    """

    size: int
    rate: float | None = None
    unit: str | None = None
    parent: str | None = None
    is_vibration: bool = False
    start: float = 0.0


@dataclass
class Contents:
    """All that a file holds.

    Attributes:
        format: in words.
        signals: by name, not yet read.
        load: names -> arrays ``[size]``.
        places: by signal, the array that it lies in and its index there, where ``add`` listed it.
        numbers: single numbers by name.
        texts: texts by name.
        left_out: what is no signal, by name, and why.
        facts: what goes into the provenance.
        start_time: ISO 8601.
        time: a column without a name that is evenly spaced, as time is.
    """

    format: str
    load: Load
    signals: dict[str, Signal] = field(default_factory=dict)
    places: dict[str, tuple[str, tuple[Any, ...]]] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    start_time: str | None = None
    time: str | None = None

    def note(self, name: str, value: Any) -> None:
        """File a property (attribute, header line, ...) under numbers or texts."""
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        if isinstance(value, str):
            try:
                self.numbers[name] = float(value)
            except ValueError:
                self._note_text(name, value)
        elif isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
            self.numbers[name] = float(value)

    def add(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """List the columns of an array as signals, or say why it holds none."""
        found: list[tuple[str, tuple[Any, ...]]] | str = f"of the type {dtype}, which is not real numbers"
        if dtype.kind in "iuf":
            found = columns_of(name, shape)
        if isinstance(found, str):
            self.left_out[name] = found
            return
        for label, index in found:
            self.places[label] = name, index
            self.signals[label] = Signal(max(shape, default=1), parent=name if len(found) > 1 else None)

    def pick(self, labels: Sequence[str], read: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        """Signals that ``add`` listed, each array read once by its name."""
        arrays = {name: read(name) for name in {self.places[label][0] for label in labels}}
        return {label: arrays[self.places[label][0]][self.places[label][1]] for label in labels}

    def _note_text(self, name: str, value: str) -> None:
        """A text, or a number that was written as one: ``fs`` as "12,800 Hz"."""
        said = read_name(name)
        found = number_of(value) if said.role in ("rate", "interval", "pulses") else None
        if found is None:
            self.texts[name] = value
            return
        number, unit = found
        if unit and said.role in _FACTORS:
            number *= _FACTORS[said.role](unit, f"{name}={value!r}")
        self.numbers[name] = number

    def numbers_of(self, role: Role, signal: str | None = None) -> dict[str, float]:
        """Numbers of a role, in Hz or seconds, that belong to a signal (its attributes), or to none alone.

        Only those count whose names say it best.

        Raises:
            InputError: a name with a unit that is not known.
        """
        belongs = signal is not None
        own = {name for one in ([signal] if signal is not None else self.signals) for name in self._names_of(one)}
        names = {key: read_name(key) for key in self.numbers if (key.rpartition(".")[0] in own) == belongs}
        names = {key: said for key, said in names.items() if said.role == role}
        rank = min((said.rank for said in names.values()), default=0)
        found = {}
        for key, said in names.items():
            factor = 1e3 if role == "rate" and said.last.endswith("khz") else 1.0
            if said.unit is not None and role in _FACTORS:
                factor = _FACTORS[role](said.unit, key)
            if said.rank == rank:
                found[key] = self.numbers[key] * factor
        return found

    def rates(self, signal: str | None = None) -> dict[str, float]:
        """Sampling rates in Hz that belong to a signal, or to none alone; intervals are 1 / rate."""
        if signal is not None and (rate := self.signals[signal].rate) is not None:
            return {signal: rate}
        found = self.numbers_of("rate", signal)
        return found or {name: 1 / step for name, step in self.numbers_of("interval", signal).items() if step > 0}

    def unit_of(self, signal: str) -> str | None:
        """The unit of a signal that the file or its name says."""
        own = self._names_of(signal)
        named = (t for key, t in self.texts.items() if key.rpartition(".")[0] in own and read_name(key).role == "unit")
        return self.signals[signal].unit or next(named, None) or read_name(signal).unit

    def _names_of(self, signal: str) -> set[str | None]:
        return {signal, self.signals[signal].parent}

    def header(self) -> dict[str, Any]:
        """What ``write_record`` said; empty for the files of others.

        Raises:
            InputError: a header that is damaged.
        """
        if HEADER not in self.texts:
            return {}
        found = parse_json(self.texts[HEADER], f"its {HEADER}")
        if not isinstance(found, dict) or not isinstance(found.get("channels"), dict):
            raise InputError(f"its {HEADER} lacks the channels")
        return found


def columns_of(name: str, shape: tuple[int, ...]) -> list[tuple[str, tuple[Any, ...]]] | str:
    """Names and indices of the signals in an array, or in words why it holds none.

    A vector is one signal. Of a two-dimensional array the longer side is time, and each column of at most 64 becomes a
    signal ``name_1``, ``name_2``, ...
    """
    if 0 in shape:
        return "empty"
    long = sorted((i for i, n in enumerate(shape) if n > 1), key=lambda i: -shape[i])
    time = long[0] if long else 0
    index = tuple(slice(None) if i == time else 0 for i in range(len(shape)))
    if len(long) <= 1:
        return [(name, index)]
    if len(long) > 2:
        return f"an array of the shape {shape}"
    short = long[1]
    if shape[short] > _MOST_COLUMNS or shape[short] == shape[time]:
        return f"an array of the shape {shape}, which is not channels by samples"
    return [(f"{name}_{k + 1}", (*index[:short], k, *index[short + 1 :])) for k in range(shape[short])]


def need(module: str, extra: str) -> ModuleType:
    """An optional package, imported when it is needed.

    Raises:
        MissingDependencyError: not installed; names the extra that brings it.
    """
    return errors.need(module, "reading this file", extra)

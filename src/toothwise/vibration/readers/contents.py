"""What a reader finds in a file, before anybody decides what is vibration and what is not.

A reader lists signals without reading their samples, and hands over one function that reads those that are chosen:
most files hold more than is needed, and some are larger than the memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from toothwise import errors
from toothwise.errors import InputError

__all__ = ["HEADER", "Contents", "Signal", "columns_of", "need"]

HEADER = "toothwise_record"  # the text in which write_record keeps what a file of plain arrays cannot say
_MOST_COLUMNS = 64

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
    """

    size: int
    rate: float | None = None
    unit: str | None = None
    parent: str | None = None
    is_vibration: bool = False


@dataclass
class Contents:
    """All that a file holds.

    Attributes:
        format: in words.
        signals: by name, not yet read.
        load: names -> arrays ``[size]``.
        numbers: single numbers by name.
        texts: texts by name.
        left_out: what is no signal, by name, and why.
        facts: what goes into the provenance.
        start_time: ISO 8601.
        time: a column without a name that is evenly spaced, as time is.
        named: False where the names are numbers that the reader gave, such as channel_1.
    """

    format: str
    load: Load
    signals: dict[str, Signal] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    start_time: str | None = None
    time: str | None = None
    named: bool = True

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
                self.texts[name] = value
        elif isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
            self.numbers[name] = float(value)

    def header(self) -> dict[str, Any]:
        """What ``write_record`` said; empty for the files of others.

        Raises:
            InputError: a header that is damaged.
        """
        if HEADER not in self.texts:
            return {}
        try:
            found = json.loads(self.texts[HEADER])
        except ValueError as error:
            raise InputError(f"its {HEADER} is not JSON ({error})") from None
        if not isinstance(found, dict) or not isinstance(found.get("channels"), dict):
            raise InputError(f"its {HEADER} lacks the channels")
        return found


def columns_of(name: str, shape: Iterable[int]) -> list[tuple[str, tuple[Any, ...]]] | str:
    """Names and indices of the signals in an array, or in words why it holds none.

    A vector is one signal. Of a two-dimensional array the longer side is time, and each column of at most 64 becomes a
    signal ``name_1``, ``name_2``, ...
    """
    shape = tuple(shape)
    long = [i for i, n in enumerate(shape) if n > 1]
    if 0 in shape:
        return "empty"
    if len(long) <= 1:
        axis = long[0] if long else 0
        return [(name, tuple(slice(None) if i == axis else 0 for i in range(len(shape))))]
    if len(long) > 2:
        return f"an array of the shape {shape}"
    short = min(long, key=lambda i: shape[i])
    if shape[short] > _MOST_COLUMNS or shape[long[0]] == shape[long[1]]:
        return f"an array of the shape {shape}, which is not channels by samples"

    def index(k: int) -> tuple[Any, ...]:
        return tuple(slice(None) if i in long and i != short else (k if i == short else 0) for i in range(len(shape)))

    return [(f"{name}_{k + 1}", index(k)) for k in range(shape[short])]


def need(module: str, extra: str) -> ModuleType:
    """An optional package, imported when it is needed.

    Raises:
        MissingDependencyError: not installed; names the extra that brings it.
    """
    return errors.need(module, "reading this file", extra)

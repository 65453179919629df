"""What a monitor knows of a machine, and where that is kept: in memory, in a JSON file, or wherever a Store puts it.

A state holds the last records, the settings, and every re-baselining with its reason. What is said of them is computed
from it, so that records that come one by one and records that come at once give the same answer. Of records older than
the last 1,000 to 1,500 it holds the names and where the alarm rules stood after them (module ``history``), so it does
not grow much.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from toothwise import __version__
from toothwise.diagnosis.control_limits import ControlLimits
from toothwise.diagnosis.history import CompactedHistory
from toothwise.diagnosis.rules import MonitorSettings, Reset
from toothwise.diagnosis.summary import RecordSummary
from toothwise.diagnosis.verdict import Diagnosis
from toothwise.errors import GuessWarning, InputError, OutputError
from toothwise.fields import from_mapping
from toothwise.files import finite, write_json
from toothwise.healthmap.manifest import sha256_of
from toothwise.reading import as_input_error, read_json
from toothwise.reference.records import order_records

FORMAT = 5


@dataclass(eq=False)
class State:
    """Everything that a monitor knows of a machine.

    Attributes:
        model: Fingerprint of the model; a state keeps its model.
        settings: That it was begun with.
        records: The last ones, in time order; ``past``: what is remembered of those before them.
        resets: Re-baselinings, each with its reason.
        limits: Control limits by the records that a baseline rests on ("healthy" or a number).
    """

    model: str
    settings: MonitorSettings
    records: list[RecordSummary] = field(default_factory=list)
    past: CompactedHistory = field(default_factory=CompactedHistory)
    resets: list[Reset] = field(default_factory=list)
    limits: dict[str, ControlLimits] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.past) + len(self.records)

    @property
    def names(self) -> set[str]:
        """Names of the records that have been seen."""
        return {record.name for record in self.records} | self.past.known

    @property
    def channels(self) -> int | None:
        """How many things its records were judged by; None before one was."""
        past = None if self.past.standing is None else self.past.standing.channels
        return next((len(record.channels) for record in self.records if record.channels), past)

    def copy(self) -> State:
        """One that can be changed without this one."""
        return replace(self, records=list(self.records), resets=list(self.resets), limits=dict(self.limits))

    def contradicted(self, new: Sequence[RecordSummary]) -> list[str]:
        """A line for every record whose name is kept with other values."""
        known = {record.name: record.digest for record in self.records}
        return [
            f"record {record.name} is there with other values; the first ones are kept"
            for record in new
            if known.get(record.name, record.digest) != record.digest
        ]

    def append(self, new: Sequence[RecordSummary]) -> int:
        """Add records that are not there yet; returns how many were added.

        A record whose name is there changes nothing; where its values differ from those kept a warning says so.

        Raises:
            InputError: A new record that is not later than the last one.
        """
        names = self.names
        for line in self.contradicted(new):
            warnings.warn(line, GuessWarning, stacklevel=2)
        fresh = [record for record in new if record.name not in names]
        timed = [record for record in (*self.records[-1:], *fresh) if record.time is not None]
        if fresh and self.records and len(timed) == len(fresh) + 1:
            order_records(pd.DataFrame({"name": [r.name for r in timed], "time": [r.time for r in timed]}), len(timed))
        self.records += fresh
        return len(fresh)

    def rebaseline(self, reason: str) -> None:
        """From the next record on a new baseline is learned.

        Raises:
            InputError: No reason.
        """
        if not reason.strip():
            raise InputError("re-baselining needs a reason, such as 'planet carrier replaced', but got none")
        self.resets.append(Reset(len(self), reason.strip(), self.records[-1].name if self.records else None))

    def as_json(self) -> dict[str, Any]:
        """JSON types; ``records`` are the last item."""
        data: dict[str, Any] = finite(self)
        return {"format": FORMAT, "toothwise": __version__} | data | {"records": data.pop("records")}

    @classmethod
    def from_json(cls, data: dict[str, Any], where: object) -> State:
        """The inverse, checked; ``where`` names what it comes from in messages.

        Raises:
            InputError: Another format, or content that contradicts itself.
        """
        with as_input_error(where, "not a state of 'toothwise diagnose'"):
            if data["format"] != FORMAT:
                words = f"unsupported format {data['format']!r}; this version reads {FORMAT}"
                raise InputError(f"{where}: {words}: name a new one, and diagnose the records again")
            state = from_mapping(cls, {f.name: data[f.name] for f in fields(cls)}, str(where))
            state._check(where)
        return state

    def _check(self, where: object) -> None:
        """Refuse records that do not fit each other, and re-baselinings outside of them."""
        for name in ("channels", "contrast"):
            sizes = {len(getattr(record, name)) for record in self.records} - {0}
            if self.past.standing is not None and name == "channels":
                sizes.add(self.past.standing.channels)
            if len(sizes) > 1:
                raise InputError(f"{where}: its records have {name} of different lengths, {sorted(sizes)}")
        if len(self.names) != len(self):
            raise InputError(f"{where}: holds a record twice")
        places = [reset.at for reset in self.resets]
        if places != sorted(places) or not all(0 <= at <= len(self) for at in places):
            raise InputError(f"{where}: re-baselined at {places}, but holds {len(self)} records")


class Store(Protocol):
    """Keeps the state of one machine."""

    def load(self) -> State | None:
        """The state; None where nothing has been saved."""

    def save(self, state: State, diagnosis: Diagnosis | None) -> None:
        """Keep the state, and what was said of it, in one transaction: all of it or nothing.

        Raises:
            OutputError: It cannot be kept, or somebody else has changed it since it was loaded.
        """


@dataclass(eq=False)
class MemoryStore:
    """Keeps a state as long as it lives itself."""

    state: State | None = None

    def load(self) -> State | None:
        """See ``Store``."""
        return self.state

    def save(self, state: State, diagnosis: Diagnosis | None) -> None:
        """See ``Store``."""
        self.state = state


class JsonStore:
    """Keeps a state in a JSON file, which is replaced whole: a killed process leaves the old one or the new one.

    Args:
        path: Of the file; it need not exist.

    Examples:
        >>> from toothwise.diagnosis import JsonStore
        >>> JsonStore("no/such/folder/gearbox7.json").load() is None
        True
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".json":
            raise InputError(f"{self.path}: the suffix must be .json, but is {self.path.suffix!r}")
        self.where = f"{self.path}:"
        self._read: str | None = None

    def load(self) -> State | None:
        """See ``Store``.

        Raises:
            InputError: A damaged file, or another format.
        """
        self._read = self._digest()
        return None if self._read is None else State.from_json(read_json(self.path), self.path)

    def save(self, state: State, diagnosis: Diagnosis | None) -> None:
        """See ``Store``."""
        if self._digest() != self._read:
            raise OutputError(
                f"{self.path}: was changed by another process meanwhile; nothing was written, run it again"
            )
        write_json(self.path, state.as_json())
        self._read = self._digest()

    def _digest(self) -> str | None:
        return sha256_of(self.path) if self.path.is_file() else None

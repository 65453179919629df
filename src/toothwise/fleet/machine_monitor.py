"""Diagnoses records of many machines as they come: a Monitor for each, whose state is in the database.

What was seen of a machine is in the database, in the same row as the diagnosis. So nothing has to be kept in step, and
a process that dies is replaced by one that reads the rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from toothwise.diagnosis.monitor import Monitor
from toothwise.diagnosis.rules import MonitorSettings
from toothwise.errors import InputError, ToothwiseError
from toothwise.fleet.database import Conflict, Database, DatabaseStore
from toothwise.fleet.decoding import BoundedDecoder, Decoder, IncomingRecord, clean
from toothwise.fleet.options import FileLimits
from toothwise.healthmap.core import HealthMap, HealthMapBatch
from toothwise.healthmap.manifest import sha256_of

if TYPE_CHECKING:
    from toothwise.model import Model

_MACHINES = 64  # whose records stay in memory
_TRIES = 10  # against another process that follows the same machine


class MachineMonitor:
    """Takes records and writes what they say.

    Args:
        model: What was fitted on healthy maps or recordings of such machines.
        database: Where to write.
        settings: How records are monitored, or some of the settings by name; as of ``Monitor``.
        limits: Of a record: its bytes, and reading it and building its map, which happens in a process of its own.

    Attributes:
        count: "new", "known" and "bad" records, and "alarms" (RED) among the new ones.
        suffixes: Of files that can be records.
        reason: Why the first bad record could not be used; None = there was none.
    """

    def __init__(
        self,
        model: Model,
        database: Database,
        settings: MonitorSettings | Mapping[str, Any] | None = None,
        *,
        limits: FileLimits | None = None,
    ) -> None:
        limits = limits or FileLimits()
        self.max_bytes, self.database = limits.max_bytes, database
        self.count: Counter[str] = Counter()
        self.reason: str | None = None
        self._first = Monitor(model, settings)
        decoder = Decoder(model.builder, several=self._first.settings.sensors is not None)
        self.suffixes = decoder.suffixes
        self._decode = BoundedDecoder(decoder, limits.work)
        self._monitors: OrderedDict[str, tuple[Monitor, DatabaseStore]] = OrderedDict()

    def close(self) -> None:
        """End the process that reads records."""
        self._decode.close()

    def prepare(self) -> None:
        """Choose the control limits, which takes seconds, before the first record comes."""
        self._first.limits()

    def rebaseline(self, machine: str, reason: str) -> None:
        """Learn a new baseline of a machine from its next record on; the same reason again changes nothing."""
        monitor, store = self._of(machine)
        state = store.load()
        if state is None or not state.resets or state.resets[-1].reason != reason.strip():
            monitor.rebaseline(reason)

    def take(self, arrived: IncomingRecord) -> str:
        """Diagnose a record and write it, exactly once; it may come as often as it likes.

        Returns:
            "new", "known", or "bad" where it cannot be used: the reason is in the table ``errors`` then.

        Raises:
            sqlalchemy.exc.OperationalError: The database cannot be reached; nothing was written.
            InputError: The machine's watch was begun with another model or other settings.
        """
        outcome = self._take(arrived)
        self.count[outcome] += 1
        return outcome

    def _take(self, arrived: IncomingRecord) -> str:
        from sqlalchemy.exc import SQLAlchemyError

        if self.database.known(arrived.machine, arrived.record):
            return "known"
        self._of(arrived.machine)[0].records  # noqa: B018  # a state that cannot be used is no fault of the record
        if arrived.problem is not None:
            return self._refuse(arrived, "", arrived.problem)
        try:
            size = len(arrived.content) if isinstance(arrived.content, bytes) else arrived.content.stat().st_size
            if size > self.max_bytes:
                return self._refuse(arrived, "", f"has {size} bytes, more than {self.max_bytes} (--max-bytes)")
            digest = _digest(arrived.content)
        except OSError as error:
            return self._refuse(arrived, "", f"cannot be read ({error.strerror or error})")
        try:
            batch = _named(self._decode(arrived), arrived)
        except Exception as error:  # one record must not stop the others
            return self._refuse(arrived, digest, _reason(error))
        for _ in range(_TRIES):
            monitor, store = self._of(arrived.machine)
            store.about = {"source": arrived.source, "sha256": digest}
            before = monitor.records
            try:
                found = monitor.add(batch)
            except Conflict:  # another process was faster: read what it wrote
                self._monitors.pop(arrived.machine, None)
                if self.database.known(arrived.machine, arrived.record):
                    return "known"
                continue
            except SQLAlchemyError:
                self._monitors.pop(arrived.machine, None)
                raise
            except Exception as error:
                return self._refuse(arrived, digest, _reason(error))
            if monitor.records == before:  # written by another process since it was asked for
                return "known"
            self.count["alarms"] += found.colour == "RED"
            return "new"
        raise InputError(f"{self.database.where}: other processes write {arrived.machine} all the time")

    def _refuse(self, arrived: IncomingRecord, digest: str, reason: str) -> str:
        reason = clean(reason, 1000)
        self.reason = self.reason or f"{arrived.source}: {reason}"
        about = {name: getattr(arrived, name) for name in ("machine", "record", "source")}
        self.database.refuse(**about, sha256=digest, reason=reason)
        return "bad"

    def _of(self, machine: str) -> tuple[Monitor, DatabaseStore]:
        """The monitor of a machine, kept in memory or opened from the database."""
        if machine not in self._monitors:
            store = DatabaseStore(self.database, machine)
            self._monitors[machine] = self._first.beside(store), store
            while len(self._monitors) > _MACHINES:
                self._monitors.popitem(last=False)
        self._monitors.move_to_end(machine)
        return self._monitors[machine]


def _named(made: HealthMap | HealthMapBatch, arrived: IncomingRecord) -> HealthMapBatch:
    """Maps of a record under its name, and the time that it came with."""
    if isinstance(made, HealthMap):
        made = HealthMapBatch.of([(arrived.record, made)], pd.DataFrame([made.condition], index=[0]))
    table = made.table.assign(name=arrived.record)
    if arrived.time is not None:
        table = table.drop(columns="start_time", errors="ignore").assign(time=arrived.time)
    return replace(made, table=table)


def _digest(content: bytes | Path) -> str:
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else sha256_of(content)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, ToothwiseError):
        return text[:500]
    return f"internal error (please report): {type(error).__name__}: {text[-500:]}"  # the end of a trace tells most

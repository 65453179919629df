"""Diagnoses records of many machines as they come, each machine as a sequence of its own.

What was seen of a machine lies in the database, in the same row as the diagnosis. So nothing has to be kept in step,
and a process that dies is replaced by one that reads the rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from toothwise.detectors.base import Detector
from toothwise.diagnosis.baseline import learn_baseline
from toothwise.diagnosis.calibration import ControlLimits
from toothwise.diagnosis.history import RecordSummary, summarize_records
from toothwise.diagnosis.memory import fold
from toothwise.diagnosis.single import gear_of
from toothwise.diagnosis.state import WatchState
from toothwise.diagnosis.verdict import SequenceDiagnosis, WatchSettings
from toothwise.diagnosis.watch import control_limits_for, judge
from toothwise.errors import InputError, ToothwiseError
from toothwise.fleet.database import Conflict, Database, Row
from toothwise.fleet.decoding import Decoder, IncomingRecord, clean
from toothwise.healthmap.core import HealthMap
from toothwise.reference.healthy_reference import HealthyReference

__all__ = ["MachineMonitor"]

_MACHINES = 64  # whose records stay in memory
_TRIES = 10  # against another process that follows the same machine


@dataclass(eq=False)
class MachineMonitor:
    """Takes records and writes what they say.

    Attributes:
        detector, reference: that belong together.
        database: that is written to.
        decoder: from a record to its map.
        settings, bins: of every watch that begins; one that goes on must have been begun with the same.
        count: "new", "known" and "bad" records, and "alarms" among the new ones.
    """

    detector: Detector
    reference: HealthyReference
    database: Database
    decoder: Decoder
    settings: WatchSettings = field(default_factory=WatchSettings)
    bins: dict[str, tuple[float, ...]] = field(default_factory=dict)
    count: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._baseline = learn_baseline(self.reference, bins=self.bins)
        self._states: OrderedDict[str, WatchState] = OrderedDict()
        self._heights: dict[int | None, ControlLimits] = {}

    def prepare(self) -> None:
        """Choose the heights of the rules, which takes seconds, before the first record comes."""
        self._chosen(None)

    def take(self, arrived: IncomingRecord) -> str:
        """Diagnose a record and write it, exactly once; it may come as often as it likes.

        Returns:
            "new", "known", or "bad" where it cannot be used: the reason is in the table ``errors`` then.

        Raises:
            sqlalchemy.exc.OperationalError: the database cannot be reached; nothing was written.
            InputError: the machine's watch was begun with another detector or other settings.
        """
        outcome = self._take(arrived)
        self.count[outcome] += 1
        return outcome

    def _take(self, arrived: IncomingRecord) -> str:
        if self.database.known(arrived.machine, arrived.record):
            return "known"
        self._state(arrived.machine)  # before anything is blamed on the record
        try:
            digest = _digest(arrived.content)
        except OSError as error:
            return self._refuse(arrived, "", f"cannot be read ({error.strerror or error})")
        try:
            made = self.decoder(arrived)
        except Exception as error:  # one record must not stop the others
            return self._refuse(arrived, digest, _reason(error))
        for _ in range(_TRIES):
            state = self._state(arrived.machine)
            try:
                row, alarm = self._judged(arrived, made, state, digest)
            except Exception as error:
                self._states.pop(arrived.machine, None)
                return self._refuse(arrived, digest, _reason(error))
            try:
                fresh = self.database.append(row, self._begun())
            except Conflict:
                self._states.pop(arrived.machine, None)  # another process was faster: read what it wrote
                continue
            except BaseException:
                self._states.pop(arrived.machine, None)
                raise
            if not fresh:
                self._states.pop(arrived.machine, None)
                return "known"
            self.count["alarms"] += alarm
            return "new"
        raise InputError(f"{self.database.where}: other processes write {arrived.machine} all the time")

    def _refuse(self, arrived: IncomingRecord, digest: str, reason: str) -> str:
        self.database.refuse(arrived.machine, arrived.record, digest, arrived.source, clean(reason, 1000))
        return "bad"

    def _begun(self) -> dict[str, Any]:
        bins = {name: list(edges) for name, edges in self.bins.items()}
        return {"detector": self.reference.detector, "settings": asdict(self.settings), "bins": bins}

    def _state(self, machine: str) -> WatchState:
        """What was seen of a machine, from memory or from the database."""
        state = self._states.get(machine)
        if state is None:
            begun, mine = self.database.watch(machine), self._begun()
            for name in mine:
                if begun is not None and begun[name] != mine[name]:
                    raise InputError(
                        f"{self.database.where}: the watch of {machine} was begun with {name} {begun[name]}, but got "
                        f"{mine[name]}: name another database, or go on as it was begun"
                    )
            state = WatchState(Path(machine), self.reference.detector, self.settings, self.bins)
            state.records = [RecordSummary.from_json(seen) for seen in self.database.seen(machine)]
            self._states[machine] = state
            while len(self._states) > _MACHINES:
                self._states.popitem(last=False)
        self._states.move_to_end(machine)
        return state

    def _judged(self, arrived: IncomingRecord, made: HealthMap, state: WatchState, digest: str) -> tuple[Row, bool]:
        """The row of a record; the state has it then."""
        table = {**made.condition, "name": arrived.record}
        if arrived.time is not None:
            table = {key: value for key, value in table.items() if key != "start_time"} | {"time": arrived.time}
        (seen,), _ = summarize_records(
            made.values[None],
            pd.DataFrame([table]),
            self.detector,
            self.reference,
            self._baseline,
            bins=self.bins,
            rows=made.rows,
            columns=made.columns,
        )
        position = len(state)
        state.append([seen])
        found = judge(
            state.records,
            self._baseline,
            self.settings,
            past=state.past,
            gears=(gear_of(made.rows, "driving"), gear_of(made.columns, "driven")),
            heights=self._chosen,
        )
        state.records, state.past = fold(state.records, self._baseline, self.settings, found.heights, past=state.past)
        about = _columns(found, seen) | {"source": arrived.source, "sha256": digest, "detector": state.detector}
        return Row(arrived.machine, arrived.record, position, seen.as_json(), about), found.state == "alarm"

    def _chosen(self, learned: int | None) -> ControlLimits:
        if learned not in self._heights:
            self._heights[learned] = control_limits_for(self._baseline, self.settings, learned=learned)
        return self._heights[learned]


def _columns(found: SequenceDiagnosis, seen: RecordSummary) -> dict[str, Any]:
    tooth = found.teeth[0] if found.teeth else None
    return {
        "time": None if seen.time is None else str(seen.time),
        "state": found.state,
        "pattern": found.pattern,
        "verdict": found.verdict,
        "score": seen.score,
        "above": seen.above,
        "gear": None if tooth is None else tooth.gear,
        "tooth": None if tooth is None else tooth.tooth,
        "contrast": found.contrast,
        "diagnosis": _finite(found.as_json()),
    }


def _finite(data: Any) -> Any:
    """NaN and infinities as null, because PostgreSQL's JSON has no word for them."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and data - data != 0.0 else data


def _digest(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, ToothwiseError) else f"a defect of toothwise: {type(error).__name__}: {text}"

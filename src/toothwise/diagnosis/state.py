"""The state of a watch that goes on: one JSON file that records are appended to as they come.

The file holds the last records, what was set, and every re-baselining with its reason; what is said of them is computed
anew each time, so that records that came one by one and records that came at once give the same answer. Of records
older than the last 1,000 to 1,500 it holds the names and where the alarm rules stood after them (module ``memory``), so
it does not grow much. It is replaced whole: a process that is killed leaves the old file or the new one.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from toothwise import __version__
from toothwise.diagnosis.calibration import ControlLimits, RuleHeight
from toothwise.diagnosis.history import RecordSummary
from toothwise.diagnosis.memory import CompactedHistory
from toothwise.diagnosis.verdict import Reset, WatchSettings
from toothwise.errors import GuessWarning, InputError, OutputError
from toothwise.fields import from_mapping
from toothwise.files import write_json
from toothwise.reading import as_input_error, read_json
from toothwise.reference.records import order_records

__all__ = ["WatchState", "read_state"]

FORMAT = 2
_READ = (1, 2)  # format 1 kept every record


@dataclass(eq=False)
class WatchState:
    """A watch with everything it has seen.

    Attributes:
        path: of the file.
        detector: fingerprint of the detector; another one is refused.
        settings, bins, sensors: as it was begun with.
        records: in time order, the last ones; ``past``: what is remembered of those before them.
        resets: re-baselinings, each with its reason.
        heights: of the rules, by the records that a baseline rests on ("healthy" or a number).
        read: SHA-256 of the file as it was read, None where there was none.
    """

    path: Path
    detector: str
    settings: WatchSettings
    bins: dict[str, tuple[float, ...]] = field(default_factory=dict)
    sensors: str | None = None
    records: list[RecordSummary] = field(default_factory=list)
    resets: list[Reset] = field(default_factory=list)
    heights: dict[str, ControlLimits] = field(default_factory=dict)
    read: str | None = None
    past: CompactedHistory = field(default_factory=CompactedHistory)

    def __len__(self) -> int:
        return len(self.past) + len(self.records)

    @property
    def names(self) -> set[str]:
        """Names of the records that have been seen."""
        return {record.name for record in self.records} | self.past.known

    def append(self, new: Sequence[RecordSummary]) -> int:
        """Add records that are not there yet; returns how many were added.

        A record whose name is there changes nothing; where its values differ from those kept a warning says so.

        Raises:
            InputError: a new record that is not later than the last one.
        """
        known = {record.name: record for record in self.records}
        for record in new:
            if record.name in known and known[record.name].digest != record.digest:
                warnings.warn(
                    f"{self.path}: record {record.name} is there with other values; the first ones are kept",
                    GuessWarning,
                    stacklevel=2,
                )
        fresh = [record for record in new if record.name not in known and record.name not in self.past.known]
        if fresh and self.records:
            timed = [r for r in (self.records[-1], *fresh) if r.time is not None]
            if len(timed) == len(fresh) + 1:
                table = pd.DataFrame({"name": [r.name for r in timed], "time": [r.time for r in timed]})
                try:
                    order_records(table, len(table))
                except InputError as error:
                    raise InputError(f"{self.path}: {error}") from None
        self.records += fresh
        return len(fresh)

    def rebaseline(self, reason: str) -> None:
        """From the next record on a new baseline is learned.

        Raises:
            InputError: no reason.
        """
        if not reason.strip():
            raise InputError("--rebaseline needs a reason, such as 'planet carrier replaced', but got none")
        after = self.records[-1].name if self.records else None
        self.resets.append(Reset(len(self), reason.strip(), after))

    def write(self) -> None:
        """Replace the file, whole or not at all.

        Raises:
            OutputError: it cannot be written, or another process has changed it meanwhile.
        """
        now = _digest(self.path)
        if now != self.read:
            raise OutputError(
                f"{self.path}: was changed by another process meanwhile; nothing was written, run it again"
            )
        data = {
            "format": FORMAT,
            "toothwise": __version__,
            "detector": self.detector,
            "settings": asdict(self.settings),
            "bins": {name: list(edges) for name, edges in self.bins.items()},
            "sensors": self.sensors,
            "resets": [asdict(reset) for reset in self.resets],
            "heights": {name: asdict(heights) for name, heights in self.heights.items()},
            "past": self.past.as_json(),
            "records": [record.as_json() for record in self.records],
        }
        write_json(self.path, data)
        self.read = _digest(self.path)


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def read_state(path: str | Path, detector: str) -> WatchState | None:
    """The state in a file, None where there is no such file.

    Args:
        path: JSON file.
        detector: fingerprint of the detector in use.

    Raises:
        InputError: a damaged file, another format, or a state of another detector.
    """
    path = Path(path)
    if not path.exists():
        return None
    data: dict[str, Any] = read_json(path)
    with as_input_error(path, "not a state of 'toothwise diagnose'"):
        if data["format"] not in _READ:
            raise InputError(f"{path}: format {data['format']!r} is none of {_READ}, those that this version reads")
        state = WatchState(
            path=path,
            detector=str(data["detector"]),
            settings=from_mapping(WatchSettings, data["settings"]),
            bins={name: tuple(float(edge) for edge in edges) for name, edges in data["bins"].items()},
            sensors=None if data["sensors"] is None else str(data["sensors"]),
            records=[RecordSummary.from_json(record) for record in data["records"]],
            resets=[from_mapping(Reset, reset) for reset in data["resets"]],
            heights={name: _heights(heights) for name, heights in data["heights"].items()},
            past=CompactedHistory() if data["format"] == 1 else CompactedHistory.from_json(data["past"]),
            read=_digest(path),
        )
        _check(state)
    if state.detector != detector:
        raise InputError(
            f"{path}: belongs to detector {state.detector[:12]}, but the one in use is {detector[:12]}: a watch keeps "
            "its detector; begin a new state"
        )
    return state


def _check(state: WatchState) -> None:
    """Refuse records that do not fit each other, and re-baselinings that lie outside of them.

    Raises:
        InputError: see above.
    """
    for name in ("channels", "contrast"):
        sizes = {len(getattr(record, name)) for record in state.records} - {0}
        if state.past.standing is not None and name == "channels":
            sizes.add(len(state.past.standing.statistic))
        if len(sizes) > 1:
            raise InputError(f"{state.path}: its records have {name} of different lengths, {sorted(sizes)}")
    if len(state.names) != len(state):
        raise InputError(f"{state.path}: holds a record twice")
    places = [reset.at for reset in state.resets]
    if places != sorted(places) or not all(0 <= at <= len(state) for at in places):
        raise InputError(f"{state.path}: re-baselined at {places}, but holds {len(state)} records")


def _heights(data: dict[str, Any]) -> ControlLimits:
    rules = {
        rule: {
            tier: RuleHeight(float(h["height"]), float(h["stated"]), (float(h["interval"][0]), float(h["interval"][1])))
            for tier, h in ((tier, data[rule][tier]) for tier in ("alarm", "warning"))
        }
        for rule in ("cusum", "row")
    }
    return ControlLimits(rules["cusum"], rules["row"], int(data["block"]), int(data["blocks"]), int(data["learned"]))

"""A diagnosis as a report shows it: its messages, the maps that are explained, its records by number, name and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from toothwise.diagnosis.evidence import DiagnosisEvidence, SequenceEvidence, ShownRecords
from toothwise.diagnosis.explain import MapExplanation
from toothwise.diagnosis.teeth import gear_of
from toothwise.healthmap.core import Axis
from toothwise.messages import Language, messages_from

Data = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Shown:
    """What the parts of a report draw from.

    Attributes:
        d: The diagnosis, as in ``diagnosis.json``, with messages.
        each: The diagnoses of its maps; ``explained``: those of the explained maps, each with its evidence.
        about: Data, maps, detector and versions.
        course: The course of the judged records, or None where each map was judged on its own.
        records: Numbers beside the judgement of all records, or None.
        healthy_best: By axis, the evidence of the best line of every held-out healthy map ``[m]``.
        sensors: Names of the sensors that are fused; empty where there is one.
        language: The language of the report.
    """

    d: Data
    each: tuple[Data, ...]
    explained: tuple[tuple[Data, MapExplanation], ...]
    about: Data
    course: SequenceEvidence | None
    records: ShownRecords | None
    healthy_best: Mapping[int, Any]
    sensors: tuple[str, ...]
    language: Language

    @property
    def gears(self) -> tuple[str, str]:
        """Names of the gears of rows and columns."""
        rows, columns = (Axis(axis["name"], tuple(axis["labels"])) for axis in self.about["axes"])
        return gear_of(rows, "driving"), gear_of(columns, "driven")

    @property
    def watched(self) -> tuple[int, int] | None:
        """Axis and number of the tooth that is shown: that of the verdict, else the one that came highest."""
        for tooth in self.d["teeth"]:
            if tooth["tooth"] is not None:
                return int(tooth["axis"]), int(tooth["tooth"])
        if self.course is None:
            line = next((one["lines"][0] for one, _ in self.explained if one["lines"]), None)
            return None if line is None else (int(line["axis"]), int(line["tooth"]))
        height = self.course.statistic.max(axis=0)
        teeth = [k for k, c in enumerate(self.course.channels) if c.kind == "tooth" and c.tooth >= 0]
        best = self.course.channels[max(teeth, key=lambda k: height[k])]
        return best.axis, best.tooth

    @cached_property
    def _number(self) -> dict[str, int]:
        r = self.records
        return {} if r is None else dict(zip(r.names, map(int, r.number), strict=True))

    @cached_property
    def _time(self) -> dict[str, str]:
        column = self.about.get("times")
        if self.records is None or column not in ("start_time", "time", "hours"):  # others only count the records
            return {}
        unit = " h" if column == "hours" else ""
        return {n: f"{t[:19]}{unit}" for n, t in zip(self.records.names, self.records.times, strict=True) if t}

    def record(self, name: object) -> str:
        """A record by its number in the whole run; a map that is none, or was forgotten, by its name."""
        number = self._number.get(str(name)) if self.d["sequence"] else None
        return str(name) if number is None else self.language.say("record {number}", number=number)

    def place(self, name: object) -> str:
        """A record by its number, its name and its time, where these say more."""
        number, time = self._number.get(str(name)), self._time.get(str(name), "")
        said = [] if number is None else [str(number)]
        said += [] if str(name) in (str(number), f"record {number}") else [str(name)]
        return ", ".join([*said, time] if time else said)


def shown(data: Data, evidence: DiagnosisEvidence, language: Language) -> Shown:
    """Prepare a diagnosis for its report.

    Args:
        data: The contents of ``diagnosis.json``.
        evidence: The evidence that belongs to it.
        language: The language of the report.
    """
    each = tuple(data["each"])
    return Shown(
        d=messages_from({key: value for key, value in data.items() if key != "each"}),
        each=messages_from(each if not data["sequence"] else ()),
        explained=tuple(zip(messages_from([each[k] for k in data["explained"]]), evidence.explained, strict=True)),
        about=evidence.about,
        course=evidence.sequence,
        records=evidence.records,
        healthy_best=evidence.healthy_best,
        sensors=tuple(sorted({one["sensor"] for one in each if one["sensor"]})),
        language=language,
    )

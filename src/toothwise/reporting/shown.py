"""A diagnosis as a report shows it: its messages, the maps that are explained, short names for its records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from toothwise.diagnosis.evidence import DiagnosisEvidence, SequenceEvidence
from toothwise.diagnosis.explain import MapExplanation
from toothwise.diagnosis.single import gear_of
from toothwise.healthmap.core import Axis
from toothwise.messages import Language, Message, messages_from

__all__ = ["Data", "Shown", "shown"]

_LONGEST = 16  # characters of a record's name that a sentence or an axis can hold

Data = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Shown:
    """What the parts of a report draw from.

    Attributes:
        d: The diagnosis, as in ``diagnosis.json``, with messages.
        each: The diagnoses of its maps; ``explained``: those of the explained maps, each with its evidence.
        about: Data, maps, detector and versions.
        course: The course of the records, or None where each map was judged on its own.
        healthy_best: By axis, the evidence of the best line of every held-out healthy map ``[m]``.
        sensors: Names of the sensors that are fused; empty where there is one.
        names: The name in the data by the number that is shown in its place; empty where names are short.
        language: The language of the report.
    """

    d: Data
    each: tuple[Data, ...]
    explained: tuple[tuple[Data, MapExplanation], ...]
    about: Data
    course: SequenceEvidence | None
    healthy_best: Mapping[int, Any]
    sensors: tuple[str, ...]
    names: Mapping[str, str]
    language: Language

    @property
    def gears(self) -> tuple[str, str]:
        """Names of the gears of rows and columns."""
        rows, columns = (Axis(axis["name"], tuple(axis["labels"])) for axis in self.about["axes"])
        return gear_of(rows, "driving"), gear_of(columns, "driven")

    def record(self, name: object) -> str:
        """A record by its name, which often says what it is already; a map that is none keeps its name."""
        if not self.d["sequence"] or str(name).startswith("record"):
            return str(name)
        return self.language.say("record {name}", name=str(name))


def shown(data: Data, evidence: DiagnosisEvidence, language: Language) -> Shown:
    """Prepare a diagnosis for its report; records with long names are shown by their number, from 1.

    Args:
        data: The contents of ``diagnosis.json``.
        evidence: The evidence that belongs to it.
        language: The language of the report.
    """
    each = tuple(data["each"])
    sensors = tuple(sorted({one["sensor"] for one in each if one["sensor"]}))
    explained = [each[k] for k in data["explained"]]
    d = messages_from({key: value for key, value in data.items() if key != "each"})
    each = messages_from(each if not data["sequence"] else ())
    explained = messages_from(explained)
    course, why = evidence.sequence, evidence.explained
    used: dict[str, str] = {}
    if course is not None and max(len(name) for name in course.names) > _LONGEST:
        number = {name: str(int(k) + 1) for name, k in zip(course.names, course.index, strict=True)}
        d, explained = _renamed(d, number, used), _renamed(explained, number, used)
        course = replace(course, names=tuple(number[name] for name in course.names))
        why = tuple(replace(one, record=number.get(one.record, one.record)) for one in why)
    names = {number: name for name, number in used.items()}
    pairs = tuple(zip(explained, why, strict=True))
    return Shown(d, each, pairs, evidence.about, course, evidence.healthy_best, sensors, names, language)


def _renamed(value: Any, names: Mapping[str, str], used: dict[str, str]) -> Any:
    """Messages and JSON types with other names wherever a name is all of a text; ``used`` gets those replaced."""
    if isinstance(value, Message):
        return Message(value.id, _renamed(value.values, names, used))
    if isinstance(value, Mapping):
        return {key: _renamed(part, names, used) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_renamed(part, names, used) for part in value)
    if isinstance(value, str) and value in names:
        used[value] = names[value]
        return names[value]
    return value

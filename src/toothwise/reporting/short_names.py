"""Records with long names, told by their number in the sequence; a table says which is which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from toothwise.diagnosis.evidence import RunEvidence
from toothwise.messages import Language, Message
from toothwise.reporting.document import Block, Paragraph, Table

__all__ = ["names_table", "renamed", "with_short_names"]

_LONGEST = 16  # characters of a name that a sentence bears

Data = Mapping[str, Any]


def renamed(value: Any, names: Mapping[str, Any], used: dict[str, Any], *, whole: bool = False) -> Any:
    """Messages and JSON types with other names for the records in them.

    Args:
        value: in which names are replaced wherever they stand alone.
        names: the new name by the old one.
        used: gets those that were replaced.
        whole: new names say that they are records, so that they take the place of "record {name}" as well.
    """
    if isinstance(value, Message):
        old = value.values.get("name")
        if whole and value.id == "record {name}" and old in names:
            used[str(old)] = names[str(old)]
            return names[str(old)]
        return Message(value.id, renamed(value.values, names, used, whole=whole))
    if isinstance(value, Mapping):
        return {key: renamed(part, names, used, whole=whole) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return tuple(renamed(part, names, used, whole=whole) for part in value)
    if isinstance(value, str) and value in names:
        used[value] = names[value]
        return names[value]
    return value


def with_short_names(data: Data, evidence: RunEvidence) -> tuple[Data, RunEvidence, dict[str, str]]:
    """The same diagnosis with numbers, from 1, for the records of a sequence where a name is long.

    Returns:
        data, evidence, and the names that were replaced by the numbers that stand for them (empty: none).
    """
    s = evidence.sequence
    if s is None or max(len(name) for name in s.names) <= _LONGEST:
        return data, evidence, {}
    number = {name: str(int(k) + 1) for name, k in zip(s.names, s.index, strict=True)}
    used: dict[str, str] = {}

    shown = {*data["explained"]}
    each = [renamed(one, number, used) if k in shown else one for k, one in enumerate(data["each"])]
    told = renamed({key: part for key, part in data.items() if key != "each"}, number, used) | {"each": each}
    explained = tuple(replace(one, record=number.get(one.record, one.record)) for one in evidence.explained)
    short = replace(s, names=tuple(number[name] for name in s.names))
    return told, replace(evidence, explained=explained, sequence=short), used


def names_table(used: Mapping[str, str], language: Language) -> list[Block]:
    """Which record is which, in time order; nothing where no name was replaced."""
    if not used:
        return []
    rows = tuple((number, name) for name, number in sorted(used.items(), key=lambda item: int(item[1])))
    return [
        Paragraph(language.say("Records are numbered in time order, from 1. Those named in this report:")),
        Table((language.say("Record"), language.say("Name in the data")), rows, frozenset({0})),
    ]

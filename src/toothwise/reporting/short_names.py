"""Records with long names, told by their number in the sequence; a table says which is which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from toothwise.diagnosis.evidence import RunEvidence
from toothwise.messages import Language, Message
from toothwise.reporting.document import Block, Paragraph, Table

__all__ = ["names_table", "with_short_names"]

_LONGEST = 16  # characters of a name that a sentence bears

Data = Mapping[str, Any]


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

    def of(value: Any) -> Any:
        if isinstance(value, Message):
            return Message(value.id, of(value.values))
        if isinstance(value, Mapping):
            return {key: of(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return tuple(of(part) for part in value)
        if isinstance(value, str) and value in number:
            used[value] = number[value]
            return number[value]
        return value

    told = {key: of(part) if key in ("diagnosis", "explained_map") else part for key, part in data.items()}
    explained = tuple(replace(one, record=number.get(one.record, one.record)) for one in evidence.explained)
    short = replace(s, names=tuple(number[name] for name in s.names))
    return told, replace(evidence, explained=explained, sequence=short), used


def names_table(used: Mapping[str, str], tell: Language) -> list[Block]:
    """Which record is which, in time order; nothing where no name was replaced."""
    if not used:
        return []
    rows = tuple((number, name) for name, number in sorted(used.items(), key=lambda item: int(item[1])))
    return [
        Paragraph(tell.say("Records are told by their number in the sequence, from 1. Those named in this report:")),
        Table((tell.say("Record"), tell.say("Name in the data")), rows, frozenset({0})),
    ]

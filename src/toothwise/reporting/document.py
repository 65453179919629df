"""A report as blocks, which the HTML page and the PDF are both written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toothwise.reporting.drawing import Picture


@dataclass(frozen=True)
class Heading:
    """Of a section (level 2) or a part of one (level 3)."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Text; ``small`` for what is beside the point, ``lead`` for a word in bold before it."""

    text: str
    small: bool = False
    lead: str = ""


@dataclass(frozen=True)
class Verdict:
    """The one sentence. Tone: "red", "amber", "green" or "unknown"; ``label`` says the same in words."""

    text: str
    label: str
    tone: str
    more: str = ""


@dataclass(frozen=True)
class Pictures:
    """One picture, or several side by side where there is room."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Facts:
    """Short facts under their names."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; ``right`` lists the columns of numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


Block = Heading | Paragraph | Verdict | Pictures | Facts | Table | Bullets


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title, subtitle: at the top.
        language: its code.
        first: what must stand on the first screen and the first page.
        rest: everything else.
        made: when, as ISO 8601 text, or "".
        page: "page {page} of {pages}" in the language.
    """

    title: str
    subtitle: str
    language: str
    first: Sequence[Block]
    rest: Sequence[Block]
    made: str = ""
    page: str = "{page} / {pages}"

"""Text that can be rendered in several languages: a template that is looked up in a catalogue, and its values.

The English template is its own name (gettext's way), with named places: ``say("{gear} tooth {tooth}", ...)``. What a
diagnosis says is kept as such messages beside the English text, so that a report in another language can be written
from a saved diagnosis. Catalogues are gettext's ``.po`` files in ``locale/``, read as they are: nothing is compiled,
and they work alike from a wheel and from a checkout.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from toothwise.checks import check_choice
from toothwise.errors import InputError

LOCALE = Path(__file__).parent / "locale"
LANGUAGES = ("en", "ko")


@dataclass(frozen=True)
class Message:
    """A template and the values of its places; str() renders it in English.

    Attributes:
        id: The English template, in the syntax of ``str.format``.
        values: By place: text, numbers, other messages, or tuples of these, which are joined by commas.

    Examples:
        >>> from toothwise.messages import language, say
        >>> message = say("{gear} tooth {tooth}", gear=say("driving"), tooth=7)
        >>> str(message)
        'driving tooth 7'
        >>> language("ko").text(message)
        '구동 기어 7번 치'
    """

    id: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return language("en").text(self)


def say(template: str, **values: Any) -> Message:
    """A message. Templates are literals in the sources: a test compares them with the catalogues."""
    return Message(template, values)


def plain(number: float, digits: int = 2) -> str:
    """A number as a person writes it: rounded to so many digits, with no exponent from 0.0001 to a million.

    Examples:
        >>> [plain(v) for v in (131.2, 0.0347, 0, 3.7e-9)]
        ['130', '0.035', '0', '4e-09']
    """
    rounded = float(f"{number:.{digits}g}")
    if rounded == 0 or not 1e-4 <= abs(rounded) < 1e7:
        return f"{number:.1g}" if rounded else "0"
    return f"{rounded:.10f}".rstrip("0").rstrip(".")


def listed(items: Sequence[Any]) -> tuple[Any, ...]:
    """Items that are joined by commas."""
    return tuple(items)


def both(items: Sequence[Any]) -> Any:
    """Items with "and" between them; one or more."""
    joined = items[0]
    for item in items[1:]:
        joined = say("{one} and {other}", one=joined, other=item)
    return joined


def messages_from(data: Any) -> Any:
    """Messages out of what JSON made of them; anything else comes back as it is."""
    if isinstance(data, Mapping):
        if set(data) == {"id", "values"}:
            return Message(str(data["id"]), {str(k): messages_from(v) for k, v in data["values"].items()})
        return {key: messages_from(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return tuple(messages_from(value) for value in data)
    return data


@dataclass(frozen=True, eq=False)
class Language:
    """Renders messages in one language; what the catalogue lacks is rendered in English."""

    code: str
    catalogue: Mapping[str, str]

    def text(self, message: Any) -> str:
        """A message as text; plain text and numbers stay as they are.

        Raises:
            InputError: A message lacks a value that its template asks for, as a damaged file may.
        """
        if isinstance(message, tuple | list):
            return ", ".join(self.text(part) for part in message)
        if not isinstance(message, Message):
            return str(message)
        values = {
            name: self.text(value) if isinstance(value, Message | tuple | list) else value
            for name, value in message.values.items()
        }
        template = self.catalogue.get(message.id) or message.id
        try:
            return template.format(**values)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"the message {message.id!r} cannot be rendered: {type(error).__name__} {error}") from None

    def say(self, template: str, **values: Any) -> str:
        """A template rendered at once; it is a literal, as for ``say``."""
        return self.text(Message(template, values))

    def sentences(self, messages: Sequence[Any]) -> str:
        """Sentences one after the other, each with a capital letter at its beginning."""
        rendered = [self.text(message) for message in messages]
        return " ".join(text[:1].upper() + text[1:] for text in rendered if text)


@cache
def language(code: str) -> Language:
    """The language of a code.

    Raises:
        InputError: There is no catalogue for this language.
    """
    check_choice(LANGUAGES, language=code)
    return Language(code, {} if code == "en" else read_catalogue(LOCALE / f"{code}.po"))


_QUOTED = r'((?:"[^\n]*"\s*)+)'
_ENTRY = re.compile(rf"^msgid\s+{_QUOTED}^msgstr\s+{_QUOTED}", re.MULTILINE)


def read_catalogue(path: Path) -> dict[str, str]:
    """Translations by template, of a gettext catalogue without plural forms and contexts."""
    found = _ENTRY.findall(path.read_text(encoding="utf-8"))
    entries = ([str(ast.literal_eval(f"({quoted})")) for quoted in entry] for entry in found)
    return {template: translation for template, translation in entries if template}

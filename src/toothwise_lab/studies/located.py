"""YAML that knows where everything stands, so that an error can name the line and the nearest valid word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from toothwise.errors import InputError, did_you_mean
from toothwise.fields import converted
from toothwise.reading import check_yaml, read_text, shipped

Place = tuple[str | int, ...]


def coerce(value: Any, hint: Any) -> tuple[bool, Any]:
    """Whether a value of YAML is of a type, and the value as that type (lists become tuples, whole numbers floats)."""
    try:
        return True, converted(value, hint, "")
    except InputError:
        return False, value


class _Loader(yaml.SafeLoader):
    """Takes 1e-4 for a number, which YAML 1.1 does not."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.[0-9]+(?:[eE][-+]?[0-9]+)?)$"
    ),
    list("-+0123456789."),
)


@dataclass(frozen=True)
class Located:
    """A parsed file.

    Attributes:
        file: its name.
        data: what it holds.
        lines: line of each key and list item, from 1, by its place from the top.
    """

    file: Path
    data: dict[str, Any]
    lines: dict[Place, int]

    def line(self, place: Place) -> int:
        """Line of a place, or of the nearest one above it that is known."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def error(self, place: Place, text: str) -> InputError:
        """An error that begins with file and line."""
        return InputError(f"{self.file}, line {self.line(place)}: {text}")

    def unknown(self, place: Place, given: str, what: str, allowed: Iterable[str]) -> InputError:
        """An error about a name that is none, with the nearest one that is."""
        names = list(allowed)
        guess = did_you_mean(given, names)
        return self.error(place, f"{given!r} is no {what}{guess} (allowed: {', '.join(map(str, names))})")

    def check_keys(self, place: Place, mapping: Any, what: str, allowed: Iterable[str]) -> None:
        """Refuse keys that are not among the allowed ones.

        Raises:
            InputError: an unknown key, or something that holds no keys.
        """
        if not isinstance(mapping, dict):
            raise self.error(place, f"{_name(place)} must hold names and values, but holds {mapping!r:.60}")
        names = list(allowed)
        for key in mapping:
            if key not in names:
                raise self.unknown((*place, key), key, what, names)


def _name(place: Place) -> str:
    return ".".join(map(str, place)) or "the file"


def read_located(file: Path) -> Located:
    """Read a YAML file.

    Raises:
        InputError: it is missing, no YAML, holds no names and values, or holds one key twice in one place.
    """
    file = shipped(file)
    text = read_text(file)
    lines: dict[Place, int] = {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        check_yaml(node, file)
        if not isinstance(node, yaml.MappingNode):
            raise InputError(f"{file}: must hold names and values, such as 'title: My study'")
        _walk(node, (), lines, file)
        data = loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        raise InputError(f"{file}{where}: not YAML ({getattr(error, 'problem', None) or error})") from None
    except (ValueError, TypeError, RecursionError) as error:  # a date that is none, a name that is a list, too deep
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: not YAML ({error})") from None
    return Located(file, data, lines)


def _walk(node: yaml.Node, place: Place, lines: dict[Place, int], file: Path) -> None:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise InputError(f"{file}, line {key.start_mark.line + 1}: duplicate key {name!r}")
            seen.add(name)
            lines[(*place, name)] = key.start_mark.line + 1
            _walk(value, (*place, name), lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for k, value in enumerate(node.value):
            lines[(*place, k)] = value.start_mark.line + 1
            _walk(value, (*place, k), lines, file)

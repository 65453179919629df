"""A verb's options are the fields of its frozen dataclass ``Options``, whose docstring is the help.

Fields before ``KW_ONLY`` are the words of the command line, the others its ``--options``. The docstring gives each
field its help and, in parentheses, the placeholder of its value:

    @dataclass(frozen=True)
    class Options:
        \"""Attributes:
            maps (MAPS): Healthy maps, in time order.
            output (DIR): Folder to save the model in.
        \"""

        maps: list[str]
        _: KW_ONLY
        output: Path

argparse finds the words of each option; ``toothwise.fields`` makes values of them and of those in YAML files. A field
without a default is required.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

import yaml

from toothwise.errors import InputError, did_you_mean
from toothwise.fields import converted, described, field_types
from toothwise.reading import read_yaml, shipped

Chosen = TypeVar("Chosen")


@dataclass(frozen=True)
class Result:
    """What a verb found.

    Attributes:
        data: The result as JSON types, which ``--json`` prints.
        text: Makes the same for a person, with a line break at its end.
        code: The exit code, which is 0 unless part of the work could not be done.
    """

    data: dict[str, Any]
    text: Callable[[], str]
    code: int = 0


@dataclass(frozen=True, kw_only=True)
class Shared:
    """The options that every verb has.

    Attributes:
        json: Print the result as JSON.
        debug: Show where an error arose, and the warnings of all libraries.
    """

    json: bool = False
    debug: bool = False


class _Parser(argparse.ArgumentParser):
    """Raises what argparse would print before it ends the process."""

    def error(self, message: str) -> NoReturn:
        text = message.removeprefix("argument ").replace(": must be", " must be", 1)
        raise InputError(f"{text}; see {self.prog} --help")


def parse(verb: str, about: str, options: type[Chosen], words: Sequence[str]) -> tuple[Chosen, Shared] | None:
    """The options of a verb as its dataclass, or None where only help or the configuration was asked for.

    Args:
        verb: What was typed after ``toothwise``.
        about: The first paragraph describes the verb; the rest is shown below its options as it is.
        options: Frozen dataclass; see the head of this file.
        words: Those after the verb, in any order.

    Raises:
        InputError: Unknown, missing or unsuitable options, or a configuration file that cannot be used.
    """
    fields = {field.name: field for cls in (options, Shared) for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = {name: (field_types(options) | field_types(Shared))[name] for name in fields}  # type: ignore[arg-type]
    said = described(options) | described(Shared)  # type: ignore[arg-type]  # a class is hashable
    meanings = {name: said.get(name, (None, "")) for name in fields}
    parser = _parser(verb, about)
    for name, field in fields.items():
        _add(parser, field, hints[name], *meanings[name])
    try:
        found, unknown = parser.parse_known_intermixed_args(words)  # words may come between options
    except SystemExit:  # help was printed
        return None
    for word in unknown:
        name = word.partition("=")[0]
        for plain in (n for n, field in fields.items() if not field.kw_only and _flag(n) == name):
            parser.error(f"there is no option {name}: {meanings[plain][0] or plain} is given without a name before it")
        flags = [*(_flag(n) for n, field in fields.items() if field.kw_only), "--config", "--help", "--print-config"]
        if len(word) == 2:  # -o: no option has a short form
            flags = [flag for flag in flags if flag[2] == word[1]]
        guess = did_you_mean(("-" if len(word) == 2 else "") + name, flags)
        parser.error(f"there is no option {word}{guess}")
    typed = vars(found)
    print_config, files = typed.pop("print_config"), typed.pop("config")
    given: dict[str, Any] = {}
    for file in files:
        given |= _read_config(file, hints)
    given |= typed
    if print_config:
        sys.stdout.write(_as_yaml(fields, given))
        return None
    for name, field in fields.items():
        if name not in given and field.default is MISSING and field.default_factory is MISSING:
            parser.error(f"{_flag(name) if field.kw_only else meanings[name][0]} is required")
    given = {name: converted(value, hints[name], name) for name, value in given.items()}  # lists become tuples
    shared = Shared(**{name: given.pop(name, False) for name in ("json", "debug")})
    return options(**given), shared


def _parser(verb: str, about: str) -> _Parser:
    head, _, rest = about.strip().partition("\n\n")
    parser = _Parser(
        prog=f"toothwise {verb}",
        description=textwrap.fill(" ".join(head.split()), 110),
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    text = "YAML file of options; command-line options override it"
    parser.add_argument("--config", action="append", default=[], metavar="FILE", help=text)
    text = "print the options as YAML, as a start for such a file"
    parser.add_argument("--print-config", action="store_true", help=text)
    return parser


def _add(parser: _Parser, field: dataclasses.Field[Any], hint: Any, shown: str | None, text: str) -> None:
    """Adds the option of one field."""
    default = field.default if field.default_factory is MISSING else field.default_factory()
    if default not in (MISSING, None, False, [], {}):
        text += f" (default: {' '.join(map(str, default)) if isinstance(default, list | tuple) else default})"
    if default is MISSING and field.kw_only:
        text += " (required)"
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = kinds[0]
    how: dict[str, Any] = {"help": text.replace("%", "%%"), "default": argparse.SUPPRESS}
    if hint is bool and default is False:
        parser.add_argument(_flag(field.name), action="store_true", **how)
        return
    how["metavar"] = shown or _placeholder(hint)
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        how |= {"nargs": len(inside), "metavar": tuple(how["metavar"].split())}
    elif origin is list and field.kw_only:
        how |= {"nargs": "+", "action": "extend"}
    elif not field.kw_only:  # a word may be missing: a file may hold it
        how["nargs"] = "*" if origin is list else "?"
    how["type"] = _reader(inside[0] if origin in (list, tuple) else hint)
    parser.add_argument(_flag(field.name) if field.kw_only else field.name, **how)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _placeholder(kind: Any) -> str:
    """Placeholder of a value whose docstring names none."""
    choices = [str(choice) for choice in typing.get_args(kind)] if typing.get_origin(kind) is Literal else []
    return "|".join(choices) or {int: "N", float: "NUMBER", bool: "true|false", Path: "PATH"}.get(kind, "TEXT")


def _reader(kind: Any) -> Callable[[str], Any]:
    """What makes a value of a word."""

    def value(word: str) -> Any:
        content: Any = word
        if kind in (int, bool) or typing.get_origin(kind) is dict:
            with contextlib.suppress(yaml.YAMLError):
                content = yaml.safe_load(word)
        try:
            return converted(content, kind, "")
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error).strip()) from None

    return value


def _read_config(file: str, hints: dict[str, Any]) -> dict[str, Any]:
    """The options that a YAML file holds."""
    path = shipped(Path(file))
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold options by name, such as 'detector: scan', but holds {content!r:.60}")
    for name in content:
        if name not in hints:
            guess = did_you_mean(str(name), hints)
            raise InputError(f"{path}: unknown option {name!r:.60}{guess} (allowed: {', '.join(sorted(hints))})")
    return {name: converted(value, hints[name], f"{path}: {name}") for name, value in content.items()}


def _as_yaml(fields: dict[str, dataclasses.Field[Any]], given: dict[str, Any]) -> str:
    """All options that have a value, as a file that ``--config`` reads."""
    values = {}
    for name, field in fields.items():
        default = field.default if field.default_factory is MISSING else field.default_factory()
        value = given.get(name, default)
        if value not in (MISSING, None):
            values[name] = value
    return yaml.safe_dump(json.loads(json.dumps(values, default=str)), sort_keys=False, allow_unicode=True)


def key_values(pairs: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """``["lines=rows", "lengths=[8, 16]"]`` as a dictionary; values are JSON, else YAML.

    Args:
        pairs: Words of the form NAME=VALUE.
        option: The option that they were given to, which errors name.

    Raises:
        InputError: A word that is not NAME=VALUE.

    Examples:
        >>> key_values(["lines=rows", "lengths=[8, 16]"])
        {'lines': 'rows', 'lengths': [8, 16]}
    """
    result: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name.isidentifier():
            raise InputError(f"{option} takes NAME=VALUE, but got {pair!r}")
        try:
            result[name] = json.loads(value)  # first, because YAML takes 1e-4 for a word
        except ValueError:
            try:
                result[name] = yaml.safe_load(value)
            except yaml.YAMLError:
                raise InputError(f"{option} {name}: the value {value!r} is neither JSON nor YAML") from None
    return result

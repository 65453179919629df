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

jsonargparse reads the values, from words and from YAML files; a field without a default is required.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import textwrap
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from toothwise.errors import InputError, did_you_mean
from toothwise.fields import describe_type, described, field_types
from toothwise.reading import read_yaml, shipped

__all__ = ["Result", "Shared", "key_values", "parse"]

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


@dataclass(frozen=True)
class _Option:
    """One field of a dataclass as the command line sees it.

    Attributes:
        name: Of the field.
        flag: What is typed ("--false-alarm-rate"), or None for a word without a flag (MAPS).
        kind: Type of one value.
        nargs: None for one value, "?" for one or none, "+" for one or more, "*" for any number of words, 0 for a
            switch, or how many.
        shown: Placeholder of the value in the help.
        help: What it means.
        default: Its value where nothing is given, or ``MISSING``.
    """

    name: str
    flag: str | None
    kind: Any
    nargs: int | str | None
    shown: str
    help: str
    default: Any

    @property
    def called(self) -> str:
        """The option in a message."""
        return self.flag or self.shown


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
    known = [_option(cls, field) for cls in (options, Shared) for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    see = f"; see toothwise {verb} --help"
    files, arranged = _arranged(known, words, see)
    files = [str(shipped(Path(file))) for file in files]
    for file in files:
        _check_config(file, known)
    try:
        found = _parser(verb, about, known).parse_args([*(f"--config={file}" for file in files), *arranged])
    except SystemExit as ending:
        if ending.code:
            raise InputError(f"the options cannot be used{see}") from None
        return None
    except ArgumentError as error:
        where = f" (on the command line or in {', '.join(files)})" if files else ""
        raise InputError(f"{_plain(str(error), known)}{where}{see}") from None
    values: dict[str, Any] = {}
    for option in known:
        value = found[option.name]
        if option.nargs in ("*", "?") and value is None:  # jsonargparse gives words no default
            value = option.default
        value = value.as_dict() if isinstance(value, Namespace) else value
        values[option.name] = tuple(value) if isinstance(option.nargs, int) and isinstance(value, list) else value
    shared = Shared(**{field.name: values.pop(field.name) for field in dataclasses.fields(Shared)})
    return options(**values), shared


def _option(cls: type, field: dataclasses.Field[Any]) -> _Option:
    hint = field_types(cls)[field.name]
    kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    optional = typing.get_origin(hint) in (typing.Union, types.UnionType) and len(kinds) == 1
    plain = kinds[0] if optional else hint
    origin, inside = typing.get_origin(plain), typing.get_args(plain)
    nargs: int | str | None = None
    default = field.default if field.default_factory is MISSING else field.default_factory()
    if origin is list:
        nargs, hint = "+" if field.kw_only or default is MISSING else "*", inside[0]
    elif origin is tuple:
        nargs, hint = len(inside), inside[0]
    elif hint is bool:
        nargs = 0
    elif not field.kw_only and default is not MISSING:
        nargs = "?"
    shown, text = described(cls).get(field.name, (None, ""))
    if default not in (MISSING, None, False, [], {}):
        text += f" (default: {' '.join(map(str, default)) if isinstance(default, list | tuple) else default})"
    if default is MISSING and field.kw_only:
        text += " (required)"
    flag = "--" + field.name.replace("_", "-") if field.kw_only else None
    return _Option(field.name, flag, hint, nargs, shown or _shown(plain), text, default)


def _shown(kind: Any) -> str:
    """Placeholder of a value whose docstring names none."""
    choices = [str(choice) for choice in typing.get_args(kind)] if typing.get_origin(kind) is Literal else []
    return "|".join(choices) or {int: "N", float: "NUMBER", bool: "true|false", Path: "PATH"}.get(kind, "TEXT")


def _parser(verb: str, about: str, known: list[_Option]) -> ArgumentParser:
    head, _, rest = about.strip().partition("\n\n")
    parser = ArgumentParser(
        prog=f"toothwise {verb}",
        description=textwrap.fill(" ".join(head.split()), 110),
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,  # type: ignore[arg-type]
        exit_on_error=False,
        allow_abbrev=False,
        print_config="--print-config",
    )
    add = parser.add_argument
    add("--config", action="config", metavar="FILE", help="YAML file of options; command-line options override it")
    for option in known:
        text: dict[str, Any] = {"help": option.help.replace("%", "%%")}
        if option.nargs == 0:
            add(option.called, action="store_true", **text)
            continue
        text["metavar"] = tuple(option.shown.split()) if isinstance(option.nargs, int) else option.shown
        text |= {"nargs": option.nargs} if option.nargs is not None else {}
        if option.flag is not None:
            default = list(option.default) if isinstance(option.default, tuple) else option.default
            text |= {"required": True} if default is MISSING else {"default": default}
        add(option.flag or option.name, type=option.kind, **text)
    return parser


def _arranged(known: list[_Option], words: Sequence[str], see: str) -> tuple[list[str], list[str]]:
    """The configuration files, and all other words with options first, so that any order is understood.

    So command-line options override a file in any order, MAPS may come between options, and an option of
    several values may be repeated.
    """
    flags = {option.flag: option for option in known if option.flag}
    files: list[str] = []
    given: list[list[str]] = []
    others: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        option = flags.get(name)
        if word == "--":
            others += rest
            break
        if not word.startswith("-") or word == "-":
            others.append(word)
        elif name == "--config":
            files += [value] if equals else [rest.pop(0)] if rest else []
        elif option is None or option.nargs == 0 or (equals and option.nargs is None):
            _check_known(name, flags, see)
            takes = option is None and not equals and "." in name and rest  # --options.NAME VALUE
            given.append([word, rest.pop(0)] if takes else [word])
        else:
            values = [value] if equals else []
            most = {"+": len(rest), None: 1}.get(option.nargs, option.nargs)  # type: ignore[arg-type]
            while rest and len(values) < int(most or 0) and (not values or not rest[0].startswith("-")):
                values.append(rest.pop(0))
            same = [one for one in given if one[0] == name and option.nargs == "+"]
            if same:
                same[0] += values
            else:
                given.append([name, *values])
    return files, [*(word for one in given for word in one), *(["--", *others] if others else [])]


def _check_known(name: str, flags: dict[str, _Option], see: str) -> None:
    allowed = [*flags, "-h", "--help", "--config", "--print-config"]
    if name not in allowed and name.partition(".")[0] not in flags:
        raise InputError(f"there is no option {name}{did_you_mean(name, allowed)}{see}")


def _check_config(file: str, known: list[_Option]) -> None:
    content = read_yaml(Path(file))
    if not isinstance(content, dict):
        raise InputError(f"{file}: must hold options by name, such as 'detector: scan', but holds {content!r:.60}")
    allowed = sorted(option.name for option in known)
    unknown = sorted(str(key) for key in content if key not in allowed)
    if unknown:
        given = f"{', '.join(unknown):.300}{did_you_mean(unknown[0], allowed)}"
        raise InputError(f"{file}: options must be among {', '.join(allowed)}, but got {given}")


def _plain(text: str, known: list[_Option]) -> str:
    """A message of jsonargparse on one line, without its own words for types."""
    text = " ".join(text.split())
    missing = re.match(r"Option '(\w+)' is required", text)
    wrong = re.match(r'Parser key "(\w+)"(?: element \d+)?:.*(?:Got|Given) value: (.*)$', text)
    for option in known:
        if missing and option.name == missing[1]:
            return f"{option.called} is required"
        if wrong and option.name == wrong[1]:
            kind = describe_type(option.kind).removesuffix(" or null")
            return f"{option.called} must be {kind}, but got {wrong[2]!r:.100}"
    return text


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

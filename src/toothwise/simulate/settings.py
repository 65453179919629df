"""Typed settings from what a YAML file holds: strict, and every error says where, what came and what is allowed."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from toothwise.errors import InputError
from toothwise.gears import GearPair, PlanetaryStage
from toothwise.gears.train import make_gears

__all__ = ["from_mapping"]

T = TypeVar("T")
_WORDS = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}


def from_mapping(cls: type[T], data: Any, where: str, *, beside: Sequence[str] = ()) -> T:
    """A dataclass, and those within it, from nested mappings; what is not given keeps its default.

    Args:
        cls: the dataclass; its fields may be numbers, text, choices, tuples, gears, dataclasses, or None.
        data: mapping from field to value.
        where: the file or key that holds the mapping, for messages.
        beside: keys that the caller has taken from the same mapping, named among the allowed ones.

    Raises:
        InputError: an unknown or missing key, a value of another type, or whatever the dataclass refuses.
    """
    if not is_dataclass(cls):
        raise InputError(f"{where}: settings are made from dataclasses, but got {cls!r}")
    names = {field.name: field for field in fields(cls)}
    if not isinstance(data, dict):
        raise InputError(f"{where}: must be a mapping with {', '.join([*names, *beside])}, but got {_short(data)}")
    unknown = sorted(str(key) for key in data if key not in names)
    if unknown:
        raise InputError(f"{where}: unknown key {unknown[0]!r}; allowed are {', '.join([*names, *beside])}")
    for name, field in names.items():
        if name not in data and field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{where}: {name!r} is missing")
    hints = get_type_hints(cls)
    values = {key: _convert(value, hints[key], f"{where}: {key}") for key, value in data.items()}
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."


def _convert(value: Any, hint: Any, where: str) -> Any:
    """A value as the type says.

    Raises:
        InputError: it cannot be made one.
    """
    kind, args = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        if value is None and NoneType in args:
            return None
        rest = [arg for arg in args if arg is not NoneType]
        if set(rest) == {GearPair, PlanetaryStage}:
            return make_gears(value, where)
        return _convert(value, rest[0], where)
    if kind is Literal:
        if value not in args:
            raise InputError(f"{where} must be one of {', '.join(map(repr, args))}, but got {_short(value)}")
        return value
    if kind is tuple:
        return _items(value, args, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return from_mapping(hint, value, where)
    return _plain(value, hint, where)


def _items(value: Any, args: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise InputError(f"{where} must be a list, but got {_short(value)}")
    if len(args) == 2 and args[1] is Ellipsis:
        args = (args[0],) * len(value)
    if len(value) != len(args):
        raise InputError(f"{where} must be a list of {len(args)}, but got {_short(value)}")
    return tuple(_convert(item, arg, f"{where}[{k}]") for k, (item, arg) in enumerate(zip(value, args, strict=True)))


def _plain(value: Any, hint: Any, where: str) -> Any:
    if hint is float and isinstance(value, str):  # YAML takes 1e4 for a word
        with contextlib.suppress(ValueError):
            value = float(value)
    right = {
        float: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
        int: isinstance(value, int) and not isinstance(value, bool),
        str: isinstance(value, str),
        bool: isinstance(value, bool),
    }
    if not right.get(hint, False):
        raise InputError(f"{where} must be {_WORDS.get(hint, hint)}, but got {_short(value)}")
    return hint(value)

"""Values from YAML and JSON against the types of a dataclass's fields."""

from __future__ import annotations

import types
import typing
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from toothwise.errors import InputError

__all__ = ["coerce", "describe_type", "described", "field_types", "from_mapping"]


def field_types(cls: type) -> dict[str, Any]:
    """Types of a dataclass's fields by name."""
    return typing.get_type_hints(cls)


def described(cls: type) -> dict[str, tuple[str | None, str]]:
    """What the docstrings of a class and of those that it extends say of each argument: placeholder and meaning."""
    import docstring_parser

    found: dict[str, tuple[str | None, str]] = {}
    for base in reversed(cls.__mro__[:-1]):
        for entry in docstring_parser.parse(base.__doc__ or "", docstring_parser.DocstringStyle.GOOGLE).params:
            meaning = entry.type_name, " ".join((entry.description or "").split())
            found |= dict.fromkeys(entry.arg_name.split(", "), meaning)
    return found


def coerce(value: Any, hint: Any) -> tuple[bool, Any]:
    """Whether a value of YAML is of a type, and the value as that type (lists become tuples, whole numbers floats)."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True, value
    if origin in (typing.Union, types.UnionType):
        for option in inside:
            good, found = coerce(value, option)
            if good:
                return True, found
        return False, value
    if hint is type(None):
        return value is None, value
    if origin is typing.Literal:
        return value in inside, value
    if origin is tuple:
        return _fitted_tuple(value, inside)
    if origin is dict:
        return isinstance(value, dict), value
    if hint is float:
        good = isinstance(value, Real) and not isinstance(value, bool)
        return good, float(value) if good else value
    if hint is int:
        good = isinstance(value, Integral) and not isinstance(value, bool)
        return good, int(value) if good else value
    return isinstance(value, hint), value


def _fitted_tuple(value: Any, inside: tuple[Any, ...]) -> tuple[bool, Any]:
    if not isinstance(value, list | tuple):
        return False, value
    kinds = [inside[0]] * len(value) if len(inside) == 2 and inside[1] is Ellipsis else list(inside)
    if len(kinds) != len(value):
        return False, value
    parts = [coerce(item, kind) for item, kind in zip(value, kinds, strict=True)]
    return all(good for good, _ in parts), tuple(item for _, item in parts)


Made = TypeVar("Made")


def from_mapping(cls: type[Made], data: Any, where: str = "") -> Made:
    """A dataclass from a mapping of its fields; messages begin with ``where``, if anything is given.

    Raises:
        InputError: no mapping, an unknown field, a missing one, or a value of another type.
    """
    types_of, where = field_types(cls), where and f"{where}: "
    if not isinstance(data, dict):
        raise InputError(f"{where}{cls.__name__} must have {', '.join(types_of)}, but is {data!r:.100}")
    if unknown := [name for name in data if name not in types_of]:
        raise InputError(f"{where}{cls.__name__} has no {unknown[0]!r:.60}; allowed are {', '.join(types_of)}")
    values = {}
    for name, value in data.items():
        good, values[name] = coerce(value, types_of[name])
        if not good:
            raise InputError(f"{where}{name} must be {describe_type(types_of[name])}, but is {value!r:.60}")
    try:
        return cls(**values)
    except TypeError as error:
        raise InputError(f"{where}{cls.__name__}: {error}") from None


def describe_type(hint: Any) -> str:
    """A type in plain words."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe_type(option) for option in inside)
    if origin is typing.Literal:
        return f"{'one of ' if len(inside) > 1 else ''}{', '.join(map(str, inside))}"
    if origin is tuple:
        many = len(inside) == 2 and inside[1] is Ellipsis
        names = [describe_type(option).removeprefix("a ") for option in inside]
        return f"a list of {names[0]}s" if many else f"[{', '.join(names)}]"
    plain = {int: "a whole number", float: "a number", str: "text", bool: "true/false", Path: "a path"}
    plain[type(None)] = "null"
    return plain.get(hint, "names and values" if origin is dict else str(hint))

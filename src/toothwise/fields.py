"""Values from YAML and JSON against the types of a dataclass's fields."""

from __future__ import annotations

import contextlib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from toothwise.errors import InputError, did_you_mean
from toothwise.files import finite

if TYPE_CHECKING:
    import numpy as np


@cache
def field_types(cls: type) -> dict[str, Any]:
    """Types of a dataclass's fields by name."""
    return typing.get_type_hints(cls)


@cache
def described(cls: type) -> dict[str, tuple[str | None, str]]:
    """What the docstrings of a class and of those that it extends say of each argument: placeholder and meaning."""
    import docstring_parser

    found: dict[str, tuple[str | None, str]] = {}
    for base in reversed(cls.__mro__[:-1]):
        for entry in docstring_parser.parse(base.__doc__ or "", docstring_parser.DocstringStyle.GOOGLE).params:
            meaning = entry.type_name, " ".join((entry.description or "").split())
            found |= dict.fromkeys(entry.arg_name.split(", "), meaning)
    return found


def converted(value: Any, hint: Any, place: str) -> Any:
    """A value as a type asks for it; ``place`` names it in messages.

    Raises:
        InputError: It cannot be of this type.
    """
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        options = [option for option in inside if option is not types.NoneType]
        if value is None and len(options) < len(inside):
            return None
        if len(options) == 1:
            return converted(value, options[0], place)
        for option in options:
            with contextlib.suppress(InputError):
                return converted(value, option, place)
    elif origin in (list, tuple) and isinstance(value, list | tuple):
        if inside[1:] == (Ellipsis,) and {type(item) for item in value} == {inside[0]}:
            return tuple(value)  # many numbers, quickly
        kinds = inside[:1] * len(value) if origin is list or inside[1:] == (Ellipsis,) else inside
        if len(kinds) == len(value):
            items = zip(value, kinds, strict=True)
            return origin(converted(item, kind, f"{place}[{k}]") for k, (item, kind) in enumerate(items))
    elif origin in (dict, Mapping) and isinstance(value, dict):
        key_type = int if inside[0] is int else str
        return {key_type(key): converted(item, inside[1], f"{place}[{key}]") for key, item in value.items()}
    elif hasattr(hint, "_fields") and isinstance(value, list) and len(value) == len(hint._fields):  # a named tuple
        named = zip(value, field_types(hint).values(), strict=True)
        return hint(*(converted(item, kind, place) for item, kind in named))
    elif getattr(hint, "__name__", "") == "ndarray" and isinstance(value, list):
        return _array(value, place)
    elif is_dataclass(hint) and isinstance(value, dict):
        return from_mapping(hint, value, place)  # type: ignore[arg-type]
    elif hint is Path and isinstance(value, str):
        return Path(value)
    elif hint is float and _is_number(value):
        return float(value)
    elif hint is int and isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    elif (origin is typing.Literal and value in inside) or (
        isinstance(hint, type) and hint not in (int, float) and isinstance(value, hint)
    ):
        return value
    raise InputError(f"{place} must be {describe_type(hint)}, but got {value!r:.60}")


def _array(value: list[Any], place: str) -> np.ndarray:
    """Numbers out of JSON, where None stands for NaN."""
    import numpy as np

    with contextlib.suppress(ValueError, TypeError, OverflowError):
        made = np.array(value)
        return made if made.dtype.kind in "if" else made.astype(np.float64)
    raise InputError(f"{place} must be numbers, but got {value!r:.60}")


def packed(made: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """A dataclass as JSON types and, by name, the arrays that it holds anywhere; ``unpacked`` puts them together again.

    Examples:
        >>> import numpy as np
        >>> packed({"level": 2.0, "lines": {1: np.zeros(3)}})
        ({'level': 2.0, 'lines': {'1': {'array': '.lines.1'}}}, {'.lines.1': array([0., 0., 0.])})
    """
    arrays: dict[str, np.ndarray] = {}

    def walk(value: Any, name: str) -> Any:
        if hasattr(value, "dtype") and value.shape:
            arrays[name] = value
            return {"array": name}
        if is_dataclass(value):
            value = {field.name: getattr(value, field.name) for field in fields(value)}
        if isinstance(value, Mapping):
            return {str(key): walk(item, f"{name}.{key}") for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [walk(item, f"{name}.{k}") for k, item in enumerate(value)]
        return finite(value)

    return walk(made, ""), arrays


def unpacked(data: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The mappings of ``packed`` with their arrays, for ``from_mapping``."""
    if isinstance(data, dict):
        if set(data) == {"array"}:
            return arrays[data["array"]]
        return {key: unpacked(item, arrays) for key, item in data.items()}
    return [unpacked(item, arrays) for item in data] if isinstance(data, list) else data


def _is_number(value: Any) -> bool:
    """Whether a value stands for a number, which may be infinite but not NaN; YAML takes 1e4 for a word."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return math.isfinite(float(value))
        return False
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)


Made = TypeVar("Made")


def from_mapping(cls: type[Made], data: Any, where: str = "") -> Made:
    """A dataclass, and those within it, from nested mappings; what is not given keeps its default.

    Args:
        cls: The dataclass; its fields may be numbers, text, choices, tuples, dataclasses, or None.
        data: Mapping from field to value.
        where: The file or key that holds the mapping; messages begin with it.

    Raises:
        InputError: An unknown or missing field, a value of another type, or whatever the dataclass refuses.
    """
    types_of, here = field_types(cls), f"{where}: " if where else ""  # type: ignore[arg-type]  # a class is hashable
    who = where or cls.__name__
    if not isinstance(data, dict):
        raise InputError(f"{who} must be {describe_type(cls)}, but got {data!r:.60}")
    for name in data:
        if name not in types_of:
            guess = did_you_mean(name, types_of)
            raise InputError(f"{who}: unknown option {name!r:.60}{guess} (allowed: {', '.join(types_of)})")
    values = {name: converted(value, types_of[name], f"{here}{name}") for name, value in data.items()}
    for field in fields(cls):  # type: ignore[arg-type]
        if field.name not in data and field.init and field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{who}: {field.name!r} is missing")
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{here}{error}") from None


def describe_type(hint: Any) -> str:
    """A type in plain words."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if is_dataclass(hint):
        return f"a mapping with {', '.join(field_types(hint))}"  # type: ignore[arg-type]
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe_type(option) for option in inside)
    if origin is typing.Literal:
        return f"{'one of ' if len(inside) > 1 else ''}{', '.join(map(str, inside))}"
    if origin in (list, tuple):
        many = origin is list or (len(inside) == 2 and inside[1] is Ellipsis)
        names = [describe_type(option).removeprefix("a ") for option in inside]
        return f"a list of {names[0]}s" if many else f"[{', '.join(names)}]"
    plain = {int: "a whole number", float: "a number", str: "text", bool: "true/false", Path: "a path"}
    plain[type(None)] = "null"
    return plain.get(hint, "names and values" if origin in (dict, Mapping) else str(hint))

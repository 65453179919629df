"""What a file of any format holds, before anyone has said what is vibration and what is tachometer."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from toothwise.errors import MissingDependencyError

__all__ = ["Raw", "add", "needed"]

_WIDEST = 64  # columns of a matrix that may be channels


@dataclass
class Raw:
    """Arrays and numbers of a file, by name.

    Attributes:
        arrays: one-dimensional real arrays, memory maps where the format allows.
        scalars: single numbers and texts.
        rates: sampling rates that the format itself gives, by array (hertz).
        units: by array.
        start_time: ISO 8601.
    """

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    scalars: dict[str, Any] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    start_time: str | None = None


def add(raw: Raw, name: str, value: Any) -> None:
    """File a value: scalars, vectors, and matrices with few columns as one array per column; the rest is left out."""
    if isinstance(value, str | int | float | bool):
        raw.scalars[name] = value
        return
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.dtype.kind in "US" and array.size == 1:
        raw.scalars[name] = str(array.reshape(-1)[0])
        return
    if array.dtype.kind not in "fiu":
        return
    if array.size == 1:
        raw.scalars[name] = array.reshape(-1)[0].item()
        return
    if array.ndim == 2 and 1 in array.shape:
        raw.arrays[name] = array.reshape(-1)
    elif array.ndim == 1 and array.size:
        raw.arrays[name] = array
    elif array.ndim == 2 and min(array.shape) <= _WIDEST:
        columns = array if array.shape[1] <= array.shape[0] else array.T
        for k in range(columns.shape[1]):
            raw.arrays[f"{name}_{k}"] = columns[:, k]


def needed(module: str, extra: str, what: str) -> ModuleType:
    """An optional package.

    Raises:
        MissingDependencyError: it is not installed; the message names the extra that brings it.
    """
    try:
        return import_module(module)
    except ImportError:
        raise MissingDependencyError(
            f"{what} needs the package {module.partition('.')[0]}: install it with pip install 'toothwise[{extra}]'"
        ) from None

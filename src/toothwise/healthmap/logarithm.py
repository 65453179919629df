"""Logarithms of maps, which need positive values: in the log domain damage adds what it multiplies."""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError


def check_positive(values: np.ndarray, who: str, hint: str = "") -> None:
    """Refuse maps with values of 0 or less.

    Args:
        values: Maps of any shape, NaN where no pair meshes.
        who: What needs positive maps; the message begins with it.
        hint: What to do instead.

    Raises:
        InputError: A value is not positive.
    """
    smallest = np.nanmin(values)
    if smallest <= 0:
        raise InputError(f"{who} needs positive maps, but the smallest value is {smallest:.4g}{hint and f': {hint}'}")


def log_positive(values: np.ndarray, who: str, hint: str = "") -> np.ndarray:
    """Natural logarithms of positive maps; the arguments are those of ``check_positive``.

    Examples:
        >>> log_positive(np.array([[1.0, np.nan]]), "the scan")
        array([[ 0., nan]])
    """
    check_positive(values, who, hint)
    return np.log(values)

"""What may go wrong with a map between the gearbox and the detector, to a stated degree.

Values are positive (a health value is an RMS), so noise and gain act on their logarithm. Missing rows are NaN: a row
that was not measured is never filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from toothwise.checks import check_choice
from toothwise.errors import InputError

_IMPULSE = (3.0, 6.0)  # factor on the pixels that an impulse hits
_ORDER: dict[str, Literal[0, 1, 3]] = {"nearest": 0, "bilinear": 1, "bicubic": 3}
RESIZE_METHODS = (*_ORDER, "area")


@dataclass(frozen=True)
class Corruption:
    """One kind of corruption.

    Attributes:
        about: in words, with the meaning of its strength.
        apply: (values ``[n, rows, columns]``, strength, generator) -> values of that shape.
        moves: pixels leave their place, so that masks must move with them and a tooth's number is lost.
        largest: largest strength that has a meaning.
    """

    about: str
    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    moves: bool = False
    largest: float = float("inf")


def corrupt(
    values: np.ndarray, kind: str, strength: float, *, seed: int, masks: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Corrupted copies of maps, and their masks where pixels move.

    Args:
        values: ``[n, rows, columns]``, positive, NaN where no pair meshes.
        kind: one of ``CORRUPTIONS``.
        strength: 0 = nothing changes; otherwise as the kind says.
        seed: of what is drawn; each map draws its own.
        masks: bool ``[n, rows, columns]`` that move as the maps do.

    Returns:
        float32 of the same shape, and the masks.

    Raises:
        InputError: an unknown kind, or a strength out of range.
    """
    check_choice(CORRUPTIONS, corruption=kind)
    how = CORRUPTIONS[kind]
    if not 0 <= strength <= how.largest:
        raise InputError(f"strength of {kind} must be in 0..{how.largest:g}, but got {strength!r}")
    if values.ndim != 3:
        raise InputError(f"maps must be [n, rows, columns], but the shape is {values.shape}")
    if strength == 0:
        return values.astype(np.float32), masks
    changed = how.apply(values.astype(np.float64), strength, np.random.default_rng(seed)).astype(np.float32)
    if masks is not None and how.moves:  # the same draws move them alike
        masks = how.apply(masks.astype(np.float64), strength, np.random.default_rng(seed)) > 0.5
    return changed, masks


def _gaussian(values: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return values * np.exp(strength * rng.standard_normal(values.shape))


def _impulsive(values: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    hit = rng.random(values.shape) < strength
    return values * np.where(hit, rng.uniform(*_IMPULSE, size=values.shape), 1.0)


def _gain_drift(values: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    ends = rng.uniform(-1.0, 1.0, (len(values), 2, 1)) * np.log1p(strength)
    along = np.linspace(0.0, 1.0, values.shape[2])
    return values * np.exp(ends[:, 0] * (1.0 - along) + ends[:, 1] * along)[:, None, :]


def _missing_rows(values: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    rows = values.shape[1]
    count = min(max(round(strength * rows), 1), rows - 1)
    lost = rng.random((len(values), rows)).argsort(axis=1) < count
    return np.where(lost[:, :, None], np.nan, values)


def _rotation(values: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import rotate

    signs = rng.choice([-1.0, 1.0], len(values))
    # maps go round: what leaves on one side comes in on the other
    turned = [
        rotate(one, sign * strength, reshape=False, order=1, mode="grid-wrap")
        for one, sign in zip(values, signs, strict=True)
    ]
    return np.stack(turned)


def _cyclic_shift(values: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    most = np.maximum(np.array(values.shape[1:]) * strength, 1.0)
    shifts = np.ceil(rng.random((len(values), 2)) * most).astype(int)
    return np.stack([np.roll(one, tuple(shift), axis=(0, 1)) for one, shift in zip(values, shifts, strict=True)])


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian": Corruption("noise on the log map; strength = its standard deviation", _gaussian),
    "impulsive": Corruption("pixels 3 to 6 times too large; strength = their share", _impulsive, largest=1.0),
    "gain_drift": Corruption(
        "gain that goes evenly from one value to another along the columns; strength s = both in 1/(1+s)..1+s",
        _gain_drift,
    ),
    "missing_rows": Corruption("rows that were not measured (NaN); strength = their share", _missing_rows, largest=0.9),
    "rotation": Corruption("turned either way; strength = degrees", _rotation, moves=True, largest=180.0),
    "cyclic_shift": Corruption(
        "tooth zero unknown; strength = largest shift as a share of rows and of columns",
        _cyclic_shift,
        moves=True,
        largest=1.0,
    ),
}


def resize_maps(values: np.ndarray, shape: tuple[int, int], method: str = "area") -> np.ndarray:
    """Maps on another grid.

    Args:
        values: ``[n, rows, columns]``.
        shape: new rows and columns.
        method: "nearest", "bilinear", "bicubic" (samples at the new pixels' centres), or "area" (mean of what a new
            pixel covers, exact for any ratio).

    Returns:
        float32 ``[n, *shape]``; a new pixel that touches NaN is NaN with every method but "nearest".

    Raises:
        InputError: an unknown method, or a shape that is not two positive numbers.
    """
    check_choice(RESIZE_METHODS, resize_method=method)
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(f"shape must be (rows, columns), 1 or more each, but got {shape!r}")
    if values.shape[1:] == tuple(shape):
        return values.astype(np.float32)
    if method == "area":
        rows, columns = (_coverage(old, new) for old, new in zip(values.shape[1:], shape, strict=True))
        return np.einsum("ar,nrc,bc->nab", rows, values.astype(np.float64), columns, optimize=True).astype(np.float32)
    from scipy.ndimage import map_coordinates

    at = [(np.arange(new) + 0.5) * old / new - 0.5 for old, new in zip(values.shape[1:], shape, strict=True)]
    grid = np.stack(np.meshgrid(*at, indexing="ij"))
    order = _ORDER[method]
    out = np.empty((len(values), *shape), dtype=np.float32)
    for k, one in enumerate(values):
        out[k] = map_coordinates(one.astype(np.float64), grid, order=order, mode="nearest")
    return out


def _coverage(old: int, new: int) -> np.ndarray:
    """Share that each old pixel has in each new one, ``[new, old]``, rows of sum 1."""
    edges = np.arange(new + 1) * old / new
    low, high = edges[:-1, None], edges[1:, None]
    cells = np.arange(old)[None]
    overlap = np.clip(np.minimum(high, cells + 1) - np.maximum(low, cells), 0.0, None)
    return overlap / overlap.sum(axis=1, keepdims=True)

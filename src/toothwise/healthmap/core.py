"""HealthMap: one map of tooth health with everything that says what it is; HealthMapBatch: many of one kind."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from toothwise.errors import GearWarning, InputError
from toothwise.gears import GearPair, PlanetaryStage

__all__ = ["Axis", "HealthMap", "HealthMapBatch", "gear_as_json", "gear_from_json"]

Gears = GearPair | PlanetaryStage
_GEARS: dict[str, type[GearPair] | type[PlanetaryStage]] = {"GearPair": GearPair, "PlanetaryStage": PlanetaryStage}


def gear_as_json(gear: Gears) -> dict[str, Any]:
    """Gears as JSON types."""
    return {"type": type(gear).__name__} | asdict(gear)


def gear_from_json(data: dict[str, Any]) -> Gears:
    """The inverse of ``gear_as_json``.

    Raises:
        KeyError, TypeError: not what it writes.
        InputError: gears that cannot be.
    """
    options = dict(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GearWarning)  # told when the gears were first named
        return _GEARS[options.pop("type")](**options)


@dataclass(frozen=True)
class Axis:
    """What one side of a map counts: ``name`` ("driving tooth", "planet tooth", "record") and a label per line.

    Labels are tooth numbers (int), record names or times (str).
    """

    name: str
    labels: tuple[int | str, ...]

    @classmethod
    def teeth(cls, name: str, number: int) -> Axis:
        """Teeth counted from 0."""
        return cls(name, tuple(range(number)))

    def __len__(self) -> int:
        return len(self.labels)


def _check_values(values: np.ndarray, ndim: int, what: str) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.kind not in "fiu":
        raise InputError(f"{what} must be numbers, but the array is of type {values.dtype}")
    if values.ndim != ndim or 0 in values.shape:
        raise InputError(f"{what} must have {ndim} non-empty dimensions, but the shape is {values.shape}")
    values = values.astype(np.float32)  # a copy: a frozen map must not change with the caller's array
    if np.isinf(values).any():
        raise InputError(f"{what} must be finite or NaN (NaN = pair never meshes), but infinities were found")
    if np.isnan(values).all():
        raise InputError(f"{what} holds NaN only: no tooth pair was measured")
    values.flags.writeable = False
    return values


@dataclass(frozen=True, eq=False)
class HealthMap:
    """A map of gear health, row = driving (or planet) tooth, column = driven tooth or record.

    Attributes:
        values: float32 ``[rows, columns]``; NaN where no pair meshes, never interpolated.
        rows: axis of the rows, one label per row.
        columns: axis of the columns, one label per column.
        count: int32 ``[rows, columns]``, measurements behind each pixel, or None if unknown.
        variance: float32 ``[rows, columns]``, variance of the pixel's measurements, NaN where there are none, or None
            if unknown.
        quantity: what a value is ("rms of residual", "deviation from healthy", ...).
        unit: unit of a value ("g", "1").
        gear: the gears, or None if unknown.
        condition: recording condition (load, speed, temperature, session), free keys.
        provenance: record, channel, software version and every processing parameter. JSON types only.

    Raises:
        InputError: wrong shape, infinite values, all NaN, or an axis that does not fit.
    """

    values: np.ndarray
    rows: Axis
    columns: Axis
    count: np.ndarray | None = None
    quantity: str = "unknown"
    unit: str = "1"
    gear: Gears | None = None
    condition: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    variance: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _check_values(self.values, 2, "values of a map"))
        _check_axes(self.values.shape, self.rows, self.columns)
        if self.count is not None:
            count = np.array(self.count, dtype=np.int32)
            if count.shape != self.values.shape:
                raise InputError(f"count must have the shape of values {self.values.shape}, but has {count.shape}")
            count.flags.writeable = False
            object.__setattr__(self, "count", count)
        if self.variance is not None:
            variance = np.array(self.variance, dtype=np.float32)
            if variance.shape != self.values.shape:
                raise InputError(
                    f"variance must have the shape of values {self.values.shape}, but has {variance.shape}"
                )
            variance.flags.writeable = False
            object.__setattr__(self, "variance", variance)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.values.shape


def _check_axes(shape: tuple[int, ...], rows: Axis, columns: Axis) -> None:
    for axis, size, name in ((rows, shape[-2], "rows"), (columns, shape[-1], "columns")):
        if len(axis) != size:
            raise InputError(f"{name} axis has {len(axis)} labels, but the map has {size} {name}")


@dataclass(frozen=True, eq=False)
class HealthMapBatch(Sequence[HealthMap]):
    """Many maps of one shape and kind: one array and one table.

    Attributes:
        values: float32 ``[n, rows, columns]``.
        table: one row per map, in order; columns such as ``file``, ``label``, ``condition``, ``gear``, ``tooth``.
        rows, columns, quantity, unit, gear, provenance: as in HealthMap, common to all maps.
    """

    values: np.ndarray
    rows: Axis
    columns: Axis
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    quantity: str = "unknown"
    unit: str = "1"
    gear: Gears | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _check_values(self.values, 3, "values of a batch of maps"))
        _check_axes(self.values.shape, self.rows, self.columns)
        table = self.table if len(self.table.columns) else pd.DataFrame(index=range(len(self.values)))
        if len(table) != len(self.values):
            raise InputError(f"table must have one row per map: {len(self.values)} maps, {len(table)} rows")
        object.__setattr__(self, "table", table.reset_index(drop=True))

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        """The map at an index, or the batch of a slice, mask or list of indices."""
        if isinstance(index, int | np.integer):
            row = self.table.iloc[int(index)].to_dict()
            return HealthMap(
                self.values[index],
                self.rows,
                self.columns,
                None,
                self.quantity,
                self.unit,
                self.gear,
                {str(k): v for k, v in row.items() if not (pd.api.types.is_scalar(v) and pd.isna(v))},
                self.provenance,
            )
        picked = np.arange(len(self))[index]
        return HealthMapBatch(
            self.values[picked],
            self.rows,
            self.columns,
            self.table.iloc[picked],
            self.quantity,
            self.unit,
            self.gear,
            self.provenance,
        )

    def __iter__(self) -> Iterator[HealthMap]:
        return (self[i] for i in range(len(self)))

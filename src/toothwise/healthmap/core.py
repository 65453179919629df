"""HealthMap: one map of tooth health with everything that says what it is; HealthMapBatch: many of one kind."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from toothwise.errors import GearWarning, InputError
from toothwise.gears import GearPair, PlanetaryStage

Gears = GearPair | PlanetaryStage
_KIND = ("rows", "columns", "quantity", "unit", "gear")  # what all maps of one batch share
# of files without a description, which are read as driving and driven teeth, whatever they are
_UNSAID = {None, "unknown", "driving tooth", "driven tooth"}
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
        waveforms: float32 ``[rows, columns, samples]``, the averaged waveform of each mesh, NaN where no pair meshes,
            or None if they were not kept.
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
    waveforms: np.ndarray | None = None

    def __post_init__(self) -> None:
        _settle(self, 2, "values of a map", count=np.int32, variance=np.float32, waveforms=np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.values.shape


def _beside(values: np.ndarray, name: str, given: np.ndarray, kind: type[np.generic]) -> np.ndarray:
    """An array that belongs to the pixels of ``values``; waveforms have one more axis."""
    array = np.array(given, dtype=kind)  # a copy, as of the values
    if array.shape[: values.ndim] != values.shape or array.ndim != values.ndim + (name == "waveforms"):
        more = " and a last axis of samples" if name == "waveforms" else ""
        raise InputError(f"{name} must have the shape of values {values.shape}{more}, but has {array.shape}")
    array.flags.writeable = False
    return array


def _settle(made: HealthMap | HealthMapBatch, ndim: int, what: str, **beside: type[np.generic]) -> None:
    """Check the values, axes and arrays beside them of a map or a batch, which keeps copies of its own."""
    values = _check_values(made.values, ndim, what)
    object.__setattr__(made, "values", values)
    for axis, size, name in zip((made.rows, made.columns), values.shape[-2:], ("rows", "columns"), strict=True):
        if len(axis) != size:
            raise InputError(f"{name} axis has {len(axis)} labels, but the map has {size} {name}")
    for name, kind in beside.items():
        if getattr(made, name) is not None:
            object.__setattr__(made, name, _beside(values, name, getattr(made, name), kind))


@dataclass(frozen=True, eq=False)
class HealthMapBatch(Sequence[HealthMap]):
    """Many maps of one shape and kind: one array and one table.

    Attributes:
        values: float32 ``[n, rows, columns]``.
        table: one row per map, in order; columns such as ``file``, ``label``, ``condition``, ``gear``, ``tooth``.
        rows, columns, quantity, unit, gear, provenance: as in HealthMap, common to all maps.
        waveforms: float32 ``[n, rows, columns, samples]``, or None.

    Examples:
        >>> import numpy as np
        >>> from toothwise.healthmap import Axis, HealthMapBatch
        >>> maps = HealthMapBatch(np.ones((5, 9, 14)), Axis.teeth("driving tooth", 9), Axis.teeth("driven tooth", 14))
        >>> maps[0].shape, len(maps[1:3])
        ((9, 14), 2)
    """

    values: np.ndarray
    rows: Axis
    columns: Axis
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    quantity: str = "unknown"
    unit: str = "1"
    gear: Gears | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    waveforms: np.ndarray | None = None

    def __post_init__(self) -> None:
        _settle(self, 3, "values of a batch of maps", waveforms=np.float32)
        table = self.table if len(self.table.columns) else pd.DataFrame(index=range(len(self.values)))
        if len(table) != len(self.values):
            raise InputError(f"table must have one row per map: {len(self.values)} maps, {len(table)} rows")
        object.__setattr__(self, "table", table.reset_index(drop=True))

    @classmethod
    def of(cls, parts: Sequence[tuple[str, HealthMap | HealthMapBatch]], table: pd.DataFrame) -> HealthMapBatch:
        """One batch of maps and batches of one kind.

        Args:
            parts: Each with its name for messages. Waveforms are kept where all have them.
            table: One row per map.

        Raises:
            InputError: No part, or one whose shape, quantity, unit, gears or axes differ from those before it; what a
                file does not say is taken to be alike.
        """
        if not parts:
            raise InputError("expected one map or more, but got none")
        _, first = parts[0]
        for name, part in parts:
            here, before = part.values.shape[-2:], first.values.shape[-2:]
            if here != before:
                raise InputError(
                    f"{name}: maps must be {before[0]} x {before[1]} (rows x columns) like those before it, but are "
                    f"{here[0]} x {here[1]}"
                )
            for what in _KIND:
                given, expected = getattr(part, what), getattr(first, what)
                if isinstance(given, Axis):
                    given, expected = given.name, expected.name
                if what == "unit" and ("unknown", "1") in ((part.quantity, given), (first.quantity, expected)):
                    continue  # the unit of a file without a description
                if given != expected and not {given, expected} & _UNSAID:
                    raise InputError(
                        f"{name}: the {what} of this map differ from those before it ({given!r}, but {expected!r})"
                    )
        kept = [part.waveforms for _, part in parts]
        shapes = {None if one is None else one.shape[-1] for one in kept}
        waveforms = None
        if None not in shapes and len(shapes) == 1:
            waveforms = np.concatenate([one if one.ndim == 4 else one[None] for one in kept if one is not None])
        values = np.concatenate([part.values.reshape(-1, *first.values.shape[-2:]) for _, part in parts])
        kind = {what: getattr(first, what) for what in _KIND}
        return cls(values, table=table, provenance=first.provenance, waveforms=waveforms, **kind)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        """The map at an index, or the batch of a slice, mask or list of indices."""
        if isinstance(index, int | np.integer):
            row = self.table.iloc[int(index)].to_dict()
            condition = {str(k): v for k, v in row.items() if not (pd.api.types.is_scalar(v) and pd.isna(v))}
            waveforms = None if self.waveforms is None else self.waveforms[index]
            kind = {what: getattr(self, what) for what in _KIND}
            return HealthMap(
                self.values[index], condition=condition, provenance=self.provenance, waveforms=waveforms, **kind
            )
        picked = np.arange(len(self))[index]
        waveforms = None if self.waveforms is None else self.waveforms[picked]
        return replace(self, values=self.values[picked], table=self.table.iloc[picked], waveforms=waveforms)

    def __iter__(self) -> Iterator[HealthMap]:
        return (self[i] for i in range(len(self)))

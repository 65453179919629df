"""What the maps of a model are, and whether others are of the same kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from toothwise.errors import InputError
from toothwise.files import finite
from toothwise.healthmap.core import Axis, Gears, HealthMap, HealthMapBatch, gear_as_json, gear_from_json

_ANY = ("driving tooth", "driven tooth")  # what files without a description are read as, whatever they are


@dataclass(frozen=True)
class MapsAbout:
    """What the maps of a model are.

    Attributes:
        rows, columns: Their axes.
        quantity: What a value is; "unknown" = the maps did not say it.
        unit: Of a value.
        gear: The gears, or None if unknown.
    """

    rows: Axis
    columns: Axis
    quantity: str = "unknown"
    unit: str = "1"
    gear: Gears | None = None

    @classmethod
    def of(cls, maps: HealthMap | HealthMapBatch) -> MapsAbout:
        """What maps say of themselves."""
        return cls(maps.rows, maps.columns, maps.quantity, maps.unit, maps.gear)

    @classmethod
    def of_shape(cls, shape: tuple[int, int]) -> MapsAbout:
        """Of maps that say nothing of themselves."""
        return cls(Axis.teeth(_ANY[0], shape[0]), Axis.teeth(_ANY[1], shape[1]))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.columns)

    @property
    def by_record(self) -> bool:
        """Whether the columns are records, the newest last, not teeth."""
        return self.columns.name.startswith("record") or self.columns.name.endswith("revolution")

    def check(self, other: MapsAbout, *, what: str = "the maps", known: str = "the model was fitted on") -> None:
        """Refuse maps of another kind. What either of the two does not say is not compared.

        Args:
            other: What the maps are.
            what: The maps in the message, such as their file.
            known: What is said of those that they are compared with.

        Raises:
            InputError: Another shape, gear, quantity, unit or axis; one line that names both.
        """
        pairs = [("gear", other.gear, self.gear)]
        if "unknown" not in (other.quantity, self.quantity):
            pairs += [("quantity", other.quantity, self.quantity), ("unit", other.unit, self.unit)]  # type: ignore[list-item]
        for here, there in ((other.rows.name, self.rows.name), (other.columns.name, self.columns.name)):
            if here not in _ANY and there not in _ANY:
                pairs.append(("axis", here, there))  # type: ignore[arg-type]
        for name, given, expected in pairs:
            if given is not None and expected is not None and given != expected:
                raise InputError(f"{what}: the {name} is {given}, but {known} {expected}")
        if other.shape != self.shape:
            (rows, columns), (n, m) = self.shape, other.shape
            raise InputError(f"{what}: maps must be {rows} x {columns} (rows x columns), as {known}, but are {n} x {m}")

    def as_json(self) -> dict[str, Any]:
        """As JSON types."""
        return finite(self) | {"gear": None if self.gear is None else gear_as_json(self.gear)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> MapsAbout:
        """The inverse of ``as_json``.

        Raises:
            KeyError, TypeError, InputError: Not what it writes.
        """
        rows, columns = (_axis_from_json(data[name]) for name in ("rows", "columns"))
        gear = None if data.get("gear") is None else gear_from_json(data["gear"])
        return cls(rows, columns, str(data["quantity"]), str(data["unit"]), gear)


def _axis_from_json(data: dict[str, Any]) -> Axis:
    if "labels" in data:
        return Axis(str(data["name"]), tuple(data["labels"]))
    return Axis.teeth(str(data["name"]), int(data["length"]))

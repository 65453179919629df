"""How records are monitored, and re-baselinings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from toothwise.errors import InputError
from toothwise.reference.records import parse_bins


@dataclass(frozen=True)
class MonitorSettings:
    """How records are monitored; a state keeps the settings that it was begun with.

    Attributes:
        rate: False alarms per 1,000 records of the alarm (RED), counted as episodes; single records, several records
            and slow growth share it.
        warning: The same of the warning (AMBER).
        learn: How many records a baseline is learned from after re-baselining.
        level: The contrast that growth is extrapolated to.
        bins: Edges by condition ("load", "speed", "temperature"): every bin has a healthy baseline of its own.
        sensors: The column of the maps' table that names the sensor; the maps of one record are then averaged.
        sequence: True judges maps as records in time order, False each on its own. None judges several maps as records
            in the order given, and a single one on its own where no store is given. The limits are the same.
        seed: Seed of the bootstrap that control limits rest on.

    Raises:
        InputError: A value out of range.

    Examples:
        >>> from toothwise.diagnosis import MonitorSettings
        >>> MonitorSettings(rate=0.5).warning
        10.0
        >>> MonitorSettings(rate=50.0)
        Traceback (most recent call last):
        ...
        toothwise.errors.InputError: warning must be from the alarm rate 50 to 200 per 1,000 records, but got 10
    """

    rate: float = 1.0
    warning: float = 10.0
    learn: int = 30
    level: float = 2.0
    bins: dict[str, tuple[float, ...]] = field(default_factory=dict)
    sensors: str | None = None
    sequence: bool | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "bins", {name: tuple(map(float, edges)) for name, edges in self.bins.items()})
        for name, good, allowed in (
            ("rate", 0 < self.rate <= 200, "in (0, 200] false alarms per 1,000 records"),
            (
                "warning",
                self.rate <= self.warning <= 200,
                f"from the alarm rate {self.rate:g} to 200 per 1,000 records",
            ),
            ("learn", self.learn >= 10, "10 records or more"),
            ("level", self.level > 1, "a contrast above 1"),
        ):
            if not good:
                raise InputError(f"{name} must be {allowed}, but got {getattr(self, name):g}")


@dataclass(frozen=True)
class Reset:
    """A re-baselining: records from index ``at`` on are judged against a baseline that they begin."""

    at: int
    reason: str
    after: str | None


def chosen_settings(*, bins: Sequence[str] = (), **given: Any) -> dict[str, Any]:
    """The settings that were named on a command line, by name; those that are None were not.

    Args:
        bins: As in "load=0.5,0.8".
        given: Fields of ``MonitorSettings``. A warning rate that is not given is ten times the alarm's.

    Examples:
        >>> chosen_settings(rate=0.5, warning=None, bins=["load=0.5,0.8"])
        {'rate': 0.5, 'warning': 5.0, 'bins': {'load': (0.5, 0.8)}}
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    if "rate" in chosen and "warning" not in chosen:
        chosen["warning"] = min(10.0 * chosen["rate"], 200.0)
    return chosen | ({"bins": parse_bins(bins)} if bins else {})

"""What a user says of a file whose names do not say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from toothwise.checks import check_choice
from toothwise.errors import InputError
from toothwise.vibration.records import TACHO_KINDS, Edge, TachoKind, ZeroWord


@dataclass(frozen=True)
class RecordMapping:
    """Which variable of a file is what. None = to be found by name.

    Attributes:
        channels: names in the file of the vibration, in the order wanted; or name in the record -> name in the file.
        tacho: name in the file of the tachometer; "none" = take none.
        time: name in the file of the time column; "none" = take none.
        sampling_rate: Hz, or the name in the file of the number that says it.
        tacho_kind: waveform, times, angle or speed; None = recognised by unit, name and form, and said.
        tacho_sampling_rate: Hz of a tachometer that is not sampled as the vibration is.
        pulses_per_revolution: of the tachometer; of an encoder that counts, counts per revolution.
        tacho_shaft: name of the shaft that the tachometer sits on.
        tacho_ratio: revolutions of the driving shaft per revolution of the tachometer's shaft.
        tacho_edge: "rising" or "falling": which edges of a waveform are the pulses.
        tacho_threshold: of a waveform, in its own unit.
        tacho_zero: "given" = the first pulse of every record is tooth 0, because an index triggered the recording.
        unit: of the vibration.
        start_time: ISO 8601.
        condition: what the machine did, by name; joins what the file says.

    Raises:
        InputError: a kind that is not allowed, or no name at all.
    """

    channels: tuple[str, ...] | list[str] | dict[str, str] | str | None = None
    tacho: str | None = None
    time: str | None = None
    sampling_rate: float | str | None = None
    tacho_kind: TachoKind | None = None
    tacho_sampling_rate: float | None = None
    pulses_per_revolution: float | None = None
    tacho_shaft: str | None = None
    tacho_ratio: float | None = None
    tacho_edge: Edge | None = None
    tacho_threshold: float | None = None
    tacho_zero: ZeroWord | None = None
    unit: str | None = None
    start_time: str | None = None
    condition: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice((*TACHO_KINDS, None), tacho_kind=self.tacho_kind)
        if self.channels is not None and not self.wanted():
            raise InputError("channels must name at least one variable of the file, but is empty")

    def wanted(self) -> dict[str, str]:
        """Name in the record -> name in the file; empty where the file's own names decide."""
        if isinstance(self.channels, dict):
            return dict(self.channels)
        channels = [self.channels] if isinstance(self.channels, str) else self.channels
        return {name: name for name in channels or ()}

"""A vibration recording with what is needed to use it: channels, sampling rate, tachometer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from toothwise.errors import InputError

__all__ = ["Tachometer", "VibrationRecord"]


@dataclass(frozen=True, eq=False)
class Tachometer:
    """How far a shaft has turned."""

    kind: Literal["waveform", "times", "angle"]
    values: np.ndarray
    pulses_per_revolution: float = 1
    shaft: str = "driving"
    ratio: float = 1.0
    sampling_rate: float | None = None


@dataclass(frozen=True, eq=False)
class VibrationRecord:
    """One recording."""

    channels: dict[str, np.ndarray]
    sampling_rate: float
    tacho: Tachometer | None = None
    unit: str = "unknown"
    start_time: str | None = None
    condition: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Samples of a channel."""
        return len(next(iter(self.channels.values())))

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples / self.sampling_rate

    def channel(self, name: str | None = None) -> np.ndarray:
        """A channel."""
        if name is None:
            return next(iter(self.channels.values()))
        if name not in self.channels:
            raise InputError(f"channel must be one of {', '.join(map(repr, self.channels))}, but got {name!r}")
        return self.channels[name]

"""A vibration recording with what is needed to use it: channels, sampling rate, tachometer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from toothwise.errors import InputError

__all__ = ["Tachometer", "VibrationRecord"]

TACHO_KINDS = ("waveform", "times", "angle")


def _check_array(values: Any, what: str) -> np.ndarray:
    """One-dimensional real numbers, neither copied nor read: a recording may be larger than memory."""
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"{what} must be numbers [n], but the shape is {array.shape}")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{what} must be real numbers, but is of type {array.dtype}")
    return array


@dataclass(frozen=True, eq=False)
class Tachometer:
    """How far a shaft has turned.

    Attributes:
        kind: "waveform" (sampled voltage), "times" (instants of pulses, s) or "angle" (revolutions per sample of an
            encoder, wrapped or not).
        values: ``[n]``.
        pulses_per_revolution: of its shaft; the first pulse is the index.
        shaft: that it turns with, as the gears call it.
        ratio: revolutions of the driving shaft per revolution of the tachometer's own, where that is no shaft of the
            gears.
        sampling_rate: of a waveform or an encoder, hertz; None = that of the vibration.

    Raises:
        InputError: a value that cannot be.
    """

    kind: Literal["waveform", "times", "angle"]
    values: np.ndarray
    pulses_per_revolution: float = 1
    shaft: str = "driving"
    ratio: float = 1.0
    sampling_rate: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in TACHO_KINDS:
            raise InputError(
                f"kind of a tachometer must be one of {', '.join(map(repr, TACHO_KINDS))}, but got {self.kind!r}"
            )
        object.__setattr__(self, "values", _check_array(self.values, "tachometer"))
        if not self.pulses_per_revolution > 0 or not self.ratio > 0:
            raise InputError(
                "pulses per revolution and ratio of a tachometer must be positive, but got "
                f"{self.pulses_per_revolution!r} and {self.ratio!r}"
            )


@dataclass(frozen=True, eq=False)
class VibrationRecord:
    """One recording.

    Attributes:
        channels: by name, all ``[n]``; kept as they are, memory maps included.
        sampling_rate: hertz.
        tacho: by agreement one pulse per revolution of the driving shaft, its rising edge the start of tooth 0.
        unit: of the channels.
        start_time: ISO 8601, or None.
        condition: load, speed, temperature, ...; free keys, JSON types.
        provenance: file, guesses, software; JSON types.

    Raises:
        InputError: no channel, channels of different length, or a sampling rate that is not positive.
    """

    channels: dict[str, np.ndarray]
    sampling_rate: float
    tacho: Tachometer | None = None
    unit: str = "unknown"
    start_time: str | None = None
    condition: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.channels:
            raise InputError("a record needs one channel or more, but has none")
        channels = {str(name): _check_array(x, f"channel {name!r}") for name, x in self.channels.items()}
        lengths = {name: len(x) for name, x in channels.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(f"channels of a record must have one length, but have {lengths}")
        rate = self.sampling_rate
        if isinstance(rate, bool) or not isinstance(rate, int | float | np.number) or not 0 < rate < math.inf:
            raise InputError(f"sampling rate must be a positive number (Hz), but got {rate!r}")
        object.__setattr__(self, "channels", channels)
        object.__setattr__(self, "sampling_rate", float(rate))

    @property
    def samples(self) -> int:
        """Samples of a channel."""
        return len(next(iter(self.channels.values())))

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples / self.sampling_rate

    def channel(self, name: str | None = None) -> np.ndarray:
        """A channel by name; None = the first one.

        Raises:
            InputError: no such channel; the message lists those that there are.
        """
        if name is None:
            return next(iter(self.channels.values()))
        if name not in self.channels:
            raise InputError(f"channel must be one of {', '.join(map(repr, self.channels))}, but got {name!r}")
        return self.channels[name]

"""What one measurement is: channels, sampling rate, tachometer, and what is known of how it was taken.

A record holds references, not copies: a channel may be a memory map of a file that is larger than the memory, so
nothing here looks at all samples. What is wrong inside the samples is found by ``toothwise.vibration.quality``.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from toothwise.checks import check_choice, check_range
from toothwise.errors import InputError

TachoKind = Literal["waveform", "times", "angle", "speed"]
Edge = Literal["rising", "falling"]
ZeroWord = Literal["auto", "given", "unknown"]
TACHO_KINDS: tuple[str, ...] = get_args(TachoKind)
# more than any gearbox has; with a slip of the keyboard a record would ask for billions of samples of angle
_MOST_PULSES, _MOST_RATIO = 1_000_000, 10_000


@dataclass(frozen=True, eq=False)
class Tachometer:
    """What tells the angle of a shaft.

    The default meaning is one pulse per revolution on the driving shaft, whose rising edge is the start of tooth 0.

    Examples:
        >>> Tachometer("times", np.array([0.01, 0.05, 0.09]), shaft="driven").pulses_per_revolution
        1

    Attributes:
        kind: ``waveform`` = a raw tachometer voltage; ``times`` = instants of the pulses in seconds from the record's
            start; ``angle`` = angle of an encoder in revolutions, one value per sample; ``speed`` = revolutions per
            second, one value per sample, which tells no tooth zero.
        values: float64 or float32 ``[n]``; whole numbers become float64.
        pulses_per_revolution: pulses per revolution of the tachometer's shaft, above 0.
        shaft: name of the shaft that it sits on.
        ratio: revolutions of the driving shaft per revolution of the tachometer's shaft, above 0.
        sampling_rate: Hz of a waveform, an angle or a speed that is not sampled as the channels are.
        start: Seconds by which its first sample is later than that of the channels.
        edge: Which edges of a waveform are the pulses: "falling" for pulses that go downwards.
        threshold: Of a waveform, in its own unit; None = halfway between its levels.
        zero: "auto" = what the pulses themselves say of tooth 0; "given" = you vouch that the first pulse of this
            record is tooth 0 (a recording triggered by an index); "unknown" = they say nothing.

    Raises:
        InputError: a kind, shape, type or number that is not allowed.
    """

    kind: TachoKind
    values: np.ndarray
    pulses_per_revolution: float = 1
    shaft: str = "driving"
    ratio: float = 1.0
    sampling_rate: float | None = None
    start: float = 0.0
    edge: Edge = "rising"
    threshold: float | None = None
    zero: ZeroWord = "auto"

    def __post_init__(self) -> None:
        check_choice(TACHO_KINDS, tacho_kind=self.kind)
        check_choice(get_args(Edge), tacho_edge=self.edge)
        check_choice(get_args(ZeroWord), tacho_zero=self.zero)
        values = _vector("the tachometer", self.values)
        if values.dtype.kind != "f":
            object.__setattr__(self, "values", values.astype(np.float64))
        elif values.dtype.itemsize < 4:
            raise InputError(f"the tachometer must be float32 or float64, but is {values.dtype}")
        check_range(f"(0, {_MOST_PULSES}]", pulses_per_revolution=self.pulses_per_revolution)
        check_range(f"(0, {_MOST_RATIO}]", tacho_ratio=self.ratio)
        if self.sampling_rate is not None:
            check_range("(0, inf)", tacho_sampling_rate=self.sampling_rate)
            if self.kind == "times":
                raise InputError("pulse times are in seconds: a tachometer of kind 'times' takes no sampling_rate")


@dataclass(frozen=True, eq=False)
class VibrationRecord:
    """One measurement.

    Attributes:
        channels: name -> ``[samples]``, all of one length, each in its own real type (integers are counts of a
            converter) and never copied: a memory map stays one.
        sampling_rate: Hz, of all channels.
        tacho: what tells the shaft's angle; None = nothing was measured.
        unit: of the channels, "unknown" where nobody said it.
        start_time: ISO 8601, or None.
        condition: what the machine did (speed, load, temperature, ...), by name.
        provenance: where the record comes from (file, what was guessed, simulation, ...).
        units: name -> unit, of channels whose unit is not ``unit``.

    Raises:
        InputError: no channel, an empty one, lengths that differ, a type that is not real numbers, a sampling rate
            that is not a positive number, a start time that is not ISO 8601.
    """

    channels: dict[str, np.ndarray]
    sampling_rate: float
    tacho: Tachometer | None = None
    unit: str = "unknown"
    start_time: str | None = None
    condition: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_range("(0, inf)", sampling_rate=self.sampling_rate)
        if not self.channels:
            raise InputError("a record must have at least one channel, but has none")
        for name, values in self.channels.items():
            _vector(f"channel {name!r}", values)
        lengths = {name: values.shape[0] for name, values in self.channels.items()}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise InputError(f"all channels must have one length, but have {said} samples")
        if unknown := sorted(set(self.units) - set(self.channels)):
            raise InputError(f"units name {', '.join(unknown)}, but the channels are {', '.join(self.channels)}")
        tacho = self.tacho
        sampled = tacho is not None and tacho.kind != "times" and tacho.sampling_rate is None
        if tacho is not None and sampled and len(tacho.values) != self.samples:
            raise InputError(
                f"the tachometer has {len(tacho.values)} samples beside {self.samples} of the channels: they must "
                "be equal, or the tachometer states its own sampling_rate"
            )
        if self.start_time is not None:
            check_time(self.start_time)

    @property
    def samples(self) -> int:
        """Samples per channel."""
        return int(next(iter(self.channels.values())).shape[0])

    @property
    def duration(self) -> float:
        """Seconds: samples / sampling rate."""
        return self.samples / self.sampling_rate

    def channel(self, name: str | None = None) -> np.ndarray:
        """Samples ``[samples]`` of the channel of a name, as they are stored; None = the first channel.

        Raises:
            InputError: no such channel.
        """
        if name is None:
            return next(iter(self.channels.values()))
        if name not in self.channels:
            raise InputError(f"no channel {name!r}: the channels are {', '.join(self.channels)}")
        return self.channels[name]

    def unit_of(self, name: str) -> str:
        """Unit of a channel: its own, or that of the record."""
        return self.units.get(name, self.unit)


def _vector(what: str, values: Any) -> np.ndarray:
    """The values, if they are real numbers in one dimension."""
    if not isinstance(values, np.ndarray):
        raise InputError(f"{what} must be a NumPy array, but is {type(values).__name__}")
    if values.ndim != 1:
        raise InputError(f"{what} must have one dimension, but has the shape {values.shape}")
    if values.dtype.kind not in "iuf" or values.dtype.itemsize > 8:
        raise InputError(f"{what} must be real numbers (integer or float, 64 bit at most), but is {values.dtype}")
    if values.shape[0] == 0:
        raise InputError(f"{what} has no samples")
    return values


def check_time(text: Any) -> None:
    """Refuse a start time that is not ISO 8601."""
    try:
        datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise InputError(f"start_time must be ISO 8601, such as 2024-05-31T08:30:00, but got {text!r}") from None

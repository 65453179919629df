"""The tachometer of a simulated gearbox, with the faults that tachometers have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.vibration.records import Edge, Tachometer

_WIDTH = 0.2  # of a pulse, as a share of the interval
_HEIGHT = 5.0  # volts
_NOISE = 0.02  # volts


@dataclass(frozen=True)
class TachoConfig:
    """A tachometer.

    Attributes:
        kind: "waveform" (sampled like the vibration) or "times" (instants of pulses).
        pulses: marks per revolution of its shaft. One is an index; of several equal ones a record may begin with any.
        left_out: teeth that a missing-tooth wheel lacks of ``pulses``; the mark after the gap is the index.
        shaft: as the gears call it; "" = the driving shaft of a pair, the carrier of a planetary stage.
        index_at: revolutions of its shaft from where tooth 0 enters mesh to the first mark.
        polarity: "positive" pulses, or "negative" ones, whose leading edge falls.
        jitter: spread of the pulses, as a share of their interval.
        missed: chance of each pulse to be missing.
        doubled: chance of each pulse to be followed by a false one.
    """

    kind: Literal["waveform", "times"] = "waveform"
    pulses: int = 1
    left_out: int = 0
    shaft: str = ""
    index_at: float = 0.0
    polarity: Literal["positive", "negative"] = "positive"
    jitter: float = 0.0
    missed: float = 0.0
    doubled: float = 0.0

    def __post_init__(self) -> None:
        check_choice(("waveform", "times"), kind=self.kind)
        check_choice(("positive", "negative"), polarity=self.polarity)
        check_whole(1, pulses=self.pulses)
        check_range(f"[0, {self.pulses})", left_out=self.left_out)
        check_range("[0, 0.5)", jitter=self.jitter, missed=self.missed, doubled=self.doubled)


def make_tacho(
    config: TachoConfig,
    turned: np.ndarray,
    times: np.ndarray,
    sampling_rate: float,
    rng: np.random.Generator,
    *,
    shaft: str,
) -> Tachometer:
    """The tachometer's record.

    Args:
        turned: revolutions of its shaft ``[n]``, rising; tooth 0 of its gear enters mesh at whole numbers.
        times: seconds ``[n]``.
        shaft: name of its shaft.
    """
    phase = (turned - config.index_at) * config.pulses
    first, last = int(np.ceil(phase[0] + 1e-9)), int(np.floor(phase[-1] - _WIDTH))
    index = np.arange(first, last + 1)
    index = index[index % config.pulses < config.pulses - config.left_out]
    draws = rng.random((len(index), 3))
    kept = draws[:, 0] >= config.missed
    extra = (draws[:, 1] < config.doubled) & kept
    edges = index + config.jitter * rng.standard_normal(len(index))
    edges = np.sort(np.concatenate([edges[kept], (edges + 0.3 + 0.2 * draws[:, 2])[extra]]))
    instants = np.interp(edges, phase, times)
    if config.kind == "times":
        return Tachometer("times", instants, config.pulses, shaft)
    # edges rise within two samples, crossing half the height at the pulse
    signal = np.zeros(len(times))
    rise = 2.0 / sampling_rate
    ends = np.interp(edges + _WIDTH, phase, times)
    for at, end in zip(instants, ends, strict=True):
        low, high = np.searchsorted(times, (at - rise, end + rise))
        t = times[low:high]
        up, down = np.clip((t - at) / rise + 0.5, 0.0, 1.0), np.clip((t - end) / rise + 0.5, 0.0, 1.0)
        signal[low:high] = np.maximum(signal[low:high], up - down)
    down = config.polarity == "negative"
    signal = (-1 if down else 1) * _HEIGHT * signal + _NOISE * rng.standard_normal(len(signal))
    edge: Edge = "falling" if down else "rising"
    return Tachometer("waveform", signal.astype(np.float32), config.pulses, shaft, edge=edge)

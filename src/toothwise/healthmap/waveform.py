"""The healthy waveform of a gearbox over one hunting period, taken off records before they become maps.

With one index pulse the record tells where the driving gear is, not which tooth of its mate it meets there: the
record's hunting period begins at an unknown whole revolution of the driving gear. The healthy waveform, whose teeth
differ, says which one: a record is turned to where it fits best, so that driven teeth are numbered alike from record to
record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toothwise.errors import InputError
from toothwise.files import atomic_file
from toothwise.reading import as_input_error, read_arrays

__all__ = ["HealthyWaveform", "Turn"]


@dataclass(frozen=True)
class Turn:
    """Where in its hunting period a record begins.

    Attributes:
        events: mesh events by which it begins later than the healthy waveform.
        correlation: with the healthy waveform there.
        confidence: correlation less the next best one; near 0 = the driven teeth's numbers are a guess.
    """

    events: int
    correlation: float
    confidence: float


@dataclass(frozen=True, eq=False)
class HealthyWaveform:
    """What a gearbox sounds like over one hunting period while it is healthy.

    Attributes:
        values: the signal that maps look at, float64 ``[events * samples_per_tooth]``.
        samples_per_tooth: samples per mesh event.
        events_per_turn: mesh events between the starts that a record can have: one revolution of the shaft with the
            index, or 1 where no tooth is known.
        records: number of records behind it.
        gain: float64 ``[bins]`` of the spectrum, 0 to 1: where the gearbox is heard above what differs from record to
            record (Wiener's ratio of power, smoothed over a mesh order); 1 where one record was all there was.
    """

    values: np.ndarray
    samples_per_tooth: int
    events_per_turn: int
    records: int
    gain: np.ndarray

    @classmethod
    def learn(cls, signals: Sequence[np.ndarray], samples_per_tooth: int, events_per_turn: int) -> HealthyWaveform:
        """The mean over healthy records' hunting periods, each turned onto those before it and brought to one level.

        Args:
            signals: ``[events * samples_per_tooth]`` each.
            samples_per_tooth, events_per_turn: see the attributes.

        Raises:
            InputError: no signal, or signals of different length.
        """
        if len({len(s) for s in signals}) != 1:
            raise InputError(
                "a healthy waveform needs one record or more of one length, but got lengths "
                f"{sorted({len(s) for s in signals}) or 'none'}"
            )
        levels = [float(np.sqrt(np.mean(np.square(s)))) for s in signals]
        if min(levels) <= 0:
            raise InputError("a healthy record is silent: it has no waveform")
        everything = np.ones(len(signals[0]) // 2 + 1)
        common = (samples_per_tooth, events_per_turn)
        found = cls(np.asarray(signals[0], dtype=np.float64) / levels[0], *common, 1, everything)
        power = np.abs(np.fft.rfft(found.values)) ** 2
        for n, (signal, level) in enumerate(zip(signals[1:], levels[1:], strict=True), 1):
            turned = np.roll(signal, -found.turn(signal).events * samples_per_tooth) / level
            power += np.abs(np.fft.rfft(turned)) ** 2
            found = cls((found.values * n + turned) / (n + 1), *common, n + 1, everything)
        n = len(signals)
        gain = everything
        if n > 1:
            events = len(signals[0]) // samples_per_tooth
            total = _smooth(power / n, events)
            own = _smooth(np.abs(np.fft.rfft(found.values)) ** 2, events)  # holds 1 / n of what differs
            gain = np.clip((own - total / n) / (1.0 - 1.0 / n) / np.maximum(total, 1e-300), 0.0, 1.0)
        return cls(found.values * float(np.median(levels)), *common, n, gain)

    def _check(self, signal: np.ndarray) -> None:
        if signal.shape != self.values.shape:
            raise InputError(
                f"the healthy waveform has {len(self.values)} samples per hunting period, but the record has "
                f"{signal.shape[-1]}: other gears, or other samples per tooth"
            )

    def turn(self, signal: np.ndarray) -> Turn:
        """Where in its hunting period a record's signal ``[n]`` begins.

        Raises:
            InputError: a signal of another length.
        """
        self._check(signal)
        cross = np.fft.irfft(np.fft.rfft(signal) * np.conj(np.fft.rfft(self.values)), len(signal))
        cross /= max(float(np.linalg.norm(signal) * np.linalg.norm(self.values)), 1e-300)
        starts = cross[:: self.samples_per_tooth * self.events_per_turn]
        best = int(np.argmax(starts))
        others = np.delete(starts, best)
        confidence = float(starts[best] - (others.max() if len(others) else 0.0))
        return Turn(best * self.events_per_turn, float(starts[best]), confidence)

    def matched(self, signal: np.ndarray) -> np.ndarray:
        """The healthy waveform at the gain of a turned signal ``[n]`` (least squares): a louder record is no damage.

        Raises:
            InputError: a signal of another length.
        """
        self._check(signal)
        energy = float(self.values @ self.values)
        return self.values * (float(signal @ self.values) / energy if energy > 0 else 0.0)

    def deviation(self, signal: np.ndarray) -> np.ndarray:
        """What is new in a turned signal ``[n]``: less the healthy waveform, in the bands where the gearbox is heard.

        Raises:
            InputError: a signal of another length.
        """
        rest = signal - self.matched(signal)
        return np.fft.irfft(np.fft.rfft(rest) * self.gain, len(rest))

    def save(self, path: str | Path) -> None:
        """Write to an .npz file, whole or not at all."""
        path = Path(path)
        if path.suffix.lower() != ".npz":
            raise InputError(f"{path}: a healthy waveform is saved as .npz")
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                healthy_waveform=self.values,
                samples_per_tooth=self.samples_per_tooth,
                events_per_turn=self.events_per_turn,
                records=self.records,
                gain=self.gain,
            )

    @classmethod
    def load(cls, path: str | Path) -> HealthyWaveform:
        """Read what ``save`` wrote.

        Raises:
            InputError: no such file, or another kind of file.
        """
        data = read_arrays(Path(path), "a healthy waveform")
        with as_input_error(path, "not a healthy waveform"):
            numbers = [int(data[name]) for name in ("samples_per_tooth", "events_per_turn", "records")]
            values = np.asarray(data["healthy_waveform"], dtype=np.float64)
            gain = np.asarray(data["gain"], dtype=np.float64)
        if values.ndim != 1 or min(numbers) < 1 or len(values) % numbers[0] or gain.shape != (len(values) // 2 + 1,):
            raise InputError(f"{path}: not a healthy waveform (its numbers do not fit each other)")
        samples_per_tooth, events_per_turn, records = numbers
        return cls(values, samples_per_tooth, events_per_turn, records, gain)


def _smooth(power: np.ndarray, width: int) -> np.ndarray:
    """Moving mean over bins of a spectrum."""
    from scipy.ndimage import uniform_filter1d

    return uniform_filter1d(power, max(width, 1), mode="nearest")

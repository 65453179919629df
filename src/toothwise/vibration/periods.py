"""A record cut into whole hunting periods at equal steps of angle: what every map is built from."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from toothwise.errors import InputError, LimitError, SignalWarning
from toothwise.gears import GearPair, GearTrain, PlanetaryStage
from toothwise.gears.pair import speed_of
from toothwise.gears.train import TrainStage
from toothwise.vibration.angle import ShaftAngle, angle_from_encoder, angle_from_pulses, angle_from_speed
from toothwise.vibration.averaging import faded_mean, noise_of_fewer
from toothwise.vibration.bursts import without_bursts
from toothwise.vibration.components import Components, split
from toothwise.vibration.mesh import HARMONICS, mesh_contradiction, mesh_doubt, order_amplitudes
from toothwise.vibration.records import Tachometer, VibrationRecord
from toothwise.vibration.resampling import resample
from toothwise.vibration.silence import without_silence
from toothwise.vibration.spikes import without_spikes
from toothwise.vibration.tacho import downwards_text, find_pulses
from toothwise.vibration.tooth_zero import ToothZero, event_step, tooth_zeros

Gears = GearPair | PlanetaryStage | GearTrain
_FEWEST, _MOST = 8, 64  # samples per tooth
_PASSES = 3  # multiples of the planet passing order that a path reaches
MAX_SAMPLES = 2**28  # of a record at equal steps of angle
BANDWIDTH = 0.3  # orders of the reference shaft, full width
_BLOCK, _BLOCKS = 32, 64  # revolutions per spectrum in which the mesh is looked for, and how many of them at most
_SLOW = 2.0, 4.0  # samples per mesh event below which a recording is refused, and below which that is said


def as_train(gears: Gears) -> GearTrain:
    """Gears of any kind as a train."""
    return gears if isinstance(gears, GearTrain) else GearTrain.single(gears)


def record_angle(record: VibrationRecord, gears: Gears, *, shaft: str | None = None) -> ShaftAngle:
    """The angle of a shaft, from the record's tachometer or encoder.

    Revolution 0 of every shaft is at the first pulse, at the first index where there is one: by agreement tooth 0 of
    the tachometer's own gear comes into mesh there. Which tooth of its mate it meets differs from record to record; the
    angle says which positions remain possible (``zero_step``).

    Args:
        record: with a tachometer.
        gears: a pair, a stage or a train.
        shaft: of the train; None = the one that the tachometer counts.

    Raises:
        InputError: no tachometer, one that cannot be read, or an unknown shaft.
    """
    train, tacho = as_train(gears), record.tacho
    if tacho is None:
        raise InputError(no_tacho_text(record))
    rate = tacho.sampling_rate or record.sampling_rate
    downwards = ""
    if tacho.kind == "angle":
        own = angle_from_encoder(tacho.values, rate)
    elif tacho.kind == "speed":
        own = angle_from_speed(tacho.values, rate)
    else:
        times = np.asarray(tacho.values, float)
        if tacho.kind == "waveform":
            times = find_pulses(tacho.values, rate, threshold=tacho.threshold, edge=tacho.edge)
            if downwards := downwards_text(tacho):
                warnings.warn(downwards, SignalWarning, stacklevel=2)
        own = angle_from_pulses(times, pulses_per_revolution=tacho.pulses_per_revolution)
    own = replace(own, times=own.times + tacho.start) if tacho.start else own
    own = replace(own, zero_step=None) if downwards else own  # the mark ends a pulse's width from tooth 0
    if tacho.zero != "auto":
        given = tacho.zero == "given"
        own = replace(own, zero_step=Fraction(1) if given else None, zero_by="given" if given else "index")
    speeds = train.speeds
    reference = shaft_of(tacho, train)
    own = own.scaled(tacho.ratio) if tacho.ratio != 1.0 else own
    ratio = speed_of(speeds, shaft or reference) / speeds[reference]
    return own if ratio == 1.0 else own.scaled(ratio)


def no_tacho_text(record: VibrationRecord) -> str:
    """What to do about a record without a tachometer."""
    beside = record.provenance.get("beside") or ()
    named = f" (the file holds {', '.join(beside)} too)" if beside else ""
    return (
        f"there is no tachometer: name its channel with tacho={named}, or follow the mesh itself (--tacholess LOW HIGH)"
    )


def shaft_of(tacho: Tachometer, train: GearTrain) -> str:
    """The shaft of the train that a tachometer tells of: its own; "driving" is the train's where it names none so.

    Raises:
        InputError: The train has no such shaft.
    """
    if tacho.ratio != 1.0:  # it sits on a shaft beside the gears
        return train.stages[0].shafts[0]
    if tacho.shaft in train.speeds:
        return tacho.shaft
    if tacho.shaft in ("", "driving"):
        return train.tacho_shaft
    raise InputError(
        f"tacho_shaft must be one of {', '.join(map(repr, train.speeds))}, but got {tacho.shaft!r} (for a shaft that "
        "is not among the gears give tacho_ratio=, revolutions of the driving shaft per revolution of it)"
    )


@dataclass(frozen=True, eq=False)
class Periods:
    """Whole hunting periods of one stage.

    Attributes:
        values: float32 ``[periods, events * samples_per_tooth]``.
        samples_per_tooth: samples per mesh event.
        gears: the stage.
        angle: of its reference shaft: driving, or the carrier.
        left_out: periods that hold NaN and were left out.
        rest: float32 ``[samples]``, the whole revolutions of the reference shaft after the last whole period; empty
            where there are none, or where they hold NaN.
        condition: what the recording says that the machine did.
    """

    values: np.ndarray
    samples_per_tooth: int
    gears: GearPair | PlanetaryStage
    angle: ShaftAngle
    left_out: int = 0
    rest: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    condition: dict[str, Any] = field(default_factory=dict)

    @property
    def revolutions(self) -> int:
        """Revolutions of the reference shaft in one period."""
        return self.gears.hunting_revolutions

    @property
    def mesh_order(self) -> float:
        """Mesh events per revolution of the reference shaft."""
        return self.gears.hunting_period / self.gears.hunting_revolutions

    @property
    def event_step(self) -> float | None:
        """Mesh events between the places of the hunting period where the record may begin; None = any angle."""
        step = event_step(self.gears, self.angle.zero_step)
        return None if step is None else float(step)

    @property
    def tooth_zero(self) -> dict[str, ToothZero]:
        """What the angle alone says of tooth 0 of either gear, by the names of the map's axes."""
        return tooth_zeros(self.gears, self.angle.zero_step, self.angle.zero_by)

    @property
    def shaft_orders(self) -> tuple[float, ...]:
        """Orders, on the reference shaft, at which the stage modulates its mesh."""
        mesh = self.mesh_order
        if isinstance(self.gears, GearPair):
            return 1.0, mesh / self.gears.driven
        return 1.0, mesh / self.gears.planet, mesh / self.gears.sun

    @property
    def pass_orders(self) -> tuple[float, ...]:
        """Orders of the planets' passing by the sensor: their paths modulate the mesh up to some multiples of it."""
        if isinstance(self.gears, GearPair) or self.gears.planets < 2:
            return ()
        return tuple(float(k) for k in range(1, _PASSES * self.gears.planets + 1))

    def mean(self, worth: float = 0.0) -> np.ndarray:
        """Coherent average of the periods, float64 ``[events * samples_per_tooth]``.

        Args:
            worth: Periods behind the averages that this one is compared with: one of far more periods is made as noisy
                as those are, or it would look quieter than they do. 0 = as it is.
        """
        return np.asarray(self.values.mean(axis=0, dtype=np.float64) + noise_of_fewer(self.values, worth))

    def whole_mean(self, worth: float = 0.0) -> np.ndarray:
        """Coherent average of all that the record holds, float64 ``[events * samples_per_tooth]`` (``faded_mean``)."""
        return np.asarray(faded_mean(self.values, self.rest) + noise_of_fewer(self.values, worth))

    def components(self, average: np.ndarray | None = None, **options: Any) -> Components:
        """Regular, residual and difference of the average; by default all mesh harmonics are regular.

        A speed that changes slowly drags the housing's resonance across the mesh and so smears every line: what lies
        within ``bandwidth`` orders of the reference shaft around a line belongs to it.
        """
        options = {"num_harmonics": None, "bandwidth": BANDWIDTH} | options
        passing = self.pass_orders if options.get("num_sidebands", 1) else ()
        average = self.mean() if average is None else average
        shafts = self.shaft_orders
        return split(average, self.revolutions, [self.mesh_order], shaft_orders=shafts, pass_orders=passing, **options)


def cut_periods(
    record: VibrationRecord,
    gears: Gears,
    *,
    channel: str | None = None,
    stage: str | None = None,
    samples_per_tooth: int | None = None,
    periods: int | None = None,
    angle: ShaftAngle | None = None,
    max_samples: int = MAX_SAMPLES,
) -> Periods:
    """Cut a record into whole hunting periods at equal steps of angle.

    Args:
        record: with a tachometer, or with ``angle`` given.
        gears: a pair, a stage or a train.
        channel: of the record; None = the first one.
        stage: of a train with several.
        samples_per_tooth: None = as many as the sampling rate gives at the slowest speed, 8 to 64.
        periods: how many; None = all.
        angle: of the reference shaft (driving, or carrier); None = from the tachometer.
        max_samples: Samples after resampling at most. An hour at 50 kHz has 180 million; what asks for more than
            2**28 usually has another ratio or pulse count than its tachometer.

    Raises:
        LimitError: More samples than that.
        InputError: no tachometer, a constant channel, a record shorter than one hunting period, NaN in every one.
    """
    train = as_train(gears)
    part = train.stage(stage)
    pair, per_period = part.gears, part.gears.hunting_revolutions
    if angle is None:
        angle = record_angle(record, train, shaft=part.shafts[0 if isinstance(pair, GearPair) else 1])
    x = record.channel(channel)
    mesh = pair.hunting_period / per_period
    per_tooth = record.sampling_rate / (float(np.median(angle.speed())) * mesh)
    samples_per_tooth = min(max(int(per_tooth), _FEWEST), _MOST) if samples_per_tooth is None else samples_per_tooth
    if samples_per_tooth < 2:
        raise InputError(f"samples_per_tooth must be 2 or more, but got {samples_per_tooth!r}")
    end = float(angle.at(np.array([min(angle.times[-1], (len(x) - 1) / record.sampling_rate)]))[0])
    begin = float(angle.at(np.array([max(angle.times[0], 0.0)]))[0])
    # periods begin where revolution 0 would come round again
    offset = int(np.ceil(begin / per_period - 1e-9))
    have = (end - offset * per_period) / per_period
    whole = int(np.floor(have + 1e-9))
    per_revolution = round(mesh) * samples_per_tooth
    if whole < 1:
        first, doubt = float(np.ceil(begin)), ""
        if (turns := int(end - first)) >= _BLOCK // 4:  # a wrong tachometer or wrong teeth may be why
            there = resample(x, record.sampling_rate, angle, per_revolution, start=first, revolutions=turns)
            doubt = _heard(there, per_revolution, train, part, angle)
        raise InputError(
            f"the record is too short: one hunting period of {_named(pair)} takes {per_period} revolutions "
            f"({per_period / float(np.mean(angle.speed())):.3g} s at this speed), but the record has "
            f"{max(end - begin, 0.0):.1f}" + (f"; {doubt}" if doubt else "")
        )
    if periods is not None:
        if not 1 <= periods <= whole:
            raise InputError(
                f"periods must be 1 to {whole}, the whole hunting periods of the record, but got {periods}"
            )
        whole = periods
    turns = whole * per_period
    more = 0 if periods is not None else int(np.floor((have - whole) * per_period + 1e-9))
    if (size := (turns + more) * per_revolution) > max_samples:
        raise LimitError(f"the record asks for {size:.3g} samples of angle, more than {max_samples} (max_samples)")
    if per_tooth < _SLOW[1]:
        text = (
            f"the sampling rate of {record.sampling_rate:g} Hz gives {per_tooth:.2g} samples per tooth at this speed, "
            f"{_SLOW[1]:g} or more are needed: check sampling_rate= and pulses_per_revolution="
        )
        if per_tooth < _SLOW[0]:
            raise InputError(text)
        warnings.warn(text, SignalWarning, stacklevel=2)
    x = without_spikes(x, record.sampling_rate, angle, per_period, per_tooth)
    first = float(offset * per_period)
    samples = resample(x, record.sampling_rate, angle, per_revolution, start=first, revolutions=turns + more)
    values, rest = samples[: turns * per_revolution].reshape(whole, -1), samples[turns * per_revolution :]
    with np.errstate(invalid="ignore"):
        good = np.isfinite(values.sum(axis=1))
    if not good.any():
        raise InputError("NaN or infinite samples lie in every hunting period of the record")
    if lost := int((~good).sum()):
        text = f"{lost} of {whole} hunting periods hold NaN or infinite samples and are left out"
        warnings.warn(text, SignalWarning, stacklevel=2)
        values = values[good]
    rest = rest if np.isfinite(rest).all() else rest[:0]
    if np.ptp(values) <= 1e-5 * np.abs(values).max():  # the resampler's rounding
        name = channel or next(iter(record.channels))
        raise InputError(f"channel {name!r} is constant in each of its {whole} hunting periods: it holds no vibration")
    begins = np.append(np.flatnonzero(good), whole)[:, None] + np.arange(pair.hunting_period) / pair.hunting_period
    begins = (offset + begins.ravel()[: (values.size + rest.size) // samples_per_tooth]) * per_period
    values, rest, silent = without_silence(values, rest, samples_per_tooth, round(mesh), angle.time_of(begins))
    values, rest = without_bursts(values, rest, samples_per_tooth)
    if doubt := _heard(values.reshape(-1), per_revolution, train, part, angle):
        warnings.warn(doubt, SignalWarning, stacklevel=2)
        if doubt.startswith("only") and angle.zero_by == "index":  # half of the pulses mark every second revolution
            angle = replace(angle, zero_step=None)
    return Periods(values, samples_per_tooth, pair, angle, lost + silent, rest, dict(record.condition))


def _heard(samples: np.ndarray, per_revolution: int, train: GearTrain, part: TrainStage, angle: ShaftAngle) -> str:
    """What the vibration says against a stage's mesh, where it does not forbid a map; "" = nothing.

    Args:
        samples: At equal steps of angle of the stage's reference shaft.
        per_revolution: How many of them a revolution has.
        train, part: The gears.
        angle: Of the reference shaft.

    Raises:
        InputError: The mesh lies elsewhere, or a tachometer that had to be mended gives a part of its pulses.
    """
    block = min(_BLOCK, len(samples) // per_revolution) * per_revolution
    spectrum = order_amplitudes(samples[: _BLOCKS * _BLOCK * per_revolution], block, per_revolution)
    gears = part.gears
    per = 1.0 / train.ratio(part.shafts[0 if isinstance(gears, GearPair) else 1])
    orders = {name: order * per for name, order in train.mesh_orders().items()}
    order, divisor = orders.pop(part.name), gears.assembly_phases
    mate, near, speed = None, 0.0, float(np.mean(angle.speed()))
    if isinstance(gears, GearPair):
        mate = gears.ratio
    else:  # planets pass the sensor so often per carrier revolution
        near = gears.planets * order * gears.hunting_revolutions / gears.hunting_period
    if text := mesh_contradiction(spectrum, order, mate=mate, divisor=divisor, others=orders.values(), speed=speed):
        raise InputError(text)
    text = mesh_doubt(spectrum, order, others=orders.values(), near=near)
    if text.startswith("only") and angle.report is not None and angle.report.repaired:
        raise InputError(text)
    return text


def _named(gears: GearPair | PlanetaryStage) -> str:
    (first, n), (second, m) = gears.axes
    return f"{n}/{m} teeth ({first.split()[0]}/{second.split()[0]})"


def mesh_visibility(periods: Periods, average: np.ndarray | None = None) -> float:
    """How far the strongest of the mesh harmonics stands above the spectrum around it (a ratio of amplitudes).

    Below about 4 the mesh is not heard: a wrong sampling rate, wrong teeth, or a sensor elsewhere.
    """
    spectrum = np.abs(np.fft.rfft(periods.mean() if average is None else average))
    gears = periods.gears
    spacing = gears.hunting_period
    # planets that mesh out of step cancel the mesh line itself and leave the lines at planet passes beside it
    near = gears.planets * gears.hunting_revolutions if isinstance(gears, PlanetaryStage) else 0
    best = 0.0
    for k in range(1, HARMONICS + 1):
        at, reach = k * spacing, max(spacing // 2, 3)
        if at + reach >= len(spectrum):
            break
        level = 1.2 * float(np.median(spectrum[at - reach : at + reach]))  # median to RMS of a noise floor
        line = float(spectrum[at - near : at + near + 1].max())
        best = max(best, line / level if level > 0 else (np.inf if line > 0 else 0.0))
    return best

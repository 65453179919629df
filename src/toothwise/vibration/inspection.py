"""A first look at a recording: speed, health of the tachometer, whether the mesh is heard, spectrum in orders."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from toothwise.errors import InputError, ToothwiseError, ToothwiseWarning
from toothwise.files import finite
from toothwise.gears import GearPair, GearTrain
from toothwise.gears.pair import hunting_text
from toothwise.vibration.angle import ShaftAngle
from toothwise.vibration.mesh import Spectrum, mesh_line, order_amplitudes
from toothwise.vibration.periods import Gears, as_train, cut_periods, no_tacho_text, record_angle, shaft_of
from toothwise.vibration.quality import check_record
from toothwise.vibration.records import VibrationRecord
from toothwise.vibration.resampling import resample
from toothwise.vibration.tooth_zero import tooth_zeros

_BLOCK = 32  # revolutions per spectrum
_BLOCKS = 64  # of them at most: enough for a picture
_COVERED = 0.95  # share of the record that the tachometer covers, or it is said
_PER_REVOLUTION = 4096  # samples at most


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was seen.

    Attributes:
        channel: the one that was looked at.
        frequency: float64 ``[bins]``, in orders of ``shaft``, or in Hz where there is no tachometer.
        amplitude: RMS spectrum ``[bins]`` in the record's unit.
        shaft: whose orders; "" = the spectrum is in Hz.
        speed_times, speed: seconds and revolutions per second of that shaft; empty without a tachometer.
        mesh: per stage the fields of ``MeshLine``: its mesh order, the strongest harmonic, how far that stands above
            its surroundings, and whether that is enough to say that it is heard.
        tacho: pulses, missing, doubled, jitter; empty without pulses.
        tooth_zero: per stage and gear, how tooth 0 is known (``ToothZero`` as JSON types).
        problems: what is wrong, in words.
        gears: what is to be known of gears that do not hunt, per stage.
    """

    channel: str
    frequency: np.ndarray
    amplitude: np.ndarray
    shaft: str = ""
    speed_times: np.ndarray = field(default_factory=lambda: np.empty(0))
    speed: np.ndarray = field(default_factory=lambda: np.empty(0))
    mesh: dict[str, dict[str, Any]] = field(default_factory=dict)
    tacho: dict[str, Any] = field(default_factory=dict)
    tooth_zero: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    gears: tuple[str, ...] = ()

    def about(self, record: VibrationRecord) -> dict[str, Any]:
        """What was seen of a record, as JSON types."""
        speed: dict[str, Any] = {"shaft": self.shaft} if len(self.speed) else {}
        for name, of in (("mean", np.mean), ("lowest", np.min), ("highest", np.max)) if speed else ():
            speed[name] = float(of(self.speed))
        own = {name: getattr(self, name) for name in ("channel", "tacho", "mesh", "tooth_zero")}
        known = ("unit", "sampling_rate", "samples", "duration", "start_time", "condition")
        return {
            "channels": list(record.channels),
            **own,
            **{name: getattr(record, name) for name in known},
            "guessed": record.provenance.get("guessed", []),
            "speed": speed,
            "gears": list(self.gears),
            "problems": list(self.problems),
        }


def inspect_record(record: VibrationRecord, gears: Gears | None = None, *, channel: str | None = None) -> Inspection:
    """Look at a recording; what is missing or broken is told in ``problems``, not raised.

    Args:
        record: with or without a tachometer.
        gears: whose mesh orders are looked for; None = none.
        channel: None = the first one.

    Raises:
        InputError: no such channel.
    """
    x = record.channel(channel)
    name = channel or next(iter(record.channels))
    problems: list[str] = []
    train = None if gears is None else as_train(gears)
    angle, shaft, tacho = _angle(record, train, problems)
    problems += [one.message for one in check_record(record) if one.kind != "flat_tacho" or angle is not None]
    if angle is None:
        return Inspection(name, *_spectrum_hz(x, record.sampling_rate), tacho=tacho, problems=tuple(problems))
    try:
        spectrum = _spectrum_orders(x, record.sampling_rate, angle)
    except InputError as error:
        problems.append(str(error))
        spectrum, shaft = _spectrum_hz(x, record.sampling_rate), ""
    mesh, zeros = {}, {}
    if train is not None and shaft:
        for stage, order in train.mesh_orders().items():
            mesh[stage] = asdict(mesh_line(spectrum, order / train.ratio(shaft)))
            problems += _of_stage(record, train, stage, name)
        if any(text.startswith("only") for text in problems):  # as ``cut_periods``: revolutions may be counted wrongly
            angle = replace(angle, zero_step=None if angle.zero_by == "index" else angle.zero_step)
        for one in train.stages:
            own = one.shafts[0 if isinstance(one.gears, GearPair) else 1]
            there = angle.scaled(train.speeds[own] / train.speeds[shaft])
            zeros[one.name] = finite(tooth_zeros(one.gears, there.zero_step, there.zero_by))
    middles = 0.5 * (angle.times[1:] + angle.times[:-1])
    pairs = () if train is None else tuple(filter(None, (hunting_text(one.gears) for one in train.stages)))
    said = tuple(dict.fromkeys(problems))
    return Inspection(name, *spectrum, shaft, middles, angle.speed(), mesh, tacho, zeros, said, pairs)


def _of_stage(record: VibrationRecord, train: GearTrain, stage: str, channel: str) -> list[str]:
    """Why a map of the stage would be refused, or what would be said of it."""
    try:
        with warnings.catch_warnings(record=True, action="ignore") as caught:
            warnings.simplefilter("always", ToothwiseWarning)
            cut_periods(record, train, channel=channel, stage=stage)
    except ToothwiseError as error:
        return [str(error)]
    return [str(one.message) for one in caught]


def _angle(
    record: VibrationRecord, train: GearTrain | None, problems: list[str]
) -> tuple[ShaftAngle | None, str, dict[str, Any]]:
    """Angle of the tachometer's shaft, the shaft's name, and the tachometer's health."""
    if record.tacho is None:
        problems.append(no_tacho_text(record))
        return None, "", {}
    try:
        with warnings.catch_warnings(record=True, action="ignore") as caught:
            warnings.simplefilter("always", ToothwiseWarning)
            if train is None:
                angle = record_angle(record, GearPair(3, 4), shaft="driving")  # its own shaft, whatever the teeth
            else:
                angle = record_angle(record, train)
    except InputError as error:
        problems.append(str(error))
        return None, "", {}
    problems += [str(warning.message) for warning in caught]
    tacho: dict[str, Any] = {"kind": record.tacho.kind}
    first, last = float(angle.times[0]), float(angle.times[-1])
    if last - first < _COVERED * record.duration - 2.0 / float(np.median(angle.speed())):
        threshold = "; tacho_threshold= finds weaker ones" if record.tacho.kind == "waveform" else ""
        problems.append(
            f"the tachometer covers only {first:.4g} to {last:.4g} s of the record's {record.duration:.4g} s; the rest "
            f"is not used{threshold}"
        )
    if (report := angle.report) is not None:
        lost, twice = len(report.missing), len(report.doubled)
        tacho |= {"pulses": report.pulses, "missing": lost, "doubled": twice, "jitter": report.jitter}
        if report.repaired:
            problems.append(
                f"the tachometer lost {lost} pulses and doubled {twice} of {report.pulses}; they were mended"
            )
    return angle, record.tacho.shaft if train is None else shaft_of(record.tacho, train), tacho


def _spectrum_hz(x: np.ndarray, sampling_rate: float) -> Spectrum:
    size = min(1 << 14, 1 << int(np.log2(max(len(x), 2))))
    return order_amplitudes(np.asarray(x[: size * _BLOCKS]), size, sampling_rate)


def _spectrum_orders(x: np.ndarray, sampling_rate: float, angle: ShaftAngle) -> Spectrum:
    first, last = angle.span
    ends = angle.at(np.clip([0.0, (len(x) - 1) / sampling_rate], angle.times[0], angle.times[-1]))
    first, last = max(first, float(ends[0])), min(last, float(ends[1]))
    block = min(_BLOCK, int(last - first))
    if block < 2:
        raise InputError(f"a spectrum in orders needs 2 revolutions or more, but the record has {last - first:.1f}")
    wanted = sampling_rate / float(np.median(angle.speed()))
    per = min(_PER_REVOLUTION, 2 * (int(max(wanted, 8)) // 2))
    turned = resample(x, sampling_rate, angle, per, start=first, revolutions=min(block * _BLOCKS, int(last - first)))
    return order_amplitudes(turned, block * per, float(per))

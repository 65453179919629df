"""Vibration of a simulated gearbox, with the truth about its teeth.

The mesh's transmission error (``simulate.mesh``) accelerates the housing through its modes; eccentricity of either gear
modulates it in amplitude and phase once per revolution; a planetary stage is heard through the path from each planet to
the sensor. How load and speed change the level is not set but follows: the error grows with the load, acceleration with
the square of frequency below the modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.errors import InputError
from toothwise.gears import GearPair, PlanetaryStage
from toothwise.simulate.faults import Fault
from toothwise.simulate.mesh import GRADES
from toothwise.simulate.speed import SpeedProfile, draw_revolutions
from toothwise.simulate.stages import transmission_error
from toothwise.simulate.tacho import TachoConfig, make_tacho
from toothwise.vibration.records import VibrationRecord

_TAIL = 0.7  # revolutions of the counted shaft after the last period
_COUPLING = 0.1  # of the mesh to the housing


@dataclass(frozen=True)
class Sensor:
    """An accelerometer on the housing.

    Attributes:
        name: of its channel.
        angle: of a planetary stage, carrier revolutions from where planet 0 meets ring tooth 0 to the sensor.
        weights: factors on the weights of the modes, because places move differently; () = all 1.
    """

    name: str = "vibration"
    angle: float = 0.0
    weights: tuple[float, ...] = ()


@dataclass(frozen=True)
class GearboxConfig:
    """A gearbox, how it runs, and how it is measured.

    Attributes:
        gears: a pair or a planetary stage (sun drives, ring stands).
        grade: DIN 3962 grade of all gears, 6 to 9.
        load: share of the rated torque, above 0.
        speed: of the driving shaft (of the sun).
        temperature: degrees Celsius; modes are given for 40.
        periods: hunting periods that the record holds.
        sampling_rate: hertz.
        snr: level of the vibration over white sensor noise at 40 degrees, dB (0.2 % more noise per degree above); None
            = no noise.
        tacho: on the driving shaft, on the carrier, or where it says.
        modes: of the housing: frequency (Hz), damping ratio and weight each.
        runout: of either gear, micrometres.
        path: of planets to the sensor: floor w0 and sharpness k of w0 + (1 - w0) exp(k (cos(psi) - 1)).
        sensors: one channel each; their noise is independent.
        start: whole revolution of its hunting period at which a record begins (0 = tooth 0 meets tooth 0 at the first
            pulse); None = a random one in each record, as with one index pulse on a real gearbox.
        lead: revolutions of the counted shaft before the first whole one; None = drawn in each record, so that it
            begins anywhere in the hunting period and not half a revolution before a tooth.
        seed: of the gearbox: its flanks stay the same from record to record.

    Raises:
        InputError: a value out of range.
    """

    gears: GearPair | PlanetaryStage = field(default_factory=lambda: GearPair(18, 35))
    grade: int = 7
    load: float = 1.0
    speed: SpeedProfile = field(default_factory=SpeedProfile)
    temperature: float = 40.0
    periods: int = 10
    sampling_rate: float = 20_000.0
    snr: float | None = 10.0
    tacho: TachoConfig = field(default_factory=TachoConfig)
    modes: tuple[tuple[float, float, float], ...] = ((1800.0, 0.02, 1.0), (4300.0, 0.03, 0.5))
    runout: tuple[float, float] = (10.0, 10.0)
    path: tuple[float, float] = (0.2, 3.0)
    sensors: tuple[Sensor, ...] = (Sensor(),)
    start: int | None = 0
    lead: float | None = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("(0, inf)", load=self.load, sampling_rate=self.sampling_rate)
        check_range("[-60, 200]", temperature=self.temperature)
        check_range("[0, inf)", runout=min(self.runout), path_sharpness=self.path[1])
        check_range("[0, 1]", path_floor=self.path[0], lead=self.lead or 0)
        check_whole(1, periods=self.periods)
        check_whole(0, start=self.start or 0, seed=self.seed)
        if not self.modes or not all(f > 0 and 0 < z < 1 for f, z, _ in self.modes):
            raise InputError(f"modes of a gearbox cannot be {self.modes!r}")
        check_choice(GRADES, grade=self.grade)
        names = [sensor.name for sensor in self.sensors]
        if not names or len(set(names)) < len(names) or {"", "tacho", "fs"} & set(names):
            raise InputError(f"sensors need different names other than 'tacho' and 'fs', one or more, but got {names}")
        for sensor in self.sensors:
            if sensor.weights and len(sensor.weights) != len(self.modes):
                raise InputError(
                    f"weights of sensor {sensor.name!r} must be one for each of the {len(self.modes)} modes, but got "
                    f"{list(sensor.weights)}"
                )
        shafts = [name for name in self.gears.shafts if name != "planet"]  # a planet's turns on the carrier
        check_choice(("", *shafts), tacho_shaft=self.tacho.shaft)
        mesh = self.gears.events_per_revolution(self._shaft) * self.shaft_speed
        if 4.0 * mesh > self.sampling_rate:
            raise InputError(
                f"the mesh frequency of {mesh:g} Hz needs a sampling rate of {4 * mesh:g} Hz or more, but got "
                f"{self.sampling_rate:g}"
            )

    @property
    def _shaft(self) -> str:
        """The shaft that is counted: driving, or the carrier."""
        return "driving" if isinstance(self.gears, GearPair) else "carrier"

    @property
    def shaft_speed(self) -> float:
        """Revolutions per second of the counted shaft."""
        return self.speed.mean * self.gears.shafts[self._shaft]


def simulate_record(
    config: GearboxConfig, faults: Sequence[Fault] = (), *, seed: int = 0
) -> tuple[VibrationRecord, dict[str, Any]]:
    """One record, and the truth about it.

    Args:
        config: the gearbox.
        faults: what is wrong with it.
        seed: of the record: speed, noise and tachometer.

    Returns:
        A record with one channel per sensor (g, float32) and a tachometer whose index marks tooth 0 of its own gear;
        and a table of the truth (JSON types): faults, gearbox and record seed, periods, mean speed.

    Raises:
        InputError: a fault of a gear or tooth that is not there.
    """
    faults = tuple(faults)
    check_faults(config.gears, faults)
    rng = np.random.default_rng([config.seed, 1, seed])
    speed_rng, noise_rng, tacho_rng, start_rng = rng.spawn(4)
    start = int(start_rng.integers(config.gears.hunting_revolutions)) if config.start is None else config.start
    shaft = config.gears.shafts[config._shaft]
    lead = float(start_rng.uniform()) if config.lead is None else config.lead
    tacho_shaft = config.tacho.shaft or config._shaft
    ratio = config.gears.shafts[tacho_shaft] / shaft
    # the first pulse may come a whole turn of its shaft after the start
    plain = config.tacho.pulses == 1 and not config.tacho.shaft and config.tacho.index_at == 0.0
    wait = 0.0 if plain else 1.0 / ratio
    turns = config.periods * config.gears.hunting_revolutions + lead + _TAIL + wait
    length = turns / config.shaft_speed * (1.0 + config.speed.variation) + 2.0 / config.sampling_rate
    times = np.arange(int(np.ceil(length * config.sampling_rate))) / config.sampling_rate
    turned = shaft * draw_revolutions(config.speed, times, speed_rng) - lead
    end = int(np.searchsorted(turned, turns - lead))
    times, turned = times[:end], turned[:end]
    channels = {}
    for sensor, error in zip(config.sensors, transmission_error(config, faults, turned + start), strict=True):
        x = _through_housing(error, config, sensor)
        if config.snr is not None:
            warm = 1.0 + 0.002 * (config.temperature - 40.0)
            x = x + noise_rng.standard_normal(len(x)) * np.std(x) * 10.0 ** (-config.snr / 20.0) * warm
        channels[sensor.name] = x.astype(np.float32)
    tacho = make_tacho(
        config.tacho, (turned + start) * ratio, times, config.sampling_rate, tacho_rng, shaft=tacho_shaft
    )
    truth = {
        "faults": [asdict(fault) for fault in faults],
        "gearbox_seed": config.seed,
        "record_seed": seed,
        "start": start,
        "lead": lead,
        "index_at": config.tacho.index_at,
        "periods": config.periods,
        "mean_speed": float((turned[-1] - turned[0]) / (times[-1] - times[0]) / shaft),
    }
    condition = {"load": config.load, "speed": config.speed.mean, "temperature": config.temperature}
    known = {"source": "toothwise.simulate.gearbox", "truth": truth}
    return VibrationRecord(
        channels, config.sampling_rate, tacho, unit="g", condition=condition, provenance=known
    ), truth


def check_faults(gears: GearPair | PlanetaryStage, faults: Sequence[Fault]) -> None:
    """Refuse faults of gears or teeth that are not there.

    Raises:
        InputError: the message lists what is available.
    """
    names = ("driving", "driven") if isinstance(gears, GearPair) else ("planet", "ring", "sun")
    for fault in faults:
        check_choice(names, gear_of_fault=fault.gear)
        teeth = getattr(gears, fault.gear)
        if fault.local and fault.tooth >= teeth:
            raise InputError(f"tooth of a fault must be 0 to {teeth - 1} ({fault.gear}), but got {fault.tooth}")


def _through_housing(error: np.ndarray, config: GearboxConfig, sensor: Sensor) -> np.ndarray:
    """Acceleration at the sensor (g) of a transmission error (micrometres) at equal steps of time."""
    from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

    n = len(error)
    ramp = np.linspace(error[0], error[-1], n)  # a straight line has no acceleration, but its jump would ring
    size = next_fast_len(n + int(0.1 * config.sampling_rate), real=True)
    f = rfftfreq(size, 1.0 / config.sampling_rate)
    heat = config.temperature - 40.0
    response = np.zeros(len(f), dtype=complex)
    factors = sensor.weights or (1.0,) * len(config.modes)
    for (frequency, damping, weight), factor in zip(config.modes, factors, strict=True):
        ratio = f / (frequency * (1.0 - 0.0005 * heat))
        response += factor * weight / (1.0 - ratio**2 + 2j * damping * (1.0 + 0.004 * heat) * ratio)
    response *= _COUPLING * (1.0 + 0.003 * heat)
    to_g = (2.0 * np.pi * f) ** 2 * 1e-6 / 9.81
    return irfft(rfft(error - ramp, size) * response * to_g, size)[:n]

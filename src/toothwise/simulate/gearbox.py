"""Vibration of a simulated gearbox, with the truth about its teeth.

The mesh's transmission error (``simulate.mesh``) accelerates the housing through its modes; eccentricity of either gear
modulates it in amplitude and phase once per revolution; a planetary stage is heard through the path from each planet to
the sensor. How load and speed change the level is not set but follows: the error grows with the load, acceleration with
the square of frequency below the modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.gears import GearPair, PlanetaryStage
from toothwise.simulate.faults import Fault
from toothwise.simulate.mesh import check_grade, draw_flanks, loaded_error
from toothwise.simulate.speed import SpeedProfile, draw_revolutions
from toothwise.simulate.tacho import TachoConfig, make_tacho
from toothwise.vibration.records import VibrationRecord

__all__ = ["GearboxConfig", "check_faults", "simulate_record"]

_SAMPLES = 64  # of the transmission error, per tooth
_RATED_LINE_LOAD = 200.0  # N/mm at load 1
_BASE_PITCH = np.pi * 3.0 * np.cos(np.radians(20.0)) * 1000.0  # micrometres, module 3
_LEAD, _TAIL = 0.5, 0.7  # revolutions of the tachometer's shaft before the first pulse and after the last period
_PLANET_GAIN = (1.0, 0.96, 1.04)
_SUN_PATH = 0.5  # the sun's mesh is heard through planet and ring
_COUPLING = 0.1  # of the mesh to the housing


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
        start: whole revolution of its hunting period at which a record begins (0 = tooth 0 meets tooth 0 at the first
            pulse); None = a random one in each record, as with one index pulse on a real gearbox.
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
    start: int | None = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, good in (
            ("load", self.load > 0),
            ("periods", self.periods >= 1),
            ("sampling_rate", self.sampling_rate > 0),
            ("temperature", -60 <= self.temperature <= 200),
            ("modes", all(f > 0 and 0 < z < 1 for f, z, _ in self.modes) and len(self.modes) > 0),
            ("runout", min(self.runout) >= 0),
            ("path", 0 <= self.path[0] <= 1 and self.path[1] >= 0),
            ("start", self.start is None or self.start >= 0),
            ("seed", self.seed >= 0),
        ):
            if not good:
                raise InputError(f"{name} of a gearbox cannot be {getattr(self, name)!r}")
        check_grade(self.grade)
        if self.tacho.shaft and self.tacho.shaft not in self._tacho_shafts:
            raise InputError(
                f"shaft of a tachometer must be one of {', '.join(map(repr, self._tacho_shafts))}, but got "
                f"{self.tacho.shaft!r}"
            )
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
    def _tacho_shafts(self) -> tuple[str, ...]:
        """Shafts that a pulse can be taken from: a planet's turns on the carrier."""
        return tuple(name for name in self.gears.shafts if name != "planet")

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
        A record with channel "vibration" (g, float32) and a tachometer whose first pulse is tooth 0 meeting tooth 0;
        and a table of the truth (JSON types): faults, gearbox and record seed, periods, mean speed.

    Raises:
        InputError: a fault of a gear or tooth that is not there.
    """
    faults = tuple(faults)
    check_faults(config.gears, faults)
    rng = np.random.default_rng([config.seed, 1, seed])
    speed_rng, noise_rng, tacho_rng, start_rng = rng.spawn(4)
    start = config.start
    if start is None:
        start = int(start_rng.integers(config.gears.hunting_revolutions))
    shaft = config.gears.shafts[config._shaft]
    turns = config.periods * config.gears.hunting_revolutions + _LEAD + _TAIL
    length = turns / config.shaft_speed * (1.0 + config.speed.variation) + 2.0 / config.sampling_rate
    times = np.arange(int(np.ceil(length * config.sampling_rate))) / config.sampling_rate
    turned = shaft * draw_revolutions(config.speed, times, speed_rng) - _LEAD
    end = int(np.searchsorted(turned, turns - _LEAD))
    times, turned = times[:end], turned[:end]
    error = (
        _planetary(config, faults, turned + start)
        if isinstance(config.gears, PlanetaryStage)
        else _pair(config, faults, turned + start)
    )
    x = _through_housing(error, config)
    if config.snr is not None:
        warm = 1.0 + 0.002 * (config.temperature - 40.0)
        x = x + noise_rng.standard_normal(len(x)) * np.std(x) * 10.0 ** (-config.snr / 20.0) * warm
    tacho_shaft = config.tacho.shaft or config._shaft
    ratio = config.gears.shafts[tacho_shaft] / shaft
    tacho = make_tacho(config.tacho, turned * ratio, times, config.sampling_rate, tacho_rng, shaft=tacho_shaft)
    truth = {
        "faults": [asdict(fault) for fault in faults],
        "gearbox_seed": config.seed,
        "record_seed": seed,
        "start": start,
        "periods": config.periods,
        "mean_speed": float((turned[-1] - turned[0]) / (times[-1] - times[0]) / shaft),
    }
    condition = {"load": config.load, "speed": config.speed.mean, "temperature": config.temperature}
    record = VibrationRecord(
        {"vibration": x.astype(np.float32)},
        config.sampling_rate,
        tacho,
        unit="g",
        condition=condition,
        provenance={"source": "toothwise.simulate.gearbox", "truth": truth},
    )
    return record, truth


def check_faults(gears: GearPair | PlanetaryStage, faults: Sequence[Fault]) -> None:
    """Refuse faults of gears or teeth that are not there.

    Raises:
        InputError: the message lists what is there.
    """
    names = ("driving", "driven") if isinstance(gears, GearPair) else ("planet", "ring", "sun")
    for fault in faults:
        if fault.gear not in names:
            raise InputError(f"gear of a fault must be one of {', '.join(map(repr, names))}, but got {fault.gear!r}")
        teeth = getattr(gears, fault.gear)
        if fault.local and fault.tooth >= teeth:
            raise InputError(f"tooth of a fault must be 0 to {teeth - 1} ({fault.gear}), but got {fault.tooth}")


def _wear(faults: Sequence[Fault]) -> float:
    return 2.0 * sum(fault.severity for fault in faults if fault.kind == "wear")


@lru_cache(maxsize=64)
def _error_table(
    pair: GearPair,
    grade: int,
    line_load: float,
    seed: tuple[int, ...],
    faults: tuple[tuple[Fault, int], ...],
    wear: float,
) -> np.ndarray:
    """Transmission error of one mesh over its hunting period; the flanks come from the seed alone."""
    rng = np.random.default_rng(list(seed))
    first, second = draw_flanks(pair.driving, grade, rng), draw_flanks(pair.driven, grade, rng)
    spread = 0.1 * np.std(first.slope)
    term = rng.normal(0.0, spread, (pair.driving, pair.driven))
    table = loaded_error(pair, first, second, term, line_load, samples=_SAMPLES, faults=faults, wear=wear)
    table.flags.writeable = False
    return table


def _look_up(table: np.ndarray, position: np.ndarray) -> np.ndarray:
    """The table at mesh positions (events), closed and cubic between its samples."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(table, [position * _SAMPLES - 0.5], order=3, mode="grid-wrap")


def _modulation(
    faults: Sequence[Fault],
    gears: tuple[str, str],
    runout: tuple[float, float],
    turned: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Amplitude factor and shift of the mesh position (events) by the runout of both gears and what makes it worse."""
    factor, shift = np.ones_like(turned[0]), np.zeros_like(turned[0])
    for gear, micrometres, turn in zip(gears, runout, turned, strict=True):
        phase, phase2 = rng.uniform(0.0, 2.0 * np.pi, 2)
        worse = sum(f.severity for f in faults if f.kind == "eccentricity" and f.gear == gear)
        twice = sum(f.severity for f in faults if f.kind == "misalignment" and f.gear == gear)
        r = micrometres + 60.0 * worse
        wave = np.cos(2.0 * np.pi * turn + phase)
        factor += r / 150.0 * wave + 0.5 * twice * np.cos(4.0 * np.pi * turn + phase2)
        shift += r / _BASE_PITCH * np.sin(2.0 * np.pi * turn + phase)
    return factor, shift


def _pair(config: GearboxConfig, faults: tuple[Fault, ...], turned: np.ndarray) -> np.ndarray:
    gears = config.gears
    assert isinstance(gears, GearPair)
    local = tuple((f, ("driving", "driven").index(f.gear)) for f in faults if f.local)
    table = _error_table(gears, config.grade, config.load * _RATED_LINE_LOAD, (config.seed, 0), local, _wear(faults))
    rng = np.random.default_rng([config.seed, 2])
    turns = (turned, turned * gears.shafts["driven"])
    factor, shift = _modulation(faults, ("driving", "driven"), config.runout, turns, rng)
    return factor * _look_up(table, turned * gears.driving + shift)


def _planetary(config: GearboxConfig, faults: tuple[Fault, ...], turned: np.ndarray) -> np.ndarray:
    """Every planet's mesh with ring and sun, each through its path to the sensor; ``turned`` = the carrier."""
    gears = config.gears
    assert isinstance(gears, PlanetaryStage)
    line_load, wear = config.load * _RATED_LINE_LOAD, _wear(faults)
    rng = np.random.default_rng([config.seed, 2])
    turns = (turned * gears.ring / gears.sun, turned * gears.ring / gears.planet)
    factor, shift = _modulation(faults, ("sun", "planet"), config.runout, turns, rng)
    floor, sharpness = config.path
    total = np.zeros_like(turned)
    for p in range(gears.planets):
        own = turned - gears.spacing[p]  # 0 while this planet passes the sensor
        mine = [f for f in faults if f.local and (f.gear != "planet" or p == 0)]
        to_ring = tuple((f, 0 if f.gear == "planet" else 1) for f in mine if f.gear in ("planet", "ring"))
        # a planet's tooth meets the sun half a turn after the ring
        to_sun = tuple((f, 0 if f.gear == "sun" else 1) for f in mine if f.gear in ("sun", "planet"))
        # ring teeth are those of one ring: planets draw their own flanks from a seed of theirs
        ring = _ring_table(gears, config.grade, line_load, config.seed, p, to_ring, wear)
        sun = _sun_table(gears, config.grade, line_load, config.seed, p, to_sun, wear)
        gain = _PLANET_GAIN[p % len(_PLANET_GAIN)]
        path = floor + (1.0 - floor) * np.exp(sharpness * (np.cos(2.0 * np.pi * own) - 1.0))
        position = own * gears.ring + shift
        total += gain * path * (_look_up(ring, position) + _SUN_PATH * _look_up(sun, position))
    return factor * total


@lru_cache(maxsize=64)
def _ring_table(
    gears: PlanetaryStage,
    grade: int,
    line_load: float,
    seed: int,
    planet: int,
    faults: tuple[tuple[Fault, int], ...],
    wear: float,
) -> np.ndarray:
    """One planet against the ring: its own flanks, the ring's flanks common to all planets."""
    ring = draw_flanks(gears.ring, grade, np.random.default_rng([seed, 4]))
    rng = np.random.default_rng([seed, 5, planet])
    own = draw_flanks(gears.planet, grade, rng)
    term = rng.normal(0.0, 0.1 * np.std(own.slope), (gears.planet, gears.ring))
    table = loaded_error(gears.ring_pair, own, ring, term, line_load, samples=_SAMPLES, faults=faults, wear=wear)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=64)
def _sun_table(
    gears: PlanetaryStage,
    grade: int,
    line_load: float,
    seed: int,
    planet: int,
    faults: tuple[tuple[Fault, int], ...],
    wear: float,
) -> np.ndarray:
    """One planet against the sun: the planet's other flanks, the sun's flanks common to all planets.

    Event 0 is the planet's passing of the sensor. A planet k slots of 1 / (sun + ring) revolution behind the first
    one passes while the sun has turned on by as many teeth, so sun tooth k (mod sun) is the one in mesh there.
    """
    sun = draw_flanks(gears.sun, grade, np.random.default_rng([seed, 3]))
    rng = np.random.default_rng([seed, 6, planet])
    own = draw_flanks(gears.planet, grade, rng)
    term = rng.normal(0.0, 0.1 * np.std(sun.slope), (gears.sun, gears.planet))
    slot = round(float(gears.spacing[planet]) * (gears.sun + gears.ring))
    start = (slot % gears.sun, gears.planet // 2)
    pair = gears.sun_pair
    table = loaded_error(pair, sun, own, term, line_load, samples=_SAMPLES, faults=faults, start=start, wear=wear)
    table.flags.writeable = False
    return table


def _through_housing(error: np.ndarray, config: GearboxConfig) -> np.ndarray:
    """Acceleration at the sensor (g) of a transmission error (micrometres) at equal steps of time."""
    from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

    n = len(error)
    ramp = np.linspace(error[0], error[-1], n)  # a straight line has no acceleration, but its jump would ring
    size = next_fast_len(n + int(0.1 * config.sampling_rate), real=True)
    f = rfftfreq(size, 1.0 / config.sampling_rate)
    heat = config.temperature - 40.0
    response = np.zeros(len(f), dtype=complex)
    for frequency, damping, weight in config.modes:
        ratio = f / (frequency * (1.0 - 0.0005 * heat))
        response += weight / (1.0 - ratio**2 + 2j * damping * (1.0 + 0.004 * heat) * ratio)
    response *= _COUPLING * (1.0 + 0.003 * heat)
    to_g = (2.0 * np.pi * f) ** 2 * 1e-6 / 9.81
    return irfft(rfft(error - ramp, size) * response * to_g, size)[:n]

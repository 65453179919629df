"""Transmission error of a pair or a planetary stage along the turning of its shafts, with the truth of each tooth.

The loaded error of each mesh is tabled once over its hunting period (``simulate.mesh``) and looked up at the exact
mesh position of every sample; runout of the gears moves that position and scales the error once per revolution. Of a
planetary stage every planet's meshes with ring and sun reach each sensor by a path that depends on where the planet is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from toothwise.gears import GearPair, PlanetaryStage
from toothwise.simulate.faults import Fault
from toothwise.simulate.mesh import draw_flanks, loaded_error

if TYPE_CHECKING:
    from toothwise.simulate.gearbox import GearboxConfig

_SAMPLES = 64  # of the transmission error, per tooth
_RATED_LINE_LOAD = 200.0  # N/mm at load 1
_BASE_PITCH = np.pi * 3.0 * np.cos(np.radians(20.0)) * 1000.0  # micrometres, module 3
_PLANET_GAIN = (1.0, 0.96, 1.04)
_SUN_PATH = 0.5  # the sun's mesh is heard through planet and ring


def transmission_error(config: GearboxConfig, faults: tuple[Fault, ...], turned: np.ndarray) -> np.ndarray:
    """What each sensor's end of the housing is moved by.

    Args:
        config: the gearbox.
        faults: of gears and teeth that are there.
        turned: revolutions of the counted shaft (driving, or the carrier) at each sample ``[n]``.

    Returns:
        micrometres, float64 ``[sensors, n]``; of a pair the same for all sensors.
    """
    if isinstance(config.gears, PlanetaryStage):
        return _planetary(config, config.gears, faults, turned)
    return np.broadcast_to(_pair(config, config.gears, faults, turned), (len(config.sensors), len(turned)))


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


def _pair(config: GearboxConfig, gears: GearPair, faults: tuple[Fault, ...], turned: np.ndarray) -> np.ndarray:
    local = tuple((f, ("driving", "driven").index(f.gear)) for f in faults if f.local)
    table = _error_table(gears, config.grade, config.load * _RATED_LINE_LOAD, (config.seed, 0), local, _wear(faults))
    rng = np.random.default_rng([config.seed, 2])
    turns = (turned, turned * gears.shafts["driven"])
    factor, shift = _modulation(faults, ("driving", "driven"), config.runout, turns, rng)
    return factor * _look_up(table, turned * gears.driving + shift)


def _planetary(
    config: GearboxConfig, gears: PlanetaryStage, faults: tuple[Fault, ...], turned: np.ndarray
) -> np.ndarray:
    """Every planet's mesh with ring and sun, each through its path to the sensor; ``turned`` = the carrier."""
    line_load, wear = config.load * _RATED_LINE_LOAD, _wear(faults)
    rng = np.random.default_rng([config.seed, 2])
    turns = (turned * gears.ring / gears.sun, turned * gears.ring / gears.planet)
    factor, shift = _modulation(faults, ("sun", "planet"), config.runout, turns, rng)
    floor, sharpness = config.path
    total = np.zeros((len(config.sensors), len(turned)))
    for p in range(gears.planets):
        own = turned - gears.spacing[p]  # 0 while this planet passes carrier angle 0
        mine = [f for f in faults if f.local and (f.gear != "planet" or p == 0)]
        to_ring = tuple((f, 0 if f.gear == "planet" else 1) for f in mine if f.gear in ("planet", "ring"))
        # a planet's tooth meets the sun half a turn after the ring
        to_sun = tuple((f, 0 if f.gear == "sun" else 1) for f in mine if f.gear in ("sun", "planet"))
        # ring teeth are those of one ring: planets draw their own flanks from a seed of theirs
        ring = _planet_table(gears, "ring", config.grade, line_load, config.seed, p, to_ring, wear)
        sun = _planet_table(gears, "sun", config.grade, line_load, config.seed, p, to_sun, wear)
        gain = _PLANET_GAIN[p % len(_PLANET_GAIN)]
        position = own * gears.ring + shift
        mesh = gain * (_look_up(ring, position) + _SUN_PATH * _look_up(sun, position))
        for k, sensor in enumerate(config.sensors):
            away = 2.0 * np.pi * (own - sensor.angle)
            total[k] += mesh * (floor + (1.0 - floor) * np.exp(sharpness * (np.cos(away) - 1.0)))
    return factor * total


@lru_cache(maxsize=64)
def _planet_table(
    gears: PlanetaryStage,
    mate: str,
    grade: int,
    line_load: float,
    seed: int,
    planet: int,
    faults: tuple[tuple[Fault, int], ...],
    wear: float,
) -> np.ndarray:
    """One planet against the ring or the sun: its own flanks for each, the mate's common to all planets.

    Event 0 is the planet's passing of the sensor. A planet k slots of 1 / (sun + ring) revolution behind the first
    one passes while the sun has turned on by as many teeth, so sun tooth k (mod sun) is the one in mesh there.
    """
    rng = np.random.default_rng([seed, 5 if mate == "ring" else 6, planet])
    own, of_mate = draw_flanks(gears.planet, grade, rng), np.random.default_rng([seed, 4 if mate == "ring" else 3])
    mates = draw_flanks(getattr(gears, mate), grade, of_mate)
    slot = round(float(gears.spacing[planet]) * (gears.sun + gears.ring))
    pair, first, second, start = gears.ring_pair, own, mates, (0, 0)
    if mate == "sun":
        pair, first, second, start = gears.sun_pair, mates, own, (slot % gears.sun, gears.planet // 2)
    term = rng.normal(0.0, 0.1 * np.std(first.slope), (pair.driving, pair.driven))
    table = loaded_error(pair, first, second, term, line_load, samples=_SAMPLES, faults=faults, start=start, wear=wear)
    table.flags.writeable = False
    return table

"""Vibration separation: one planet's own waveform, put together from the moments when it passes the sensor.

Source: McFadden 1991. A planet meshes loudest for the sensor while it passes it; which of its teeth is in mesh then is
known (n * N_ring mod N_planet at pass n), so a window around every pass is filed under that tooth and what was filed
there is averaged. After N_planet passes every tooth has been heard.
"""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError
from toothwise.gears import PlanetaryStage
from toothwise.vibration.periods import Periods
from toothwise.vibration.windows import EventWindow

__all__ = ["separate_planet"]


def separate_planet(
    periods: Periods, planet: int = 0, *, signal: np.ndarray | None = None, window: EventWindow | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """One revolution of a planet against the ring, heard while it passed the sensor.

    Args:
        periods: of a planetary stage; revolution 0 of the carrier = planet 0 at the sensor.
        planet: from 0.
        signal: to take instead of the periods themselves, same shape (their residual, for example).
        window: around a pass; its copies one tooth apart sum to a constant. None = Hann of two teeth.

    Returns:
        float64 ``[planet teeth * samples_per_tooth]``, tooth 0 (the one in mesh at the planet's first pass) first, and
        the passes behind each tooth, int64 ``[planet teeth]``.

    Raises:
        InputError: no planetary stage, no such planet, or a planet tooth that never passes the sensor.
    """
    stage = periods.gears
    if not isinstance(stage, PlanetaryStage):
        raise InputError("vibration separation needs a planetary stage, but the gears are a pair")
    if not 0 <= planet < stage.planets:
        raise InputError(f"planet must be 0 to {stage.planets - 1}, but got {planet}")
    spt = periods.samples_per_tooth
    x = (periods.values if signal is None else np.asarray(signal)).reshape(-1)
    shape = (window or EventWindow()).weights(spt).reshape(-1)  # over the tooth before, its own, and the one after
    passes = len(x) // (stage.ring * spt)
    teeth = stage.pass_teeth(passes)
    first = np.rint((np.arange(passes) + stage.spacing[planet]) * stage.ring * spt).astype(np.int64) - spt
    at = first[:, None] + np.arange(3 * spt)
    # the record's ends: half a window that is not there is left out rather than wrapped onto another tooth
    inside = (at >= 0) & (at < len(x))
    filed = ((teeth[:, None] - 1) * spt + np.arange(3 * spt)) % (stage.planet * spt)
    total, weight = np.zeros(stage.planet * spt), np.zeros(stage.planet * spt)
    weighted = np.where(inside, shape, 0.0)
    np.add.at(total, filed, weighted * x[np.clip(at, 0, len(x) - 1)])
    np.add.at(weight, filed, weighted)
    if (weight <= 1e-9).any():
        raise InputError(
            f"{passes} passes leave planet teeth unheard: {stage.planet // stage.assembly_phases} passes or more are "
            "needed, and every tooth must pass the sensor (planet and ring teeth without a common divisor)"
        )
    return total / weight, np.bincount(teeth, minlength=stage.planet)

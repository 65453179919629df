"""Hunting averages of the DSTG's planet-gear run (HUMS2023): one vector a sensor, ``xah<sensor>``, in a MAT file.

Such an average holds 117 samples for each of the 35 x 99 meetings of a planet tooth and a ring tooth, in the order in
which they meet: it is a hunting period already, and becomes a map without a tachometer. Which teeth meet first is not
known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toothwise.errors import InputError
from toothwise.gears import PlanetaryStage
from toothwise.vibration.angle import ShaftAngle
from toothwise.vibration.readers.read import contents_of
from toothwise.vibration.records import VibrationRecord

STAGE = PlanetaryStage(sun=27, planet=35, ring=99, planets=1)  # the planet that was averaged
_SAMPLES = 117
_PREFIX = "xah"


def read_hunting_average(path: str | Path, *, sensor: str | None = None) -> tuple[VibrationRecord, ShaftAngle]:
    """A hunting average as a record and its angle: ``build_map(record, STAGE, angle=angle, samples_per_tooth=117)``.

    Args:
        path: MAT file with one or several vectors ``xah<sensor>``.
        sensor: Which one, such as "RF2"; None = the only one.

    Returns:
        The record, one sample a second, and the angle of its carrier.

    Raises:
        InputError: no such vector, several and none named, or another number of samples than 35 x 99 x 117.
    """
    contents = contents_of(path)
    found = {name[len(_PREFIX) :]: name for name in contents.signals if name.lower().startswith(_PREFIX)}
    chosen = next(iter(found)) if sensor is None and len(found) == 1 else sensor
    if chosen is None or chosen not in found:
        listed = ", ".join(found) or "none"
        raise InputError(
            f"{path}: name one sensor of those with a vector {_PREFIX}<sensor>: {listed}, but got {sensor!r}"
        )
    name = found[chosen]
    values = np.asarray(contents.load([name])[name], dtype=np.float32)
    events = STAGE.hunting_period
    if values.size != events * _SAMPLES:
        raise InputError(f"{path}: {name} must have 35 x 99 x {_SAMPLES} samples, but has {values.size}")
    angle = ShaftAngle(np.array([0.0, values.size]), np.array([0.0, STAGE.hunting_revolutions]))
    closed = np.append(values, values[:_SAMPLES])  # a hunting period ends where it begins
    return VibrationRecord({chosen: closed}, 1.0, provenance={"path": str(path), "format": "DSTG average"}), angle

"""Which gear and which tooth a map accuses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.detectors.base import Prediction
from toothwise.errors import InputError
from toothwise.gears import GearPair, PlanetaryStage


@dataclass(frozen=True, eq=False)
class NamedTeeth:
    """The most suspicious tooth of each map, all arrays ``[n]``.

    Attributes:
        gear: "driving" or "driven" ("planet" or "ring").
        tooth: from 0.
        evidence: of that tooth's row or column.
    """

    gear: np.ndarray
    tooth: np.ndarray
    evidence: np.ndarray

    def right(self, gear: str, tooth: np.ndarray | int, teeth: int) -> np.ndarray:
        """Whether gear and tooth are right, bool ``[n]``; contact of neighbours and ringing allow +-1 tooth.

        Args:
            gear: the damaged one.
            tooth: the damaged one.
            teeth: of that gear; tooth 0 follows on the last.
        """
        away = (self.tooth - np.asarray(tooth)) % teeth
        return (self.gear == gear) & (np.minimum(away, teeth - away) <= 1)


def name_teeth(prediction: Prediction, gears: GearPair | PlanetaryStage | None = None) -> NamedTeeth:
    """The row or column with the strongest evidence.

    Args:
        prediction: of a detector that gives evidence for rows, columns or both.
        gears: whose names the rows and columns have; None = driving and driven.

    Raises:
        InputError: a detector without such evidence.
    """
    given = [prediction.row_evidence, prediction.column_evidence]
    if all(e is None for e in given):
        raise InputError("this detector gives no evidence for rows or columns: no tooth can be named")
    names = ("driving", "driven") if gears is None else tuple(name.split()[0] for name, _ in gears.axes)
    n = len(prediction.score)
    best = [np.full(n, -np.inf) if e is None else e.max(axis=1) for e in given]
    tooth = [np.zeros(n, dtype=np.int64) if e is None else e.argmax(axis=1) for e in given]
    column = best[1] > best[0]
    return NamedTeeth(
        np.where(column, names[1], names[0]), np.where(column, tooth[1], tooth[0]), np.where(column, best[1], best[0])
    )

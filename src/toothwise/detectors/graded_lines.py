"""Synthetic damage lines whose contrast and extent grow with a severity of 0 to 10, for training a severity head."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.errors import InputError
from toothwise.healthmap.logarithm import check_positive
from toothwise.simulate.lines import GEARS, LineShape, draw_lines, line_masks

MAX_SEVERITY = 10.0
_GAPS, _GAP_LENGTH = (0, 3), (1, 4)


@dataclass(frozen=True)
class GradedLines:
    """How damage of a given severity looks.

    Contrast is what each cell of a line is multiplied by: ``max_contrast ** (severity / 10)``, so that severity is
    proportional to what a line adds to the logarithm of the map, and 0 is healthy.

    Attributes:
        max_contrast (ratio): Contrast over background of a synthetic line of the largest severity.
        line_gear: Which gear lines are drawn on: "driving" (rows), "driven" (columns) or "both" (each map one of the
            two).
        max_teeth (teeth): Most neighbouring teeth that a line covers, at the largest severity.
        max_lines (lines): Most lines of a map, all of one gear, at the largest severity.
        grow: Length, teeth and number of lines grow with severity; false = they are drawn from the same range at every
            severity.

    Raises:
        InputError: a value out of range.
    """

    max_contrast: float = 2.0
    line_gear: str = "both"
    max_teeth: int = 2
    max_lines: int = 2
    grow: bool = True

    def __post_init__(self) -> None:
        check_range("(1, inf)", max_contrast=self.max_contrast)
        check_choice(GEARS, line_gear=self.line_gear)
        check_whole(1, max_teeth=self.max_teeth, max_lines=self.max_lines)

    @property
    def log_step(self) -> float:
        """Logarithm of contrast per unit of severity."""
        return math.log(self.max_contrast) / MAX_SEVERITY

    def severities(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Severities in (0, 10], float64 ``[n]``, all equally likely."""
        return MAX_SEVERITY * (1.0 - rng.random(n))

    def draw(self, severity: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """Cells of the lines, bool ``[n, rows, columns]``.

        Args:
            severity: ``[n]`` in (0, 10]; how far the extent may go. With ``grow`` the longest possible length goes
                from 2 cells to the whole axis, and a line has at least half of it.
            shape: rows and columns.
        """
        return np.array([self._draw_one(float(s) / MAX_SEVERITY, shape, rng) for s in severity])

    def _draw_one(self, share: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        reach = share if self.grow else 1.0
        driving = self.line_gear == "driving" or (self.line_gear == "both" and rng.random() < 0.5)
        across, along = shape if driving else shape[::-1]
        longest = min(along, round(2 + reach * (along - 2)))
        shortest = max(1, longest // 2) if self.grow else min(2, longest)
        line = LineShape(
            teeth=(1, min(across, 1 + round(reach * (self.max_teeth - 1)))),
            length=(shortest, longest),
            gaps=_GAPS,
            gap_length=_GAP_LENGTH,
        )
        count = 1 + int(rng.integers(0, 1 + round(reach * (self.max_lines - 1))))
        mask, _ = line_masks(draw_lines(count, shape, "driving" if driving else "driven", line, rng), shape)
        return np.asarray(mask.any(axis=0))

    def add(
        self, maps: np.ndarray, severity: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Maps with lines added to their logarithm.

        Args:
            maps: positive, float32 ``[n, rows, columns]``; NaN where no pair meshes, which stays so.
            severity: ``[n]`` in (0, 10].

        Returns:
            maps, severities and cells of the lines; a map whose lines met no measured cell is left out.

        Raises:
            InputError: values of zero or less, or no line met a measured cell.
        """
        check_positive(maps, "severity is a ratio and")
        mask = self.draw(severity, (maps.shape[1], maps.shape[2]), rng)
        seen = (mask & ~np.isnan(maps)).any(axis=(1, 2))
        if not seen.any():
            raise InputError("no synthetic line met a measured cell: the maps hold too few of them")
        raised = np.exp(np.log(maps[seen]) + mask[seen] * (self.log_step * severity[seen])[:, None, None])
        return raised.astype(np.float32), severity[seen], mask[seen]

"""Where damage and disturbances are on simulated maps: lines with gaps, bright segments, wrapped diagonals.

All drawing is done for n maps at once from uniform numbers, one row of them per map.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm
from typing import Any

import numpy as np

from toothwise.checks import check_choice
from toothwise.errors import InputError

GEARS = ("driving", "driven", "both")
_SLOTS = 4  # gaps at most


@dataclass(frozen=True)
class LineShape:
    """What a damaged tooth's line may look like; every range is (lowest, highest), both ends included, drawn evenly.

    How lines of the research data are distributed within these ranges is not published: even is an assumption.

    Attributes:
        teeth: neighbouring teeth that one line covers.
        length: cells along the line; None = 2 to one less than the axis is long.
        gaps: interruptions, where the line is long enough (never at its ends, so ``length`` stays what it says).
        gap_length: cells of one gap.
    """

    teeth: tuple[int, int] = (1, 2)
    length: tuple[int, int] | None = None
    gaps: tuple[int, int] = (0, 3)
    gap_length: tuple[int, int] = (1, 4)

    def __post_init__(self) -> None:
        for name, low in (("teeth", 1), ("length", 1), ("gaps", 0), ("gap_length", 1)):
            given = getattr(self, name)
            if given is not None and not (len(given) == 2 and low <= given[0] <= given[1]):
                raise InputError(f"{name} must be (lowest, highest) with lowest {low} or more, but got {given!r}")
        if self.gaps[1] > _SLOTS:
            raise InputError(f"gaps must be {_SLOTS} at most, but got {self.gaps!r}")


@dataclass(frozen=True, eq=False)
class Lines:
    """One line per map, all arrays ``[n]``.

    Attributes:
        driving: bool, the line is a row (driving tooth); else a column (driven tooth).
        tooth: first damaged tooth.
        teeth: teeth that the line covers from there.
        start, length: first cell along the line and number of cells, gaps included.
        gap_start, gap_length: int ``[n, 4]``; length 0 = no gap.
    """

    driving: np.ndarray
    tooth: np.ndarray
    teeth: np.ndarray
    start: np.ndarray
    length: np.ndarray
    gap_start: np.ndarray
    gap_length: np.ndarray


def _pick(u: np.ndarray, low: Any, high: Any) -> np.ndarray:
    """Whole numbers low..high, both included, from uniform numbers in [0, 1)."""
    return (np.asarray(low) + np.floor(u * (np.asarray(high) - np.asarray(low) + 1))).astype(np.int64)


def draw_lines(
    n: int,
    shape: tuple[int, int],
    gear: str,
    line: LineShape,
    rng: np.random.Generator,
    *,
    least: np.ndarray | int = 1,
) -> Lines:
    """One line per map.

    Args:
        shape: rows and columns.
        gear: "driving" (rows), "driven" (columns) or "both" (each map one or the other, at equal chance).
        least: int ``[n]``, cells that a line must have at least.

    Raises:
        InputError: unknown gear, or a line that does not fit the shape.
    """
    check_choice(GEARS, gear=gear)
    u = rng.random((n, 6 + 2 * _SLOTS))
    driving = np.full(n, gear == "driving") if gear != "both" else u[:, 0] < 0.5
    along = np.where(driving, shape[1], shape[0])
    across = np.where(driving, shape[0], shape[1])
    sides = {"driving": (shape,), "driven": (shape[::-1],), "both": (shape, shape[::-1])}[gear]
    for most, cells in sides:
        if line.teeth[1] > most or (line.length is not None and line.length[1] > cells):
            raise InputError(f"a line of {line} does not fit {most} teeth x {cells} cells")
    low, high = (np.full(n, 2), along - 1) if line.length is None else map(np.asarray, line.length)
    length = np.minimum(np.maximum(_pick(u[:, 1], low, high), least), along)
    teeth = _pick(u[:, 2], *line.teeth)
    gaps = _pick(u[:, 5], *line.gaps)
    # an inner cell starts a gap, and the last cell stays bright
    gap_start = 1 + _pick(u[:, 6 : 6 + _SLOTS], 0, (length - 3)[:, None])
    gap_length = _pick(u[:, 6 + _SLOTS :], *line.gap_length)
    gap_length = np.minimum(gap_length, (length - 1)[:, None] - gap_start)
    gap_length *= (np.arange(_SLOTS) < gaps[:, None]) & (length >= 3)[:, None]
    return Lines(
        driving,
        _pick(u[:, 3], 0, across - teeth),
        teeth,
        _pick(u[:, 4], 0, along - length),
        length,
        gap_start,
        np.maximum(gap_length, 0),
    )


def line_masks(lines: Lines, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cells of the lines, bool ``[n, rows, columns]``, and their gaps, int ``[n]`` (gaps that touch are one)."""
    size = max(shape)
    at = np.arange(size)[None] - lines.start[:, None]
    along = (at >= 0) & (at < lines.length[:, None])
    for k in range(lines.gap_start.shape[1]):
        first, last = lines.gap_start[:, k, None], (lines.gap_start + lines.gap_length)[:, k, None]
        along &= ~((at >= first) & (at < last))
    starts = along & ~np.pad(along, ((0, 0), (1, 0)))[:, :-1]
    gaps = starts.sum(axis=1) - 1
    tooth = np.arange(size)[None] - lines.tooth[:, None]
    across = (tooth >= 0) & (tooth < lines.teeth[:, None])
    row = np.where(lines.driving[:, None], across, along)[:, : shape[0]]
    column = np.where(lines.driving[:, None], along, across)[:, : shape[1]]
    return row[:, :, None] & column[:, None, :], gaps


def diagonal_masks(
    n: int, shape: tuple[int, int], share: float, events: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Transients in time: consecutive mesh events, which run along a wrapped diagonal.

    Args:
        share: share of maps that have one.
        events: fewest and most mesh events that a transient lasts.

    Returns:
        bool ``[n, rows, columns]``, and the events of each map's transient, int ``[n]`` (0 = none).
    """
    rows, columns = shape
    u = rng.random((n, 4))
    lasts = np.minimum(_pick(u[:, 1], *events), lcm(rows, columns)) * (u[:, 0] < share)
    masks = np.zeros((n, rows, columns), dtype=bool)
    which, event = np.nonzero(np.arange(lasts.max(initial=0))[None] < lasts[:, None])
    row = _pick(u[:, 2], 0, rows - 1)[which] + event
    column = _pick(u[:, 3], 0, columns - 1)[which] + event
    masks[which, row % rows, column % columns] = True
    return masks, lasts

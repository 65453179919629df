"""What the gaps of a simulated line may look like, as a finite mixture of patterns along the line.

Every number of gaps is a stratum of its own. Where a stratum has few patterns they are all listed with their exact
chance; else it is represented by a fixed number of draws of the generator itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from toothwise.simulate.lines import LineShape, draw_lines, line_masks


@dataclass(frozen=True, eq=False)
class Patterns:
    """Cells of a line that are bright, one pattern a row.

    Attributes:
        cells: bool ``[patterns, length]``.
        chance: float64 ``[patterns]``, sums to 1.
        exact: every possible pattern is listed with its true chance.
    """

    cells: np.ndarray
    chance: np.ndarray
    exact: bool


def gap_patterns(length: int, line: LineShape, draws: int, rng: np.random.Generator) -> Patterns:
    """Patterns of a line of one length under the generator's prior of gaps.

    Args:
        length: cells from the first to the last bright one.
        line: numbers and lengths of gaps, drawn evenly.
        draws: patterns per number of gaps at most.
        rng: draws the patterns of the strata that are not listed in full.
    """
    strata = range(line.gaps[0], line.gaps[1] + 1)
    found: dict[int, float] = {}
    whole = (1 << length) - 1
    exact = True
    for gaps in strata:
        listed = _listed(length, gaps, line.gap_length, draws)
        if listed is None:
            exact = False
            listed = _drawn(length, replace(line, gaps=(gaps, gaps)), draws, rng)
        for dark, chance in listed.items():
            bright = whole & ~dark
            found[bright] = found.get(bright, 0.0) + chance / len(strata)
    order = sorted(found, reverse=True)
    cells = np.array([[bool(p >> (length - 1 - i) & 1) for i in range(length)] for p in order])
    return Patterns(cells, np.array([found[p] for p in order]), exact)


def _listed(length: int, gaps: int, gap_length: tuple[int, int], most: int) -> dict[int, float] | None:
    """Chance of each set of dark cells (bits, first cell highest); None where there are more than ``most``."""
    single: dict[int, float] = {}
    lengths = range(gap_length[0], gap_length[1] + 1)
    for start in range(1, length - 1):
        for cells in lengths:
            dark = sum(1 << (length - 1 - i) for i in range(start, min(start + cells, length - 1)))
            single[dark] = single.get(dark, 0.0) + 1.0 / ((length - 2) * len(lengths))
    states = {0: 1.0}
    for _ in range(gaps if single else 0):
        grown: dict[int, float] = {}
        for dark, chance in states.items():
            for more, share in single.items():
                grown[dark | more] = grown.get(dark | more, 0.0) + chance * share
            if len(grown) > 16 * most:
                return None
        states = grown
    return states if len(states) <= most else None


def _drawn(length: int, line: LineShape, draws: int, rng: np.random.Generator) -> dict[int, float]:
    """The same from draws of the generator, each with the same chance."""
    one = replace(line, length=(length, length), teeth=(1, 1))
    masks, _ = line_masks(draw_lines(draws, (3, length), "driving", one, rng), (3, length))
    found: dict[int, float] = {}
    for cells in np.asarray(masks.any(axis=1)):
        dark = sum(1 << (length - 1 - int(i)) for i in np.flatnonzero(~cells))
        found[dark] = found.get(dark, 0.0) + 1.0 / draws
    return found

"""Simulated health maps with known damage, as the published statistics of the research data have them.

Domains A-D differ in texture and level; cold and warm are the two thermal states of the test maps. Contrast is
defined in the log map: a line adds log(contrast) to it, so each cell of the line is ``contrast`` times what it would
be without damage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.errors import InputError
from toothwise.simulate.lines import Lines, LineShape, diagonal_masks, draw_lines, line_masks
from toothwise.simulate.textures import DOMAINS, Session, draw_levels, draw_textures

__all__ = ["LineShape", "generate"]

_CHUNK = 512  # maps computed at a time: keeps the working memory small
_SEGMENT_CELLS = (3, 10)
_SEGMENT_PEAK = (4.4, 9.4)  # over the level of the map
_DIAGONAL_EVENTS = (20, 90)

Range = float | tuple[float, float] | Sequence[float]


def generate(
    domain: str = "C",
    n: int = 100,
    faulty: bool = True,
    mode: str = "matched",
    split: str = "train",
    condition: str = "mixed",
    contrast: Range = (1.2, 1.45),
    seed: int | np.random.Generator = 0,
    *,
    shape: tuple[int, int] = (31, 95),
    gear: str = "driving",
    line: LineShape | None = None,
    session: str | None = None,
    segment: bool | None = None,
    diagonals: float = 0.0,
    masks: bool = False,
) -> tuple[Any, ...]:
    """Maps of one domain, with or without a damaged tooth each, and the truth about them.

    One seed gives the same texture with and without damage, and the first maps do not depend on how many follow.

    Args:
        domain: "A", "B", "C" or "D".
        n: number of maps.
        faulty: every map has a line; False = none has.
        mode: "matched" = faulty maps differ from healthy ones by the line only; "realistic" = they also come from
            another recording session, with another level, weaker stripes and stronger noise.
        split: "train" = one pool of levels without thermal states; "test" = cold and warm maps.
        condition: of test maps: "cold", "warm" or "mixed" (cold and warm in turn). Training maps are one pool.
        contrast: line over background, one number or (lowest, highest) to draw from evenly. The line adds
            log(contrast) to the log map.
        seed: whole number or numpy Generator.
        shape: rows (driving teeth) and columns (driven teeth).
        gear: whose tooth is damaged: "driving" (a row), "driven" (a column) or "both" (one of the two in each map).
        line: teeth, length and gaps of the lines.
        session: realistic mode only: "healthy" or "fault", the session that the maps come from; None = "fault" where
            faulty. Healthy maps with session="fault" show what the session alone does.
        segment: faulty warm maps have a short segment of 3-10 cells that rises to 4.4-9.4 times the level; None = in
            realistic mode of domain C, where it was seen.
        diagonals: share of maps, healthy or faulty, with a transient along a wrapped diagonal, of the same contrast.
        masks: also return the cells of lines and segments (diagonals are no damage), bool ``[n, rows, columns]``.

    Returns:
        values float32 ``[n, rows, columns]`` in units of the domain's fixed maximum (not limited to 1); a table of
        the truth with one row per map: split, label (1 = faulty), domain, session, condition ("pool" for training
        maps), gear, tooth (first damaged one), teeth, start, length (gaps included), gaps, contrast, segment_start,
        segment_length, segment_peak, diagonal (mesh events, 0 = none); missing where it does not apply; masks if
        asked for.

    Raises:
        InputError: an unknown name or a value out of range.
    """
    _check_names(domain, mode, split, condition, session)
    low, high = _check_numbers(n, shape, contrast, diagonals)
    kind, line = DOMAINS[domain], line or LineShape()
    session = session or ("fault" if faulty and mode == "realistic" else "healthy")
    shift = kind.session if session == "fault" else Session()
    rng = np.random.default_rng(seed)
    streams = rng.spawn(8)
    thermal = _conditions(n, split, condition)
    level, texture = draw_levels(kind, thermal, shift, streams[0])
    base = np.log(level) - 0.5 * np.array([kind.log_variance(t, shift) for t in texture])

    bright = (mode == "realistic" and domain == "C") if segment is None else segment
    u = streams[5].random((n, 5))
    factor = low + (high - low) * u[:, 0]
    cells = np.floor(_SEGMENT_CELLS[0] + u[:, 1] * (_SEGMENT_CELLS[1] - _SEGMENT_CELLS[0] + 1)).astype(np.int64)
    cells = np.where((thermal == "warm") & bool(bright) & faulty, cells, 0)
    lines = draw_lines(n, shape, gear, line, streams[4], least=np.maximum(cells, 1))
    cells = np.minimum(cells, lines.length)
    mask, gaps = line_masks(lines, shape)
    transient, events = diagonal_masks(n, shape, diagonals, _DIAGONAL_EVENTS, streams[6])
    transient_factor = low + (high - low) * streams[7].random(n)

    values = np.empty((n, *shape), dtype=np.float32)
    for at in range(0, n, _CHUNK):
        part = slice(at, at + _CHUNK)
        log_map = draw_textures(kind, len(base[part]), shape, shift, (streams[1], streams[2], streams[3]))
        log_map *= texture[part, None, None].astype(np.float32)
        log_map += base[part, None, None].astype(np.float32)
        if faulty:
            log_map += mask[part] * np.log(factor[part, None, None]).astype(np.float32)
        if diagonals:
            log_map += transient[part] * np.log(transient_factor[part, None, None]).astype(np.float32)
        values[part] = np.exp(log_map)

    peak = _SEGMENT_PEAK[0] + (_SEGMENT_PEAK[1] - _SEGMENT_PEAK[0]) * u[:, 2]
    begin = lines.start + np.floor(u[:, 3] * (lines.length - cells + 1)).astype(np.int64)
    if cells.any():
        mask[_add_segments(values, lines, begin, cells, peak * level, u[:, 4] - 0.5)] = True
    has = cells > 0
    faults = np.full(n, faulty)
    truth = pd.DataFrame(
        {
            "split": split,
            "label": int(faulty),
            "domain": domain,
            "session": session,
            "condition": thermal,
            "gear": np.where(lines.driving, "driving", "driven") if faulty else None,
            "tooth": _known(lines.tooth, faults),
            "teeth": _known(lines.teeth, faults),
            "start": _known(lines.start, faults),
            "length": _known(lines.length, faults),
            "gaps": _known(gaps, faults),
            "contrast": np.where(faults, factor, np.nan),
            "segment_start": _known(begin, has),
            "segment_length": _known(cells, has),
            "segment_peak": np.where(has, peak, np.nan),
            "diagonal": events,
        }
    )
    if not masks:
        return values, truth
    return values, truth, mask if faulty else np.zeros_like(mask)


def _known(whole: np.ndarray, where: np.ndarray) -> Any:
    """Whole numbers, missing where there is nothing to say."""
    return pd.arrays.IntegerArray(whole.astype(np.int64), ~where)


def _check_names(domain: str, mode: str, split: str, condition: str, session: str | None) -> None:
    check_choice(DOMAINS, domain=domain)
    check_choice(("matched", "realistic"), mode=mode)
    check_choice(("train", "test"), split=split)
    check_choice(("cold", "warm", "mixed"), condition=condition)
    check_choice((None, "healthy", "fault"), session=session)
    if split == "train" and condition != "mixed":
        raise InputError(
            f"training maps are one pool without thermal states: condition must be 'mixed' with split 'train', but got "
            f"{condition!r} (healthy maps of one state: split 'test', faulty False)"
        )
    if session == "fault" and mode != "realistic":
        raise InputError("session 'fault' needs mode 'realistic': in matched mode the line is the only difference")


def _check_numbers(n: int, shape: tuple[int, int], contrast: Range, diagonals: float) -> tuple[float, float]:
    check_whole(1, n=n)
    if len(shape) != 2 or not all(isinstance(s, int | np.integer) and s >= 3 for s in shape):
        raise InputError(f"shape must be (rows, columns) with 3 teeth or more each, but got {shape!r}")
    check_range("[0, 1]", diagonals=diagonals)
    ends = np.atleast_1d(np.asarray(contrast, dtype=np.float64))
    if ends.size not in (1, 2) or not np.isfinite(ends).all() or ends[0] <= 0 or ends[-1] < ends[0]:
        raise InputError(f"contrast must be a positive number or (lowest, highest) of them, but got {contrast!r}")
    return float(ends[0]), float(ends[-1])


def _conditions(n: int, split: str, condition: str) -> np.ndarray:
    if split == "train":
        return np.full(n, "pool")
    if condition == "mixed":
        return np.where(np.arange(n) % 2 == 0, "cold", "warm")
    return np.full(n, condition)


def _add_segments(
    values: np.ndarray, lines: Lines, begin: np.ndarray, cells: np.ndarray, peak: np.ndarray, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Raise short stretches of the damaged teeth to a squared triangle with a given peak, in place; the cells of them.

    The triangle's middle is off the middle of the stretch by ``shift`` cells, -0.5 to 0.5.
    """
    which, at = np.nonzero(np.arange(cells.max())[None] < cells[:, None])
    centre = (cells - 1) / 2.0 + shift
    slope = 2.0 / (cells + 2.0)
    highest = 1.0 - slope * np.abs(np.round(centre) - centre)
    height = ((1.0 - slope[which] * np.abs(at - centre[which])) / highest[which]) ** 2
    along, driving, tooth = begin[which] + at, lines.driving[which], lines.tooth[which]
    row, column = np.where(driving, tooth, along), np.where(driving, along, tooth)
    values[which, row, column] = np.maximum(values[which, row, column], height * peak[which])
    return which, row, column

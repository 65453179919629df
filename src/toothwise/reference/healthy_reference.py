"""What healthy maps look like to the diagnosis, kept beside the detector: what every answer rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise.detectors.base import Detector, fingerprint
from toothwise.detectors.coherent.meshes import change_of_gears
from toothwise.errors import InputError
from toothwise.evaluation.tail import LEAST
from toothwise.evaluation.thresholds import effective_number
from toothwise.healthmap.conditions import SWINGS
from toothwise.healthmap.runs import time_blocks
from toothwise.reference.map_statistics import Diagonals, line_levels, log_maps, map_level, one_cycle, without_places
from toothwise.reference.records import CONDITIONS, record_ids, sensors_of, tooth_zero_of

MOST = 5000  # healthy maps that are kept, the last ones: more would fill the memory and tell little more
_SINGLE = ("score", "level", "diagonal", "diagonal_scale", "block", "record", "sensor")  # arrays of a file as they are
_MAYBE = ("row", "column", "drawn", "change")  # and those that some models have
_HEARD = ("heard_level", "heard_swings")
_REPEATS = 0.02  # log level, or part of a height, to which a sensor repeats from one mounting or day to the next
_MOST_SWING = 100.0  # what a file says beyond that is no swing
_SPREAD_MAPS = 150  # maps that the scatter of segments is measured on
_SEGMENTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


@dataclass(frozen=True, eq=False)
class HealthyReference:
    """Healthy maps of a detector, as numbers.

    Attributes:
        detector: fingerprint of the detector that it belongs to.
        by_record: the maps' columns are records (only rows are teeth), not driven teeth.
        score: float64 ``[n]``, held out: each map was scored by a detector that had not seen its block.
        row, column: evidence of the lines, held out, ``[n, rows]``, ``[n, columns]``; None where there is none.
        level: log level of each map ``[n]``, by ``level_of``.
        lines: mean log contrast of every line, axis 1 and 2 (2 is empty of tooth-by-record maps).
        cycle: amplitude of one cycle per revolution ``[n]``, axis 1 and 2, of the maps or by ``swings_of``.
        diagonal: score of the best diagonal ``[n]`` (empty of tooth-by-record maps); ``diagonal_scale``: mean and sd.
        scatter: by axis, standard deviation of the mean log contrast of a healthy segment of 1, 2, 3, ... cells.
        block: int ``[n]``, the stretch of time that a map belongs to.
        record, sensor: str ``[n]``; maps of one record by several sensors share the record.
        condition: name and values ``[n]`` of load, speed and temperature where the maps' table tells them.
        shown: What a report shows of the healthy maps and no judgement rests on: ``numbers_shown``, ``[n, k]`` each,
            and ``healthy_waveforms``; empty of a model that was fitted by an older version.
        drawn: Of few healthy maps, evidence of all lines ``[m, lines]`` of records drawn from what they scatter.
        unplaced: Of the rows' gear and the columns', how many healthy maps number teeth by a guess, where damage
            cannot be seen for that (``reference.unplaced``); 0 = it can.
        heard_level: The level is how loud the records are without the loudest lines of a gear (``gear_level`` of the
            maps' table), not the median log value of the maps.
        heard_swings: One cycle is how far the waveform of the records swings (``SWINGS`` of the maps' table), not how
            far the lines of the maps do.
        change: How far the usual tooth of either gear differs from the healthy waveform ``[n, 2]``
            (``change_of_gears``); None where the detector looks at no waveforms.
    """

    detector: str
    by_record: bool
    score: np.ndarray
    row: np.ndarray | None
    column: np.ndarray | None
    level: np.ndarray
    lines: tuple[np.ndarray, np.ndarray]
    cycle: tuple[np.ndarray, np.ndarray]
    diagonal: np.ndarray
    diagonal_scale: np.ndarray
    scatter: tuple[np.ndarray, np.ndarray]
    block: np.ndarray
    record: np.ndarray
    sensor: np.ndarray
    condition: dict[str, np.ndarray] = field(default_factory=dict)
    shown: dict[str, np.ndarray] = field(default_factory=dict)
    drawn: np.ndarray | None = None
    unplaced: tuple[int, int] = (0, 0)
    heard_level: bool = False
    heard_swings: bool = False
    change: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.score)

    @cached_property
    def effective(self) -> float:
        """How many independent maps they are worth, by what their lines do."""
        lines = [part for part in (self.row, self.column) if part is not None]
        return effective_number(np.concatenate(lines, axis=1) if lines else self.score, self.block)

    @cached_property
    def worth(self) -> dict[str, float]:
        """Of each test, how many independent maps one of them is worth, above 0 to 1."""
        n = len(self)
        slow = {"level": self.level, "one cycle": np.stack([c for c in self.cycle if c.shape == (n,)], axis=1)}
        slow |= {} if self.change is None else {"change": self.change}
        lines = self.effective / n if self.drawn is None else 1.0  # drawn records are as wide as few ones ask for
        return {name: effective_number(x, self.block) / n for name, x in slow.items()} | {"lines": lines}

    def best_of(self, axis: int) -> tuple[np.ndarray, int] | None:
        """Healthy lines (held out) that the best line of an axis is compared with, and how many tests share a rate.

        Where the detector's score is the largest evidence of all lines, rows and columns are of one scale and are
        compared with it, so that what is said of a line and of the score agree.
        """
        known = {a: part for a, part in ((1, self.row), (2, self.column)) if part is not None}
        if axis not in known:
            return None
        if self.drawn is not None:
            return self.drawn, 1
        every = np.concatenate(list(known.values()), axis=1)
        return (every, 1) if np.allclose(every.max(axis=1), self.score, rtol=1e-6) else (known[axis], len(known))

    def zeros(self, table: pd.DataFrame | None, axis: int, gear: str, n: int) -> list[str]:
        """How tooth 0 of a gear is known in each of n maps; of a gear that is ``unplaced`` it never is."""
        return ["unknown"] * n if self.unplaced[axis - 1] else tooth_zero_of(table, gear, n)

    def level_of(self, log_values: np.ndarray, table: pd.DataFrame) -> np.ndarray:
        """The log level ``[n]`` of maps, log values ``[n, rows, columns]``, as that of the healthy ones is measured.

        Maps that do not say how loud they were heard have the usual level.
        """
        if not self.heard_level:
            return map_level(log_values, newest=self.by_record)
        heard = _heard_level(table)
        usual = float(np.median(self.level))
        return np.full(len(log_values), usual) if heard is None else np.where(np.isfinite(heard), heard, usual)

    def swings_of(self, table: pd.DataFrame | None, n: int) -> np.ndarray | None:
        """One cycle of n maps ``[n, 2]`` as that of the healthy ones is heard; None where it is looked for in maps.

        Maps that do not say how far they swing do so as usual.
        """
        if not self.heard_swings:
            return None
        usual = np.stack([np.median(one) for one in self.cycle])
        heard = None if table is None else _heard_swings(table)
        return np.tile(usual, (n, 1)) if heard is None else np.where(np.isfinite(heard), np.square(heard), usual)

    def diagonals(self, shape: tuple[int, int]) -> Diagonals | None:
        """The search for diagonals on the healthy scale, None of tooth-by-record maps and of fewer than 8."""
        return None if self.by_record or len(self) < LEAST else Diagonals(shape, self.diagonal_scale)

    def segment_scatter(self, axis: int, cells: int) -> float:
        """Healthy standard deviation of the mean log contrast of a segment."""
        table = self.scatter[axis - 1]
        return float(table[min(cells, len(table)) - 1])

    def arrays(self) -> dict[str, np.ndarray]:
        """What the file of a model keeps of it, by name."""
        arrays = {name: getattr(self, name) for name in _SINGLE}
        arrays |= {name: np.array(getattr(self, name)) for name in ("unplaced", *_HEARD)}
        arrays |= {name: arrays[name].astype(np.str_) for name in ("record", "sensor")}
        arrays |= {name: lines for name in _MAYBE if (lines := getattr(self, name)) is not None}
        for name in ("lines", "cycle", "scatter"):
            arrays |= {f"{name}{axis}": getattr(self, name)[axis - 1] for axis in (1, 2)}
        arrays |= {f"shown.{name}": values for name, values in self.shown.items()}
        return arrays | {f"condition.{name}": values for name, values in self.condition.items()}

    @classmethod
    def from_arrays(
        cls, arrays: dict[str, np.ndarray], *, detector: str, by_record: bool, shape: tuple[int, int], path: Path
    ) -> HealthyReference:
        """The inverse of ``arrays``.

        Raises:
            InputError: Arrays that do not fit each other or the maps' shape.
            KeyError: One is missing.
        """
        _check(arrays, path, shape, by_record=by_record)
        known: dict[str, Any] = {name: arrays[name] for name in _SINGLE}
        known |= {name: arrays.get(name) for name in _MAYBE}
        known |= {name: (arrays[f"{name}1"], arrays[f"{name}2"]) for name in ("lines", "cycle", "scatter")}
        for group in ("condition", "shown"):
            known[group] = {k.partition(".")[2]: v for k, v in arrays.items() if k.startswith(f"{group}.")}
        first, second = arrays.get("unplaced", (0, 0))
        known |= {name: bool(arrays.get(name, False)) for name in _HEARD}
        return cls(detector=detector, by_record=by_record, unplaced=(int(first), int(second)), **known)


def learn_reference(
    detector: Detector,
    values: np.ndarray,
    *,
    table: pd.DataFrame | None = None,
    blocks: np.ndarray | None = None,
    by_record: bool = False,
    sensors: str | None = None,
    shown: Mapping[str, np.ndarray] | None = None,
    waveforms: np.ndarray | None = None,
) -> HealthyReference:
    """The reference of a detector that was fitted with ``fit_with_threshold`` on these healthy maps.

    Args:
        detector: its ``held_out`` is what the maps scored under cross-validation.
        values: the healthy maps ``[n, rows, columns]`` in time order, positive.
        table: a row per map: record, sensor, load, speed, temperature where known.
        blocks: ``[n]``, as given to ``fit_with_threshold``.
        by_record: columns are records, the newest last, not teeth.
        sensors: column of the table that names the sensor.
        shown: what a report shows of the last ``MOST`` of the maps (``reference.shown``).
        waveforms: of the maps, where the detector looks at them.

    Raises:
        InputError: a detector that was not cross-validated on as many maps, or values that are not positive.
    """
    held = detector.held_out
    if held is None or len(held.score) != len(values):
        given = "none" if held is None else str(len(held.score))
        raise InputError(
            f"{detector.name} must have been fitted with a threshold on these {len(values)} healthy maps, but it has "
            f"held-out scores of {given}"
        )
    folds = time_blocks(len(values), blocks)
    table = pd.DataFrame(index=range(len(values))) if table is None else table
    last = slice(max(len(values) - MOST, 0), None)
    values, table, folds, held = values[last], table.iloc[last], folds[last], held.of(np.arange(len(values))[last])
    x = log_maps(values)
    columns = np.zeros((len(x), 0)) if by_record else line_levels(x, 2, newest=False)
    lines = line_levels(x, 1, newest=by_record), columns
    cycle = [one_cycle(part)[0] for part in lines]
    search = Diagonals(x.shape[1:])
    diagonal = np.zeros(0) if by_record else search.learn(x)
    heard, swings = (
        None if by_record or told is None or not np.isfinite(told).all() else told
        for told in (_heard_level(table), _heard_swings(table))
    )
    if swings is not None:
        cycle = [np.square(_repeated(one)) for one in swings.T]
    picked = x[:: max(1, len(x) // _SPREAD_MAPS)]
    return HealthyReference(
        detector=fingerprint(detector),
        by_record=by_record,
        score=np.asarray(held.score, dtype=np.float64),
        row=held.row_evidence,
        column=None if by_record else held.column_evidence,
        level=map_level(x, newest=by_record) if heard is None else _repeated(heard),
        lines=lines,
        cycle=(cycle[0], cycle[1]),
        diagonal=diagonal,
        diagonal_scale=np.zeros((2, 0)) if search.scale is None else search.scale,
        scatter=(_scatter(picked, 1), _scatter(picked, 2)),
        block=folds,
        record=record_ids(table, len(x), sensors=sensors is not None),
        sensor=sensors_of(table, sensors, len(x)),
        condition={name: table[name].to_numpy(dtype=float) for name in CONDITIONS if name in table},
        shown=dict(shown or {}),
        drawn=None if detector.drawn is None else detector.drawn.lines,
        heard_level=heard is not None,
        heard_swings=swings is not None,
        change=None if waveforms is None else _repeated(change_of_gears(waveforms[last])),
    )


def _repeated(heard: np.ndarray) -> np.ndarray:
    """What was heard of healthy records, as far apart as a sensor repeats at the best."""
    middle, spread = heard.mean(axis=0), np.maximum(heard.std(axis=0), 1e-12)
    return np.asarray(middle + (heard - middle) * np.maximum(1.0, _REPEATS / spread))


def _heard_level(table: pd.DataFrame) -> np.ndarray | None:
    """The logarithm of the level that each record was heard at ``[n]``, None where the table does not tell it.

    It is not finite where a file says something else than a positive number.
    """
    if "gear_level" not in table:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(pd.to_numeric(table["gear_level"], errors="coerce").to_numpy(dtype=float)))


def _heard_swings(table: pd.DataFrame) -> np.ndarray | None:
    """One and how far each gear swings in each record ``[n, 2]``, None where the table does not tell it."""
    if not set(SWINGS) <= set(table):
        return None
    told = np.stack([pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float) for name in SWINGS], axis=1)
    return np.where((told >= 0.0) & (told <= _MOST_SWING), 1.0 + told, np.nan)


def _scatter(x: np.ndarray, axis: int) -> np.ndarray:
    """Standard deviation of the mean of healthy segments of 1, 2, ... cells, each line less its own mean over maps."""
    lines = without_places(x, axis)
    with np.errstate(all="ignore"):
        lines = np.nan_to_num(lines - np.nanmean(lines, axis=0))
    along = lines.shape[2]
    total = np.concatenate([np.zeros((*lines.shape[:2], 1)), np.cumsum(lines, axis=2)], axis=2)
    grid = [k for k in _SEGMENTS if k < along] + [along]
    sd = [float(np.std((total[:, :, k:] - total[:, :, :-k]) / k)) for k in grid]
    free = max(len(x) / max(len(x) - 1.0, 1.0), 1.0) ** 0.5  # the mean over maps was taken off
    return np.maximum(np.interp(np.arange(1, along + 1), grid, sd) * free, 1e-9)


def best_evidence(reference: HealthyReference) -> dict[int, np.ndarray]:
    """By axis (1 rows, 2 columns), the best line's evidence of every held-out healthy map ``[n]``."""
    known = {1: reference.row, 2: reference.column}
    return {axis: lines.max(axis=1) for axis, lines in known.items() if lines is not None}


def _check(arrays: dict[str, np.ndarray], path: Path, shape: tuple[int, int], *, by_record: bool) -> None:
    """Refuse arrays that do not fit each other or the detector's maps."""
    n, (rows, columns) = arrays["score"].size, shape
    across = 0 if by_record else columns
    fits: dict[str, tuple[int, ...]] = {"lines1": (n, rows), "lines2": (n, across)}
    fits |= {"row": (n, rows), "column": (n, columns), "change": (n, 2)}
    fits |= {"scatter1": (columns,), "scatter2": (rows,), "diagonal": (0 if by_record else n,)}
    fits |= dict.fromkeys(("score", "level", "cycle1", "cycle2"), (n,))
    first = {"condition": n, "shown": n, "diagonal_scale": 2}  # as many as they like behind it
    for name, values in arrays.items():
        kind = name.partition(".")[0]
        if kind in first:
            count = rows + across if name.startswith("shown.waveform_") else first[kind]
            fits[name] = (count, *(values.shape[1:2] if kind != "condition" else ()))
    wrong = [k for k, fit in fits.items() if k in arrays and (arrays[k].dtype.kind != "f" or arrays[k].shape != fit)]
    block, texts = arrays["block"], (arrays["record"], arrays["sensor"])
    if wrong or n == 0 or block.dtype.kind not in "iu" or any(t.dtype.kind != "U" for t in texts):
        raise InputError(f"{path}: its arrays do not fit each other ({', '.join(wrong) or 'block, record, sensor'})")
    if any(values.shape != (n,) for values in (block, *texts)) or not np.isfinite(arrays["score"]).all():
        raise InputError(f"{path}: block, record, sensor and score must be one per healthy map")

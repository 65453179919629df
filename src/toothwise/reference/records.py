"""Which record is which: names, order in time, sensors and condition bins, checked before anything is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from toothwise.errors import InputError
from toothwise.healthmap.core import HealthMapBatch

CONDITIONS = ("load", "speed", "temperature")
_NAMES = ("name", "record")
_GAP = 0.1  # share of a value by which the next lower one lies apart to be another condition
_TIMES = ("start_time", "time", "hours", "record", "number")


def record_ids(table: pd.DataFrame, n: int, *, sensors: bool = False) -> np.ndarray:
    """A name per map, str ``[n]``: the table's ``name`` or ``record``, else the file's name with its place in it.

    Maps of several sensors often lie in several files, each with a name of its own: where no name stands twice,
    ``start_time`` tells which of them belong together.
    """
    columns = (*_NAMES, "start_time") if sensors else _NAMES
    known = [c for c in columns if c in table and table[c].notna().all()]
    if sensors:
        known.sort(key=lambda column: table[column].is_unique)  # stable: a shared name before a shared time
    if known:
        return table[known[0]].astype(str).to_numpy()
    if "file" not in table:
        return np.array([f"record {k + 1}" for k in range(n)])
    index = table["index"].to_numpy() if "index" in table else np.zeros(n, dtype=int)
    files = [Path(str(f)).name for f in table["file"]]
    many = {f for f, k in zip(files, index, strict=True) if int(k) > 0}
    return np.array([f"{f}[{int(k)}]" if f in many else f for f, k in zip(files, index, strict=True)])


def sensors_of(table: pd.DataFrame, column: str | None, n: int) -> np.ndarray:
    """The sensor of each map, str ``[n]``, by the column that names it; "-" where there is one sensor.

    Raises:
        InputError: No such column, or one that is empty for some maps.
    """
    if column is None:
        return np.full(n, "-")
    if column not in table or table[column].isna().any():
        raise InputError(f"--sensors {column}: the maps' table has no such column, or it is empty for some maps")
    return table[column].astype(str).to_numpy()


def tooth_zero_of(table: pd.DataFrame | None, gear: str, n: int) -> list[str]:
    """How tooth 0 of a gear is known in each map: "index", "waveform", "given" or "unknown".

    Maps that say nothing of it number their teeth themselves, by rows and columns: "given".
    """
    column = f"tooth_zero_{gear}"
    if table is None or column not in table:
        return ["given"] * n
    return [str(word) for word in table[column].fillna("given")]


def shared_tooth(table: pd.DataFrame | None, gear: str, n: int, k: int, tooth: int) -> tuple[str, int] | None:
    """A tooth of unknown number in the numbering that aligned recordings share (``healthmap.aligned``).

    Args:
        table: A row per map, None = nothing is known.
        gear, n: The gear and how many teeth it has.
        k: Which map.
        tooth: The tooth's place in that map.

    Returns:
        The recording that numbers the teeth, and the number there; None where the map is not aligned to others.

    Examples:
        >>> table = pd.DataFrame({"aligned_to": ["a", "a"], "aligned_driving": [0.0, 8.0]})
        >>> shared_tooth(table, "driving", 11, 0, 8), shared_tooth(table, "driving", 11, 1, 5)
        (('a', 8), ('a', 8))
    """
    column = f"aligned_{gear}"
    if table is None or column not in table or pd.isna(by := table[column].iloc[k]):
        return None
    return str(table["aligned_to"].iloc[k]), round((tooth - float(by)) % n) % n


@dataclass(frozen=True, eq=False)
class RecordOrder:
    """Records in time order; a record holds one map per sensor.

    Attributes:
        names: one per record.
        time: what its time is, as the table says it (str or number), None where the table tells none.
        maps: int ``[records, sensors]``, index of each record's map by each sensor.
        sensors: names, "-" where there is one.
    """

    names: tuple[str, ...]
    time: tuple[float | str, ...] | None
    maps: np.ndarray
    sensors: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


def after_healthy(batch: HealthMapBatch) -> HealthMapBatch:
    """The maps after the last one that the table marks as healthy.

    Raises:
        InputError: None is left.
    """
    if "healthy" not in batch.table:
        return batch
    healthy = np.flatnonzero(batch.table["healthy"].fillna(False).to_numpy(dtype=bool))
    start = int(healthy[-1]) + 1 if len(healthy) else 0
    if start == len(batch):
        raise InputError("all maps are marked as healthy, so the model was fitted on them: there is nothing to judge")
    return batch[np.arange(start, len(batch))] if start else batch


def time_column(table: pd.DataFrame) -> str | None:
    """The column that tells when a record was taken, None where there is none."""
    for column in _TIMES:
        if column in table and table[column].notna().all():
            values = table[column]
            # numbers that count only part of the records (0 before counting starts) tell no order
            if column == "number" and (values.to_numpy()[:-1] == values.to_numpy()[1:]).any():
                continue
            if column == "record" and not pd.api.types.is_numeric_dtype(values):
                continue
            return column
    return None


def _when(table: pd.DataFrame, column: str) -> np.ndarray:
    """Times as numbers that can be compared, float64 ``[n]``."""
    values = table[column]
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(dtype=float)
    try:
        return pd.to_datetime(values, format="ISO8601", utc=True).astype("int64").to_numpy(dtype=float)
    except (ValueError, TypeError):
        raise InputError(
            f"{column} must be numbers or times such as 2024-01-01T00:00:00, but {values.iloc[0]!r} is neither"
        ) from None


def order_records(table: pd.DataFrame, n: int, *, sensors: str | None = None) -> RecordOrder:
    """Group maps into records and check that these are in time order.

    Args:
        table: a row per map.
        n: maps.
        sensors: column that names the sensor; maps of one record by several sensors stand under one record name.

    Raises:
        InputError: no such column, a record with a sensor missing or twice, records out of order, two of one time.
    """
    names = record_ids(table, n, sensors=sensors is not None)
    labels, sensor = np.unique(sensors_of(table, sensors, n), return_inverse=True)
    kinds = tuple(map(str, labels))
    record, found = pd.factorize(names)  # numbered in the order in which they first come
    order = tuple(map(str, found))
    maps = np.full((len(order), len(kinds)), -1, dtype=int)
    for index, (k, s) in enumerate(zip(record, sensor, strict=True)):
        if maps[k, s] >= 0:
            of = f" by sensor {kinds[s]}" if sensors else ""
            more = "" if sensors else "; name the column of the sensors with --sensors where there are several"
            raise InputError(f"duplicate record {order[k]}{of}{more}")
        maps[k, s] = index
    missing = np.argwhere(maps < 0)
    if len(missing):
        k, s = missing[0]
        raise InputError(f"record {order[k]} lacks sensor {kinds[s]}: every record needs all of {', '.join(kinds)}")
    times = None
    if (column := time_column(table)) is not None:
        first = maps[:, 0]
        check_order(order, _when(table, column)[first], table[column].astype(str).to_numpy()[first], column)
        raw = table[column].to_numpy()[first]
        times = tuple(t.item() if hasattr(t, "item") else t for t in raw)
        times = tuple(t if isinstance(t, int | float) else str(t) for t in times)
    return RecordOrder(order, times, maps, kinds)


def check_order(names: Sequence[str], when: np.ndarray, shown: np.ndarray, column: str) -> None:
    """Refuse records whose times fall or repeat."""
    step = np.diff(when)
    if (step < 0).any():
        k = int(np.argmax(step < 0))
        raise InputError(
            f"records out of order: {names[k + 1]} ({column} {shown[k + 1]}) comes after {names[k]} ({shown[k]}); give "
            "them in time order"
        )
    if (step == 0).any():
        k = int(np.argmax(step == 0))
        raise InputError(
            f"duplicate time: {names[k]} and {names[k + 1]} both have {column} {shown[k]}; one of them is mislabelled"
        )


def parse_bins(words: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """``["load=0.5,0.8"]`` as edges by condition; ``["speed"]`` as none, which ``natural_edges`` finds.

    Raises:
        InputError: another condition than load, speed or temperature, or edges that are no rising numbers.
    """
    bins: dict[str, tuple[float, ...]] = {}
    for word in words:
        name, sign, text = word.partition("=")
        try:
            edges = tuple(float(part) for part in text.split(",")) if sign else ()
        except ValueError:
            edges = (np.nan, np.nan)
        if name not in CONDITIONS or not all(a < b for a, b in pairwise(edges)):
            raise InputError(
                f"--bins takes CONDITION or CONDITION=EDGE,EDGE,... with condition one of {', '.join(CONDITIONS)} and "
                f"rising edges, but got {word!r}"
            )
        bins[name] = edges
    return bins


def natural_edges(name: str, values: np.ndarray | None) -> tuple[float, ...]:
    """Edges in the middle of the gaps that healthy values of a condition show; none where there is no gap.

    A gap is wider than a tenth of the larger value beside it: speeds and loads that are nearer are heard as one.

    Args:
        name: Of the condition.
        values: Of the healthy maps ``[n]``; None = not known.

    Raises:
        InputError: Values that are not known of every healthy map.

    Examples:
        >>> natural_edges("speed", np.array([20.1, 40.2, 19.8, 39.8]))
        (29.95,)
    """
    if values is None or np.isnan(values).any():
        raise InputError(f"--bins {name}: the healthy maps' table does not state the {name} of every map")
    known = np.unique(values)
    return tuple((a + b) / 2.0 for a, b in pairwise(known.tolist()) if b - a > _GAP * max(abs(a), abs(b)))


def bin_names(condition: Mapping[str, np.ndarray], bins: Mapping[str, Sequence[float]], n: int) -> np.ndarray:
    """The condition bin of each map in words, str ``[n]``: "load 0.5 to 0.8, speed below 20"; "all" without bins.

    Raises:
        InputError: a condition that is not known of every map.
    """
    if not bins:
        return np.full(n, "all")
    parts = []
    for name, edges in bins.items():
        values = condition.get(name)
        if values is None or np.isnan(values).any():
            raise InputError(f"--bins {name}: the maps' table does not state the {name} of every map")
        words = [f"{name} below {edges[0]:g}"]
        words += [f"{name} {a:g} to {b:g}" for a, b in pairwise(edges)]
        words += [f"{name} {edges[-1]:g} or more"]
        parts.append(np.array(words)[np.searchsorted(edges, values, side="right")])
    return np.array([", ".join(row) for row in zip(*parts, strict=True)])

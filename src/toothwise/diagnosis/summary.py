"""Records that have been seen, each as the few numbers that every later judgement needs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.outside import comparable, loudest_gear
from toothwise.diagnosis.baseline import Baseline, watch_maps
from toothwise.diagnosis.decompose import decompose
from toothwise.diagnosis.single import summarize
from toothwise.diagnosis.teeth import gear_of
from toothwise.diagnosis.verdict import MapDiagnosis
from toothwise.errors import InputError
from toothwise.healthmap.core import HealthMapBatch
from toothwise.healthmap.recordings import NAMELESS
from toothwise.reference.healthy_reference import HealthyReference
from toothwise.reference.records import CONDITIONS, bin_names, order_records, shared_tooth
from toothwise.reference.shown import numbers_shown


@dataclass(frozen=True)
class RecordSummary:
    """One record.

    Attributes:
        name: of the record; one name is judged once.
        time: as the maps' table says it, or None.
        place: condition bin, or why its condition cannot be judged.
        digest: of the values, tells whether a record of this name is the same.
        channels: standardised, empty where the bin has no baseline.
        contrast: log contrast of every line against its healthy mean; at a condition that was not learned, of every
            tooth's waveform against the median tooth of its gear.
        level: log level against the healthy mean.
        score: of the detector (the largest over sensors).
        above: the score is above the limit of a single record (AMBER); never at a condition that cannot be judged.
        pattern: of the record's map on its own (of the strangest sensor).
        line: axis, tooth, log contrast and p-value of the strongest line of that map, or None.
        alone: what the record's own map shows: kind, axis, tooth (-1 = none, or unknown) and -log10 of the chance; at
            a condition that was not learned the tooth that stands out among the others, and its log energy over theirs.
        tooth_zero: how tooth 0 of the gear of rows and of columns is known; where it is "unknown", ``channels`` and
            ``contrast`` of that gear's teeth are 0, and only ``line`` speaks of them, whose number holds nowhere else.
        shown: what a report shows beside the judgement (``reference.shown.numbers_shown``), mean over sensors.
        shared: the tooth of ``line`` in the numbering of recordings that were aligned among each other: the one that
            numbers them, and the number there; None where its number is known, or the record is aligned to no other.
    """

    name: str
    time: str | int | float | None
    place: str
    digest: str
    channels: tuple[float, ...]
    contrast: tuple[float, ...]
    level: float
    score: float
    above: bool
    pattern: str
    line: tuple[int, int, float, float] | None
    tooth_zero: tuple[str, ...] = ("given", "given")
    alone: tuple[tuple[str, int, int, float], ...] = ()
    shown: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    shared: tuple[str, int] | None = None


def same_tooth(seen: Sequence[RecordSummary], axis: int, teeth: int) -> tuple[int, int] | None:
    """In how many recordings that were aligned among each other the tooth that stands out is the same one.

    Args:
        seen: Records.
        axis: Of the gear.
        teeth: How many teeth it has.

    Returns:
        How many show one and the same tooth (or its neighbour), of how many that show one at all; None where fewer
        than two can be compared.
    """
    groups: dict[str, list[int]] = {}
    for one in seen:
        if one.shared is not None and one.line is not None and one.line[0] == axis and one.pattern != "nothing":
            groups.setdefault(one.shared[0], []).append(one.shared[1])
    shown = max(groups.values(), key=len, default=[])
    if len(shown) < 2:
        return None
    return max(sum((t - at) % teeth in (0, 1, teeth - 1) for t in shown) for at in shown), len(shown)


def _short(x: np.ndarray, digits: int = 5) -> tuple[float, ...]:
    """Five significant digits: enough, and the same whether a record comes alone or among others."""
    return tuple(float(f"{v:.{digits}g}") for v in x)


def _digest(maps: np.ndarray) -> str:
    """What the maps ``[n, rows, columns]`` of a record are known by again."""
    return hashlib.sha256(np.ascontiguousarray(maps).tobytes()).hexdigest()[:16]


def _over(numbers: np.ndarray) -> np.ndarray:
    """The mean over maps ``[maps, k]`` of what is known; NaN where nothing is."""
    known = np.isfinite(numbers)
    return np.where(known, numbers, 0.0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)


def summarize_records(
    batch: HealthMapBatch,
    detector: Detector,
    reference: HealthyReference,
    baseline: Baseline,
    *,
    rate: float = 0.01,
    threshold: float | None = None,
    sensors: str | None = None,
    first: Prediction | None = None,
) -> tuple[list[RecordSummary], list[MapDiagnosis]]:
    """Score maps and reduce them to what is kept of each record.

    Args:
        batch: Maps in time order.
        detector, reference, baseline: That belong together.
        rate: Chance that a healthy map is called anything (``ControlLimits.single_rate``).
        threshold: Of single maps (``Monitor.threshold``); None = none is known.
        sensors: Column of the table that names the sensor.
        first: The detector's prediction of the maps, where it is there already.

    Returns:
        The records, and the diagnosis of each map on its own.

    Raises:
        InputError: records out of order, twice, or with sensors missing; conditions that are not known.
    """
    values, table, waveforms = batch.values, batch.table, detector.waveforms_of(batch)
    shown = numbers_shown(batch, by_record=reference.by_record)
    order = order_records(table, len(values), sensors=sensors)
    if tuple(sorted(order.sensors)) != baseline.sensors:
        raise InputError(
            f"the baseline knows sensors {', '.join(baseline.sensors)}, but the maps have {', '.join(order.sensors)}"
        )
    swings = reference.swings_of(table, len(values))
    found = decompose(values, detector, reference, rate=rate, waveforms=waveforms, first=first, swings=swings)
    names = np.repeat(order.names, order.maps.shape[1])[np.argsort(order.maps, axis=None)]
    each = summarize(found, replace(batch, table=table.assign(name=names)), reference, rate=rate)
    watched = watch_maps(values, table, found, reference)
    condition = {name: table[name].to_numpy(dtype=float) for name in CONDITIONS if name in table}
    place = bin_names(condition, baseline.bins, len(values))
    gears = gear_of(batch.rows, "driving"), gear_of(batch.columns, "driven")
    zeros = [reference.zeros(table, axis, gear, len(values)) for axis, gear in enumerate(gears, 1)]
    out = []
    for k, name in enumerate(order.names):
        maps = order.maps[k]
        where = place[maps[0]]
        if (place[maps] != where).any():
            raise InputError(f"record {name}: its sensors do not agree on load, speed or temperature")
        made = baseline.standard(watched.raw[maps], watched.contrast[maps], order.sensors, where)
        outside = table["not_learned"].iloc[maps].dropna().tolist() if "not_learned" in table else []
        if outside:
            made, where = None, str(outside[0])  # what sound teeth look like there is not known
        known = [[ways[m] for m in maps] for ways in zeros]
        zero = tuple("unknown" if "unknown" in ways else ways[0] for ways in known)
        # without a tooth zero a line has no number: it never adds to the same line of another record
        loose = [axis for axis, way in enumerate(zero, 1) if way == "unknown"]
        if made is not None and loose:
            of_teeth = [c.kind == "tooth" and c.axis in loose for c in baseline.channels]
            of_gear, (z, contrast, level) = np.isin(baseline.line_axis, loose), made
            made = np.where(of_teeth, 0.0, z), np.where(of_gear, 0.0, contrast), level
        strangest = maps[int(np.argmax(found.first.score[maps]))]
        one = each[strangest]
        # any of the sensors may have been the strangest
        alone = [(f.kind, f.axis, f.tooth, -float(np.log10(min(f.chance * len(maps), 1.0)))) for f in one.findings]
        line, pattern = one.lines[0] if one.lines else None, one.pattern
        among: tuple[float, ...] = ()
        if outside:
            told = detector.among_teeth(waveforms[maps]) if waveforms is not None and comparable(where) else None
            alone, line = tooth_among_others(told, zero), None
            among = () if told is None else _short(np.concatenate([part.mean(axis=0) for part in told], axis=None))
            pattern = "one tooth" if alone else "nothing"
        shared: tuple[str, int] | None = None
        if line is not None and line.axis in loose:
            size = values.shape[line.axis]
            shared = shared_tooth(table, gears[line.axis - 1], size, int(strangest), line.tooth)
        score, kept_line = float(found.first.score[strangest]), None
        if line is not None:
            kept_line = (line.axis, line.tooth, *_short(np.array([np.log(line.contrast), line.p_value])))
        out.append(
            RecordSummary(
                name=name,
                time=None if order.time is None else order.time[k],
                place=str(where),
                digest=_digest(values[maps]),
                channels=() if made is None else _short(made[0]),
                contrast=among if made is None else _short(made[1]),
                level=0.0 if made is None else float(f"{made[2]:.5g}"),
                score=score,
                above=made is not None and threshold is not None and score > threshold,
                pattern=pattern,
                line=kept_line,
                tooth_zero=zero,
                alone=tuple((k, a, t, float(f"{e:.5g}")) for k, a, t, e in alone if made is not None or outside),
                shown={what: _short(_over(part[maps]), 4) for what, part in shown.items()},
                shared=shared,
            )
        )
    return out, each


def tooth_among_others(
    found: tuple[np.ndarray, np.ndarray] | None, zero: Sequence[str], **chance: float
) -> list[tuple[str, int, int, float]]:
    """The tooth that stands out among those of its gear, of a record whose condition was not learned.

    Args:
        found: As ``Detector.among_teeth`` gives it, ``[sensors, rows]`` and ``[sensors, columns]``.
        zero: How tooth 0 of either gear is known.
        chance: As of ``loudest_gear``.

    Returns:
        At most one, as ``RecordSummary.alone`` has it.
    """
    if found is None:
        return []
    means = [part.mean(axis=0) for part in found]
    gear, beyond = loudest_gear(means, **chance)
    tooth, height = int(means[gear].argmax()), float(means[gear].max())
    return [] if beyond < 0.0 else [("tooth", gear + 1, -1 if zero[gear] == "unknown" else tooth, height)]


def of_files(maps: Any) -> bool:
    """Whether maps were named, not handed over."""
    return isinstance(maps, str | Path) or (
        isinstance(maps, Sequence) and len(maps) > 0 and isinstance(maps[0], str | Path)
    )


def numbered(batch: HealthMapBatch, kept: Sequence[RecordSummary], names: Set[str], maps: Any) -> pd.DataFrame:
    """The table with a name for every record; those without one are numbered from those that came before.

    A recording in memory that says nothing of itself is a new record, unless its values are there already.

    Args:
        batch, maps: Maps in time order, and what was given.
        kept, names: Records that came before and are kept, and the names of all of them.
    """
    table = batch.table
    if not of_files(maps) and not any(column in table and table[column].notna().all() for column in ("name", "record")):
        return table.assign(name=[f"record {len(names) + k + 1}" for k in range(len(table))])
    if "file" not in table or "name" not in table or not (nameless := (table["file"] == NAMELESS).to_numpy()).any():
        return table
    known: dict[str, list[str]] = {}
    for record in kept:
        known.setdefault(record.digest, []).append(record.name)
    called, taken = table["name"].tolist(), {*names, *table["name"][~nameless]}
    for k in np.flatnonzero(nameless):
        same, number = known.get(_digest(batch.values[k : k + 1]), []), len(names) + int(k) + 1
        while not same and f"record {number}" in taken:
            number += 1
        called[k] = same.pop(0) if same else f"record {number}"
        taken.add(called[k])
    # those that share a numbering of their teeth say by a name whose it is
    new = dict(zip(table["name"], called, strict=True))
    shared = {"aligned_to": table["aligned_to"].replace(new)} if "aligned_to" in table else {}
    return table.assign(name=called, **shared)

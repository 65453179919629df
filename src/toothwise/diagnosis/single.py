"""Diagnosis of maps one by one: which gear and tooth, how badly, what pattern, how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import erfc, sqrt

import numpy as np
import pandas as pd

from toothwise.detectors.base import Detector, Maps, Prediction, as_array
from toothwise.diagnosis.decompose import SHARES, Findings, FoundLine, decompose
from toothwise.diagnosis.settings import MonitorSettings
from toothwise.diagnosis.verdict import COLOURS, Diagnosis, LineFinding, MapDiagnosis, Neighbour, Tooth
from toothwise.diagnosis.words import in_english, number_of, words_of_map, words_of_maps
from toothwise.errors import InputError
from toothwise.evaluation.tail import healthy_tail
from toothwise.healthmap.core import Axis
from toothwise.reference.healthy_reference import HealthyReference
from toothwise.reference.map_statistics import log_maps, map_level, without_places
from toothwise.reference.records import tooth_zero_of

__all__ = ["clusters", "diagnose_maps", "diagnosis_of_maps", "gear_of", "summarize"]

_Z95 = 1.959963984540054
_SHOWN = 3  # maps that are explained


def gear_of(axis: Axis | None, fallback: str) -> str:
    """The gear that an axis counts the teeth of: "driving tooth" -> "driving"; "tooth" -> "gear"."""
    if axis is None:
        return fallback
    word = axis.name.split()[0] if axis.name.endswith("tooth") else fallback
    return "gear" if word == "tooth" else word


def clusters(teeth: Sequence[int], lines: int) -> list[list[int]]:
    """Teeth that stand side by side around a gear of ``lines`` teeth, each group in the order given."""
    groups: list[list[int]] = []
    for tooth in teeth:
        touching = [g for g in groups if any(min((tooth - t) % lines, (t - tooth) % lines) <= 1 for t in g)]
        merged = [t for g in touching for t in g]
        groups = [g for g in groups if g not in touching]
        groups.append([*merged, tooth])
    return sorted(groups, key=lambda g: list(teeth).index(g[0]))


def diagnose_maps(
    maps: Maps,
    detector: Detector,
    reference: HealthyReference,
    *,
    rate: float = 0.01,
    rows: Axis | None = None,
    columns: Axis | None = None,
    records: Sequence[str] | None = None,
    first: Prediction | None = None,
) -> list[MapDiagnosis]:
    """Diagnose maps, each on its own.

    Args:
        maps: positive, ``[n, rows, columns]``.
        detector: fitted; ``reference`` belongs to it (``learn_reference``, ``load_reference``).
        rate: chance that a healthy map is called anything but "nothing", all tests together.
        rows, columns: axes of the maps, for the names of gears and the labels of extents.
        records: a name per map.
        first: the detector's prediction of the maps, where it is there already.

    Raises:
        InputError: maps that do not fit the detector or are not positive, or a rate outside (0, 1).
    """
    if not 0 < rate < 1:
        raise InputError(f"rate must lie between 0 and 1, but got {rate}")
    values, waveforms = as_array(maps, shape=detector.shape), detector.waveforms_of(maps)
    return summarize(
        decompose(values, detector, reference, rate=rate, waveforms=waveforms, first=first),
        values,
        reference,
        rate=rate,
        rows=rows,
        columns=columns,
        records=records,
    )


def summarize(
    found: Findings,
    values: np.ndarray,
    reference: HealthyReference,
    *,
    rate: float,
    rows: Axis | None = None,
    columns: Axis | None = None,
    records: Sequence[str] | None = None,
    table: pd.DataFrame | None = None,
) -> list[MapDiagnosis]:
    """Diagnoses from what came off the maps; their table tells how tooth 0 is known."""
    x = log_maps(values)
    names = [f"map {k}" for k in range(len(x))] if records is None else list(records)
    axes = {1: (gear_of(rows, "driving"), columns), 2: (gear_of(columns, "driven"), rows)}
    middle, spread = float(np.median(reference.level)), max(float(np.std(reference.level)), 1e-9)
    zero = {axis: tooth_zero_of(table, gear, len(x)) for axis, (gear, _) in axes.items()}
    level = (map_level(x, newest=reference.by_record) - middle) / spread
    away = np.abs(reference.level - middle)
    p_level = healthy_tail(np.abs(level) * spread, away)
    flat = {axis: without_places(x, axis) for axis in (1, 2)}
    out = []
    for k, name in enumerate(names):
        groups = _groups(found.lines[k], {a: f.shape[1] for a, f in flat.items()})
        lines = [
            replace(_finding(g[0], flat[g[0].axis][k], reference, axes[g[0].axis]), tooth_zero=zero[g[0].axis][k])
            for g in groups
        ]
        pattern, also = _pattern(len(lines), found, k, p_level[k], level[k], rate)
        diagonal = found.diagonal[k]
        swinging = [axes[a][0] for a in found.cycle[k]]
        p_values = {test: float(p[k]) for test, p in found.p_values.items()} | {"level": float(p_level[k])}
        if reference.by_record:
            del p_values["diagonal"]
        one = MapDiagnosis(
            record=name,
            pattern=pattern,
            lines=tuple(lines),
            p_values=p_values,
            rate=rate,
            level=float(level[k]),
            cycle_gear=swinging[0] if swinging else None,
            diagonal=None
            if diagonal is None
            else {
                "first_pair": [diagonal[0], diagonal[1]],
                "events": diagonal[2],
                "contrast": float(np.exp(diagonal[3])),
            },
            healthy=len(reference),
            effective=reference.effective,
            score=float(found.first.score[k]),
            also=also,
        )
        out.append(in_english(one, words_of_map(one)))
    return out


def diagnosis_of_maps(each: Sequence[MapDiagnosis], settings: MonitorSettings, effective: float) -> Diagnosis:
    """What maps that were judged each on its own say together: what the strangest of them says.

    Args:
        each: Their diagnoses, one or more.
        settings: A finding that healthy maps show more rarely than its alarm rate is RED, another one AMBER.
        effective: Independent maps that the healthy ones are worth.
    """
    order = sorted(range(len(each)), key=lambda k: _strangeness(each[k]))
    calls = [k for k in order if each[k].pattern != "nothing"]
    first = each[order[0]]
    rare = min(p / SHARES[test] for test, p in first.p_values.items()) <= settings.rate / 1000.0
    state = "quiet" if not calls else "alarm" if rare else "warning"
    line = first.lines[0] if first.lines and first.pattern.endswith(("tooth", "teeth")) else None
    teeth = tuple(
        Tooth(one.gear, one.axis, number_of(one), 0.0, -float(np.log10(one.p_value)), ())
        for one in (first.lines if line is not None else ())
    )
    found = Diagnosis(
        colour=COLOURS[state],
        state=state,
        pattern=first.pattern,
        also=first.also,
        sequence=False,
        records=len(each),
        judged=len(each),
        healthy=first.healthy,
        effective=effective,
        settings=settings,
        gear=None if line is None else line.gear,
        tooth=None if line is None else number_of(line),
        tooth_zero="unknown" if line is None else line.tooth_zero,
        teeth=teeth,
        contrast=None if line is None else line.contrast,
        contrast_interval=None if line is None else line.interval,
        each=tuple(each),
        explained=tuple(calls[:_SHOWN] or order[:1]),
    )
    return in_english(found, words_of_maps(each, first))


def _strangeness(one: MapDiagnosis) -> tuple[bool, float, float]:
    return one.pattern == "nothing", min(one.p_values.values()), -one.score


def _groups(lines: list[FoundLine], size: dict[int, int]) -> list[list[FoundLine]]:
    """Lines of one axis that stand side by side are one tooth with its leak; the first to come off stands for it."""
    out = []
    for axis in (1, 2):
        own = {p.tooth: p for p in reversed(lines) if p.axis == axis}
        order = list(dict.fromkeys(p.tooth for p in lines if p.axis == axis))
        out += [[own[t] for t in group] for group in clusters(order, size[axis])]
    return sorted(out, key=lambda g: lines.index(g[0]))


def _pattern(
    lines: int, found: Findings, k: int, p_level: float, level: float, rate: float
) -> tuple[str, tuple[str, ...]]:
    """The pattern with the smallest chance on a healthy map, and what else was found beside it."""
    p = {name: float(values[k]) / SHARES[name] for name, values in found.p_values.items()}
    seen: dict[str, float] = {}
    if lines:
        seen["one tooth" if lines == 1 else "several teeth"] = p["lines"]
    if found.cycle[k]:
        seen["whole gear"] = p["one cycle"]
    if p_level <= rate * SHARES["level"]:
        # one map cannot tell a worn gear from a louder sensor or load; a fall is no wear
        what = "whole gear" if level > 0 else "sensor or condition changed"
        seen[what] = min(p_level / SHARES["level"], seen.get(what, 1.0))
    if found.diagonal[k] is not None:
        seen["transient"] = p["diagonal"]
    order = sorted(seen, key=lambda name: seen[name])
    return (order[0], tuple(order[1:])) if order else ("nothing", ())


def _finding(
    line: FoundLine, flat: np.ndarray, reference: HealthyReference, axis: tuple[str, Axis | None]
) -> LineFinding:
    gear, along = axis
    part = slice(line.segment.first, line.segment.last + 1)
    cells = max(int(np.isfinite(flat[line.tooth, part]).sum()), 1)
    scatter = reference.segment_scatter(line.axis, cells)
    # teeth are not equal: what this one shows in healthy maps too is no damage
    usual = reference.lines[line.axis - 1].mean(axis=0) if reference.lines[line.axis - 1].size else np.zeros(len(flat))
    height = line.log_contrast - float(usual[line.tooth])
    labels = range(flat.shape[1]) if along is None else along.labels
    beside = []
    for step in (-1, 1):
        tooth = (line.tooth + step) % len(flat)
        if not np.isfinite(flat[tooth, part]).any():
            continue
        value = float(np.nanmean(flat[tooth, part])) - float(usual[tooth])
        p = 0.5 * erfc(value / scatter / sqrt(2.0))
        beside.append(Neighbour(tooth, float(np.exp(value)), p, p < 0.01))
    return LineFinding(
        gear=gear,
        tooth=line.tooth,
        axis=line.axis,
        p_value=line.p_value,
        contrast=float(np.exp(height)),
        interval=(float(np.exp(height - _Z95 * scatter)), float(np.exp(height + _Z95 * scatter))),
        first=labels[line.segment.first],
        last=labels[line.segment.last],
        cells=line.segment.cells,
        share=line.segment.cells / flat.shape[1],
        neighbours=tuple(beside),
    )

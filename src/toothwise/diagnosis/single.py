"""Diagnosis of maps one by one: which gear and tooth, how badly, what pattern, how sure."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from math import erfc, sqrt
from typing import Any

import numpy as np

from toothwise.detectors.base import Detector, Maps, Prediction, as_array
from toothwise.diagnosis.control_limits import ControlLimits
from toothwise.diagnosis.decompose import SHARES, Findings, FoundLine, decompose
from toothwise.diagnosis.rules import MonitorSettings, ladder
from toothwise.diagnosis.teeth import alike, clusters, echo, gear_of, opposite, ring_spacing, stands_out
from toothwise.diagnosis.verdict import COLOURS, Diagnosis, Finding, LineFinding, MapDiagnosis, Neighbour, Tooth
from toothwise.diagnosis.words import in_english, number_of, words_of_map, words_of_maps
from toothwise.errors import InputError
from toothwise.evaluation.tail import LEAST, beyond_all, healthy_tail
from toothwise.healthmap.core import Axis, HealthMapBatch
from toothwise.model.maps import gather
from toothwise.reference.healthy_reference import HealthyReference
from toothwise.reference.map_statistics import log_maps, without_places
from toothwise.reference.records import record_ids

_Z95 = 1.959963984540054
_SHOWN = 3  # maps that are explained
_SURE = 1e-3  # chance from which on a line is a line, whatever else is found


def diagnose_maps(
    maps: Maps, detector: Detector, reference: HealthyReference, *, rate: float = 0.01, first: Prediction | None = None
) -> list[MapDiagnosis]:
    """Diagnose maps, each on its own.

    Args:
        maps: Positive; a batch says what its axes and gears are, and by its table how its maps are called and how
            tooth 0 is known.
        detector: Fitted; ``reference`` belongs to it (``learn_reference``, ``load_reference``).
        rate: Chance that a healthy map is called anything but "nothing", all tests together.
        first: The detector's prediction of the maps, where it is there already.

    Raises:
        InputError: Maps that do not fit the detector or are not positive, or a rate outside (0, 1).
    """
    if not 0 < rate < 1:
        raise InputError(f"rate must lie between 0 and 1, but got {rate}")
    batch, _ = gather(maps)
    values, waveforms = as_array(batch, shape=detector.shape), detector.waveforms_of(batch)
    swings = reference.swings_of(batch.table, len(values))
    found = decompose(values, detector, reference, rate=rate, waveforms=waveforms, first=first, swings=swings)
    return summarize(found, batch, reference, rate=rate)


def summarize(
    found: Findings, batch: HealthMapBatch, reference: HealthyReference, *, rate: float
) -> list[MapDiagnosis]:
    """Diagnoses from what came off the maps of a batch."""
    x, spacing = log_maps(batch.values), ring_spacing(batch.gear)
    axes = {1: (gear_of(batch.rows, "driving"), batch.columns), 2: (gear_of(batch.columns, "driven"), batch.rows)}
    middle, spread = float(np.median(reference.level)), max(float(np.std(reference.level)), 1e-9)
    zero = {axis: reference.zeros(batch.table, axis, gear, len(x)) for axis, (gear, _) in axes.items()}
    level = (reference.level_of(x, batch.table) - middle) / spread
    change, n, own = np.abs(level) * spread, len(reference), reference.level - reference.level.mean()
    # of few healthy maps a normal distribution counts, which has two sides
    away, sides = (own, 2.0) if n < LEAST else (np.abs(reference.level - middle), 1.0)
    p_level = np.minimum(sides * healthy_tail(change, away, worth=reference.worth["level"]), 1.0)
    p_level = beyond_all(p_level, change, own)
    flat = {axis: without_places(x, axis) for axis in (1, 2)}
    sizes = {axis: lines.shape[1] for axis, lines in flat.items()}
    planet = reference.by_record or axes[1][0] == "planet"
    out = []
    for k, name in enumerate(record_ids(batch.table, len(batch)).tolist()):
        groups = _groups(found.lines[k], sizes, planet=planet, spacing=spacing)
        lines: list[LineFinding] = []
        uneven: dict[int, float] = {}
        each = [(g, contact, *_finding(g, flat[g.axis][k], reference, axes[g.axis])) for g, contact in groups]
        standing = {g.axis for g, _, _, _, alone in each if alone}
        louder = 0.0 if standing else change[k]  # whatever the level does, the other teeth do not
        for g, contact, line, scatter, _ in each:
            # beside a tooth that stands out others are what it leaves over, and judged by that alone
            if scatter and g.axis not in standing and not (reference.by_record or found.by_waveform):
                uneven.setdefault(g.axis, g.p_value)
                continue
            lines.append(replace(line, tooth_zero=zero[g.axis][k], contact=contact))
        lines = _without_echoes(lines, sizes, {(one.axis, one.tooth) for one in found.lines[k] if one.apart})
        uneven = {} if lines else uneven
        changed = {} if lines or found.change_p is None else dict(enumerate(found.change_p[k].tolist(), 1))
        changed = {axis: p for axis, p in changed.items() if p <= rate * SHARES["change"]}
        if uneven and all(_uneven(flat[axis][k], axis, reference) for axis in axes):
            uneven = dict.fromkeys(axes, min(uneven.values()))
        findings = _findings(lines, uneven, changed, found, k, p_level[k], level[k], rate)
        diagonal = found.diagonal[k]
        pattern, also = _pattern(lines, findings, louder, diagonal is not None, found.p_values["diagonal"][k])
        transient = None
        if diagonal is not None:
            row, column, events, height = diagonal
            transient = {"first_pair": [row, column], "events": events, "contrast": float(np.exp(height))}
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
            cycle_gear=next((axes[a][0] for a in found.cycle[k]), None),
            uneven_gears=tuple(axes[axis][0] for axis in {**uneven, **changed}),
            diagonal=transient,
            healthy=len(reference),
            effective=reference.effective,
            score=float(found.first.score[k]),
            also=also,
            findings=findings,
        )
        out.append(in_english(one, words_of_map(one)))
    return out


def diagnosis_of_maps(
    each: Sequence[MapDiagnosis], settings: MonitorSettings, limits: ControlLimits, effective: float
) -> Diagnosis:
    """What maps that were judged each on its own say together: what the strangest of them says.

    Args:
        each: Their diagnoses, one or more.
        settings: Of the monitor.
        limits: A finding is RED or AMBER by the limits of single records, as in a sequence.
        effective: Independent maps that the healthy ones are worth.
    """
    order = sorted(range(len(each)), key=lambda k: _strangeness(each[k]))
    calls = [k for k in order if each[k].pattern != "nothing"]
    first = each[order[0]]
    chance = min((f.chance for f in first.findings), default=1.0)
    state = next((t for t in ("alarm", "warning") if chance <= limits.channels["single"][t].stated / 1000.0), "quiet")
    if first.pattern == "sensor or condition changed" and state == "alarm":
        state = "warning"  # a level that is off asks for a look at the sensor, not for an inspection
    lines = first.lines if first.pattern.endswith(("tooth", "teeth")) else ()
    about: dict[str, Any] = {}
    if lines:
        line = lines[0]
        about = {"gear": line.gear, "tooth": number_of(line), "tooth_zero": line.tooth_zero}
        about |= {"contrast": line.contrast, "contrast_interval": line.interval}
    teeth = [Tooth(one.gear, one.axis, number_of(one), *_standing(one, limits), (), one.contact) for one in lines]
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
        teeth=tuple(teeth),
        each=tuple(each),
        limits=limits,
        explained=tuple(calls[:_SHOWN] or order[:1]),
        **about,
    )
    return in_english(found, words_of_maps(each, first))


def _standing(line: LineFinding, limits: ControlLimits) -> tuple[float, float]:
    """Where a line of a single map stands on the ladder, and its evidence."""
    evidence, own = -float(np.log10(line.p_value / SHARES["lines"])), limits.channels["single"]
    return float(ladder(np.array(evidence), own["warning"].height, own["alarm"].height)), evidence


def _strangeness(one: MapDiagnosis) -> tuple[float, bool, float]:
    return min((f.chance for f in one.findings), default=1.0), one.pattern == "nothing", -one.score


def _without_echoes(
    lines: Sequence[LineFinding], teeth: dict[int, int], apart: set[tuple[int, int]]
) -> list[LineFinding]:
    """Lines that are more than what louder ones of their gear leave behind, or known not to be that, in their order."""
    kept: list[LineFinding] = []
    for line in sorted(lines, key=lambda one: -abs(one.contrast - 1.0)):
        louder = [(one.tooth, one.contrast) for one in kept if one.axis == line.axis]
        if (line.axis, line.tooth) in apart or not echo(line.tooth, line.contrast, louder, teeth[line.axis]):
            kept.append(line)
    return [line for line in lines if line in kept]


def _groups(
    lines: list[FoundLine], size: dict[int, int], *, planet: bool, spacing: Sequence[float]
) -> list[tuple[FoundLine, int | None]]:
    """Lines of one axis that stand side by side are one tooth with its leak; the first to come off stands for it.

    A neighbour whose waveform is its own is another tooth. Of a planet two that lie half a revolution apart are one
    tooth too, seen at both of its contacts, and of a ring all that lie a planet spacing apart.
    """
    out: list[tuple[FoundLine, int | None]] = []
    for axis in (1, 2):
        own = {p.tooth: p for p in reversed(lines) if p.axis == axis}
        order = list(dict.fromkeys(p.tooth for p in lines if p.axis == axis))
        peaks = [t for group in clusters(order, size[axis]) for t in group if t == group[0] or own[t].apart]
        while peaks:
            tooth = peaks.pop(0)
            contact = next((t for t in peaks if planet and opposite(tooth, t, size[axis])), None)
            # what lies half a revolution from that contact again is the first one's leak
            peaks = [t for t in peaks if contact is None or not (t == contact or opposite(contact, t, size[axis]))]
            if axis == 2:
                peaks = [t for t in peaks if not alike(tooth, t, spacing, size[axis])]
            out.append((own[tooth], contact))
    return sorted(out, key=lambda g: lines.index(g[0]))


def _findings(
    lines: list[LineFinding],
    uneven: dict[int, float],
    changed: dict[int, float],
    found: Findings,
    k: int,
    p_level: float,
    level: float,
    rate: float,
) -> tuple[Finding, ...]:
    """What counts as evidence: each with its chance, in which the share of its test is counted."""
    out = [
        Finding("tooth", line.axis, -1 if number_of(line) is None else line.tooth, line.p_value / SHARES["lines"])
        for line in lines
    ]
    swing = float(found.p_values["one cycle"][k]) / SHARES["one cycle"]
    # one that came off after a line may have been hidden by it: it was found at the rate
    out += [Finding("cycle", axis, -1, min(swing, rate)) for axis in found.cycle[k]]
    # of two uneven gears noise or another condition is the reason, which the level stands for
    what = "cycle" if len(uneven) < 2 else "level up" if level > 0 else "level down"
    out += [Finding(what, axis if what == "cycle" else 0, -1, p / SHARES["lines"]) for axis, p in uneven.items()]
    out += [Finding("change", axis, -1, p / SHARES["change"]) for axis, p in changed.items()]
    if p_level <= rate * SHARES["level"]:
        out.append(Finding("level up" if level > 0 else "level down", 0, -1, float(p_level) / SHARES["level"]))
    return tuple(sorted(out, key=lambda f: f.chance))


def _pattern(
    lines: list[LineFinding], findings: Sequence[Finding], change: float, transient: bool, p_diagonal: float
) -> tuple[str, tuple[str, ...]]:
    """The pattern with the smallest chance on a healthy map, and what else was found beside it.

    A line that is beyond doubt is never outranked: a damaged tooth raises the first harmonic and the level as well. But
    a log level that changes by more than the line's contrast makes lines of what noise or another condition does,
    unless one of them stands out among the other teeth as they are now (``change`` is 0 then).
    """
    level_first = any(one.kind.startswith("level") for one in findings) and change > max(
        (abs(float(np.log(line.contrast))) for line in lines), default=0.0
    )
    seen: dict[str, float] = {}
    of_gear = ("cycle", "change") if sum(one.kind == "change" for one in findings) < 2 else ("cycle",)
    for one in findings:
        name = "whole gear" if one.kind in of_gear else "sensor or condition changed"
        if one.kind == "tooth":
            name = "several teeth" if len(lines) > 1 else "one tooth"
        sure = name.endswith(("tooth", "teeth")) and one.chance <= _SURE
        if level_first and one.kind.startswith("level"):
            seen[name] = -2.0
        seen[name] = min(-1.0 if sure else one.chance, seen.get(name, 1.0))
    if transient:
        seen["transient"] = 2.0 if seen else float(p_diagonal) / SHARES["diagonal"]  # it is no alarm, the others are
    order = sorted(seen, key=lambda name: seen[name])
    return (order[0], tuple(order[1:])) if order else ("nothing", ())


def _profile(flat: np.ndarray, axis: int, reference: HealthyReference) -> tuple[np.ndarray, np.ndarray]:
    """Mean log contrast of each line, less what healthy maps show of it: teeth are not equal. And that."""
    known = reference.lines[axis - 1]
    usual = known.mean(axis=0) if known.size else np.zeros(len(flat))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a tooth that meets none of the mates stays NaN
        return np.nanmean(flat, axis=1) - usual, usual


def _uneven(flat: np.ndarray, axis: int, reference: HealthyReference) -> bool:
    """Whether a gear's teeth scatter more than healthy ones."""
    return stands_out(_profile(flat, axis, reference)[0], 0, reference.segment_scatter(axis, flat.shape[1]))[0]


def _finding(
    line: FoundLine, flat: np.ndarray, reference: HealthyReference, axis: tuple[str, Axis]
) -> tuple[LineFinding, bool, bool]:
    """A line as it is told; whether its gear's teeth scatter more than healthy ones there, and it stands out then."""
    gear, labels = axis[0], axis[1].labels
    part = slice(line.segment.first, line.segment.last + 1)
    cells = max(int(np.isfinite(flat[line.tooth, part]).sum()), 1)
    scatter = reference.segment_scatter(line.axis, cells)
    profile, usual = _profile(flat[:, part], line.axis, reference)
    height = line.log_contrast - float(usual[line.tooth])
    beside = []
    for step in (-1, 1):
        tooth = (line.tooth + step) % len(flat)
        value = float(profile[tooth])
        p = 0.5 * erfc(value / scatter / sqrt(2.0))
        if np.isfinite(value):
            beside.append(Neighbour(tooth, float(np.exp(value)), p, p < 0.01))
    told = LineFinding(
        gear=gear,
        tooth=line.tooth,
        axis=line.axis,
        p_value=line.p_value,
        contrast=float(np.exp(height)),
        interval=(float(np.exp(height - _Z95 * scatter)), float(np.exp(height + _Z95 * scatter))),
        first=labels[line.segment.first],
        last=labels[line.segment.last],
        cells=cells,
        # gears that do not hunt have no more pairs than those that meet
        share=cells / max(int(np.isfinite(flat[line.tooth]).sum()), 1),
        neighbours=tuple(beside),
    )
    return told, *stands_out(profile, line.tooth, scatter)

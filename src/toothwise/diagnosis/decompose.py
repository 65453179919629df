"""Take what stands out of a map away, strongest first, until a healthy map could look like what is left.

A damaged tooth lifts the cells where it crosses the lines of the other gear, and an eccentric gear lifts half of its
own lines. What explains most is therefore found first, taken off the log map, and the rest is scored again. Each step
is a test at the same level, with the chance of the *best* line of a healthy map, so the chance that the step after the
last true one adds something is at most that level.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd, sqrt

import numpy as np

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.coherent.meshes import change_of_gears
from toothwise.detectors.pooling import evidence_of
from toothwise.evaluation.tail import ENOUGH, LEAST, best_line_tail, beyond_all, healthy_tail
from toothwise.reference.healthy_reference import HealthyReference
from toothwise.reference.map_statistics import (
    Segment,
    best_segment,
    line_levels,
    log_maps,
    one_cycle,
    without_places,
)

# of the stated rate, what each test may spend; they sum to 1
SHARES = {"lines": 0.5, "diagonal": 0.1, "one cycle": 0.15, "change": 0.05, "level": 0.2}
_ROUNDS = 6
_KNOWN = 9  # healthy records that the spread of a change is known from at the most: a tail longer than a normal one
_LEFT = 0.15  # of the amplitudes of louder teeth, what taking their waveforms off may leave at others
_TIE = 0.7  # share of the best evidence from which on a neighbour may be the tooth itself


@dataclass(frozen=True)
class FoundLine:
    """A line that was taken off: axis, tooth, its p-value, where it lies and its mean log contrast there.

    ``amplitude``: of its waveform then, where it was one; on one scale with the others of its map. ``apart``: it came
    off together with others that are damaged too, none of which is a leak.
    """

    axis: int
    tooth: int
    p_value: float
    segment: Segment
    log_contrast: float
    amplitude: float = 0.0
    apart: bool = False


@dataclass(eq=False)
class Findings:
    """What came off n maps and what the detector says of them.

    Attributes:
        first: the prediction of the maps as they are.
        evidence: by axis, of every line ``[n, lines]``: of a line that came off, when it did; of others, afterwards.
        lines: per map, in the order they came off.
        cycle: per map, the axes (1, 2) that swing once per revolution.
        diagonal: per map, first row and column, events and mean log contrast; None = none.
        p_values: by test, of the maps as they are, float64 ``[n]``.
        rest: log maps with all that taken off.
        by_waveform: evidence is of waveforms, which adds up along a tooth; what the map's cells show does not decide.
        scatter_ratio: how many times as far as in any healthy map the cells scatter, ``[n]``: lines count for less.
        change: how far the usual tooth of either gear differs from its healthy waveform without those lines, ``[n, 2]``
            (``change_of_gears``), and ``change_p``, chances of a healthy map, ``[n, 2]``; None without waveforms.
    """

    first: Prediction
    evidence: dict[int, np.ndarray]
    lines: list[list[FoundLine]]
    cycle: list[list[int]]
    diagonal: list[tuple[int, int, int, float] | None]
    p_values: dict[str, np.ndarray]
    rest: np.ndarray = field(repr=False)
    scatter_ratio: np.ndarray
    by_waveform: bool = False
    change: np.ndarray | None = None
    change_p: np.ndarray | None = None


def decompose(
    values: np.ndarray,
    detector: Detector,
    reference: HealthyReference,
    *,
    rate: float,
    waveforms: np.ndarray | None = None,
    first: Prediction | None = None,
    swings: np.ndarray | None = None,
) -> Findings:
    """Find and take off lines, diagonals and one-cycle bands.

    Args:
        values: maps ``[n, rows, columns]``, positive.
        detector, reference: that belong together.
        rate: chance that a healthy map loses anything here, ``SHARES`` of it per test.
        waveforms: of the maps, ``[n, rows, columns, samples]``, where the detector looks at them. A line is then taken
            off as what its waveform adds, and its contrast is that of the map where the waveform lies.
        first: the detector's prediction of the maps, where it is there already.
        swings: one cycle of the maps, where it was heard (``HealthyReference.swings_of``).
    """
    x = log_maps(values)
    n = len(x)
    seen = waveforms if waveforms is not None and detector.can.waveforms else None
    first = detector.predict(values if seen is None else seen) if first is None else first
    left: dict[int, np.ndarray] = {}  # waveforms of maps that lost a line
    search = reference.diagonals((x.shape[1], x.shape[2]))
    evidence = _evidence(first, reference)
    ratio, waves = detector.scatter_ratio(values), seen is not None
    out = Findings(first, evidence, [[] for _ in range(n)], [[] for _ in range(n)], [None] * n, {}, x, ratio, waves)
    active, now = np.arange(n), evidence
    for step in range(_ROUNDS):
        if step:
            rest = np.exp(x[active]).astype(np.float32)
            if seen is not None:
                rest = np.stack([left.get(int(k), seen[k]) for k in active])
            now = _evidence(detector.predict(rest), reference)
            for axis, lines in now.items():
                own = [[p for p in out.lines[k] if p.axis == axis] for k in active]
                kept = np.array([_near(lines.shape[1], those) for those in own])
                out.evidence[axis][active] = np.where(kept, out.evidence[axis][active], lines)
        by_axis, apart = _lines(now, reference), ratio[active]
        tests = {"lines": _smaller(by_axis), "diagonal": (np.ones(len(active)), np.ones(len(active), dtype=int))}
        if search is not None:
            tests["diagonal"] = healthy_tail(search.score(x[active]) / apart, reference.diagonal), tests["diagonal"][1]
        tests["one cycle"] = _cycle(x[active], reference, apart, None if swings is None else swings[active])
        if not step:
            out.p_values = {name: best for name, (best, _) in tests.items()}
        spent = {name: best / SHARES[name] for name, (best, _) in tests.items()}
        spent["diagonal"][[out.diagonal[k] is not None for k in active]] = 2.0  # found once at most, as a cycle is
        no_cycle = (spent["lines"] <= rate) & _of_a_tooth(x[active], tests["one cycle"][1], reference)
        spent["one cycle"][[bool(out.cycle[k]) for k in active] | no_cycle] = 2.0
        found = np.min([*spent.values()], axis=0) <= rate
        for k in np.flatnonzero(found):
            name, which = min(spent, key=lambda name: float(spent[name][k])), int(active[k])
            p_value, axis = float(tests[name][0][k]), int(tests[name][1][k])
            if name == "diagonal" and search is not None:
                row, column, height = search.find(x[which])
                x[which, row, column] -= height
                out.diagonal[which] = (int(row[0]), int(column[0]), len(row), height)
            elif name == "one cycle":
                levels = line_levels(x[which : which + 1], axis, newest=False)
                _by_line(x[which], axis)[:] -= one_cycle(levels)[1][0][:, None]
                out.cycle[which].append(axis)
            elif seen is None:
                _take_line(out, which, axis, now[axis][k], p_value)
            else:
                one = left.get(which, seen[which])
                chances = {a: float(p[k]) for a, p in by_axis.items()}
                if not out.lines[which]:  # what is left beside a tooth that came off is judged by its chance
                    axis = _with_larger_waveform(one, {a: now[a][k] for a in chances}, chances, detector, rate)
                # with a tooth of few goes much of what sound ones hold: what is left is compared with the whole map
                amplitude = detector.amplitude(one, axis, int(now[axis][k].argmax()), seen[which])
                left[which] = _take_teeth(out, which, axis, now[axis][k], chances[axis], one, detector, amplitude)
        active = active[found]
        if not len(active):
            break
    if seen is not None and reference.change is not None:
        out.change = np.concatenate([change_of_gears(left.get(k, seen[k])[None]) for k in range(n)])
        out.change_p = np.stack([_change(out.change[:, a], reference, a) for a in (0, 1)], axis=1)
        out.p_values["change"] = out.change_p.min(axis=1)
    return out


def _change(found: np.ndarray, reference: HealthyReference, gear: int) -> np.ndarray:
    """Chance that the usual tooth of a gear differs as far in a healthy map, ``[n]``, times the two gears."""
    assert reference.change is not None
    own, middle = reference.change[:, gear], reference.change[:, gear].mean()
    chance = healthy_tail(found, own, worth=reference.worth["change"])
    return np.minimum(2.0 * beyond_all(chance, found - middle, own - middle, known=_KNOWN), 1.0)


def _of_a_tooth(x: np.ndarray, axes: np.ndarray, reference: HealthyReference) -> np.ndarray:
    """Whether a line and its neighbours explain more of the gear's profile than one cycle does, bool ``[n]``.

    Of a gear with few teeth one damaged tooth has a strong first harmonic too, so that chances alone cannot tell.
    """
    out = np.zeros(len(x), dtype=bool)
    for axis in np.unique(axes):
        own = axes == axis
        levels = line_levels(x[own], int(axis), newest=reference.by_record)
        power = levels**2
        out[own] = (power + np.roll(power, 1, 1) + np.roll(power, -1, 1)).max(axis=1) >= (
            one_cycle(levels)[1] ** 2
        ).sum(1)
    return out


def _near(lines: int, found: list[FoundLine]) -> np.ndarray:
    """Teeth whose evidence stays that of when a line came off: its own, and of one alone its neighbours' leak."""
    kept = np.zeros(lines, dtype=bool)
    for one in found:
        kept[[one.tooth] if one.apart else [(one.tooth - 1) % lines, one.tooth, (one.tooth + 1) % lines]] = True
    return kept


def _evidence(found: Prediction, reference: HealthyReference) -> dict[int, np.ndarray]:
    both = zip((1, 2), evidence_of(found), (reference.row, reference.column), strict=True)
    return {a: np.array(e, dtype=np.float64) for a, e, known in both if e is not None and known is not None}


def _lines(evidence: dict[int, np.ndarray], reference: HealthyReference) -> dict[int, np.ndarray]:
    """By axis, the p-value of its best line ``[n]``."""
    out = {}
    for axis, given in evidence.items():
        known = reference.best_of(axis)
        if known is not None:
            out[axis] = known[1] * best_line_tail(given.max(axis=1), known[0], worth=reference.worth["lines"])
    return out


def _with_larger_waveform(
    one: np.ndarray, evidence: dict[int, np.ndarray], chances: dict[int, float], detector: Detector, rate: float
) -> int:
    """The axis whose best tooth adds the larger waveform to its meshes, of those that show one beyond the rate.

    A damaged tooth is in one mesh of every line that it crosses, and a sensor that hears planets where they pass it
    hears little else there: such a line has much evidence, but its mean waveform holds a small share of the tooth's.
    Where few pairs meet, a mate that meets no other tooth has all of it: the tooth with more meshes explains more.
    """
    beyond = sorted((p, axis) for axis, p in chances.items() if p <= rate * SHARES["lines"])
    shared = gcd(*one.shape[:2])

    def explained(axis: int) -> float:
        meshes = one.shape[2 - axis] // shared if shared > 2 else 1
        return sqrt(meshes) * detector.amplitude(one, axis, int(evidence[axis].argmax()), one)

    return max((axis for _, axis in beyond), key=explained)


def _smaller(by_axis: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The smaller of the axes' p-values and its axis."""
    p = np.stack(list(by_axis.values()))
    return np.minimum(p.min(axis=0), 1.0), np.array(list(by_axis))[p.argmin(axis=0)]


def _cycle(
    x: np.ndarray, reference: HealthyReference, scatter_ratio: np.ndarray, swings: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """P-value of one cycle per revolution in log maps, or as it was heard, and the axis that swings."""
    axes, cycles = (1,) if reference.by_record else (1, 2), {}
    for axis in axes:
        swing = _swing(x, axis, reference) / scatter_ratio if swings is None else swings[:, axis - 1]
        # an amplitude is skew, its root is not: of few healthy maps a normal distribution counts
        root, roots = np.sqrt(swing), np.sqrt(reference.cycle[axis - 1])
        given, known = (swing, reference.cycle[axis - 1]) if len(roots) >= LEAST else (root, roots)
        chance = healthy_tail(given, known, worth=reference.worth["one cycle"])
        if swings is not None:
            chance = beyond_all(chance, root, roots)
        elif len(roots) < ENOUGH and not reference.by_record:
            # the largest of some twenty may lie so close together that their tail seems to end there
            chance = np.maximum(chance, healthy_tail(root, roots, least=ENOUGH))
        cycles[axis] = len(axes) * chance
    return _smaller(cycles)


def _swing(x: np.ndarray, axis: int, reference: HealthyReference) -> np.ndarray:
    return one_cycle(line_levels(x, axis, newest=reference.by_record))[0]


def _by_line(x: np.ndarray, axis: int) -> np.ndarray:
    """A map with the lines of an axis as its rows, a view: what is taken off it is taken off the map."""
    return x if axis == 1 else x.T


def _take_teeth(
    out: Findings,
    k: int,
    axis: int,
    evidence: np.ndarray,
    p_value: float,
    one: np.ndarray,
    detector: Detector,
    amplitude: float,
) -> np.ndarray:
    """Take the loudest tooth off map k, or those that explain what is heard, of which it need not be one.

    Args:
        out: Changed in place.
        k, axis, evidence, p_value: Of the line.
        one: Waveforms of the map.
        detector: That looks at them.
        amplitude: Of the loudest tooth's.

    Returns:
        The waveforms that are left.
    """
    x, tooth = out.rest[k], int(evidence.argmax())
    again = any(line.axis == axis for line in out.lines[k])  # another tooth's traces tell nothing of others
    teeth, wide = ((), 1) if again else detector.damaged_teeth(one, axis)
    teeth = teeth or (tooth,)
    segment = best_segment(np.clip(detector.along_line(one, axis, tooth if tooth in teeth else teeth[0]), -5.0, 5.0))
    part = places = slice(segment.first, segment.last + 1)
    if len(teeth) > 1 and gcd(*one.shape[:2]) > 1:
        places = slice(None)  # their mates are others
    rest = detector.without_line(one, axis, teeth[0], places, wide)
    louder = [line.amplitude for line in out.lines[k]]  # of either gear: each crosses all lines of the other
    if not louder or amplitude > _LEFT * sum(louder):
        heights = np.nanmean(without_places(x[None], axis)[0][list(teeth), part], axis=1)
        for damaged, height in zip(teeth, heights.tolist(), strict=True):
            out.lines[k].append(FoundLine(axis, damaged, p_value, segment, height, amplitude, len(teeth) > 1))
        # the loudest mesh may be that of a sound tooth; ``evidence`` may be a view of what is changed here
        most, first = float(evidence.max()), float(evidence[teeth[0]])
        out.evidence[axis][k, tooth] = first
        out.evidence[axis][k, list(teeth)] = most
    with np.errstate(all="ignore"):
        change = 0.5 * np.log(np.square(rest).mean(axis=2) / np.square(one).mean(axis=2))
    x += np.where(np.isfinite(change), change, 0.0)
    return rest


def _take_line(out: Findings, k: int, axis: int, evidence: np.ndarray, p_value: float) -> None:
    """Take the loudest line of an axis off map k, with what it leaves at its neighbours."""
    by_line, flat = _by_line(out.rest[k], axis), without_places(out.rest[k : k + 1], axis)[0]
    tooth, lines = int(evidence.argmax()), len(flat)
    spread = 1.4826 * float(np.nanmedian(np.abs(flat - np.nanmedian(flat))))
    segment = best_segment(np.clip(flat[tooth] / max(spread, 1e-9), -5.0, 5.0))
    part = slice(segment.first, segment.last + 1)
    # evidence of pixels is clipped, so that a loud tooth and its leak may tie: the louder one is meant
    close = [t % lines for t in (tooth, tooth - 1, tooth + 1) if evidence[t % lines] >= _TIE * evidence[tooth]]
    tooth = close[int(np.nan_to_num(flat[close, part]).mean(axis=1).argmax())]
    height = float(np.nanmean(flat[tooth, part]))
    out.lines[k].append(FoundLine(axis, tooth, p_value, segment, height))
    by_line[tooth, part] -= height
    for beside in ((tooth - 1) % lines, (tooth + 1) % lines):
        leak = float(np.nanmean(flat[beside, part])) if np.isfinite(flat[beside, part]).any() else 0.0
        if leak * np.sign(height) > 2.0 * spread / np.sqrt(segment.cells):
            by_line[beside, part] -= leak

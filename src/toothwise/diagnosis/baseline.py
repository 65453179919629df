"""Healthy baselines of everything that is watched, per sensor and condition bin, and records on their scale.

Watched channels: the evidence of every tooth less the median over its gear (what lifts all teeth is no tooth), the
level of the whole map upwards and downwards, one cycle per revolution of either gear, and how far the usual tooth of
either gear differs from its healthy waveform, where waveforms are known. Each is put on its healthy
mean and standard deviation for its sensor and condition bin; then sensors are averaged, and the average is put on its
own healthy scale. So sensors may depend on one another in any way: what their average does in healthy records is
measured, not assumed. The last scale is the long-run one (standard deviation times the root of the records that count
as one), so that a channel that drifts slowly is not louder than one that does not.

A tooth has a healthy level of its own where 20 or more independent healthy records tell it. Where fewer do (two days
that drift, seen against each other), all teeth of a gear share one level and one spread, and what a tooth differs from
that is part of the spread. Level and cycles are judged against a spread that is widened for what few records can hide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from toothwise.diagnosis.decompose import Findings
from toothwise.diagnosis.teeth import correlation_time
from toothwise.errors import InputError
from toothwise.healthmap.runs import DRAWN, WITHIN
from toothwise.reference.healthy_reference import HealthyReference
from toothwise.reference.map_statistics import line_levels, log_maps, one_cycle
from toothwise.reference.records import bin_names

FEWEST = 2  # healthy records of a sensor and bin
_OWN_LEVEL = 20  # independent healthy records that a tooth's own level needs


@dataclass(frozen=True)
class Channel:
    """One thing that is watched; axis 1 or 2, 0 = whole map.

    Its kind is "tooth", "level up", "level down", "cycle" or "change".
    """

    kind: str
    axis: int = 0
    tooth: int = -1


UNNUMBERED = (Channel("tooth", 1), Channel("tooth", 2))  # teeth of a gear whose tooth zero is unknown


@dataclass(frozen=True, eq=False)
class Watched:
    """What is watched of n maps, before any baseline.

    Attributes:
        raw: ``[n, channels]``: evidence of lines, level, root of one cycle per gear, change of either gear.
        contrast: mean log contrast of every line ``[n, rows + columns]``.
    """

    raw: np.ndarray
    contrast: np.ndarray


def _centred(evidence: np.ndarray | None) -> list[np.ndarray]:
    if evidence is None or not evidence.shape[1]:
        return []
    finite = np.where(np.isfinite(evidence), evidence, np.nanmin(np.where(np.isfinite(evidence), evidence, np.nan)))
    return [finite - np.median(finite, axis=1, keepdims=True)]


def watch_maps(values: np.ndarray, table: pd.DataFrame, found: Findings, reference: HealthyReference) -> Watched:
    """What is watched of maps ``[n, rows, columns]`` that were peeled, with a row of the table each."""
    x = log_maps(values)
    axes = (1,) if reference.by_record else (1, 2)
    own = found.scatter_ratio[:, None]
    lines = [line_levels(x, axis, newest=reference.by_record) for axis in axes]
    evidence = [e for axis in (1, 2) for e in _centred(found.evidence.get(axis))]
    level = reference.level_of(x, table)[:, None]
    # what came off as a tooth is no cycle, and a cycle that came off was one
    if (swings := reference.swings_of(table, len(x))) is None:
        rest = [line_levels(_without_lines(x, found), axis, newest=reference.by_record) for axis in axes]
        cycles = [np.sqrt(one_cycle(part)[0][:, None] / own) for part in rest]  # an amplitude is skew, its root is not
    else:
        cycles = [np.sqrt(swings)]
    change = [] if found.change is None else [found.change]
    return Watched(np.concatenate([*evidence, level, *cycles, *change], axis=1), np.concatenate(lines, axis=1))


def _without_lines(x: np.ndarray, found: Findings) -> np.ndarray:
    out = x.copy()
    for k, lines in enumerate(found.lines):
        for p in lines:
            view = out[k] if p.axis == 1 else out[k].T
            view[p.tooth, p.segment.first : p.segment.last + 1] -= p.log_contrast
    return out


def watch_healthy(reference: HealthyReference) -> Watched:
    """The same of the healthy maps, held out."""
    axes = (1,) if reference.by_record else (1, 2)
    evidence = [e for part in (reference.row, reference.column) for e in _centred(part)]
    cycles = [np.sqrt(reference.cycle[a - 1])[:, None] for a in axes]
    change = [] if reference.change is None else [reference.change]
    raw = np.concatenate([*evidence, reference.level[:, None], *cycles, *change], axis=1)
    return Watched(raw, np.concatenate([reference.lines[a - 1] for a in axes], axis=1))


@dataclass(frozen=True, eq=False)
class Baseline:
    """Healthy baselines.

    Attributes:
        channels: what the columns of a standardised record are.
        mean, sd: of the raw channels, by (sensor, bin).
        contrast_mean: of the lines' log contrasts, by (sensor, bin).
        contrast_sd: of the lines' log contrasts averaged over sensors, ``[lines]``; ``line_axis``: their axes.
        scale: of the sensors' average, ``[channels]``.
        healthy: standardised healthy records ``[n, channels]``, held out; ``block``: their stretches of time.
        correlation: records that count as one, of teeth and of the slowest channel.
        learned: healthy records of the smallest bin.
        drawn: how many of the healthy records were drawn from a model of drift, not recorded; one_day: of one
            that was learned from within the only healthy day.
        sensors: names; ``bins``: edges by condition.
        pooled: all teeth of a gear share one healthy level, because too few independent records tell their own.
        level_sd: healthy standard deviation of the log level.
        by_waveform: evidence is of waveforms, which nothing clips; what the map's cells show ranks no neighbours.
        heard_swings: one cycle is how far the waveform swings.
    """

    channels: tuple[Channel, ...]
    mean: Mapping[tuple[str, str], np.ndarray]
    sd: Mapping[tuple[str, str], np.ndarray]
    contrast_mean: Mapping[tuple[str, str], np.ndarray]
    contrast_sd: np.ndarray
    line_axis: np.ndarray
    scale: np.ndarray
    healthy: np.ndarray
    block: np.ndarray
    correlation: tuple[float, float]
    learned: int
    sensors: tuple[str, ...]
    bins: Mapping[str, Sequence[float]]
    pooled: bool
    level_sd: float
    drawn: int = 0
    one_day: bool = False
    by_waveform: bool = False
    heard_swings: bool = False

    @cached_property
    def things(self) -> tuple[Channel, ...]:
        """Everything that can alarm: what is watched, and for either gear a tooth whose number is unknown."""
        return (*self.channels, *UNNUMBERED)

    @property
    def teeth(self) -> np.ndarray:
        """Which channels are teeth, bool ``[channels]``."""
        return np.array([c.kind == "tooth" for c in self.channels])

    def standard(
        self, raw: np.ndarray, contrast: np.ndarray, sensors: Sequence[str], place: str
    ) -> tuple[np.ndarray, np.ndarray, float] | None:
        """One record on the healthy scale.

        Args:
            raw, contrast: of the record's map by each sensor, ``[sensors, ...]``.
            sensors: their names.
            place: the record's condition bin.

        Returns:
            channels, log contrast of every line and log level, each against the healthy mean; None where the bin has
            no baseline.
        """
        keys = [(s, place) for s in sensors]
        if any(key not in self.mean for key in keys):
            return None
        away = np.stack([r - self.mean[key] for r, key in zip(raw, keys, strict=True)])
        z = np.mean([a / self.sd[key] for a, key in zip(away, keys, strict=True)], axis=0)
        lines = np.mean([c - self.contrast_mean[key] for c, key in zip(contrast, keys, strict=True)], axis=0)
        level = float(away[:, self._level].mean())
        return _both_ways(z[None], self._level)[0] / self.scale, lines, level

    @property
    def _level(self) -> int:
        return int(self.teeth.sum())


def _both_ways(z: np.ndarray, level: int) -> np.ndarray:
    """The level's column once as it is and once turned round: it may rise and fall."""
    return np.concatenate([z[:, : level + 1], -z[:, level : level + 1], z[:, level + 1 :]], axis=1)


def learn_baseline(
    reference: HealthyReference, *, bins: Mapping[str, Sequence[float]] | None = None, by_waveform: bool = False
) -> Baseline:
    """Baselines from the healthy maps of a reference, for the sensors that these have.

    Args:
        reference: Of the detector.
        bins: Edges by condition.
        by_waveform: The detector's evidence is of waveforms.

    Raises:
        InputError: Unknown conditions, or fewer than 2 healthy records in every bin.
    """
    known = tuple(sorted(set(reference.sensor.tolist())))
    watched = watch_healthy(reference)
    bins = bins or {}
    place = bin_names(reference.condition, bins, len(reference))
    groups = {
        key: (reference.sensor == key[0]) & (place == key[1])
        for key in sorted(set(zip(reference.sensor.tolist(), place.tolist(), strict=True)))
    }
    groups = {key: own for key, own in groups.items() if own.sum() >= FEWEST}
    if not groups:
        where = "no condition bin has them: take wider bins" if bins else f"the model has {len(reference)}"
        raise InputError(f"records in time order need {FEWEST} healthy maps or more, but {where}")
    widths = [0 if e is None else e.shape[1] for e in (reference.row, reference.column)]
    sizes = [part.shape[1] for part in reference.lines]
    level = sum(widths)
    pooled = any(
        own.sum() / correlation_time(watched.raw[own][:, :level], reference.block[own]) < _OWN_LEVEL
        for own in groups.values()
    )
    mean, sd, contrast_mean = {}, {}, {}
    z, lines = np.full(watched.raw.shape, np.nan), np.full(watched.contrast.shape, np.nan)
    for key, own in groups.items():
        mean[key], sd[key] = _levels(watched.raw[own], widths, pooled)
        contrast_mean[key], _ = _levels(watched.contrast[own], sizes, pooled)
        z[own] = (watched.raw[own] - mean[key]) / sd[key]
        lines[own] = watched.contrast[own] - contrast_mean[key]
    z, block, rows = _over_sensors(z, reference, known)
    lines = np.stack([lines[r].mean(axis=0) for r in rows])
    z = _both_ways(z, level)
    channels = [Channel("tooth", axis, k) for axis, width in zip((1, 2), widths, strict=True) for k in range(width)]
    channels += [Channel("level up"), Channel("level down")]
    channels += [Channel("cycle", axis) for axis in ((1,) if reference.by_record else (1, 2))]
    channels += [] if reference.change is None else [Channel("change", axis) for axis in (1, 2)]
    # one correlation for all teeth, because one tooth's is known poorly; of the others their own
    together = np.ones(len(channels))
    together[:level] = correlation_time(z[:, :level], block, about_zero=pooled)
    spread = np.maximum(z.std(axis=0), 0.1)
    for k in range(level, len(channels)):
        together[k] = correlation_time(z[:, k : k + 1], block)
        spread[k] *= _widened(len(z) / together[k])
    if pooled:
        spread[:level] = 1.0
    scale = spread * np.sqrt(together)
    axes = np.repeat([1, 2], sizes)
    return Baseline(
        channels=tuple(channels),
        mean=mean,
        sd=sd,
        contrast_mean=contrast_mean,
        contrast_sd=np.maximum(np.full(len(axes), lines.std()) if pooled else lines.std(axis=0), 1e-9),
        line_axis=axes,
        scale=scale,
        healthy=z / scale,
        block=block,
        correlation=(float(together[0]), float(together.max())),
        learned=int(min(own.sum() for own in groups.values())),
        pooled=pooled,
        sensors=known,
        bins=bins,
        level_sd=float(np.std(reference.level)),
        drawn=sum(str(reference.record[r[0]]).startswith(DRAWN) for r in rows),
        one_day=any(str(name).startswith(WITHIN) for name in reference.record),
        by_waveform=by_waveform,
        heard_swings=reference.heard_swings,
    )


def _levels(part: np.ndarray, widths: Sequence[int], pooled: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column; the first columns are the lines of one gear and then of the other.

    A tooth's own spread is drawn halfway to that of all teeth of its gear; pooled, they share mean and spread.
    """
    mean, sd = part.mean(axis=0), np.maximum(part.std(axis=0, ddof=1), 1e-9)
    at = 0
    for width in widths:
        own = slice(at, at + width)
        if width and pooled:
            mean[own], sd[own] = part[:, own].mean(), max(float(part[:, own].std()), 1e-9)
        elif width:
            sd[own] = np.sqrt(sd[own] * np.median(sd[own]))
        at += width
    return mean, sd


def _widened(independent: float) -> float:
    """Factor on a standard deviation from so few independent records: Student's 0.1 % point over the normal one."""
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(max(independent - 1.0, 1.0), 1e-3) / ndtri(1e-3))


def _over_sensors(
    z: np.ndarray, reference: HealthyReference, sensors: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Records that every sensor saw and whose bins have baselines: mean over sensors, block, and their maps."""
    if len(sensors) == 1:
        rows = [np.array([k]) for k in range(len(z)) if np.isfinite(z[k]).all()]
    else:
        by: dict[str, list[int]] = {}
        for k, name in enumerate(reference.record.tolist()):
            by.setdefault(name, []).append(k)
        rows = [np.array(v) for v in by.values() if len(v) == len(sensors) and np.isfinite(z[v]).all()]
        if len(rows) < FEWEST:
            raise InputError(
                f"fusing sensors needs {FEWEST} healthy records or more that all of {', '.join(sensors)} saw, but "
                f"there are {len(rows)}"
            )
    return np.stack([z[r].mean(axis=0) for r in rows]), np.array([reference.block[r[0]] for r in rows]), rows


def healthy_course(reference: HealthyReference, baseline: Baseline) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The recorded healthy maps as judged records are shown, each against those of other blocks than its own.

    Beside a mean that they are part of they would lie nearer to it than records to come do, and every tooth would
    seem to step up at the end of the healthy days.

    Args:
        reference: What the baseline was learned from.
        baseline: Whose scale they are put on.

    Returns:
        Indices of the maps ``[h]``, the log contrast of every line over the middle one of its gear ``[h, lines]``, and
        the log level ``[h]``.
    """
    lines = np.concatenate(reference.lines, axis=1)
    sizes = [part.shape[1] for part in reference.lines]
    place = bin_names(reference.condition, baseline.bins, len(reference))
    recorded = np.array([not str(name).startswith(DRAWN) for name in reference.record])
    contrast, level = np.full(lines.shape, np.nan), np.full(len(reference), np.nan)
    for sensor, where in baseline.mean:
        own = (reference.sensor == sensor) & (place == where)
        for block in np.unique(reference.block[own & recorded]):
            held, others = own & recorded & (reference.block == block), own & (reference.block != block)
            others = others if others.sum() > 1 else own
            contrast[held] = lines[held] - _levels(lines[others], sizes, baseline.pooled)[0]
            level[held] = reference.level[held] - reference.level[others].mean()
    index = np.flatnonzero(np.isfinite(level))
    contrast = contrast[index]
    for axis in np.unique(baseline.line_axis):
        gear = baseline.line_axis == axis
        contrast[:, gear] -= np.median(contrast[:, gear], axis=1, keepdims=True)
    return index, contrast, level[index]

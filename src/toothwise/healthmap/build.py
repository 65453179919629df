"""Health maps from vibration: what the signal holds at each mesh event, filed under the two teeth that meet there."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from toothwise import __version__
from toothwise.checks import check_choice
from toothwise.errors import InputError, SignalWarning
from toothwise.fields import from_mapping
from toothwise.files import finite
from toothwise.gears import GearPair, GearTrain, PlanetaryStage
from toothwise.healthmap.aligned import Unplaced
from toothwise.healthmap.conditions import (
    SWINGS,
    as_of_longer,
    gear_level,
    heard,
    learned_conditions,
    less_by_order,
    not_learned,
)
from toothwise.healthmap.core import Axis, HealthMap
from toothwise.healthmap.map_config import UNITS, MapConfig
from toothwise.healthmap.placing import moved_texts, offset_of, place
from toothwise.healthmap.residual import mesh_swings, residual_of
from toothwise.healthmap.turning import SURE, Turn, turned
from toothwise.healthmap.waveform import HealthyWaveform
from toothwise.vibration.angle import ShaftAngle
from toothwise.vibration.periods import Periods, cut_periods, mesh_visibility
from toothwise.vibration.records import VibrationRecord
from toothwise.vibration.windows import event_statistic

__all__ = ["MapConfig", "build_map", "cut_for", "learn_waveform", "made_map"]


def learn_waveform(periods: Sequence[Periods], config: MapConfig | None = None) -> HealthyWaveform:
    """The healthy waveform of a gearbox from healthy records.

    Args:
        periods: of one record each, cut with the same ``samples_per_tooth``; the first one numbers the driven teeth.
        config: whose signal is learned.

    Raises:
        InputError: no record, or records of different gears or samples per tooth.
    """
    if not periods:
        raise InputError("a healthy waveform needs one healthy record or more, but got none")
    sizes = {p.samples_per_tooth for p in periods}
    if len(sizes) > 1:
        raise InputError(f"records must be cut into the same samples per tooth, but have {sorted(sizes)}: set it")
    first = periods[0]
    signals = [_wanted(p, p.mean(), config or MapConfig()) for p in periods]
    teeth = first.gears.axes[0][1], first.gears.axes[1][1]
    found = HealthyWaveform.learn(signals, first.samples_per_tooth, [p.event_step for p in periods], teeth)
    sounds = []
    if found.records > 1:  # each beside the others, as a new one will be
        for k, begin in zip(found.used, found.places, strict=True):
            signal = turned(signals[k], begin * first.samples_per_tooth)
            others = found.without(signal)
            sounds.append(heard(others, signal, teeth) | {"offset": offset_of(others, signal)})
    unplaced = [p for k, p in enumerate(periods) if k not in found.used]
    return replace(found, conditions=learned_conditions([periods[k] for k in found.used], sounds, unplaced))


def build_map(
    record: VibrationRecord,
    gears: GearPair | PlanetaryStage | GearTrain,
    config: MapConfig | None = None,
    *,
    channel: str | None = None,
    stage: str | None = None,
    angle: ShaftAngle | None = None,
    waveform: HealthyWaveform | None = None,
    **options: Any,
) -> HealthMap:
    """The health map of one record: row = driving (planet) tooth, column = driven (ring) tooth.

    Args:
        record: vibration with a tachometer.
        gears: a pair, a planetary stage, or a train.
        config: parameters; None = the defaults.
        channel: of the record; None = the first one.
        stage: of a train with several.
        angle: of the driving shaft (of the carrier); None = from the tachometer.
        waveform: the same gearbox's healthy waveform, which is taken off before the windows; a damaged tooth then
            stands alone, whether it grew louder or quieter. ``config`` must be the one that it was learned with.
        options: fields of MapConfig by name, instead of ``config``.

    Returns:
        NaN where no pair meshes; ``count`` = hunting periods behind a pixel; ``variance`` = variance of the pixel's
        value over the hunting periods. Tooth 0 of a gear is the one that enters mesh at the index pulse of its
        shaft, or what the healthy waveform calls so. The tooth of the mate that is met there is called 0 too, and is
        another one in each record until the waveform tells: ``provenance["tooth_zero"]`` says of each gear how its
        tooth 0 is known (``vibration.tooth_zero.ToothZero``). Every parameter is in ``provenance``.

    Raises:
        InputError: see ``cut_periods``.

    Examples:
        >>> from toothwise import GearPair, build_map
        >>> from toothwise.simulate.gearbox import GearboxConfig, simulate_record
        >>> record, _ = simulate_record(GearboxConfig(gears=GearPair(9, 14), periods=2), seed=1)
        >>> build_map(record, GearPair(9, 14), quantity="kurtosis").quantity
        'kurtosis of difference'
    """
    if config is not None and options:
        raise InputError("give either a MapConfig or its fields by name, not both")
    c = config or from_mapping(MapConfig, options)
    return made_map(record, gears, c, channel=channel, stage=stage, angle=angle, waveform=waveform)


def made_map(
    record: VibrationRecord,
    gears: GearPair | PlanetaryStage | GearTrain,
    c: MapConfig,
    *,
    by_revolution: bool = False,
    **how: Any,
) -> HealthMap:
    """The map of one record, as ``build_map`` makes it or a tooth by its revolutions.

    Args:
        record, gears, c: As of ``build_map``.
        by_revolution: For gears that do not hunt: row = tooth of one gear (that of the configuration, else that of the
            rows), column = its revolutions one after the other. ``average`` is not used, and a waveform is taken off
            each hunting period.
        how: The channel, stage, angle and waveform of ``build_map``; ``learned_from`` (the waveform was learned from
            this record among others: it is seen against the others alone), ``turn`` (where the record begins in the
            waveform, where that is known from elsewhere) and ``unplaced`` (a list that gets what other records are
            aligned by, if tooth zero of a gear stays unknown).

    Raises:
        InputError: An unknown gear; fewer revolutions than ``c.revolutions``; see ``cut_periods``.
    """
    seen = _seen(record, gears, c, **how)
    return _by_revolution(seen, c) if by_revolution else _by_pair(seen, c)


def _by_pair(seen: _Seen, c: MapConfig) -> HealthMap:
    periods, mean, wanted, residual = seen.periods, seen.mean, seen.wanted, seen.residual
    pair = periods.gears
    (row_name, rows), (column_name, columns) = pair.axes
    values, variance = _event_values(periods, mean - wanted, wanted, c)
    i, j = pair.pair_at(np.arange(pair.hunting_period))
    heard = np.ones(len(i), dtype=bool)
    if isinstance(pair, PlanetaryStage):
        if c.planet >= pair.planets:
            raise InputError(f"planet must be 0 to {pair.planets - 1}, but got {c.planet}")
        if c.sensor_reach is not None:
            heard = np.minimum(j, columns - j) <= c.sensor_reach
    waveforms: np.ndarray | None = None
    if residual is not None:
        waveforms = np.full((rows, columns, periods.samples_per_tooth), np.nan, dtype=np.float32)
        waveforms[i[heard], j[heard]] = turned(residual, _planet_shift(periods, c)).reshape(len(i), -1)[heard]
    i, j = i[heard], j[heard]
    grid = np.full((rows, columns), np.nan, dtype=np.float32)
    spread, count = grid.copy(), np.zeros((rows, columns), dtype=np.int32)
    grid[i, j] = values[heard]
    count[i, j] = len(periods.values)
    if variance is not None:
        spread[i, j] = variance[heard]
    axes = Axis.teeth(row_name, rows), Axis.teeth(column_name, columns)
    return HealthMap(grid, *axes, count, variance=spread, waveforms=waveforms, **seen.about)


@dataclass(frozen=True, eq=False)
class _Seen:
    """A record's periods and their mean, turned onto the healthy waveform and freed from it where there is one."""

    periods: Periods
    mean: np.ndarray
    wanted: np.ndarray
    residual: np.ndarray | None
    about: dict[str, Any]


def cut_for(record: VibrationRecord, gears: GearPair | PlanetaryStage | GearTrain, c: MapConfig, **how: Any) -> Periods:
    """The hunting periods that a configuration asks for; ``how``: the channel, stage and angle of ``cut_periods``."""
    own = {name: getattr(c, name) for name in ("samples_per_tooth", "periods", "max_samples")}
    return cut_periods(record, gears, **own, **how)


def _seen(
    record: VibrationRecord,
    gears: GearPair | PlanetaryStage | GearTrain,
    c: MapConfig,
    *,
    channel: str | None = None,
    stage: str | None = None,
    angle: ShaftAngle | None = None,
    waveform: HealthyWaveform | None = None,
    learned_from: bool = False,
    turn: Turn | None = None,
    unplaced: list[Unplaced] | None = None,
) -> _Seen:
    cut = c if waveform is None else replace(c, samples_per_tooth=waveform.samples_per_tooth)
    periods = cut_for(record, gears, cut, channel=channel, stage=stage, angle=angle)
    worth = 0.0 if waveform is None else waveform.periods
    mean = periods.mean(worth)
    visible = mesh_visibility(periods, mean)
    wanted = _wanted(periods, mean, c)
    zeros, found = periods.tooth_zero, {}
    residual: np.ndarray | None = None
    sound: dict[str, float] = {}
    swings: tuple[float, ...] = ()
    from_zero, teeth = wanted, dict(zip(zeros, (n for _, n in periods.gears.axes), strict=True))
    if waveform is not None:
        (_, rows), (_, columns) = periods.gears.axes
        other = bool(not_learned(waveform.conditions, periods))  # each order has a gain and phase of its own there
        if turn is None:
            # through other phases a record may fit at a wrong sign or angle
            placed = waveform.turn if other else partial(place, waveform)
            turn = placed(wanted, periods.event_step, (rows, columns))
        if turn.inverted:
            periods = replace(periods, values=-periods.values, rest=-periods.rest)
            mean, wanted = -mean, -wanted
        by = turn.events * periods.samples_per_tooth
        if learned_from:
            if waveform.records < 2:  # it would differ by nothing, and be unlike all others that are healthy
                raise InputError(
                    "the healthy waveform is this recording alone, which leaves nothing to compare it with"
                )
            waveform = waveform.without(turned(wanted, by))
        whole = periods.whole_mean(worth)
        residual = turned(_wanted(periods, whole, c), by)
        if other:
            residual = less_by_order(residual, waveform.values, periods.gears.hunting_period)
        else:
            residual, swings = residual_of(
                waveform,
                residual,
                (rows, columns),
                regular=turned(whole, by) - residual,
                wanted=lambda x: _wanted(periods, x, c),
            )
            swings = mesh_swings(turned(whole, by), (rows, columns), periods.samples_per_tooth) or swings
        periods = replace(periods, values=turned(periods.values, by)) if by else periods
        mean, wanted = turned(mean, by), turned(wanted, by)
        sound = heard(waveform, wanted, (rows, columns))
        wanted = waveform.deviation(wanted)
        found = {"turned": asdict(turn)}
        moved = abs(turn.offset) > 0.5  # then no pulse marks what was tooth 0
        zeros = {
            name: (replace(zero, known="unknown") if moved else zero).found(sure, sure=sure >= SURE)
            for (name, zero), sure in zip(zeros.items(), turn.confidence_of, strict=True)
        }
        for text in moved_texts(turn, periods, waveform.conditions):
            warnings.warn(text, SignalWarning, stacklevel=3)
    about = _about(record, channel, c, periods, visible, from_healthy=waveform is not None)
    if unplaced is not None and not all(zero.is_known for zero in zeros.values()):
        known = {name: (n, zeros[name].is_known) for name, n in teeth.items()}
        signal = from_zero.astype(np.float32)
        by = 0.0 if turn is None else turn.events
        unplaced.append(Unplaced("", signal, periods.samples_per_tooth, periods.event_step, by, known))
    about["provenance"] |= {
        "hunting_periods": len(periods.values),
        "periods_left_out": periods.left_out,
        "tooth_zero": finite(zeros),
        "angle_quality": periods.angle.quality,
        **found,
    }
    # each recording's own: as columns of a table they stay with their map wherever it goes
    for name, zero in zeros.items():
        own = {"": zero.known, "_positions": zero.positions, "_confidence": zero.confidence}
        about["condition"] |= {f"tooth_zero_{name}{what}": value for what, value in own.items() if value is not None}
    if sound and waveform is not None:
        level = gear_level(as_of_longer(sound, waveform.conditions, len(periods.values), worth))
        about["condition"]["gear_level"] = level
    if turn is not None and turn.sure:  # against a waveform at the wrong place everything seems to swing
        about["condition"] |= dict(zip(SWINGS, swings, strict=False))
    if waveform is not None and (outside := not_learned(waveform.conditions, periods, sound)):
        about["condition"]["not_learned"] = outside
        warnings.warn(f"{outside}: sound teeth may look damaged", SignalWarning, stacklevel=3)
    return _Seen(periods, mean, wanted, residual, about)


def _about(
    record: VibrationRecord,
    channel: str | None,
    c: MapConfig,
    periods: Periods,
    visible: float,
    *,
    from_healthy: bool,
) -> dict[str, Any]:
    """What a map says of itself beside its values."""
    channel = channel or next(iter(record.channels))
    # maps are put in order by their start times, and sensors told apart by their channels
    start = {} if record.start_time is None else {"start_time": record.start_time}
    speed, report = float(np.mean(periods.angle.speed())), periods.angle.report
    measured = {"shaft_speed": round(speed, 4)}
    if report is not None:
        measured["pulses_repaired"] = round(report.repaired / max(report.pulses, 1), 6)
    return {
        "quantity": f"{c.quantity} of {c.signal}" + (" from healthy" if from_healthy else ""),
        "unit": UNITS[c.quantity].format(record.unit),
        "gear": periods.gears,
        "condition": {"speed": measured["shaft_speed"], **record.condition, **measured, **start, "channel": channel},
        "provenance": {
            **record.provenance,
            "channel": channel,
            "software": f"toothwise {__version__}",
            "config": asdict(c),
            "samples_per_tooth": periods.samples_per_tooth,
            "mesh_visibility": round(min(visible, 1e6), 3),
            "mean_speed": speed,
        },
    }


def _wanted(periods: Periods, mean: np.ndarray, c: MapConfig) -> np.ndarray:
    """The signal that the map looks at, over one hunting period."""
    if c.signal == "average":
        return mean
    names = ("num_harmonics", "num_sidebands", "shaft_harmonics", "bandwidth")
    parts = periods.components(mean, **{name: getattr(c, name) for name in names})
    return np.asarray(getattr(parts, c.signal))


def _event_values(
    periods: Periods, removed: np.ndarray, wanted: np.ndarray, c: MapConfig
) -> tuple[np.ndarray, np.ndarray | None]:
    """Value of each mesh event, and its variance over the periods (None where there is only one).

    What is regular is the same in every period: it was found on their average and is taken from each of them.
    """
    shift = _planet_shift(periods, c)
    window, spt = c.event_window, periods.samples_per_tooth

    def values_of(x: np.ndarray) -> np.ndarray:
        return event_statistic(turned(x, shift), spt, window, c.quantity)

    many = len(periods.values) > 1
    total, square = np.zeros(periods.gears.hunting_period), np.zeros(periods.gears.hunting_period)
    first: np.ndarray | None = None
    if many or c.average == "incoherent":
        for period in periods.values:
            value = values_of(period - removed)
            first = value if first is None else first
            total += value - first  # around the first one: no cancellation in the variance
            square += (value - first) ** 2
    n = len(periods.values)
    variance = np.maximum(square - total**2 / n, 0.0) / (n - 1) if many else None
    if c.average == "incoherent" and first is not None:
        return first + total / n, variance
    return values_of(wanted), variance


def _planet_shift(periods: Periods, c: MapConfig) -> float:
    """Samples by which the wanted planet's meshes lie behind planet 0's."""
    if isinstance(periods.gears, PlanetaryStage) and c.planet < periods.gears.planets:
        return float(periods.gears.spacing[c.planet]) * periods.gears.ring * periods.samples_per_tooth
    return 0.0


def _by_revolution(seen: _Seen, c: MapConfig) -> HealthMap:
    periods = seen.periods
    names = {name.split()[0]: teeth for name, teeth in periods.gears.axes}
    gear = c.gear or next(iter(names))
    check_choice(names, gear=gear)
    removed, spt = seen.mean - seen.wanted, periods.samples_per_tooth
    teeth = names[gear]
    values = np.concatenate([event_statistic(p - removed, spt, c.event_window, c.quantity) for p in periods.values])
    values = values.reshape(-1, teeth).T
    revolutions = c.revolutions or values.shape[1]
    if values.shape[1] < revolutions:
        raise InputError(
            f"the record is too short: a map of the {gear} gear takes {revolutions} of its revolutions "
            f"(revolutions=), but the record has {values.shape[1]}"
        )
    # records of different length get maps of one shape: a column is the mean over its share of the revolutions
    edges = np.linspace(0, values.shape[1], revolutions + 1).round().astype(int)
    grid = np.add.reduceat(values, edges[:-1], axis=1) / np.diff(edges)
    axes = Axis.teeth(f"{gear} tooth", teeth), Axis(f"{gear} revolution", tuple(range(revolutions)))
    count = np.broadcast_to(np.diff(edges).astype(np.int32), grid.shape).copy()
    return HealthMap(grid.astype(np.float32), *axes, count, **seen.about)

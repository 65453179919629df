"""What an alarm costs on a run to failure: delay over false alarms, leave one day out, for many ways to score a record.

Every way is learned on the healthy days but one and scores that one, so that a held-out record is seen as a later one
will be; learned on all of them it scores the whole run. A height is what a share of held-out records exceeds, and an
alarm is raised by the fifth record above it in a row. The first records of a day, whose averages are short, are not
judged where the day is held out. A handful of days bears no small share, and the interval beside each says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.signal import hilbert

from toothwise import detectors
from toothwise.evaluation.thresholds import effective_number, rate_interval
from toothwise.healthmap.deviation import HealthyBaseline, trailing_mean
from toothwise.healthmap.runs import time_blocks
from toothwise.healthmap.tooth_by_record import RUN_SCAN, RunMapConfig, RunMaps, align_run
from toothwise.vibration.components import split_revolutions
from toothwise.vibration.spectrum import order_spectrum
from toothwise_lab.run_protocol import consistent, episodes


@dataclass(frozen=True, eq=False)
class Scored:
    """One way to score records.

    Attributes:
        score: Float64 ``[n]`` of every record, learned on all healthy days.
        tooth: Int ``[n]``, the tooth that scores; None where there is none.
        held_out: Scores of healthy records, their day held out; ``day``: their days.
    """

    score: np.ndarray
    tooth: np.ndarray | None
    held_out: np.ndarray
    day: np.ndarray


SCAN: dict[str, tuple[str, dict[str, Any]]] = {"scan": ("scan", RUN_SCAN)}  # name of a way: detector and its options
Score = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (learned on, scored), bool each, to [rows, scored]


def score_run(
    maps: RunMaps,
    config: RunMapConfig,
    *,
    without: Sequence[int] = (),
    on_windows: Mapping[str, tuple[str, dict[str, Any]]] = SCAN,
) -> dict[str, Scored]:
    """Score the records of a run in every way.

    Args:
        maps: As ``build_run_maps`` made them with ``config``.
        config: How.
        without: Teeth that may not score (of a negative control); only what names a tooth is then scored.
        on_windows: Detectors that score windows of the map, whose rows are teeth.

    Returns:
        By name: "coherent" (largest tooth over the median tooth, the product's map), the detectors on its windows,
        "deviation" (largest tooth, the median tooth not taken off), RMS, "NA4" with the variance of the healthy
        records, "envelope 2x" (squared envelope at twice the gear's turn), and the whitened deviation's energy below
        and above twice the mesh order.
    """
    records, c = maps.records, config.deviation
    aligned, _ = align_run(records, config.orders)
    residual = split_revolutions(records.vibration, records.teeth).residual
    power, fourth = np.mean(residual**2, axis=1), np.mean(residual**4, axis=1)
    envelope = np.abs(order_spectrum(np.abs(hilbert(residual, axis=1)) ** 2))
    allowed = np.setdiff1d(np.arange(records.teeth), without)
    baselines: dict[bytes, HealthyBaseline] = {}

    def baseline(on: np.ndarray) -> HealthyBaseline:
        if on.tobytes() not in baselines:
            blocks = time_blocks(int(on.sum()), records.day[on])
            planet = "planet" in records.gear
            baselines[on.tobytes()] = HealthyBaseline(aligned[on], records.teeth, blocks, c, planet=planet)
        return baselines[on.tobytes()]

    def smooth(values: np.ndarray) -> np.ndarray:
        return trailing_mean(np.log(values), c.records)[None]

    def band(on: np.ndarray, of: np.ndarray, orders: slice) -> np.ndarray:
        energy = np.abs(trailing_mean(baseline(on).deviation(aligned[of]), c.records)) ** 2
        return np.asarray(np.log(energy[:, orders].sum(axis=1))[None])

    edge = 2 * records.teeth
    ways: dict[str, Score] = {
        "coherent": lambda on, of: baseline(on).contrast(aligned[of])[allowed],
        "deviation": lambda on, of: baseline(on).level(aligned[of])[allowed],
        "RMS": lambda _, of: smooth(power[of]) / 2.0,
        "NA4": lambda on, of: smooth(fourth[of] / np.mean(power[on]) ** 2),
        "envelope 2x": lambda _, of: smooth(envelope[of, 2] / envelope[of, 0]),
        "band below 2 x mesh": lambda on, of: band(on, of, slice(0, edge)),
        "band above 2 x mesh": lambda on, of: band(on, of, slice(edge, None)),
    }
    if len(without):
        ways = {name: ways[name] for name in ("coherent", "deviation")}
    found = {name: _scored(way, maps, c.records, allowed) for name, way in ways.items()}
    return found if len(without) else found | {name: _by_windows(maps, *way) for name, way in on_windows.items()}


def _scored(way: Score, maps: RunMaps, records: int, allowed: np.ndarray) -> Scored:
    healthy, day = maps.healthy, maps.records.day
    held, days = [], []
    for d in np.unique(day[healthy]):
        of = healthy & (day == d)
        scores = way(healthy & ~of, of).max(axis=0)[max(records // 2 - 1, 0) :]
        held.append(scores)
        days.append(np.full(len(scores), d))
    whole = way(healthy, np.ones(len(day), dtype=bool))
    tooth = allowed[whole.argmax(axis=0)] if len(whole) > 1 else None
    return Scored(whole.max(axis=0), tooth, np.concatenate(held), np.concatenate(days))


def _by_windows(maps: RunMaps, name: str, options: dict[str, Any]) -> Scored:
    """A detector on windows: fitted on those of the other days where a day is held out."""
    values, day = maps.recorded_windows.values, maps.recorded_windows.table["day"].to_numpy()
    held = np.concatenate(
        [
            detectors.create(name, **options).fit(values[day != d]).predict(values[day == d]).score
            for d in np.unique(day)
        ]
    )
    found = detectors.create(name, **options).fit(values).predict(maps.windows.values)
    first = len(maps.records) - len(found.score)  # records before the first window has filled
    score, tooth = np.full(len(maps.records), -np.inf), np.zeros(len(maps.records), dtype=int)
    score[first:], tooth[first:] = found.score, found.row
    return Scored(score, tooth, held, np.sort(day))


def alarms(scored: Scored, maps: RunMaps, share: float) -> dict[str, Any]:
    """When a way alarms at the height that this share of held-out records exceeds (0 = none of them).

    Returns:
        Record numbers as the run counts them: "first" (so many in a row), "consistent" (above from there to the end)
        and the teeth there; "flagged", the share of held-out records above, with its 95 % interval, and what number of
        independent records that rests on.
    """
    height = np.quantile(scored.held_out, 1.0 - share, method="higher") if share else scored.held_out.max()
    independent = effective_number(scored.held_out, scored.day)
    flagged = float(np.mean(scored.held_out > height))
    row = _places(scored.score > height, maps, scored.tooth)
    return row | {
        "share": share,
        "height": float(height),
        "flagged": flagged,
        "interval": list(rate_interval(flagged, independent)),
        "held_out": len(scored.held_out),
        "independent": independent,
    }


def chance_alarms(scored: Scored, maps: RunMaps, chance: float) -> dict[str, Any]:
    """When the map alarms at the height that this share of drawn days that drift exceeds."""
    return _places(maps.drift_chance <= chance, maps, scored.tooth) | {"chance": chance}


def _places(above: np.ndarray, maps: RunMaps, tooth: np.ndarray | None) -> dict[str, Any]:
    start = int(maps.healthy.sum())
    raised, lasting = episodes(above[start:]), consistent(above[start:])
    row: dict[str, Any] = {}
    for name, at in (("first", int(raised[0]) if len(raised) else None), ("consistent", lasting)):
        row[name] = None if at is None else int(maps.records.number[start + at])
        row[f"{name}_tooth"] = None if at is None or tooth is None else int(tooth[start + at])
    return row | {"episodes": len(raised)}

"""The part of ``toothwise diagnose`` that watches a sequence, with a state file or without."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from toothwise.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from toothwise.cli.diagnose import Options
    from toothwise.cli.maps import MapSet
    from toothwise.cli.terminal import Progress
    from toothwise.detectors.base import Detector, Prediction
    from toothwise.diagnosis.calibration import ControlLimits
    from toothwise.diagnosis.evidence import RunEvidence
    from toothwise.diagnosis.state import WatchState
    from toothwise.diagnosis.verdict import WatchSettings
    from toothwise.reference.healthy_reference import HealthyReference

__all__ = ["watch"]


def watch(
    options: Options,
    settings: WatchSettings,
    bins: dict[str, tuple[float, ...]],
    detector: Detector,
    reference: HealthyReference,
    maps: MapSet,
    prediction: Prediction,
    watched: np.ndarray,
    progress: Progress,
) -> tuple[dict[str, Any], RunEvidence | None]:
    """Judge the records; with a state, those that it holds and the new ones. With the evidence where it is wanted.

    Raises:
        InputError: records out of order or twice, or settings other than the state's.
    """
    from toothwise.diagnosis.baseline import learn_baseline
    from toothwise.diagnosis.course import track_records
    from toothwise.diagnosis.evidence import RunEvidence, sequence_evidence
    from toothwise.diagnosis.history import summarize_records
    from toothwise.diagnosis.memory import fold
    from toothwise.diagnosis.run_folder import about_run, explain, telling_map, wants_folder
    from toothwise.diagnosis.single import gear_of
    from toothwise.diagnosis.state import WatchState, read_state
    from toothwise.diagnosis.watch import control_limits_for, judge
    from toothwise.model import Model
    from toothwise.reference.healthy_reference import best_evidence
    from toothwise.reference.records import order_records

    state: WatchState | None = None
    if options.state is not None:
        state = read_state(options.state, reference.detector)
        if state is None:
            state = WatchState(options.state, reference.detector, settings, bins, options.sensors)
        settings, bins = _agreed(options, settings, bins, state)
    table = maps.table.iloc[watched].reset_index(drop=True)
    sensors = options.sensors if state is None else state.sensors
    order = order_records(table, len(watched), sensors=sensors)
    baseline = learn_baseline(reference, bins=bins, sensors=order.sensors)
    seen, each = summarize_records(
        maps.values[watched],
        table,
        detector,
        reference,
        baseline,
        bins=bins,
        sensors=sensors,
        rows=maps.rows,
        columns=maps.columns,
        threshold=options.threshold,
        first=prediction.of(watched),
    )
    records, resets, added, past = seen, [], len(seen), None
    known: dict[str, ControlLimits] = {}
    if state is not None:
        fresh = [record for record in seen if record.name not in state.names]
        if options.rebaseline is not None and _is_new(options.rebaseline, fresh, state):
            state.rebaseline(options.rebaseline)
        added = state.append(seen)
        records, resets, known, past = state.records, state.resets, state.heights, state.past

    def heights(learned: int | None) -> ControlLimits:
        name = "healthy" if learned is None else str(learned)
        if name not in known:
            known[name] = control_limits_for(baseline, settings, learned=learned)
        return known[name]

    found = judge(
        records,
        baseline,
        settings,
        resets=resets,
        past=past,
        gears=(gear_of(maps.rows, "driving"), gear_of(maps.columns, "driven")),
        heights=heights,
    )
    if state is not None:
        state.records, state.past = fold(records, baseline, settings, found.heights, resets=resets, past=state.past)
        state.write()
    result: dict[str, Any] = {
        "diagnosis": found.as_json(),
        "settings": asdict(settings),
        "last_map": each[int(order.maps[-1, 0])].as_json(),
    }
    if state is not None:
        result["state"] = {"file": str(state.path), "records": len(state), "added": added}
    if not wants_folder(options.output):
        return result, None
    of = {int(k): name for name, maps_of in zip(order.names, order.maps, strict=True) for k in maps_of}
    each = [replace(one, record=of[k]) for k, one in enumerate(each)]
    at = telling_map(found, each)
    result["explained_map"] = each[at].as_json()
    if len(order.sensors) > 1:  # a map is of one of them, and the report says of which
        of_sensor = next(
            sensor for maps_of in order.maps for sensor, k in zip(order.sensors, maps_of, strict=True) if k == at
        )
        result["sensors"] = {"fused": list(order.sensors), "explained": of_sensor}
    course = track_records(records, baseline, resets=resets, learn=settings.learn, past=past)
    evidence = RunEvidence(
        about_run(options.maps, detector, reference, **maps.about),
        explain(
            Model.open(options.run).healthy,
            maps.values[watched],
            each,
            detector,
            reference,
            progress=progress,
            which=[at],
        ),
        sequence_evidence(records, course, baseline, found.heights, before=0 if past is None else len(past)),
        best_evidence(reference),
    )
    return result, evidence


def _agreed(
    options: Options, settings: WatchSettings, bins: dict[str, tuple[float, ...]], state: WatchState
) -> tuple[WatchSettings, dict[str, tuple[float, ...]]]:
    """The state's settings; what was given on the command line must be the same."""
    given = {
        "--rate": (options.rate, state.settings.rate),
        "--warning-rate": (options.warning_rate, state.settings.warning),
        "--level": (options.level, state.settings.level),
        "--sustained": (options.sustained if options.sustained != 5 else None, state.settings.run),
        "--bins": (bins or None, state.bins),
        "--sensors": (options.sensors, state.sensors),
    }
    for name, (here, there) in given.items():
        if here is not None and here != there:
            raise InputError(f"{state.path}: was begun with {name} {there}, but got {here}: begin a new state for that")
    return state.settings, state.bins


def _is_new(reason: str, fresh: list[Any], state: WatchState) -> bool:
    """Whether the re-baselining is one more, not the same command once again.

    Raises:
        InputError: no new record that could begin the new baseline.
    """
    if fresh:
        return True
    if state.resets and state.resets[-1].reason == reason.strip():
        return False
    raise InputError(
        f"{state.path}: --rebaseline begins with the first new record, but all records given are there already"
    )

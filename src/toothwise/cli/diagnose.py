"""Tell which tooth is going bad, how badly and since when, from maps and a saved detector.

RUN is the folder of a saved detector with a threshold, or one that 'toothwise export' wrote. MAPS are a sequence of
records in time order (the windows of 'toothwise build', or maps whose table tells start_time, time, record or number),
or single maps, which are judged one by one. Maps that the table marks as healthy are scored but cannot alarm: the
detector was fitted on them. With --gears MAPS are recordings, of which maps are built first, as by 'toothwise build';
--stage, --channel, --waveform, --map and --read must say what they said for the maps that the detector was fitted on.

examples:
  toothwise diagnose runs/scan today.npz
  toothwise diagnose runs/scan runs/maps/windows.npz
  toothwise diagnose runs/scan runs/maps/windows.npz --rate 0.5 --output diagnosis.json
  toothwise diagnose runs/scan runs/maps/windows.npz --output runs/today && toothwise report runs/today
  toothwise diagnose runs/scan today.mat --gears gears.yaml
  toothwise diagnose runs/scan new/ --state gearbox7.json
  toothwise diagnose runs/scan new/ --state gearbox7.json --rebaseline 'bearing replaced'
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.recordings import Building, add_building
from toothwise.cli.terminal import EXIT_PARTLY, Progress
from toothwise.errors import InputError
from toothwise.files import write_json

if TYPE_CHECKING:
    import numpy as np

    from toothwise.cli.maps import MapSet
    from toothwise.detectors.base import Detector, Prediction
    from toothwise.diagnosis.evidence import RunEvidence
    from toothwise.diagnosis.findings import MapDiagnosis
    from toothwise.diagnosis.verdict import WatchSettings
    from toothwise.reference.healthy_reference import HealthyReference

_RATE = "false alarms per 1,000 records of the alarm (default: 1, or as the state says)"
_ONE = 0.01  # of single maps, the chance that a healthy one is called anything


@dataclass(frozen=True)
class Options(Building):
    """What to diagnose with what.

    Attributes:
        run: folder of a saved or exported detector.
        maps: files or folders of maps, in time order.
        sustained: maps above the threshold in a row that raise the alarm.
        threshold: in place of the detector's own, or None.
        output: ``.json`` file for the result, or a folder for 'toothwise report' (a name without a suffix), or None.
        sequence: whether the maps are records in time order; None = as their table tells.
        rate, warning_rate: false alarms per 1,000 records of the two tiers; None = 1 and 10, or as the state says.
        level: contrast that the trend is extrapolated to; None = 2, or as the state says.
        bins: CONDITION=EDGE,EDGE: baselines per bin of load, speed or temperature.
        sensors: column of the maps' table that names the sensor; maps of one record are fused.
        state: file that records are appended to as they come, or None.
        rebaseline: reason for a new baseline from the first new record on, or None.
    """

    run: str
    maps: list[str]
    sustained: int = 5
    threshold: float | None = None
    output: Path | None = None
    sequence: bool | None = None
    rate: float | None = None
    warning_rate: float | None = None
    level: float | None = None
    bins: list[str] = field(default_factory=list)
    sensors: str | None = None
    state: Path | None = None
    rebaseline: str | None = None


def add_arguments(parser: ArgumentParser) -> None:
    """RUN, MAPS and the options above."""
    add = parser.add_argument
    add("run", type=str, metavar="RUN", help="folder of a saved or exported detector")
    add(
        "maps",
        nargs="+",
        type=str,
        metavar="MAPS",
        help="maps (with --gears: recordings), files or folders, in time order",
    )
    add("--sustained", type=int, default=5, metavar="N", help="maps above the threshold in a row that raise the alarm")
    add("--threshold", type=float | None, metavar="SCORE", help="in place of the detector's own")
    add(
        "--output",
        type=Path | None,
        metavar="PATH",
        help="also write the result: a .json file, or a report's folder",
    )
    add("--sequence", type=bool | None, metavar="true|false", help="records in time order, or each map on its own")
    add("--rate", type=float | None, metavar="N", help=_RATE)
    add("--warning-rate", type=float | None, metavar="N", help="the same of the warning (default: 10)")
    add("--level", type=float | None, metavar="CONTRAST", help="extrapolate the trend to this contrast (default: 2)")
    add("--bins", nargs="+", type=str, default=[], metavar="NAME=EDGES", help="baselines per bin, as in load=0.5,0.8")
    add("--sensors", type=str | None, metavar="COLUMN", help="fuse the maps of a record by several sensors")
    add("--state", type=Path | None, metavar="FILE", help="append to this .json file; a record counts once")
    add(
        "--rebaseline",
        type=str | None,
        metavar="REASON",
        help="learn a new baseline from the first new record on",
    )
    add_building(parser)


def run(options: Options, progress: Progress) -> Result:
    """Load, read, score, judge."""
    from toothwise.diagnosis.run_folder import check_output, wants_folder, write_run

    builder = options.builder()
    if options.state is not None and options.state.suffix.lower() != ".json":
        raise InputError(f"{options.state}: the suffix must be .json, but is {options.state.suffix!r}")
    check_output(options.output)
    if options.rebaseline is not None and options.state is None:
        raise InputError("--rebaseline needs --state FILE: it is written there with its reason")
    from toothwise.cli.diagnose_text import text_of
    from toothwise.cli.maps import MapSet, read_maps
    from toothwise.model import Model

    settings, bins = _settings(options)
    progress(f"loading {options.run}")
    model = Model.open(options.run)
    detector, reference = model.detector, model.reference
    skipped: list[str] = []
    if builder is not None:
        made, left_out = builder.build_many(options.maps, progress=progress)
        maps = MapSet(made.values, made.table, made.rows, made.columns, made.quantity, made.unit, made.gear)
        skipped = [str(one) for one in left_out]
    else:
        maps = read_maps(options.maps, progress, shape=detector.shape)
    progress(f"scoring {len(maps)} maps")
    prediction = detector.predict(maps.values)
    data = _alarms(options, detector, maps, prediction)
    progress("judging")
    evidence: RunEvidence | None = None
    if reference is None:
        asked = options.state or options.bins or options.sensors or options.rebaseline or options.sequence
        why = f"{options.run}: holds no healthy.npz (fitted by an older version, or on values that are not positive)"
        if asked or wants_folder(options.output):
            raise InputError(f"{why}: fit it again")
        data["note"] = f"{why}, so there is no evidence, pattern or false alarm rate per 1,000 records"
    else:
        found, evidence = _judge(
            options, settings, bins, detector, reference, maps, prediction, int(data["fitted_on"]), progress
        )
        data |= found
    if skipped:
        data["skipped"] = skipped
    if options.output is not None and wants_folder(options.output):
        if evidence is None:
            raise InputError(f"{options.output}: no report can be made of this: {data['note']}")
        write_run(options.output, data, evidence)
    elif options.output is not None:
        write_json(options.output, data)
    return Result(data, lambda: text_of(data), EXIT_PARTLY if skipped else 0)


def _settings(options: Options) -> tuple[WatchSettings, dict[str, tuple[float, ...]]]:
    from toothwise.diagnosis.verdict import WatchSettings
    from toothwise.reference.records import parse_bins

    chosen = WatchSettings(run=options.sustained)
    rate = chosen.rate if options.rate is None else options.rate
    warning = min(10.0 * rate, 200.0) if options.warning_rate is None else options.warning_rate
    level = chosen.level if options.level is None else options.level
    return replace(chosen, rate=rate, warning=warning, level=level), parse_bins(options.bins)


def _alarms(options: Options, detector: Detector, maps: MapSet, prediction: Prediction) -> dict[str, Any]:
    """The rules on the detector's own threshold."""
    import numpy as np

    from toothwise.diagnosis.sequence import diagnose

    healthy = (
        maps.table["healthy"].fillna(False).to_numpy(dtype=bool) if "healthy" in maps.table else np.zeros(len(maps))
    )
    start = int(np.flatnonzero(healthy)[-1]) + 1 if healthy.any() else 0
    found = diagnose(
        maps.values, detector, threshold=options.threshold, run=options.sustained, start=start, prediction=prediction
    )

    def place(index: int | None) -> dict[str, Any] | None:
        if index is None:
            return None
        about = maps.table.iloc[index].to_dict()
        result: dict[str, Any] = {"map": index, "row": found.tooth_at(index), "file": about["file"]}
        for key in ("name", "day", "number"):
            if key in about:
                result[key] = about[key].item() if hasattr(about[key], "item") else about[key]
        return result

    return {
        "detector": detector.name,
        "threshold": found.threshold,
        "sustained": options.sustained,
        "maps": len(maps),
        "fitted_on": start,
        "above": int(found.above[start:].sum()),
        "first_sustained": place(found.first_sustained),
        "consistent": place(found.consistent),
    }


def _judge(
    options: Options,
    settings: WatchSettings,
    bins: dict[str, tuple[float, ...]],
    detector: Detector,
    reference: HealthyReference,
    maps: MapSet,
    prediction: Prediction,
    start: int,
    progress: Progress,
) -> tuple[dict[str, Any], RunEvidence | None]:
    """The diagnosis, of the sequence and of its last map or of each map; its evidence where a folder is written."""
    import numpy as np

    from toothwise.diagnosis.single import diagnose_maps
    from toothwise.reference.records import record_ids, time_column

    watched = np.arange(start, len(maps))
    table = maps.table.iloc[watched].reset_index(drop=True)
    sequence = options.sequence
    if sequence is None:
        sequence = options.state is not None or (len(watched) > 1 and time_column(table) is not None)
    if not len(watched):
        return {"note": "all maps are marked as healthy, so the detector was fitted on them: nothing to judge"}, None
    if not sequence:
        each = diagnose_maps(
            maps.values[watched],
            detector,
            reference,
            rate=_ONE,
            rows=maps.rows,
            columns=maps.columns,
            records=record_ids(table, len(table)).tolist(),
            first=prediction.of(watched),
        )
        found = {"each": [one.as_json() for one in each]}
        return found, _evidence(options, detector, reference, maps, each, watched, progress)
    from toothwise.cli.diagnose_sequence import watch

    return watch(options, settings, bins, detector, reference, maps, prediction, watched, progress)


def _evidence(
    options: Options,
    detector: Detector,
    reference: HealthyReference,
    maps: MapSet,
    each: list[MapDiagnosis],
    watched: np.ndarray,
    progress: Progress,
) -> RunEvidence | None:
    """Of single maps."""
    from toothwise.diagnosis.evidence import RunEvidence
    from toothwise.diagnosis.run_folder import about_run, explain, wants_folder
    from toothwise.model import Model
    from toothwise.reference.healthy_reference import best_evidence

    if not wants_folder(options.output):
        return None
    return RunEvidence(
        about_run(options.maps, detector, reference, **maps.about),
        explain(
            Model.open(options.run).healthy,
            maps.values[watched],
            each,
            detector,
            reference,
            progress=progress,
        ),
        healthy_best=best_evidence(reference),
    )

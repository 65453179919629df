"""Score maps or recordings with a model.

For every map: its score, the threshold, whether it alarms, and the most suspicious row (driving tooth) and column
(driven tooth or record), counted from 0. The threshold is the limit at which 'toothwise diagnose' calls a single map
AMBER for a tooth; where a detector's score is not the evidence of a tooth, it is the one that the model was fitted
with. A model that was fitted on recordings takes recordings, and builds their maps as it built its healthy ones.

examples:
  toothwise predict runs/scan today.npz
  toothwise predict runs/scan recordings/ --output scores.csv
  toothwise predict runs/scan today.npz --json
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from toothwise.cli.parser import Result
from toothwise.cli.terminal import EXIT_PARTLY, table
from toothwise.errors import InputError
from toothwise.files import write_csv, write_json
from toothwise.progress import Progress

_SUFFIXES = (".csv", ".json")
_SHOWN = 200  # rows of the printed table; a file and --json hold all


@dataclass(frozen=True)
class Options:
    """What to score with what.

    Attributes:
        model (MODEL): Folder of a fitted or exported model.
        maps (MAPS): Files or folders of maps, or of recordings.
        output (FILE): Also write the result to this .csv or .json file.
        threshold (SCORE): Alarm above this score instead.
        jobs (N): How many recordings are built at the same time.
    """

    model: str
    maps: list[str]
    _: KW_ONLY
    output: Path | None = None
    threshold: float | None = None
    jobs: int = 1


def run(options: Options, progress: Progress) -> Result:
    """Load, read, score, write."""
    if options.output is not None and options.output.suffix.lower() not in _SUFFIXES:
        raise InputError(
            f"{options.output}: the suffix must be {' or '.join(_SUFFIXES)}, but is {options.output.suffix!r}"
        )
    from toothwise.detectors.outside import mark_noise
    from toothwise.diagnosis.monitor import map_threshold
    from toothwise.exported.runtime import runs_in
    from toothwise.model import Model
    from toothwise.model.scores import score_rows

    progress(f"loading {options.model}")
    model = Model.open(options.model)
    maps, skipped = model.maps_of(options.maps, jobs=options.jobs, progress=progress)
    progress(f"scoring {len(maps)} maps")
    prediction = model.detector.predict(maps, progress)
    threshold = map_threshold(model) if options.threshold is None else options.threshold
    maps = mark_noise(maps, model.detector, prediction.score, lambda: threshold)
    records = score_rows(maps, prediction, threshold)
    alarms = None if threshold is None else sum(record["alarm"] is True for record in records)
    data: dict[str, Any] = {
        "detector": model.detector.name,
        "model": options.model,
        "threshold": threshold,
        "alarms": alarms,
        "runs_in": runs_in(model.detector),
        "maps": records,
        "skipped": [one.reason for one in skipped],
        "not_learned": sorted(set(maps.table["not_learned"].dropna())) if "not_learned" in maps.table else [],
    }
    if options.output is not None and options.output.suffix.lower() == ".json":
        write_json(options.output, data)
    elif options.output is not None:
        write_csv(options.output, records)
    return Result(data, lambda: _text(data, options.output), EXIT_PARTLY if skipped else 0)


def _text(data: dict[str, Any], output: Path | None) -> str:
    records, alarms = data["maps"], data["alarms"]
    many = {record["file"] for record in records if record["index"] > 0}
    shown = ("file", "score", "threshold", "alarm", "row", "column", "severity")
    names = [name for name in shown if name in records[0]]
    rows = [
        [f"{r['file']}[{r['index']}]" if r["file"] in many else r["file"], *(_cell(r[name]) for name in names[1:])]
        for r in records[:_SHOWN]
    ]
    text = table(names, rows, right=("score", "threshold", "row", "column", "severity"))
    if len(records) > _SHOWN:
        text += f"... {len(records) - _SHOWN} more; --output FILE.csv or --json gives all\n"
    if alarms is None:
        text += f"{len(records)} maps; the model has no threshold: give one with --threshold\n"
    else:
        text += f"{len(records)} maps, {alarms} above the threshold\n"
    text += f"computed by {data['runs_in']}\n" if data["runs_in"] else ""
    text += "".join(f"not comparable with healthy maps: {reason}\n" for reason in data["not_learned"])
    text += "".join(f"skipped: {reason}\n" for reason in data["skipped"])
    return text if output is None else f"{text}written to {output}\n"


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)

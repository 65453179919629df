"""Score maps or recordings with a model.

For every map: its score, the threshold, whether it alarms, and the most suspicious row (driving tooth) and column
(driven tooth or record), counted from 0. A model that was fitted on recordings takes recordings, and builds their maps
as it built its healthy ones.

examples:
  toothwise predict runs/scan today.npz
  toothwise predict runs/scan recordings/ --output scores.csv
  toothwise predict runs/scan today.npz --json
"""

from __future__ import annotations

import csv
import io
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toothwise.cli.parser import Result
from toothwise.cli.terminal import EXIT_PARTLY, table
from toothwise.errors import InputError
from toothwise.files import atomic_file, write_json
from toothwise.progress import Progress

if TYPE_CHECKING:
    from toothwise.detectors.base import Prediction
    from toothwise.healthmap.core import HealthMapBatch

_SUFFIXES = (".csv", ".json")
_SHOWN = 200  # rows of the printed table; a file and --json hold all


@dataclass(frozen=True)
class Options:
    """What to score with what.

    Attributes:
        model (MODEL): Folder of a fitted or exported model.
        maps (MAPS): Files or folders of maps, or of recordings.
        output (FILE): Also write the result to this .csv or .json file.
        threshold (SCORE): Alarm above this score, not above the model's own threshold.
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
    from toothwise.model import Model

    progress(f"loading {options.model}")
    model = Model.open(options.model)
    maps, skipped = model.maps_of(options.maps, jobs=options.jobs, progress=progress)
    progress(f"scoring {len(maps)} maps")
    prediction = model.detector.predict(maps.values, progress)
    threshold = options.threshold
    if threshold is None and model.detector.threshold is not None:
        threshold = model.detector.threshold.value
    records = _records(maps, prediction, threshold)
    alarms = None if threshold is None else sum(record["alarm"] for record in records)
    data = {"detector": model.detector.name, "model": options.model, "threshold": threshold, "alarms": alarms}
    data |= {"maps": records, "skipped": [one.reason for one in skipped]}
    if options.output is not None:
        _write(options.output, data)
    return Result(data, lambda: _text(data, options.output), EXIT_PARTLY if skipped else 0)


def _records(maps: HealthMapBatch, prediction: Prediction, threshold: float | None) -> list[dict[str, Any]]:
    """One dictionary per map, plain Python values."""
    columns = prediction.column
    table = maps.table.convert_dtypes()  # whole numbers stay so beside files that lack the column
    known = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    records = []
    for i, about in enumerate(known):
        score = float(prediction.score[i])
        record: dict[str, Any] = {
            "file": about.pop("file"),
            "index": int(about.pop("index", 0)),
            "score": score,
            "threshold": threshold,
            "alarm": None if threshold is None else score > threshold,
            "row": int(prediction.row[i]),
            "column": int(columns[i]),
        }
        for name in ("p_value", "severity"):
            values = getattr(prediction, name)
            if values is not None:
                record[name] = float(values[i])
        records.append(record | {str(k): v for k, v in about.items() if str(k) not in record})
    return records


def _write(path: Path, data: dict[str, Any]) -> None:
    if path.suffix.lower() == ".json":
        write_json(path, data)
        return
    text = io.StringIO()
    names = list(dict.fromkeys(name for record in data["maps"] for name in record))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(data["maps"])
    with atomic_file(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _text(data: dict[str, Any], output: Path | None) -> str:
    records, threshold, alarms = data["maps"], data["threshold"], data["alarms"]
    many = {record["file"] for record in records if record["index"] > 0}
    rows = [
        (
            f"{r['file']}[{r['index']}]" if r["file"] in many else r["file"],
            f"{r['score']:.4g}",
            "-" if threshold is None else f"{threshold:.4g}",
            "-" if r["alarm"] is None else "yes" if r["alarm"] else "no",
            str(r["row"]),
            str(r["column"]),
            *((f"{r['severity']:.3g}",) if "severity" in r else ()),
        )
        for r in records[:_SHOWN]
    ]
    names = (
        "file",
        "score",
        "threshold",
        "alarm",
        "row",
        "column",
        *(("severity",) if "severity" in records[0] else ()),
    )
    text = table(names, rows, right=("score", "threshold", "row", "column", "severity"))
    if len(records) > _SHOWN:
        text += f"... {len(records) - _SHOWN} more; --output FILE.csv or --json gives all\n"
    if alarms is None:
        text += f"{len(records)} maps; the model has no threshold: give one with --threshold\n"
    else:
        text += f"{len(records)} maps, {alarms} above the threshold\n"
    text += "".join(f"skipped: {reason}\n" for reason in data["skipped"])
    return text if output is None else f"{text}written to {output}\n"

"""Score maps with a saved detector.

RUN is the folder of a saved detector, or one that 'toothwise export' wrote. For every map: its score, the threshold,
whether it alarms, and the most suspicious row (driving tooth) and column (driven tooth or record), counted from 0.

examples:
  toothwise predict runs/scan today.npz
  toothwise predict runs/scan recordings/ --output scores.csv
  toothwise predict runs/scan today.npz --json
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress, table
from toothwise.errors import InputError
from toothwise.files import atomic_file, write_json

if TYPE_CHECKING:
    from toothwise.cli.maps import MapSet
    from toothwise.detectors.base import Prediction

_SUFFIXES = (".csv", ".json")
_SHOWN = 200  # rows of the printed table; a file and --json hold all


@dataclass(frozen=True)
class Options:
    """What to score with what.

    Attributes:
        run: folder of a saved or exported detector.
        maps: files or folders of maps.
        output: ``.csv`` or ``.json`` file for the result, or None.
        threshold: in place of the detector's own, or None.
    """

    run: str
    maps: list[str]
    output: Path | None = None
    threshold: float | None = None


def add_arguments(parser: ArgumentParser) -> None:
    """RUN, MAPS and the options above."""
    add = parser.add_argument
    add("run", type=str, metavar="RUN", help="folder of a saved or exported detector")
    add("maps", nargs="+", type=str, metavar="MAPS", help="files or folders of maps")
    add("--output", type=Path | None, metavar="FILE", help="also write the result to a .csv or .json file")
    add("--threshold", type=float | None, metavar="SCORE", help="alarm above it, not above the detector's own")


def run(options: Options, progress: Progress) -> Result:
    """Load, read, score, write."""
    if options.output is not None and options.output.suffix.lower() not in _SUFFIXES:
        raise InputError(
            f"{options.output}: the suffix must be {' or '.join(_SUFFIXES)}, but is {options.output.suffix!r}"
        )
    from toothwise.cli.maps import read_maps
    from toothwise.exported.opening import open_detector

    progress(f"loading {options.run}")
    detector = open_detector(options.run)
    maps = read_maps(options.maps, progress, shape=detector.shape)
    progress(f"scoring {len(maps)} maps")
    prediction = detector.predict(maps.values)
    threshold = options.threshold
    if threshold is None and detector.threshold is not None:
        threshold = detector.threshold.value
    records = _records(maps, prediction, threshold)
    alarms = None if threshold is None else sum(record["alarm"] for record in records)
    data = {"detector": detector.name, "run": options.run, "threshold": threshold, "alarms": alarms, "maps": records}
    if options.output is not None:
        _write(options.output, data)

    return Result(data, lambda: _text(records, threshold, alarms, options.output))


def _records(maps: MapSet, prediction: Prediction, threshold: float | None) -> list[dict[str, Any]]:
    """One dictionary per map, plain Python values."""
    columns = prediction.column
    table = maps.table.convert_dtypes()  # whole numbers stay so beside files that lack the column
    known = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    records = []
    for i, about in enumerate(known):
        score = float(prediction.score[i])
        record: dict[str, Any] = {
            "file": about.pop("file"),
            "index": int(about.pop("index")),
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


def _text(records: list[dict[str, Any]], threshold: float | None, alarms: int | None, output: Path | None) -> str:
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
        text += f"{len(records)} maps; the detector has no threshold: give one with --threshold\n"
    else:
        text += f"{len(records)} maps, {alarms} above the threshold\n"
    return text if output is None else f"{text}written to {output}\n"

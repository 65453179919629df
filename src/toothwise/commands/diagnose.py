"""Tell since when a tooth is going bad, and which, from maps in time order and a saved detector.

RUN is the folder of a saved detector with a threshold, MAPS are the windows of 'toothwise build' (or any maps in time
order). Maps that the table marks as healthy are scored but cannot alarm: the detector was fitted on them.

examples:
  toothwise diagnose runs/scan runs/maps/windows.npz
  toothwise diagnose runs/scan runs/maps/windows.npz --sustained 10 --output diagnosis.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from toothwise.commands.parser import Result
from toothwise.commands.terminal import Tell, table
from toothwise.errors import InputError
from toothwise.files import write_json


@dataclass(frozen=True)
class Options:
    """What to diagnose with what.

    Attributes:
        run: folder of a saved detector.
        maps: files or folders of maps, in time order.
        sustained: maps above the threshold in a row that raise the alarm.
        threshold: in place of the detector's own, or None.
        output: ``.json`` file for the result, or None.
    """

    run: str
    maps: list[str]
    sustained: int = 5
    threshold: float | None = None
    output: Path | None = None


def add_arguments(parser: ArgumentParser) -> None:
    """RUN, MAPS and the options above."""
    add = parser.add_argument
    add("run", type=str, metavar="RUN", help="folder of a saved detector")
    add("maps", nargs="+", type=str, metavar="MAPS", help="files or folders of maps, in time order")
    add("--sustained", type=int, default=5, metavar="N", help="maps above the threshold in a row that raise the alarm")
    add("--threshold", type=float | None, metavar="SCORE", help="in place of the detector's own")
    add("--output", type=Path | None, metavar="FILE", help="also write the result to a .json file")


def run(options: Options, tell: Tell) -> Result:
    """Load, read, score, judge."""
    if options.output is not None and options.output.suffix.lower() != ".json":
        raise InputError(f"{options.output}: the suffix must be .json, but is {options.output.suffix!r}")
    import numpy as np

    from toothwise import detectors
    from toothwise.commands.maps import read_maps
    from toothwise.diagnosis.sequence import diagnose

    tell(f"loading {options.run}")
    detector = detectors.load(options.run)
    maps = read_maps(options.maps, tell, shape=detector.shape)
    healthy = (
        maps.table["healthy"].fillna(False).to_numpy(dtype=bool) if "healthy" in maps.table else np.zeros(len(maps))
    )
    start = int(np.flatnonzero(healthy)[-1]) + 1 if healthy.any() else 0
    tell(f"scoring {len(maps)} maps")
    found = diagnose(maps.values, detector, threshold=options.threshold, run=options.sustained, start=start)

    def place(index: int | None) -> dict[str, Any] | None:
        if index is None:
            return None
        about = maps.table.iloc[index].to_dict()
        result: dict[str, Any] = {"map": index, "row": found.tooth_at(index), "file": about["file"]}
        for key in ("name", "day", "number"):
            if key in about:
                result[key] = about[key].item() if hasattr(about[key], "item") else about[key]
        return result

    data = {
        "detector": detector.name,
        "threshold": found.threshold,
        "sustained": options.sustained,
        "maps": len(maps),
        "fitted_on": start,
        "above": int(found.above[start:].sum()),
        "first_sustained": place(found.first_sustained),
        "consistent": place(found.consistent),
    }
    if options.output is not None:
        write_json(options.output, data)
    return Result(data, lambda: _text(data))


def _text(data: dict[str, Any]) -> str:
    rows = []
    for key, what in (("first_sustained", "alarm raised"), ("consistent", "lasting from")):
        at = data[key]
        where = "never" if at is None else str(at.get("name", f"map {at['map']}"))
        number = "-" if at is None else str(at.get("number", at["map"]))
        rows.append((what, where, number, "-" if at is None else str(at["row"])))
    watched = data["maps"] - data["fitted_on"]
    text = table(("", "record", "number", "tooth"), rows, right=("number", "tooth"))
    return text + f"{data['above']} of {watched} maps above the threshold {data['threshold']:.4g}\n"

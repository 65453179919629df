"""Fit a detector on healthy maps, choose its threshold for a stated false alarm rate by cross-validation, and save it.

MAPS are files (.npz, .tiff, .png of 16 bits, .mat) or folders of them. Of a folder with train/good, test/good and
test/fault only train/good is used.

examples:
  toothwise fit healthy.npz --detector scan --output runs/scan
  toothwise fit recordings/ --detector scan --set lines=rows --set lengths=[8,16,32] --output runs/scan
  toothwise fit --config configs/fit_scan_rows.yaml --output runs/scan
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result, key_values
from toothwise.cli.terminal import Progress
from toothwise.files import check_replaceable

_BLOCKS = "what tells, in the maps' file, which maps were taken together; without it: four equal pieces in time"


@dataclass(frozen=True)
class Options:
    """What to fit on what.

    Attributes:
        maps: files or folders of healthy maps, in time order.
        output: folder of the saved detector.
        detector: its name.
        options: its options by name; ``set`` (NAME=VALUE) wins over them.
        false_alarm_rate: false alarms per map that the threshold is chosen for.
        blocks: column of the maps' table that tells which maps were taken together (a day, a session).
        sensors: column that names the sensor, where 'diagnose' is to fuse several.
    """

    maps: list[str]
    output: Path
    detector: str = "scan"
    options: dict[str, Any] = field(default_factory=dict)
    set: list[str] = field(default_factory=list)
    false_alarm_rate: float = 0.01
    blocks: str = "day"
    sensors: str | None = None


def add_arguments(parser: ArgumentParser) -> None:
    """MAPS and the options above."""
    add = parser.add_argument
    add("maps", nargs="+", type=str, metavar="MAPS", help="healthy maps, in time order")
    add("--output", type=Path, required=True, metavar="DIR", help="folder to save the detector in")
    add("--detector", type=str, default="scan", metavar="NAME", help="see 'toothwise detectors'")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="an option of the detector; may be repeated")
    add("--options", type=dict[str, Any], default={}, metavar="MAPPING", help="the same, for configuration files")
    add("--false-alarm-rate", type=float, default=0.01, metavar="RATE", help="per healthy map, sets the threshold")
    add("--blocks", type=str, default="day", metavar="COLUMN", help=_BLOCKS)
    add(
        "--sensors",
        type=str | None,
        metavar="COLUMN",
        help="what names the sensor, where several will be fused",
    )


def run(options: Options, progress: Progress) -> Result:
    """Fit, calibrate, save."""
    check_replaceable(options.output, "model.json", "a model")
    from toothwise.healthmap.several import healthy_only, read_maps
    from toothwise.model import Model

    chosen = {**options.options, **key_values(options.set)}
    begin = time.perf_counter()
    maps, left_out = healthy_only(read_maps(options.maps, progress=progress))
    model = Model.fit(
        maps,
        detector=options.detector,
        options=chosen,
        false_alarm_rate=options.false_alarm_rate,
        blocks=options.blocks,
        sensors=options.sensors,
        progress=progress,
    )
    model.save(options.output)
    seconds, threshold = time.perf_counter() - begin, model.threshold
    rows, columns = model.about.shape
    data = {
        "detector": model.detector.name,
        "output": str(options.output),
        "options": model.detector.options,
        "maps": len(maps),
        "left_out": left_out,
        "shape": [rows, columns],
        "threshold": asdict(threshold),
        "info": model.detector.info,
        "seconds": round(seconds, 3),
    }

    def text() -> str:
        low, high = threshold.interval
        skipped = f" ({left_out} test or faulty maps left out)" if left_out else ""
        return (
            f"{model.detector.name}: fitted on {len(maps)} maps of {rows} x {columns}{skipped} in {seconds:.1f} s\n"
            f"threshold {threshold.value:.4g} for {threshold.false_alarm_rate:.3g} false alarms per healthy map "
            f"(95 % interval {low:.2g} to {high:.2g}; worth {threshold.n_effective:.1f} independent maps)\n"
            f"saved in {options.output}; score maps with: toothwise predict {options.output} MAPS\n"
        )

    return Result(data, text)

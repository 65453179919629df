"""A run to failure of 'toothwise build' and 'toothwise demo': where it comes from, and what is made of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress
from toothwise.errors import InputError

if TYPE_CHECKING:
    from toothwise.cli.build import Options
    from toothwise.healthmap.runs import RunRecords
    from toothwise.healthmap.tooth_by_record import RunMaps


def find_run(data: str | Path | None, *, seed: int) -> RunRecords:
    """The HUMS2023 run in or below ``data``, or a simulated run.

    Args:
        data: A folder or file, or "simulated". None takes the folder that TOOTHWISE_DATA names where it holds the
            recordings, else a simulated run.
        seed: Seed of a simulated run.

    Raises:
        InputError: ``data`` is given and holds no such run.
    """
    from toothwise.healthmap.hums2023 import FILE, read_hums2023
    from toothwise.simulate.runs import simulate_run

    if data is None:
        root = Path(os.environ.get("TOOTHWISE_DATA") or "-")
        data = root if (root / "hums2023" / FILE).is_file() else "simulated"
    if str(data) == "simulated":
        return simulate_run(seed=seed)
    path = Path(data)
    if not path.exists():
        raise InputError(f"{path}: no such folder or file")
    return read_hums2023(path / "hums2023" if (path / "hums2023").is_dir() else path)


def write_run_maps(maps: RunMaps, folder: Path) -> list[Path]:
    """Write the maps of a run as rms.npz, deviation.npz, windows.npz and healthy_windows.npz."""
    from toothwise.healthmap.io import write_map

    names = ("rms", "deviation", "windows", "healthy_windows")
    return [write_map(getattr(maps, name), folder / f"{name}.npz") for name in names]


def build_run(options: Options, progress: Progress) -> Result:
    """Tooth-by-record maps of the run that ``build`` is given without gears.

    Raises:
        InputError: Several runs, or one that cannot be used.
        OutputError: The folder cannot be written.
    """
    from toothwise.healthmap.deviation import DeviationConfig
    from toothwise.healthmap.map_builder import MapBuilder

    if len(options.records) != 1:
        raise InputError(f"recordings need --gears; a run is one RECORDS, but {len(options.records)} were named")
    progress(f"reading {options.records[0]}")
    records = find_run(options.records[0], seed=options.seed)
    days = options.healthy_days or ([] if records.healthy is None else sorted(set(records.day[records.healthy])))
    progress(f"aligning {len(records)} records")
    deviation = DeviationConfig(records=options.smoothing)
    maps = MapBuilder.build_run(records, healthy=days, window=options.window, deviation=deviation)
    files = [str(path) for path in write_run_maps(maps, options.output)]
    unsure = int((maps.alignment.confidence[1:] < 0.05).sum())
    counts = {"records": len(records), "teeth": records.teeth, "healthy": int(maps.healthy.sum())}
    data = {"source": records.source, **counts, "drift": maps.drift, "unsure_alignments": unsure, "files": files}
    text = (
        f"{records.source}\n{len(records)} records of {records.teeth} teeth, {counts['healthy']} taken as healthy, "
        f"{unsure} turned without confidence; drift was learned {maps.drift}\n"
        + "".join(f"  {file}\n" for file in files)
    )
    return Result(data, lambda: text)

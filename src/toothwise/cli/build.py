"""Turn recordings into health maps, or the records of a run into tooth-by-record maps.

With --gears, RECORDS are recordings (files, or folders of them); each becomes one map, row = driving tooth, column =
driven tooth. A file that cannot be used is reported and skipped, and the exit code is 3.

Without --gears, RECORDS is a folder with the HUMS2023 recordings (recordings.npz), or the word 'simulated'. Four files
are written: rms.npz (level of each tooth), deviation.npz (how far each tooth's waveform is from its healthy one),
windows.npz (what detectors look at, one window per record) and healthy_windows.npz (what they are fitted on).

examples:
  toothwise build monday.mat tuesday.mat --gears gears.yaml --output maps/
  toothwise build healthy/ --gears gears.yaml --learn healthy.npz --output maps/healthy
  toothwise build today.mat --gears gears.yaml --waveform healthy.npz --output maps/today
  toothwise build recordings/ --gears gears.yaml --set quantity=kurtosis --read channels=acc1 --output maps/
  toothwise build data/hums2023 --output runs/maps
  toothwise build simulated --seed 3 --output runs/maps
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.recordings import Building, add_building
from toothwise.cli.terminal import Progress
from toothwise.errors import InputError
from toothwise.files import check_writable


@dataclass(frozen=True)
class Options(Building):
    """What to build from what.

    Attributes:
        records: recordings; or folder or file of a run, or "simulated".
        output: folder of the maps.
        learn: .npz file to write the healthy waveform to, learned from these recordings, all healthy; or None.
        tacholess: lowest and highest speed (rev/s of the driving shaft, or the carrier) between which the mesh itself
            is followed, for recordings without a tachometer; None = there is one.
        jobs: processes.
        healthy_days: of a run: days whose records are taken as healthy; they must come first.
        window: of a run: records of a window.
        smoothing: of a run: records over which the deviation is averaged, backwards.
        seed: of a simulated run.
    """

    records: list[str]
    output: Path
    learn: Path | None = None
    tacholess: list[float] | None = None
    jobs: int = 1
    healthy_days: list[int] = field(default_factory=lambda: [17, 18])
    window: int = 32
    smoothing: float = 16.0
    seed: int = 0


def add_arguments(parser: ArgumentParser) -> None:
    """RECORDS and the options above."""
    add = parser.add_argument
    add("records", nargs="+", type=str, metavar="RECORDS", help="recordings; or the HUMS2023 folder, or 'simulated'")
    add("--output", type=Path, required=True, metavar="DIR", help="folder to write the maps to")
    add_building(parser, "RECORDS")
    add("--learn", type=Path | None, metavar="FILE.npz", help="learn the healthy waveform from RECORDS and write it")
    add(
        "--tacholess",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="no tachometer: follow the mesh at LOW to HIGH rev/s of the driving shaft (carrier)",
    )
    add("--jobs", type=int, default=1, metavar="N", help="recordings built at the same time")
    add("--healthy-days", type=list[int], default=[17, 18], metavar="[DAY,...]", help="of a run: days taken as healthy")
    add("--window", type=int, default=32, metavar="N", help="of a run: records of a window")
    add("--smoothing", type=float, default=16.0, metavar="N", help="of a run: records the deviation is averaged over")
    add("--seed", type=int, default=0, metavar="N", help="of a simulated run")


def run(options: Options, progress: Progress) -> Result:
    """Recordings with gears, a run without."""
    check_writable(options.output)
    if options.gears is not None:
        from toothwise.cli.build_recordings import build_recordings

        return build_recordings(options, progress)
    if len(options.records) != 1:
        raise InputError(
            f"recordings need --gears; without it RECORDS is one run, but {len(options.records)} were named"
        )
    return _build_run(options, progress)


def _build_run(options: Options, progress: Progress) -> Result:
    """Read, align, map, write."""
    from toothwise.cli.runs import find_run, write_run_maps
    from toothwise.healthmap.deviation import DeviationConfig
    from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps

    config = RunMapConfig(
        healthy_days=tuple(options.healthy_days),
        window=options.window,
        deviation=DeviationConfig(smoothing=options.smoothing),
    )
    (source,) = options.records
    progress(f"reading {source}")
    records = find_run(source, seed=options.seed)
    progress(f"aligning {len(records)} records")
    maps = build_run_maps(records, config)
    files = [str(path) for path in write_run_maps(maps, options.output)]
    confidence = maps.alignment.confidence[1:]
    data = {
        "source": records.source,
        "records": len(records),
        "teeth": records.teeth,
        "healthy": int(maps.healthy.sum()),
        "unsure_alignments": int((confidence < 0.05).sum()),
        "files": files,
    }

    def text() -> str:
        return (
            f"{records.source}\n{len(records)} records of {records.teeth} teeth, {data['healthy']} taken as healthy, "
            f"{data['unsure_alignments']} turned without confidence\n" + "".join(f"  {file}\n" for file in files)
        )

    return Result(data, text)

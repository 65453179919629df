"""Turn the records of a run into tooth-by-record maps: aligned, mesh harmonics removed, deviation from healthy.

RECORDS is a folder with the HUMS2023 recordings (recordings.npz), or the word 'simulated'. Four files are written:
rms.npz (level of each tooth), deviation.npz (how far each tooth's waveform is from its healthy one), windows.npz
(what detectors look at, one window per record) and healthy_windows.npz (what they are fitted on).

examples:
  toothwise build data/hums2023 --output runs/maps
  toothwise build simulated --seed 3 --output runs/maps
  toothwise fit runs/maps/healthy_windows.npz --set lines=rows --set lengths=[8,16,32] --output runs/scan
  toothwise diagnose runs/scan runs/maps/windows.npz
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser

from toothwise.commands.parser import Result
from toothwise.commands.terminal import Tell
from toothwise.files import check_writable


@dataclass(frozen=True)
class Options:
    """What to build from what.

    Attributes:
        records: folder or file of the recordings, or "simulated".
        output: folder of the maps.
        healthy_days: days whose records are taken as healthy; they must come first.
        window: records of a window.
        smoothing: records over which the deviation is averaged, backwards.
        seed: of a simulated run.
    """

    records: str
    output: Path
    healthy_days: list[int]
    window: int = 32
    smoothing: float = 16.0
    seed: int = 0


def add_arguments(parser: ArgumentParser) -> None:
    """RECORDS and the options above."""
    add = parser.add_argument
    add("records", type=str, metavar="RECORDS", help="folder of the HUMS2023 recordings, or 'simulated'")
    add("--output", type=Path, required=True, metavar="DIR", help="folder to write the maps to")
    add("--healthy-days", type=list[int], default=[17, 18], metavar="[DAY,...]", help="days taken as healthy")
    add("--window", type=int, default=32, metavar="N", help="records of a window")
    add("--smoothing", type=float, default=16.0, metavar="N", help="records that the deviation is averaged over")
    add("--seed", type=int, default=0, metavar="N", help="of a simulated run")


def run(options: Options, tell: Tell) -> Result:
    """Read, align, map, write."""
    check_writable(options.output)
    from toothwise.demo import find_run, write_run_maps
    from toothwise.healthmap.deviation import DeviationConfig
    from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps

    config = RunMapConfig(
        healthy_days=tuple(options.healthy_days),
        window=options.window,
        deviation=DeviationConfig(smoothing=options.smoothing),
    )
    tell(f"reading {options.records}")
    records = find_run(options.records, seed=options.seed)
    tell(f"aligning {len(records)} records")
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

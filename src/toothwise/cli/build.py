"""Turn recordings into health maps, or the records of a run into tooth-by-record maps.

With --gears, RECORDS are recordings (files, or folders of them); each becomes one map, row = driving tooth, column =
driven tooth. A file that cannot be used is reported and skipped, and the exit code is 3.

Without --gears, RECORDS is a run: a folder with the HUMS2023 recordings (recordings.npz), or the word 'simulated'. Four
files are written: rms.npz (level of each tooth), deviation.npz (how far each tooth's waveform is from its healthy one),
windows.npz (what detectors look at, one window per record) and healthy_windows.npz (what they are fitted on).

examples:
  toothwise build monday.mat tuesday.mat --gears gears.yaml --output maps/
  toothwise build healthy/ --gears gears.yaml --learn healthy.npz --output maps/healthy
  toothwise build today.mat --gears gears.yaml --waveform healthy.npz --output maps/today
  toothwise build recordings/ --gears gears.yaml --map quantity=kurtosis --read channels=acc1 --output maps/
  toothwise build simulated --seed 3 --output runs/maps
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toothwise.cli.parser import Result
from toothwise.cli.recordings import Building
from toothwise.cli.terminal import EXIT_PARTLY, Progress, table
from toothwise.errors import InputError
from toothwise.files import check_writable

if TYPE_CHECKING:
    from toothwise.healthmap.map_builder import MapBuilder


@dataclass(frozen=True)
class Options(Building):
    """What to build from what.

    Attributes:
        records (RECORDS): Recordings, or a run: the folder of HUMS2023, or the word 'simulated'.
        output (DIR): Folder to write the maps to.
        learn (FILE.npz): Learn the healthy waveform from RECORDS, all of them healthy, and write it to this file.
        jobs (N): How many recordings are built at the same time.
        healthy_days (DAY): Of a run: its first days, whose records are taken as healthy (default: those that the
            source of the run says).
        window (N): Of a run: how many records a window has.
        smoothing (N): Of a run: over how many records the deviation is averaged, backwards.
        seed (N): Of a simulated run.
    """

    records: list[str]
    _: KW_ONLY
    output: Path
    learn: Path | None = None
    jobs: int = 1
    healthy_days: list[int] = field(default_factory=list)
    window: int = 8
    smoothing: int = 32
    seed: int = 0


def run(options: Options, progress: Progress) -> Result:
    """Build maps of recordings with gears, of a run without.

    Raises:
        InputError: Nothing could be used, or options that do not go together.
        OutputError: The folder cannot be written.
    """
    check_writable(options.output)
    if options.learn is not None and options.waveform is not None:
        raise InputError("--learn and --waveform exclude each other: learn a waveform first, then subtract it")
    builder = options.builder()
    if builder is not None:
        return _build(builder, options, progress)
    from toothwise.cli.runs import build_run

    return build_run(options, progress)


def _build(builder: MapBuilder, options: Options, progress: Progress) -> Result:
    import numpy as np

    from toothwise.healthmap.io import write_map
    from toothwise.healthmap.map_builder import Skipped
    from toothwise.healthmap.recordings import as_sources, record_names, source_name

    sources = as_sources(options.records)
    learned = None
    if options.learn is not None:
        learned = builder.learn_from(sources, progress=progress)
        learned.waveform.save(options.learn)  # type: ignore[union-attr]
        builder = replace(learned, waveform=None)  # all records are cut alike; the waveform is for later ones
    names = dict(zip(map(source_name, sources), record_names(sources), strict=True))
    done: dict[str, dict[str, Any]] = {}
    for source, made in builder.build_each(sources, jobs=options.jobs, progress=progress):
        file = source_name(source)
        if isinstance(made, Skipped):
            done[file] = {"record": file, "error": made.reason}
            continue
        about = made.provenance
        done[file] = {
            "record": file,
            "map": str(write_map(made, options.output / f"{names[file]}.npz")),
            "mean": float(np.nanmean(made.values)),
            "periods": about["hunting_periods"],
            "speed": about["mean_speed"],
            "warnings": about["warnings"],
        }
    rows = [done[file] for file in names]
    failed = [row["error"] for row in rows if "error" in row]
    if len(failed) == len(rows):
        raise InputError(failed[0] + (f" (and {len(rows) - 1} more failed)" if len(rows) > 1 else ""))
    data = {
        "builder": builder.as_json(),
        "gears": list(builder.notes),
        "built": len(rows) - len(failed),
        "records": rows,
    }

    def text() -> str:
        good = [row for row in rows if "map" in row]
        shown = [
            (Path(r["record"]).name, r["map"], f"{r['mean']:.4g}", str(r["periods"]), f"{r['speed']:.4g}") for r in good
        ]
        lines = [f"{row['record']}: warning: {line}" for row in good for line in row["warnings"]]
        lines += [f"gears: {note}" for note in builder.notes]
        lines += [f"skipped: {reason}" for reason in failed]
        if learned is not None and learned.waveform is not None:
            lines.append(f"The healthy waveform of {learned.waveform.records} recordings is in {options.learn}")
        lines.append(f"{len(good)} of {len(rows)} recordings became maps in {options.output}")
        head = table(("recording", "map", "mean", "periods", "rev/s"), shown, right=("mean", "periods", "rev/s"))
        return head + "".join(f"{line}\n" for line in lines)

    return Result(data, text, EXIT_PARTLY if failed else 0)

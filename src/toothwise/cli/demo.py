"""Watch a run to failure as the product does it: records in, the bad tooth, its record and a report out.

Runs on the HUMS2023 recordings where --data or TOOTHWISE_DATA holds them, else on a simulated run. A scan is fitted on
the records that are known to be healthy; all others are judged one after the other. The folder then holds what
'toothwise build', 'fit', 'diagnose' and 'report' would have written: maps, model, diagnosis.json, report.html.

examples:
  toothwise demo
  toothwise demo --data simulated --seed 3 --output runs/simulated
"""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Literal

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress
from toothwise.files import check_replaceable


@dataclass(frozen=True)
class Options:
    """What to run on, and where to.

    Attributes:
        output (DIR): Folder of everything that is written.
        data (DIR|simulated): Folder of the recordings, or 'simulated'; without this option the recordings below
            TOOTHWISE_DATA, else a simulated run.
        seed: Seed of a simulated run.
        language: Language of the report, English or Korean.
    """

    _: KW_ONLY
    output: Path = Path("runs/demo")
    data: str | None = None
    seed: int = 0
    language: Literal["en", "ko"] = "en"


def run(options: Options, progress: Progress) -> Result:
    """Records -> maps -> model -> diagnosis -> report."""
    check_replaceable(options.output, "diagnosis.json", "a diagnosis")
    from toothwise.cli.runs import find_run, write_run_maps
    from toothwise.diagnosis.evidence import write_diagnosis
    from toothwise.diagnosis.monitor import Monitor
    from toothwise.files import finite
    from toothwise.healthmap.tooth_by_record import RUN_SCAN, RunMapConfig, build_run_maps
    from toothwise.model import Model
    from toothwise.reporting.report import write_report
    from toothwise.reporting.text import text_of

    begin = time.perf_counter()
    progress("reading")
    records = find_run(options.data, seed=options.seed)
    progress(f"aligning {len(records)} records")
    days = sorted({int(day) for day in records.day[records.healthy]})
    maps = build_run_maps(records, RunMapConfig(healthy_days=tuple(days)))
    model = Model.fit(maps.healthy_windows, detector="scan", options=RUN_SCAN, progress=progress)
    monitor = Monitor(model)
    windows = replace(maps.windows, table=maps.windows.table.assign(file=records.source))
    found = monitor.add(windows, progress=progress)
    write_diagnosis(options.output, found, monitor.evidence(progress=progress))
    write_run_maps(maps, options.output / "maps")
    model.save(options.output / "model")
    report, *_ = write_report(options.output, options.language, progress=progress)
    seconds = time.perf_counter() - begin
    text = f"{records.source}\nDrift was learned {maps.drift}.\n{text_of(found)}Report: {report} ({seconds:.0f} s)\n"
    return Result(finite(found.as_json()), lambda: text)

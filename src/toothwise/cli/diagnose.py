"""Tell which tooth is going bad, how badly and since when.

MODEL is the folder of a fitted or exported model. MAPS are maps, or recordings, which are built into maps as those were
that the model was fitted on (with --gears where that was maps, of which it keeps no recipe). Several are records in the
order given, which must be their order in time; a folder, a list of files and records one by one (--state) say the same.
Maps that their table marks as healthy are left out, because the model was fitted on them.

examples:
  toothwise diagnose runs/scan today.npz
  toothwise diagnose runs/scan runs/maps/windows.npz --rate 0.5 --output diagnosis.json
  toothwise diagnose runs/scan runs/maps/windows.npz --output runs/today && toothwise report runs/today
  toothwise diagnose runs/scan new/ --state gearbox7.json
  toothwise diagnose runs/scan new/ --state gearbox7.json --rebaseline 'bearing replaced'
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from toothwise.cli.parser import Result
from toothwise.cli.recordings import Building, with_builder
from toothwise.cli.terminal import EXIT_PARTLY, Progress
from toothwise.errors import InputError


@dataclass(frozen=True)
class Options(Building):
    """What to diagnose with what.

    Attributes:
        model (MODEL): Folder of a fitted or exported model.
        maps (MAPS): Maps or recordings, files or folders, in time order.
        output (PATH): Also write the result: a .json file, or a folder for 'toothwise report' (a name without suffix).
        sequence (true|false): Whether the maps are records in time order, or each is judged on its own.
        rate (N): False alarms per 1,000 records of the alarm; 1 without this option, or as the state says.
        warning_rate (N): The same of the warning; ten times the alarm's without this option.
        level (CONTRAST): Contrast that growth is extrapolated to; 2 without this option.
        bins (NAME[=EDGES]): A healthy baseline per bin of a condition, as in load=0.5,0.8; without edges the gaps
            between the healthy records' values part them.
        sensors (COLUMN): Column of the maps' table that names the sensor; the maps of one record are averaged.
        state (FILE): Append to this .json file; a record counts once.
        rebaseline (REASON): Learn a new baseline from the first new record on.
    """

    model: str
    maps: list[str]
    _: KW_ONLY
    output: Path | None = None
    sequence: bool | None = None
    rate: float | None = None
    warning_rate: float | None = None
    level: float | None = None
    bins: list[str] = field(default_factory=list)
    sensors: str | None = None
    state: Path | None = None
    rebaseline: str | None = None


def run(options: Options, progress: Progress) -> Result:
    """Open the model, judge, write."""
    from toothwise.diagnosis.evidence import check_output, wants_folder, write_diagnosis
    from toothwise.diagnosis.monitor import Monitor
    from toothwise.diagnosis.rules import chosen_settings
    from toothwise.diagnosis.store import JsonStore
    from toothwise.files import finite, write_json
    from toothwise.model import Model
    from toothwise.reporting.text import text_of

    check_output(options.output)
    store = None if options.state is None else JsonStore(options.state)
    if options.rebaseline is not None and store is None:
        raise InputError("--rebaseline needs --state FILE: the reason is kept there")
    named = {name: getattr(options, name) for name in ("rate", "level", "bins", "sensors", "sequence")}
    settings = chosen_settings(warning=options.warning_rate, **named)
    progress(f"opening {options.model}")
    monitor = Monitor(with_builder(Model.open(options.model), options), settings, store=store)
    found = monitor.add(options.maps, rebaseline=options.rebaseline, progress=progress)
    data = finite(found.as_json())
    if options.output is not None and wants_folder(options.output):
        write_diagnosis(options.output, found, monitor.evidence(progress=progress))
    elif options.output is not None:
        write_json(options.output, data)
    return Result(data, lambda: text_of(found), EXIT_PARTLY if found.skipped else 0)

"""Diagnose records as they come, and write what they say to a database, each record once.

MODEL is the folder of a fitted or exported model. SOURCE is a folder that records are put into (a folder below it for
each machine), or a topic of an MQTT broker (a topic for each machine). Records are maps, or recordings where the model
was fitted on recordings (or --gears is given). It runs until it is stopped (SIGTERM or Ctrl-C), finishes the record in
hand, and goes on where it was when it is started again. What cannot be used is a row of the table errors, whatever it
is: a pipe, a link that leads nowhere or out of the folder, a record that asks for more time or memory than it may.
Where no record could be used, the exit code is 3.

examples:
  toothwise watch runs/scan incoming/ --to diagnoses.db
  toothwise watch runs/scan incoming/ --to diagnoses.db --idle 5 --rebaseline 'mill-1=bearing replaced'
  toothwise watch runs/scan mqtt://broker/plant/+/records --to postgresql://toothwise@db/plant
"""

from __future__ import annotations

import hashlib
import signal
import threading
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from toothwise.cli.parser import Result
from toothwise.cli.recordings import Building, with_builder
from toothwise.cli.terminal import EXIT_PARTLY, Progress
from toothwise.errors import InputError
from toothwise.fleet.options import FileLimits
from toothwise.signals import handling


@dataclass(frozen=True)
class Options(Building, FileLimits):
    """What to watch with what.

    Attributes:
        model (MODEL): Folder of a fitted or exported model.
        source (SOURCE): Folder of records as they come, or mqtt://host/topic.
        to (DB): File of SQLite (.db), or postgresql://user@host/name.
        rate (N): False alarms per 1,000 records of the alarm; 1 without this option.
        warning_rate (N): The same of the warning; ten times the alarm's without this option.
        bins (NAME[=EDGES]): A healthy baseline per bin of a condition, as in load=0.5,0.8; without edges the gaps
            between the healthy records' values part them.
        sensors (COLUMN): Column of a record's maps that names the sensor; a record is then a file with a map by each.
        rebaseline (MACHINE=REASON): Learn a new baseline of a machine from its next record on.
        poll (SECONDS): Time between two looks at a folder.
        idle (SECONDS): Stop where nothing has come for so long; never without this option.
        client (NAME): Name under which an MQTT broker keeps messages meanwhile.
    """

    model: str
    source: str
    _: KW_ONLY
    to: str
    rate: float | None = None
    warning_rate: float | None = None
    bins: list[str] = field(default_factory=list)
    sensors: str | None = None
    rebaseline: list[str] = field(default_factory=list)
    poll: float = 1.0
    idle: float | None = None
    client: str | None = None


def run(options: Options, progress: Progress) -> Result:
    """Open, follow."""
    from toothwise.diagnosis.rules import chosen_settings
    from toothwise.fleet.database import open_database
    from toothwise.fleet.live import follow
    from toothwise.fleet.machine_monitor import MachineMonitor
    from toothwise.fleet.sources import open_source
    from toothwise.model import Model

    new = [word.partition("=") for word in options.rebaseline]
    if any(not (machine and reason) for machine, _, reason in new):
        raise InputError(f"--rebaseline takes MACHINE=REASON, but got {' '.join(options.rebaseline)!r}")
    given = {"rate": options.rate, "warning": options.warning_rate, "sensors": options.sensors}
    settings = chosen_settings(bins=options.bins, **given)
    progress(f"opening {options.model}")
    model = with_builder(Model.open(options.model), options)
    database = open_database(options.to)
    monitors = MachineMonitor(model, database, settings, limits=options)
    try:
        digest = hashlib.sha256(f"{options.source} {options.to}".encode()).hexdigest()[:12]
        client = options.client or f"toothwise-{digest}"
        source = open_source(options.source, suffixes=monitors.suffixes, poll=options.poll, client=client)
        progress("choosing the control limits")
        monitors.prepare()
        for machine, _, reason in new:
            monitors.rebaseline(machine, reason)
        stop = threading.Event()
        with handling(signal.SIGTERM, signal.SIGINT, by=lambda *_: stop.set()):  # the record in hand is finished
            progress(f"waiting for records of {options.source}")
            follow(monitors, source, stop, idle=options.idle, progress=progress)
    finally:
        monitors.close()
        database.close()
    count = monitors.count
    data: dict[str, Any] = {"source": options.source, "to": options.to, "first_reason": monitors.reason}
    data |= {name: count[name] for name in ("new", "known", "bad", "alarms")}
    text = (
        f"{count['new']} records diagnosed, {count['alarms']} of them RED; {count['known']} were known already, "
        f"{count['bad']} could not be used (table errors)\nwritten to {options.to}\n"
    ) + (f"the first that could not be used: {monitors.reason}\n" if monitors.reason else "")
    nothing = count["bad"] and not count["new"] + count["known"]
    return Result(data, lambda: text, EXIT_PARTLY if nothing else 0)

"""Diagnose records as they come, and write what they say to a database, each record once.

RUN is the folder of a saved detector. SOURCE is a folder that records are put into (a folder below it for
each machine), or a topic of an MQTT broker (a topic for each machine). With --gears records are recordings, without
they are maps. It runs until it is stopped (SIGTERM or Ctrl-C), finishes the record in hand, and goes on where it was
when it is started again.

examples:
  toothwise watch runs/scan incoming/ --to diagnoses.db --gears gears.yaml
  toothwise watch runs/scan incoming/ --to diagnoses.db --idle 5
  toothwise watch runs/scan mqtt://broker/plant/+/records --to postgresql://toothwise@db/plant --gears gears.yaml
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.recordings import Building, add_building
from toothwise.cli.terminal import Progress
from toothwise.errors import InputError


@dataclass(frozen=True)
class Options(Building):
    """What to watch with what.

    Attributes:
        run: folder of a saved detector.
        source: folder, or mqtt://host/topic.
        to: database.
        rate, warning_rate, bins: as of ``toothwise diagnose``.
        poll: seconds between two looks at a folder.
        idle: stop where nothing has come for so many seconds; None = never.
        client: name under which an MQTT broker keeps messages; None = one made of source and database.
    """

    run: str
    source: str
    to: str
    rate: float | None = None
    warning_rate: float | None = None
    bins: list[str] = field(default_factory=list)
    poll: float = 1.0
    idle: float | None = None
    client: str | None = None


def add_arguments(parser: ArgumentParser) -> None:
    """RUN, SOURCE and the options above."""
    add = parser.add_argument
    add("run", type=str, metavar="RUN", help="folder of a saved detector")
    add("source", type=str, metavar="SOURCE", help="folder of records as they come, or mqtt://host/topic")
    add("--to", type=str, required=True, metavar="DB", help="file of SQLite (.db), or postgresql://user@host/name")
    add_building(parser, "records")
    add("--rate", type=float | None, metavar="N", help="false alarms per 1,000 records of the alarm (default: 1)")
    add("--warning-rate", type=float | None, metavar="N", help="the same of the warning (default: 10)")
    add("--bins", nargs="+", type=str, default=[], metavar="NAME=EDGES", help="baselines per bin, as in load=0.5,0.8")
    add("--poll", type=float, default=1.0, metavar="SECONDS", help="between two looks at a folder")
    add("--idle", type=float | None, metavar="SECONDS", help="stop where nothing has come for so long (default: never)")
    add("--client", type=str | None, metavar="NAME", help="under which an MQTT broker keeps messages meanwhile")


def run(options: Options, progress: Progress) -> Result:
    """Load, open, follow."""
    from toothwise.fleet.database import open_database
    from toothwise.fleet.decoding import Decoder
    from toothwise.fleet.live import follow, stopped_by_signals
    from toothwise.fleet.machine_monitor import MachineMonitor
    from toothwise.fleet.sources import open_source
    from toothwise.model import Model
    from toothwise.reference.records import parse_bins

    decoder = Decoder(options.builder())
    client = options.client or f"toothwise-{hashlib.sha256(f'{options.source} {options.to}'.encode()).hexdigest()[:12]}"
    source = open_source(options.source, suffixes=decoder.suffixes, poll=options.poll, client=client)
    progress(f"loading {options.run}")
    model = Model.open(options.run)
    detector, reference = model.detector, model.reference
    if reference is None:
        raise InputError(f"{options.run}: holds no healthy.npz, what healthy maps look like: fit it again")
    database = open_database(options.to)
    try:
        keeper = MachineMonitor(detector, reference, database, decoder, _settings(options), parse_bins(options.bins))
        progress("choosing the heights of the alarm")
        keeper.prepare()
        with stopped_by_signals() as stop:
            progress(f"waiting for records of {options.source}")
            follow(keeper, source, stop, idle=options.idle, progress=progress)
    finally:
        database.close()
    data = {"source": options.source, "to": options.to} | {
        k: keeper.count[k] for k in ("new", "known", "bad", "alarms")
    }
    return Result(data, lambda: _text(data))


def _settings(options: Options) -> Any:
    from toothwise.diagnosis.verdict import WatchSettings

    chosen = WatchSettings()
    rate = chosen.rate if options.rate is None else options.rate
    warning = min(10.0 * rate, 200.0) if options.warning_rate is None else options.warning_rate
    return replace(chosen, rate=rate, warning=warning)


def _text(data: dict[str, Any]) -> str:
    return (
        f"{data['new']} records diagnosed, {data['alarms']} of them in alarm; {data['known']} were there already, "
        f"{data['bad']} could not be used (table errors)\nwritten to {data['to']}\n"
    )

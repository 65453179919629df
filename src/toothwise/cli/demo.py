"""Run the main job end to end: a run to failure in, the bad tooth and the record of the alarm out.

Runs on the HUMS2023 recordings where --data or TOOTHWISE_DATA holds them, else on a simulated run. Writes report.html,
diagnosis.json, the maps and the fitted detectors. A deep detector without its packages or weights is skipped.

examples:
  toothwise demo
  toothwise demo --data simulated --seed 3 --output runs/simulated
  toothwise demo --detectors [scan]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress as Tell
from toothwise.cli.terminal import table
from toothwise.errors import InputError

if TYPE_CHECKING:
    from toothwise.demo import Progress


@dataclass(frozen=True)
class Options:
    """What to run on what.

    Attributes:
        output: folder of everything that is written.
        data: folder of the recordings, "simulated", or None = TOOTHWISE_DATA, else simulated.
        detectors: their names; empty = those of the demo.
        healthy_days: days that detectors are fitted on.
        false_alarm_rate: per record, that thresholds are chosen for.
        seed: of a simulated run.
        language: of the report.
    """

    output: Path
    data: str | None
    detectors: list[str]
    healthy_days: list[int]
    false_alarm_rate: float = 0.01
    seed: int = 0
    language: Literal["en", "ko"] = "en"


def add_arguments(parser: ArgumentParser) -> None:
    """The options above."""
    add = parser.add_argument
    add("--output", type=Path, default=Path("runs/demo"), metavar="DIR", help="folder for report and results")
    add("--data", type=str | None, metavar="DIR", help="folder of the recordings, or 'simulated'")
    add(
        "--detectors", type=list[str], default=[], metavar="[NAME,...]", help="which detectors, all of the demo if none"
    )
    add(
        "--healthy-days",
        type=list[int],
        default=[17, 18],
        metavar="[DAY,...]",
        help="days that detectors are fitted on",
    )
    add("--false-alarm-rate", type=float, default=0.01, metavar="RATE", help="per record, for the thresholds")
    add("--seed", type=int, default=0, metavar="N", help="of a simulated run")
    add("--language", type=Literal["en", "ko"], default="en", metavar="en|ko", help="of the report: English or Korean")


def run(options: Options, tell: Tell) -> Result:
    """The main job with a bar per part."""
    from toothwise.demo import RUN_DETECTORS, run_demo
    from toothwise.diagnosis.run import RunProtocol
    from toothwise.healthmap.tooth_by_record import RunMapConfig

    del tell  # bars take the place of the one line
    unknown = [name for name in options.detectors if name not in RUN_DETECTORS]
    if unknown:
        raise InputError(f"detectors of the demo are {', '.join(RUN_DETECTORS)}, but got {', '.join(unknown)}")
    if not 0 < options.false_alarm_rate < 1:  # found out by the thresholds too, but after the maps are written
        raise InputError(f"false alarm rate must lie between 0 and 1, but got {options.false_alarm_rate}")
    chosen = {name: RUN_DETECTORS[name] for name in options.detectors or RUN_DETECTORS}
    protocol = RunProtocol(
        maps=RunMapConfig(healthy_days=tuple(options.healthy_days)), false_alarm_rate=options.false_alarm_rate
    )
    begin = time.perf_counter()
    with _bars(["maps", *chosen, "indicators", "report"]) as progress:
        facts = run_demo(
            options.output,
            data=options.data,
            seed=options.seed,
            chosen=chosen,
            protocol=protocol,
            progress=progress,
            language=options.language,
        )
    seconds = time.perf_counter() - begin
    return Result(facts, lambda: _text(facts, options.output, seconds))


@contextmanager
def _bars(parts: list[str]) -> Iterator[Progress]:
    """A bar per part on a terminal; elsewhere a line whenever a part begins something new."""
    if not sys.stderr.isatty():
        last: dict[str, str] = {}

        def line(part: str, text: str, share: float) -> None:
            del share
            if last.get(part) != text:
                last[part] = text
                sys.stderr.write(f"{part}: {text}\n")
                sys.stderr.flush()

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[part]:>22}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as shown:
        tasks = {part: shown.add_task("", total=1.0, start=False, part=part) for part in parts}
        state: dict[str, Any] = {"part": None}

        def show(part: str, text: str, share: float) -> None:
            if state["part"] != part:
                if state["part"] is not None:
                    shown.update(tasks[state["part"]], completed=1.0, description="done")
                    shown.stop_task(tasks[state["part"]])
                state["part"] = part
                shown.start_task(tasks[part])
            shown.update(tasks[part], completed=share, description=text)

        yield show
        if state["part"] is not None:
            shown.update(tasks[state["part"]], completed=1.0, description="done")


def _text(facts: dict[str, Any], output: Path, seconds: float) -> str:
    def number(value: object) -> str:
        return "never" if value is None else str(value)

    rows = []
    for name, entry in {**facts["detectors"], **facts["indicators"]}.items():
        flagged = entry["flagged_days_19_20"]
        low, high = entry["false_alarm_rate_interval"]
        rows.append(
            (
                name,
                number(entry["tooth"]) if "tooth" in entry else "-",
                number(entry["first_sustained"]),
                number(entry["consistent"]),
                f"{100 * entry['false_alarm_rate']:.0f} ({100 * low:.0f}-{100 * high:.0f})",
                "-" if flagged is None else f"{100 * flagged:.1f}",
                f"{entry['seconds']:.0f}",
            )
        )
    columns = ("detector", "tooth", "sustained", "consistent", "false alarms", "flagged", "s")
    text = f"{facts['data']}\n" + table(columns, rows, right=columns[1:])
    text += "False alarms: % of healthy records, 95 % interval. Flagged: % of the records of days 19-20.\n"
    for name, why in facts["skipped"].items():
        text += f"{name} was skipped: {why}\n"
    if facts["simulated"]:
        text += f"This run is simulated: no recordings were found. Put in: {facts['truth']}\n"
    text += "Record numbers count the test part from 1; 0 = before it. "
    text += f"Largest rise of residual RMS in the last records: tooth {facts['tooth_at_failure']}\n"
    text += f"{facts['verdict']}\n(by {facts['recommended']}, {seconds:.0f} s)\n"
    return text + f"Report: {output / 'report.html'}\n"

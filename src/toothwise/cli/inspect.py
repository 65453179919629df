"""A first look at a recording: channels, speed, tachometer, whether the mesh is heard, spectrum in orders.

Needs no gears; with --gears it says whether their mesh orders stand out of the spectrum. With --output it draws a
picture.

examples:
  toothwise inspect monday.mat
  toothwise inspect monday.mat --gears gears.yaml --output monday.png
  toothwise inspect strange.csv --read channels=col3 --read sampling_rate=25600
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from toothwise.cli.parser import Result
from toothwise.cli.recordings import Reading
from toothwise.cli.terminal import Progress
from toothwise.errors import InputError
from toothwise.files import atomic_file, check_writable


@dataclass(frozen=True)
class Options(Reading):
    """What to look at.

    Attributes:
        record (RECORD): The recording.
        gears (FILE): YAML file of the gears whose mesh is looked for.
        channel (NAME): Channel to look at, where it is not the first one.
        output (FILE.png): Draw the speed and the spectrum.
    """

    record: str
    _: KW_ONLY
    gears: str | None = None
    channel: str | None = None
    output: Path | None = None


def run(options: Options, progress: Progress) -> Result:
    """Read the recording and say what is in it.

    Raises:
        InputError: The recording or the gears cannot be read.
        OutputError: The picture cannot be written.
    """
    if options.output is not None:
        if options.output.suffix.lower() != ".png":
            raise InputError(f"{options.output}: the picture must be a .png file")
        check_writable(options.output.parent)
    from toothwise.gears import read_gears
    from toothwise.vibration.inspection import inspect_record
    from toothwise.vibration.quality import check_record
    from toothwise.vibration.readers import read_record

    train = None if options.gears is None else read_gears(options.gears)
    progress(f"reading {options.record}")
    record = read_record(options.record, mapping=options.mapping())
    progress("looking")
    found = inspect_record(record, train, channel=options.channel)
    problems = [*found.problems, *(finding.message for finding in check_record(record))]
    if options.output is not None:
        from toothwise.reporting.drawing import png
        from toothwise.reporting.inspection import inspection_figure

        figure = inspection_figure(found, title=Path(options.record).name, unit=record.unit)
        with atomic_file(options.output) as temporary:
            temporary.write_bytes(png(figure))
    speed: dict[str, Any] = {}
    if len(found.speed):
        speed = {
            "shaft": found.shaft,
            "mean": float(found.speed.mean()),
            "lowest": float(found.speed.min()),
            "highest": float(found.speed.max()),
        }
    data = {
        "record": options.record,
        "channels": list(record.channels),
        "channel": found.channel,
        "unit": record.unit,
        "sampling_rate": record.sampling_rate,
        "samples": record.samples,
        "duration": record.duration,
        "start_time": record.start_time,
        "condition": record.condition,
        "guessed": record.provenance.get("guessed", []),
        "speed": speed,
        "tacho": found.tacho,
        "mesh": found.mesh,
        "tooth_zero": found.tooth_zero,
        "problems": problems,
        "picture": None if options.output is None else str(options.output),
    }
    return Result(data, lambda: _text(data))


def _text(data: dict[str, Any]) -> str:
    lines = [
        f"{data['record']}: {data['duration']:.4g} s at {data['sampling_rate']:g} Hz, {data['samples']} samples",
        f"channels    {', '.join(data['channels'])} (looked at {data['channel']}, unit {data['unit']})",
    ]
    if data["start_time"]:
        lines.append(f"start       {data['start_time']}")
    if data["condition"]:
        lines.append("condition   " + ", ".join(f"{k} {v}" for k, v in data["condition"].items()))
    speed, tacho = data["speed"], data["tacho"]
    if speed:
        where = f" of {speed['shaft']}" if speed["shaft"] else ""
        lines.append(
            f"speed       {60 * speed['mean']:.5g} rpm{where}, {60 * speed['lowest']:.5g} to "
            f"{60 * speed['highest']:.5g}"
        )
    if "pulses" in tacho:
        lines.append(
            f"tachometer  {tacho['pulses']} pulses, {tacho['missing']} missing, {tacho['doubled']} doubled, jitter "
            f"{tacho['jitter']:.2%} of an interval"
        )
    for stage, entry in data["mesh"].items():
        heard = "heard" if entry["heard"] else "NOT heard"
        lines.append(f"mesh        {stage}: order {entry['order']:g} {heard}, {entry['above']:.1f} x its surroundings")
    for stage, gears in data["tooth_zero"].items():
        lines += [f"tooth zero  {stage}: {gear} gear {_zero(zero)}" for gear, zero in gears.items()]
    lines += [f"guessed     {sentence}" for sentence in data["guessed"]]
    lines += [f"problem     {sentence}" for sentence in data["problems"]] or ["problems    none found"]
    if data["picture"]:
        lines.append(f"picture     {data['picture']}")
    return "".join(f"{line}\n" for line in lines)


def _zero(zero: dict[str, Any]) -> str:
    if zero["known"] == "index":
        return "known by the index pulse of its shaft"
    if zero["known"] == "given":
        return "as you said (tacho_zero=given)"
    if zero["positions"] is None:
        return "unknown, at any angle"
    return f"unknown, one of {zero['positions']} positions ({zero['step']:g} teeth apart)"

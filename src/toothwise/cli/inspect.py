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
    from toothwise.reporting.inspection_text import inspection_text
    from toothwise.vibration.inspection import inspect_record
    from toothwise.vibration.readers import read_record

    train = None if options.gears is None else read_gears(options.gears)
    progress(f"reading {options.record}")
    record = read_record(options.record, mapping=options.mapping())
    progress("looking")
    found = inspect_record(record, train, channel=options.channel)
    if options.output is not None:
        from toothwise.reporting.drawing import png
        from toothwise.reporting.inspection import inspection_figure

        figure = inspection_figure(found, title=Path(options.record).name, unit=record.unit)
        with atomic_file(options.output) as temporary:
            temporary.write_bytes(png(figure))
    data = {"record": options.record, **found.about(record), "picture": options.output and str(options.output)}
    return Result(data, lambda: inspection_text(data))

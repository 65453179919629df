"""Draw recordings: spectrum in orders, averages of both gears, residual per tooth, health map, and the trend.

The last recording is drawn; those before it make the trend, and where a model (or --waveform) aligns their teeth, the
first one stands behind the last. Without --output a window opens that zooms.

examples:
  toothwise plot monday.mat --gears gears.yaml
  toothwise plot monday.mat tuesday.mat --model runs/model --output tuesday.png
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from toothwise.cli.parser import Result
from toothwise.cli.recordings import Building
from toothwise.errors import InputError
from toothwise.files import atomic_file, check_writable
from toothwise.progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS = (".png", ".pdf", ".svg")


@dataclass(frozen=True)
class Options(Building):
    """What to draw.

    Attributes:
        recordings (RECORDINGS): Recordings, or folders of them, in the order of time.
        model (MODEL): Build maps as those of this model were built, in place of --gears.
        output (FILE): Picture to write (.png, .pdf or .svg), in place of a window.
    """

    recordings: list[str]
    _: KW_ONLY
    model: Path | None = None
    output: Path | None = None


def run(options: Options, progress: Progress) -> Result:
    """Build the maps and draw them.

    Raises:
        InputError: No gears, a recording that cannot be used, another kind of picture, or no screen for a window.
        OutputError: The picture cannot be written.
    """
    if options.output is not None:
        if options.output.suffix.lower() not in _KINDS:
            raise InputError(f"{options.output}: the picture must be one of {', '.join(_KINDS)}")
        check_writable(options.output.parent)
    from toothwise.healthmap.recordings import as_sources, source_name
    from toothwise.model import Model
    from toothwise.reporting.drawing import save
    from toothwise.reporting.recording_figure import recording_figure

    builder = options.builder() if options.model is None else Model.open(options.model).builder
    if builder is None:
        raise InputError("a plot needs --gears FILE, or --model MODEL of a model that was fitted on recordings")
    sources = as_sources(options.recordings)
    maps = []
    for k, source in enumerate(sources):
        progress(f"building map {k + 1} of {len(sources)}", k / len(sources))
        maps.append(builder.build(source))
    names = [Path(source_name(source)).name for source in sources]
    if len(set(names)) < len(names):
        names = ["/".join(Path(source_name(source)).parts[-2:]) for source in sources]
    whole = replace(builder, waveform=None)
    figure = recording_figure(whole.periods(sources[-1]), maps, title=names[-1], names=names)
    if options.output is None:
        _show(figure)
    else:
        with atomic_file(options.output) as temporary:
            save(figure, temporary, options.output.suffix[1:].lower())
    data = {"recordings": names, "picture": None if options.output is None else str(options.output)}
    return Result(data, lambda: "" if options.output is None else f"picture     {options.output}\n")


def _show(figure: Figure) -> None:
    """Open a window of Matplotlib's.

    Raises:
        InputError: There is no screen.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    manager = plt.figure().canvas.manager
    if manager is None or mpl.get_backend().lower() == "agg":
        raise InputError("there is no screen for a window: give --output FILE.png")
    manager.canvas.figure = figure
    figure.set_canvas(manager.canvas)
    plt.show()

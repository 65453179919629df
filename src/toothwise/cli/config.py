"""Say where a configuration is that comes with toothwise, or list them all.

So that 'anomalib train --config "$(toothwise config dinomaly)"' finds it wherever toothwise is installed. Verbs of
toothwise take the name itself: 'toothwise simulate gearbox_crack'.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toothwise.cli.parser import Result
from toothwise.cli.terminal import table
from toothwise.progress import Progress
from toothwise.reading import configurations, read_text, shipped


@dataclass(frozen=True)
class Options:
    """Which configuration.

    Attributes:
        name (NAME): Name of a configuration; without it they are listed.
    """

    name: str | None = None


def run(options: Options, progress: Progress) -> Result:
    """The path of one configuration, or the names of all."""
    if options.name is not None:
        path = str(shipped(Path(options.name)))
        return Result({"path": path}, lambda: path + "\n")
    lines = {name: _about(path) for name, path in configurations().items()}
    return Result({"configurations": lines}, lambda: table(("configuration", "what it is"), list(lines.items())))


def _about(path: Path) -> str:
    """The first comment of a configuration, or a study's title."""
    lines = read_text(path).splitlines()
    title = next((line.removeprefix("title:").strip() for line in lines if line.startswith("title:")), None)
    return f"study: {title}" if title else lines[0].removeprefix("#").strip()

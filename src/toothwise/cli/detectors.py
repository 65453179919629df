"""List the detectors that 'toothwise fit --detector NAME' takes."""

from __future__ import annotations

from dataclasses import dataclass

from toothwise.cli.parser import Result
from toothwise.cli.terminal import table
from toothwise.progress import Progress


@dataclass(frozen=True)
class Options:
    """No options of its own."""


def run(options: Options, progress: Progress) -> Result:
    """The names of all detectors and one line on each."""
    from toothwise import detectors

    lines = detectors.describe()
    return Result({"detectors": lines}, lambda: table(("detector", "what it is"), list(lines.items())))

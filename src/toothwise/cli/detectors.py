"""List the detectors that 'toothwise fit --detector NAME' takes, or the options of one of them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from toothwise.cli.parser import Result
from toothwise.cli.terminal import table
from toothwise.progress import Progress


@dataclass(frozen=True)
class Options:
    """Which detector.

    Attributes:
        name (NAME): Name of a detector, whose options are listed; without it the detectors are.
    """

    name: str | None = None


def run(options: Options, progress: Progress) -> Result:
    """The names of all detectors and one line on each, or every option of one with default, unit and meaning."""
    from toothwise.detectors import registry

    if options.name is None:
        lines = registry.describe()
        return Result({"detectors": lines}, lambda: table(("detector", "what it is"), list(lines.items())))
    found = registry.options_of(options.name)
    rows = [(name, json.dumps(one.default), one.unit, one.meaning) for name, one in found.items()]
    data = {name: one._asdict() for name, one in found.items()}
    return Result(
        {"detector": options.name, "options": data},
        lambda: table(("option (--set NAME=VALUE)", "default", "unit", "meaning"), rows),
    )

"""List the detectors that 'toothwise fit --detector NAME' takes."""

from __future__ import annotations

from dataclasses import dataclass

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress, table


@dataclass(frozen=True)
class Options:
    """None of its own."""


def add_arguments(parser: ArgumentParser) -> None:
    """None of its own."""


def run(options: Options, progress: Progress) -> Result:
    """Names and what they are."""
    from toothwise import detectors

    lines = detectors.describe()
    return Result({"detectors": lines}, lambda: table(("detector", "what it is"), list(lines.items())))

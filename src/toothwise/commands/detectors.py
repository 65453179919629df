"""List the detectors that 'toothwise fit --detector NAME' takes."""

from __future__ import annotations

from dataclasses import dataclass

from jsonargparse import ArgumentParser

from toothwise.commands.parser import Result
from toothwise.commands.terminal import Tell, table


@dataclass(frozen=True)
class Options:
    """None of its own."""


def add_arguments(parser: ArgumentParser) -> None:
    """None of its own."""


def run(options: Options, tell: Tell) -> Result:
    """Names and what they are."""
    from toothwise import detectors

    lines = detectors.describe()
    return Result({"detectors": lines}, lambda: table(("detector", "what it is"), list(lines.items())))

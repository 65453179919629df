"""List the detectors that 'toothwise fit --detector NAME' takes."""

from __future__ import annotations

from typing import Any

from jsonargparse import ArgumentParser

from toothwise.commands.parser import Result
from toothwise.commands.terminal import Tell, table


def add_arguments(parser: ArgumentParser) -> None:
    """None of its own."""


def run(options: dict[str, Any], tell: Tell) -> Result:
    """Names and what they are."""
    from toothwise import detectors

    lines = detectors.describe()
    return Result({"detectors": lines}, table(("detector", "what it is"), list(lines.items())))

"""Write the results of a study, one row per trial, as CSV, Parquet or JSON.

examples:
  toothwise study export runs/studies/direction --output direction.csv
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress


@dataclass(frozen=True)
class Options:
    """What to write where.

    Attributes:
        folder: of a study's results.
        output: .csv, .parquet or .json.
    """

    folder: Path
    output: Path


def add_arguments(parser: ArgumentParser) -> None:
    """The options above."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a study's results")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv, .parquet or .json")


def run(options: Options, progress: Progress) -> Result:
    """Write the file."""
    del progress
    from toothwise_lab.studies.export import export
    from toothwise_lab.studies.opened import open_study

    count = export(open_study(options.folder), options.output)
    data = {"output": str(options.output), "trials": count}
    return Result(data, lambda: f"{count} trials written to {options.output}\n")

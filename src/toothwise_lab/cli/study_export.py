"""Write the results of a study, one row per trial, as CSV, Parquet or JSON.

examples:
  toothwise study export runs/studies/direction --output direction.csv
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from toothwise.cli.parser import Result
from toothwise.progress import Progress


@dataclass(frozen=True)
class Options:
    """What to write where.

    Attributes:
        folder (DIR): Folder of a study's results.
        output (FILE): File to write: .csv, .parquet or .json.
    """

    folder: Path
    _: KW_ONLY
    output: Path


def run(options: Options, progress: Progress) -> Result:
    """Write the file."""
    del progress
    from toothwise_lab.studies.export import export
    from toothwise_lab.studies.opened import open_study

    count = export(open_study(options.folder), options.output)
    data = {"output": str(options.output), "trials": count}
    return Result(data, lambda: f"{count} trials written to {options.output}\n")

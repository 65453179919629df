"""Recordings named where maps are wanted: built as 'toothwise build' does, in a folder that is gone afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from toothwise.cli import build
from toothwise.cli.build_recordings import build_recordings
from toothwise.cli.maps import MapSet, read_maps
from toothwise.cli.terminal import Progress
from toothwise.errors import InputError

if TYPE_CHECKING:
    from toothwise.cli.diagnose import Options

__all__ = ["maps_of_recordings"]


def maps_of_recordings(options: Options, progress: Progress, shape: tuple[int, int] | None) -> tuple[MapSet, list[str]]:
    """Maps of recordings, in the order of their names.

    Args:
        options: ``maps`` names the recordings; ``gears`` and how they are built.
        tell: told what is being done.
        shape: rows and columns that the maps must have.

    Returns:
        The maps, whose table names the recording of each as its file, and a line for each recording that was skipped.

    Raises:
        InputError: no recording could be used, options that do not fit, maps of another shape.
    """
    with TemporaryDirectory() as folder:
        asked = build.Options(records=options.maps, output=Path(folder), **options.building())
        made = build_recordings(asked, progress).data["records"]
        recording = {row["map"]: row["record"] for row in made if "map" in row}
        try:
            maps = read_maps([folder], progress, shape=shape)  # a folder's table tells their start times
        except InputError as error:
            raise InputError(str(error).replace(folder, "maps of the recordings")) from None
    table = maps.table.assign(file=[recording[file] for file in maps.table["file"]])
    return replace(maps, table=table), [str(row["error"]) for row in made if "error" in row]

"""From what a user names (maps, recordings, files and folders of them) to one batch of maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toothwise.detectors.base import as_array
from toothwise.errors import InputError
from toothwise.healthmap.core import HealthMap, HealthMapBatch
from toothwise.healthmap.formats import holds_map
from toothwise.healthmap.several import read_maps
from toothwise.model.about import MapsAbout
from toothwise.progress import Progress, silent

if TYPE_CHECKING:
    from toothwise.healthmap.map_builder import MapBuilder, Skipped


def gather(
    source: Any,
    builder: MapBuilder | None = None,
    about: MapsAbout | None = None,
    *,
    jobs: int = 1,
    progress: Progress = silent,
) -> tuple[HealthMapBatch, tuple[Skipped, ...]]:
    """Maps of anything that maps can be made of.

    Args:
        source: An array ``[n, rows, columns]``, a HealthMapBatch, HealthMaps, records, or paths of files and folders of
            maps or of recordings.
        builder: Builds maps of recordings; None = no recordings are taken.
        about: What an array without description is taken for.
        jobs: Processes that build at the same time.
        progress: Called with what is being done.

    Returns:
        The maps, and the recordings that could not be used.

    Raises:
        InputError: Nothing, something else, maps and recordings together, or recordings without a builder.
    """
    if isinstance(source, HealthMapBatch):
        return source, ()
    if isinstance(source, np.ndarray):
        values = as_array(source)
        if about is None or values.shape[1:] != about.shape:
            about = MapsAbout.of_shape(values.shape[1:])  # which is refused by whoever knows what it should be
        return HealthMapBatch(values, **vars(about)), ()
    items = list(source) if isinstance(source, Sequence) and not isinstance(source, str) else [source]
    if items and all(isinstance(one, HealthMap) for one in items):
        table = pd.DataFrame([one.condition for one in items], index=range(len(items)))
        return HealthMapBatch.of([(f"record {k}", one) for k, one in enumerate(items, 1)], table), ()
    paths = [one for one in items if isinstance(one, str | Path)]
    maps = [path for path in paths if builder is None or holds_map(Path(path))]
    if paths and len(maps) == len(items):
        return read_maps(maps, progress=progress), ()
    if maps:
        raise InputError(f"{maps[0]}: holds maps, but others of those named are recordings: name one kind at a time")
    if builder is None:
        raise InputError(
            "recordings need a builder, which says how they become maps (the model was fitted on maps): "
            "fit on recordings, Model.fit(recordings, builder=MapBuilder(gears))"
        )
    return builder.build_many(items, jobs=jobs, progress=progress)

"""What became of each of many recordings, one after the other or in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

from toothwise.errors import ToothwiseError
from toothwise.healthmap.aligned import Unplaced
from toothwise.healthmap.core import HealthMap
from toothwise.healthmap.recordings import Source, source_name

if TYPE_CHECKING:
    from toothwise.healthmap.map_builder import MapBuilder


@dataclass(frozen=True)
class Skipped:
    """A recording that could not be used.

    Attributes:
        path: Its file, or the name of the record.
        reason: Why, in one line that names the file.
    """

    path: str
    reason: str

    def __str__(self) -> str:
        return self.reason


_Built = tuple[HealthMap | Skipped, Unplaced | None]


def each_outcome(
    builder: MapBuilder, items: list[Source], jobs: int
) -> Iterator[tuple[Source, HealthMap | Skipped, Unplaced | None]]:
    """Each recording with its map, or why there is none, and what others can be aligned by; in any order."""
    if jobs == 1:
        for source in items:
            yield source, *_outcome(builder, source)
        return
    # spawned, not forked: libraries with threads of their own do not survive a fork
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: dict[Future[_Built], Source] = {pool.submit(_outcome, builder, s): s for s in items}
        for future in as_completed(waiting):
            source = waiting[future]
            try:
                yield source, *future.result()
            except BrokenProcessPool:
                name = source_name(source)
                yield source, Skipped(name, f"{name}: the process that built it died (out of memory?)"), None


def _outcome(builder: MapBuilder, source: Source) -> _Built:
    """An error is returned, because other recordings go on."""
    loose: list[Unplaced] = []
    try:
        made = builder._build(source, unplaced=loose)
    except ToothwiseError as error:
        return Skipped(source_name(source), str(error)), None
    return made, loose[0] if loose else None

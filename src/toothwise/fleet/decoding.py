"""From what arrived to a map: a recording is built into one by its gears, a map is read."""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toothwise.errors import InputError, ToothwiseWarning
from toothwise.healthmap.core import HealthMap, HealthMapBatch
from toothwise.workers import WorkerPool, WorkLimits

if TYPE_CHECKING:
    from toothwise.healthmap.map_builder import MapBuilder

_LONGEST = 300  # characters of a name

# how files begin, for messages that do not say what they are
_BEGINNINGS = (
    (b"PK\x03\x04", ".npz"),
    (b"PAR1", ".parquet"),
    (b"MATLAB", ".mat"),
    (b"\x89HDF\r\n\x1a\n", ".h5"),
    (b"II*\x00", ".tif"),
    (b"MM\x00*", ".tif"),
)


@dataclass(frozen=True)
class IncomingRecord:
    """A record as it came.

    Attributes:
        machine: that it is of; each is a sequence of its own.
        record: its name; one name is diagnosed once.
        source: file or topic.
        content: bytes of the message, or the path of a file.
        time: number or ISO 8601, None = as the record itself says.
        problem: why it cannot be used, where its source knows that already.
    """

    machine: str
    record: str
    source: str
    content: bytes | Path
    time: float | str | None = None
    problem: str | None = None

    def __post_init__(self) -> None:
        for name in ("machine", "record", "source"):
            object.__setattr__(self, name, clean(getattr(self, name), _LONGEST))


def clean(text: str, longest: int) -> str:
    """Text that every database takes: no NUL, nothing outside Unicode, and not too long to be looked up by."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(text) > longest:
        text = f"{text[: longest - 65]} {hashlib.sha256(text.encode()).hexdigest()}"
    return text


@dataclass(frozen=True)
class Decoder:
    """How records become maps.

    Attributes:
        builder: Builds maps of recordings; None = records are maps already, which some may be with it too.
        several: A record may hold several maps, one by each sensor.
    """

    builder: MapBuilder | None = None
    several: bool = False

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of files that can be records."""
        from toothwise.vibration.readers import SUFFIXES

        return SUFFIXES if self.builder is not None else (".npz", ".tif", ".tiff", ".mat")

    def __call__(self, arrived: IncomingRecord) -> HealthMap | HealthMapBatch:
        """The map of a record.

        Raises:
            InputError: it cannot be read, is more than one map, or holds what no map can be made of.
        """
        if isinstance(arrived.content, Path):
            return self._of_file(arrived.content)
        suffix = next((s for begin, s in _BEGINNINGS if arrived.content.startswith(begin)), None)
        if suffix is None or suffix not in self.suffixes:
            raise InputError(
                f"{arrived.source}: a message must hold a file of {', '.join(s for _, s in _BEGINNINGS[:4])}, "
                f"but begins with {arrived.content[:8]!r}"
            )
        with tempfile.TemporaryDirectory(prefix="toothwise-") as folder:
            path = Path(folder) / f"message{suffix}"
            path.write_bytes(arrived.content)
            try:
                return self._of_file(path)
            except InputError as error:
                raise InputError(str(error).replace(str(path), arrived.source)) from None

    def _of_file(self, path: Path) -> HealthMap | HealthMapBatch:
        from toothwise.healthmap.formats import holds_map
        from toothwise.healthmap.io import read_map

        if self.builder is not None and not holds_map(path):
            return self.builder.build(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ToothwiseWarning)
            found = read_map(path)
        if isinstance(found, HealthMap) or self.several:
            return found
        if len(found) != 1:
            raise InputError(f"{path}: holds {len(found)} maps, but a record is one")
        return found[0]

    def written(self, job: tuple[IncomingRecord, Path]) -> bytes:
        """Write the map of a record to a file, which is how it comes out of a worker: no pickle."""
        from toothwise.healthmap.formats import write_npz

        write_npz(self(job[0]), job[1])
        return b""


class BoundedDecoder(WorkerPool):
    """A decoder in a process of its own, which is ended when a record takes more than it may.

    Args:
        decoder: Turns records into maps.
        limits: Of one record.
    """

    def __init__(self, decoder: Decoder, limits: WorkLimits) -> None:
        preload = ("toothwise.healthmap.io", "toothwise.healthmap.map_builder", "toothwise.vibration.readers")
        super().__init__(decoder.written, 1, limits, preload=preload)

    def __call__(self, arrived: IncomingRecord) -> HealthMap | HealthMapBatch:
        """The map of a record.

        Raises:
            InputError: As of ``Decoder``.
            LimitError: It takes more time or memory than it may.
        """
        from toothwise.healthmap.formats import read_npz

        with tempfile.TemporaryDirectory(prefix="toothwise-") as folder:
            path = Path(folder) / "map.npz"
            self.run((arrived, path))
            return read_npz(path)

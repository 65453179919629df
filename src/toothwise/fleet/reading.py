"""Maps of a shard, a bounded number at a time; a map that cannot be used comes as the reason why."""

from __future__ import annotations

import atexit
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.errors import InputError
from toothwise.fleet.decoding import BoundedDecoder, Decoder, IncomingRecord
from toothwise.fleet.options import ScoreOptions
from toothwise.fleet.storage import Location, StoredFile
from toothwise.healthmap import formats
from toothwise.healthmap.core import HealthMap
from toothwise.reading import as_input_error

if TYPE_CHECKING:
    from toothwise.healthmap.map_builder import MapBuilder

_IDS = ("id", "record", "name")  # columns that name a map; the first one found does


@dataclass(frozen=True)
class Reading:
    """How maps are read.

    Attributes:
        shape: rows and columns that the detector takes.
        options: those of ``toothwise score``: column, columns to keep, maps at a time, limits of a file.
        builder: builds maps of recordings; None = files are maps.
        samples: of each mesh's waveform, where the detector looks at waveforms; else 0.
    """

    shape: tuple[int, int]
    options: ScoreOptions = field(default_factory=ScoreOptions)
    builder: MapBuilder | None = None
    samples: int = 0

    @cached_property
    def bounded(self) -> BoundedDecoder:
        """Builds maps of recordings, for as long as this process lives."""
        decode = BoundedDecoder(Decoder(self.builder), self.options.work)
        atexit.register(decode.close)
        return decode


@dataclass(eq=False)
class Block:
    """Some maps of one file.

    Attributes:
        file: its name.
        index: int ``[n]``, place of each map in the file.
        values: float32 ``[n, rows, columns]``, of maps or of their waveforms (with samples as a last axis); of a map
            with an error whatever.
        error: reason why a map cannot be used, or None.
        known: columns of text ``[n]``: ``id``, which condition was ``not_learned``, and those that are kept.
    """

    file: str
    index: np.ndarray
    values: np.ndarray
    error: list[str | None]
    known: dict[str, list[str | None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.index)


def read_blocks(place: Location, file: StoredFile, reading: Reading) -> Iterator[Block]:
    """All maps of a file, each exactly once; of a file that cannot be read one row with the reason."""
    suffix = PurePosixPath(file.name).suffix.lower()
    try:
        if place.local is not None and not stat.S_ISREG(Path(file.path).stat().st_mode):
            raise InputError("is not a regular file")
        if suffix == ".parquet" and reading.samples:
            raise InputError("Parquet files hold the values of maps, but the model looks at waveforms")
        if suffix == ".parquet":
            yield from _parquet(place, file, reading)
            return
        with place.fetched(file.path) as path:
            values, table = _contents(path, suffix, reading)
        yield from _of_array(file.name, values, table, reading)
    except Exception as error:  # each store has errors of its own
        yield _failed(file.name, [0], error, reading)


def _contents(path: Path, suffix: str, reading: Reading) -> tuple[np.ndarray, dict[str, Sequence[Any]]]:
    """What the detector looks at, ``[n, rows, columns]`` or with samples as a last axis, and the table's columns."""
    table: dict[str, Sequence[Any]] = {}
    most = reading.options.max_bytes
    if (size := path.stat().st_size) == 0:
        raise InputError("the file is empty")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    if size > most:
        raise InputError(f"holds {size} bytes, more than {most} (--max-bytes)")
    if reading.builder is not None and not formats.holds_map(path):
        made = _built(path, reading)
        values, table = made.values, {name: [value] for name, value in made.condition.items()}
        if reading.samples and made.waveforms is not None:
            values = made.waveforms[None]
    elif suffix == ".npz":
        values, beside, meta = formats.read_npz_arrays(path, ("waveforms",) if reading.samples else ())
        with as_input_error("", "metadata is damaged"):
            if meta and "table" in meta:
                table = dict(zip(meta["table"]["columns"], zip(*meta["table"]["data"], strict=True), strict=True))
            elif meta:
                table = {name: [value] for name, value in meta["condition"].items()}
        if "waveforms" in beside:
            values = beside["waveforms"].reshape(-1, *beside["waveforms"].shape[-3:])
    elif suffix == ".mat":
        values = formats.read_mat_values(path)
    else:
        values = formats.read_tiff(path).values
    values = values[None] if values.ndim == 2 else values
    if reading.samples and (values.ndim != 4 or values.shape[3] != reading.samples):
        raise InputError(f"holds no waveforms of {reading.samples} samples per mesh, which the model looks at")
    if values.ndim != 3 + (reading.samples > 0) or values.dtype.kind not in "fiu" or 0 in values.shape:
        raise InputError(f"values must be numbers [n, rows, columns], but are {values.dtype} {values.shape}")
    return values, {name: column for name, column in table.items() if len(column) == len(values)}


def _built(path: Path, reading: Reading) -> HealthMap:
    """The map of a recording, built in a process of its own: what a file asks for is bounded."""
    made = reading.bounded(IncomingRecord("", path.stem, path.name, path))
    if not isinstance(made, HealthMap):
        raise InputError(f"holds {len(made)} maps, but a recording is one")
    return made


def _of_array(file: str, values: np.ndarray, table: dict[str, Sequence[Any]], reading: Reading) -> Iterator[Block]:
    for start in range(0, len(values), reading.options.batch):
        part = values[start : start + reading.options.batch]
        index = np.arange(start, start + len(part))
        known = _known({name: column[start : start + len(part)] for name, column in table.items()}, len(part), reading)
        if part.shape[1:3] != reading.shape:
            yield _blank(file, index, _other_shape(part.shape[1:3], reading), known, reading)
        else:
            yield _judged(Block(file, index, _float32(part), [None] * len(part), known))


def _parquet(place: Location, file: StoredFile, reading: Reading) -> Iterator[Block]:
    """Row groups one after the other; where one is damaged the rest of the rows carry the reason."""
    import pyarrow.parquet as pq

    done = 0
    rows: int | None = None
    try:
        with place.fs.open(file.path, "rb") as stream, pq.ParquetFile(stream) as opened:
            rows = opened.metadata.num_rows
            there = set(opened.schema_arrow.names)
            if reading.options.column not in there:
                raise InputError(
                    f"lacks the column {reading.options.column!r}, found {', '.join(sorted(there)) or 'none'}"
                )
            wanted = {reading.options.column, "rows", "columns", "not_learned", *reading.options.keep, *_IDS} & there
            for batch in opened.iter_batches(batch_size=reading.options.batch, columns=sorted(wanted)):
                yield _of_batch(file.name, done, batch, reading)
                done += len(batch)
    except Exception as error:  # pyarrow and the store have many
        if rows is None:
            raise
        while done < rows:
            index = range(done, min(done + reading.options.batch, rows))
            yield _failed(file.name, index, error, reading)
            done += len(index)


def _of_batch(file: str, start: int, batch: Any, reading: Reading) -> Block:
    columns = {name: batch.column(name) for name in batch.schema.names}
    array = columns.pop(reading.options.column)
    numbers, owner = _numbers(array)
    columns = {name: column.to_pylist() for name, column in columns.items()}
    n, shape = len(batch), reading.shape
    stated: Any = [shape] * n
    if {"rows", "columns"} <= columns.keys():
        stated = zip(columns["rows"], columns["columns"], strict=True)
    error: list[str | None] = [None] * n
    for k, (there, count, said) in enumerate(
        zip(array.is_valid(), np.bincount(owner, minlength=n), stated, strict=True)
    ):
        if not there.as_py():
            error[k] = "no values"
        elif count != shape[0] * shape[1]:
            error[k] = f"holds {count} values, but the detector takes {shape[0]} x {shape[1]}"
        elif said != shape:
            error[k] = _other_shape(said, reading)
    good = np.array([e is None for e in error])
    values = np.ones((n, *shape), dtype=np.float32)
    values[good] = _float32(numbers[good[owner]]).reshape(-1, *shape)
    return _judged(Block(file, np.arange(start, start + n), values, error, _known(columns, n, reading)))


def _numbers(array: Any) -> tuple[np.ndarray, np.ndarray]:
    """All numbers of a column of lists, of lists of lists or of tensors, and the row of each; a null is NaN.

    Raises:
        InputError: The column holds something else.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    array = array.storage if hasattr(array, "storage") else array  # of a tensor of fixed shape
    if not _is_list(array.type):
        raise InputError(f"a column of values must hold lists of numbers, but holds {array.type}")
    owner = np.arange(len(array))
    while _is_list(array.type):
        owner, array = owner[np.asarray(array.is_valid())], array.drop_null()
        owner, array = np.repeat(owner, np.asarray(pc.list_value_length(array))), array.flatten()
    if not (pa.types.is_floating(array.type) or pa.types.is_integer(array.type)):
        raise InputError(f"a column of values must hold numbers, but holds {array.type}")
    return array.to_numpy(zero_copy_only=False), owner


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # too large for float32: found as infinite, and said so
        return np.asarray(values, dtype=np.float32)


def _judged(block: Block) -> Block:
    """The block, with a reason for each map that no detector takes."""
    flat = block.values.reshape(len(block), -1)
    infinite, empty = np.isinf(flat).any(axis=1), np.isnan(flat).all(axis=1)
    for k in np.flatnonzero(infinite | empty):
        why = "holds infinite values" if infinite[k] else "holds NaN only, no tooth pair was measured"
        block.error[k] = block.error[k] or why
    return block


def _other_shape(shape: Sequence[Any], reading: Reading) -> str:
    (rows, columns), (n, m) = shape, reading.shape
    return f"is {rows} x {columns} (rows x columns), but the detector takes {n} x {m}"


def _failed(file: str, index: Sequence[int] | range, error: Exception, reading: Reading) -> Block:
    words = " ".join(str(error).split())[:300]
    words = words if isinstance(error, InputError) else f"cannot be read ({type(error).__name__}: {words})"
    return _blank(file, np.asarray(index), words, _known({}, len(index), reading), reading)


def _blank(file: str, index: np.ndarray, why: str, known: dict[str, list[str | None]], reading: Reading) -> Block:
    """Maps that cannot be used, all for one reason."""
    return Block(file, index, np.ones((len(index), *reading.shape), dtype=np.float32), [why] * len(index), known)


def _known(columns: dict[str, Any], n: int, reading: Reading) -> dict[str, list[str | None]]:
    """``id``, ``not_learned`` and the columns that are kept, as text."""
    named = next((name for name in _IDS if name in columns), "")
    wanted = {"id": named, "not_learned": "not_learned"} | {name: name for name in reading.options.keep}
    found = {name: columns.get(source, [None] * n) for name, source in wanted.items()}
    return {name: [None if v is None else str(v) for v in column] for name, column in found.items()}

"""Maps of a shard, a bounded number at a time; a map that cannot be used comes as the reason why."""

from __future__ import annotations

import atexit
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.errors import InputError
from toothwise.fleet.decoding import LIMITS, BoundedDecoder, Decoder, IncomingRecord
from toothwise.fleet.storage import Location, StoredFile
from toothwise.healthmap import formats
from toothwise.healthmap.core import HealthMap
from toothwise.workers import WorkLimits

if TYPE_CHECKING:
    from toothwise.healthmap.map_builder import MapBuilder

_IDS = ("id", "record", "name")  # columns that name a map; the first one found does


@dataclass(frozen=True)
class Reading:
    """How maps are read.

    Attributes:
        shape: rows and columns that the detector takes.
        column: of Parquet files, that holds the values.
        keep: columns that go into the output as text.
        batch: maps at a time at most.
        max_bytes: of a file once it is unpacked; Parquet, which is read piece by piece, has no such bound.
        builder: builds maps of recordings; None = files are maps.
        samples: of each mesh's waveform, where the detector looks at waveforms; else 0.
        limits: of reading a recording and building its map.
    """

    shape: tuple[int, int]
    column: str = "values"
    keep: tuple[str, ...] = ()
    batch: int = 1024
    max_bytes: int = 2**32
    builder: MapBuilder | None = None
    samples: int = 0
    limits: WorkLimits = LIMITS


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


def _contents(path: Path, suffix: str, reading: Reading) -> tuple[np.ndarray, dict[str, list[Any]]]:
    """What the detector looks at, ``[n, rows, columns]`` or with samples as a last axis, and the table's columns."""
    most = reading.max_bytes
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
        table = {}
        if isinstance(meta, dict) and isinstance(meta.get("table"), dict):
            names, rows = meta["table"].get("columns") or [], meta["table"].get("data") or []
            table = {str(name): [row[k] for row in rows] for k, name in enumerate(names)}
        elif isinstance(meta, dict) and isinstance(meta.get("condition"), dict):
            table = {str(name): [value] for name, value in meta["condition"].items()}
        if "waveforms" in beside:
            values = beside["waveforms"].reshape(-1, *beside["waveforms"].shape[-3:])
    elif suffix == ".mat":
        values, table = formats.read_mat_values(path), {}
    else:
        values, table = formats.read_tiff(path).values, {}
    values = values[None] if values.ndim == 2 else values
    if reading.samples and (values.ndim != 4 or values.shape[3] != reading.samples):
        raise InputError(f"holds no waveforms of {reading.samples} samples per mesh, which the model looks at")
    if values.ndim != 3 + (reading.samples > 0) or values.dtype.kind not in "fiu" or 0 in values.shape:
        raise InputError(f"values must be numbers [n, rows, columns], but are {values.dtype} {values.shape}")
    return values, {name: column for name, column in table.items() if len(column) == len(values)}


_BOUNDED: dict[int, tuple[Reading, BoundedDecoder]] = {}  # of this process, by what they build with


def _built(path: Path, reading: Reading) -> HealthMap:
    """The map of a recording, built in a process of its own: what a file asks for is bounded."""
    _, decode = _BOUNDED.get(id(reading), (reading, None))
    if decode is None:
        decode = BoundedDecoder(Decoder(reading.builder), reading.limits)
        atexit.register(decode.close)
        _BOUNDED[id(reading)] = reading, decode
    made = decode(IncomingRecord("", path.stem, path.name, path))
    if not isinstance(made, HealthMap):
        raise InputError(f"holds {len(made)} maps, but a recording is one")
    return made


def _of_array(file: str, values: np.ndarray, table: dict[str, list[Any]], reading: Reading) -> Iterator[Block]:
    for start in range(0, len(values), reading.batch):
        part = values[start : start + reading.batch]
        rows = slice(start, start + len(part))
        index = np.arange(start, start + len(part))
        known = _known({name: column[rows] for name, column in table.items()}, len(part), reading)
        if part.shape[1:3] != reading.shape:
            words = _other_shape(part.shape[1], part.shape[2], reading)
            blank = np.ones((len(part), *reading.shape), dtype=np.float32)
            yield Block(file, index, blank, [words] * len(part), known)
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
            if reading.column not in there:
                raise InputError(f"lacks the column {reading.column!r}, found {', '.join(sorted(there)) or 'none'}")
            wanted = {reading.column, "rows", "columns", "not_learned", *reading.keep, *_IDS} & there
            for batch in opened.iter_batches(batch_size=reading.batch, columns=sorted(wanted)):
                yield _of_batch(file.name, done, batch, reading)
                done += len(batch)
    except Exception as error:  # pyarrow and the store have many
        if rows is None:
            raise
        while done < rows:
            index = range(done, min(done + reading.batch, rows))
            yield _failed(file.name, index, error, reading)
            done += len(index)


def _of_batch(file: str, start: int, batch: Any, reading: Reading) -> Block:
    columns = {name: batch.column(name) for name in batch.schema.names}
    array = columns.pop(reading.column)
    rows, cols = reading.shape
    count = _flat_lengths(array)
    error: list[str | None] = [None] * len(batch)
    values = np.ones((len(batch), rows, cols), dtype=np.float32)
    shape = [columns[name].to_pylist() if name in columns else None for name in ("rows", "columns")]
    for k in np.flatnonzero(count != rows * cols):
        error[k] = "no values" if count[k] < 0 else f"holds {count[k]} values, but the detector takes {rows} x {cols}"
    if shape[0] is not None and shape[1] is not None:
        for at, (r, c) in enumerate(zip(shape[0], shape[1], strict=True)):
            if error[at] is None and (r, c) != (rows, cols):
                error[at] = _other_shape(r, c, reading)
    good = np.array([e is None for e in error])
    if good.any():
        values[good] = _float32(_flat(array.filter(good))).reshape(-1, rows, cols)
    known = _known({name: column.to_pylist() for name, column in columns.items()}, len(batch), reading)
    return _judged(Block(file, np.arange(start, start + len(batch)), values, error, known))


def _storage(array: Any) -> Any:
    """The plain array behind one with a type of its own (a tensor of fixed shape)."""
    return array.storage if hasattr(array, "storage") else array


def _flat_lengths(array: Any) -> np.ndarray:
    """Numbers in each row of a column of lists, of lists of lists or of tensors, int ``[n]``; -1 where it is null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = _storage(array)
    if not _is_list(array.type):
        raise InputError(f"a column of values must hold lists of numbers, but holds {array.type}")
    length = np.asarray(pc.fill_null(pc.list_value_length(array), -1).to_numpy(zero_copy_only=False), dtype=np.int64)
    if _is_list(array.type.value_type):
        inner = _flat_lengths(array.flatten())
        owner = np.repeat(np.arange(len(array)), np.maximum(length, 0))
        sums = np.bincount(owner, weights=np.maximum(inner, 0), minlength=len(array)).astype(np.int64)
        return np.where(length < 0, -1, sums)
    if not (pa.types.is_floating(array.type.value_type) or pa.types.is_integer(array.type.value_type)):
        raise InputError(f"a column of values must hold numbers, but holds {array.type.value_type}")
    return length


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _flat(array: Any) -> np.ndarray:
    """All numbers of a column of lists, one after the other; a null among them is NaN."""
    array = _storage(array)
    while _is_list(array.type):
        array = array.flatten()
    return array.to_numpy(zero_copy_only=False)


def _float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # too large for float32: found as infinite, and said so
        return np.asarray(values, dtype=np.float32)


def _judged(block: Block) -> Block:
    """The block, with a reason for each map that no detector takes."""
    flat = block.values.reshape(len(block), -1)
    reasons = (
        (np.isinf(flat).any(axis=1), "holds infinite values"),
        (np.isnan(flat).all(axis=1), "holds NaN only, no tooth pair was measured"),
    )
    for bad, words in reasons:
        for k in np.flatnonzero(bad):
            block.error[k] = block.error[k] or words
    return block


def _other_shape(rows: Any, columns: Any, reading: Reading) -> str:
    return f"is {rows} x {columns} (rows x columns), but the detector takes {reading.shape[0]} x {reading.shape[1]}"


def _failed(file: str, index: Sequence[int] | range, error: Exception, reading: Reading) -> Block:
    words = " ".join(str(error).split())[:300]
    words = words if isinstance(error, InputError) else f"cannot be read ({type(error).__name__}: {words})"
    n = len(index)
    blank = np.ones((n, *reading.shape), dtype=np.float32)
    return Block(file, np.asarray(index), blank, [words] * n, _known({}, n, reading))


def _known(columns: dict[str, list[Any]], n: int, reading: Reading) -> dict[str, list[str | None]]:
    """``id``, ``not_learned`` and the columns that are kept, as text."""
    named = next((name for name in _IDS if name in columns), None)
    wanted = {"id": named, "not_learned": "not_learned"} | {name: name for name in reading.keep}
    empty: list[Any] = [None] * n
    out: dict[str, list[str | None]] = {}
    for name, source in wanted.items():
        column = columns.get(source, empty) if source else empty
        out[name] = [None if v is None else str(v) for v in column]
    return out

"""From the bytes of a request to checked maps. Files and large bodies are decoded in worker processes."""

from __future__ import annotations

import gzip
import re
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from toothwise.errors import InputError, LimitError, ToothwiseError
from toothwise.reading import as_input_error
from toothwise.serving.limits import ApiError, Limits
from toothwise.serving.schemas import BatchBody, DiagnoseBody, FormFields, Gears, MapBody, Reading, first_error
from toothwise.serving.service import TOLD, Job

MAP_SUFFIXES = (".npz", ".tif", ".tiff", ".png", ".mat")
# TDMS, UFF, MF4 and Parquet are read by packages that may open other files: convert them first
RECORD_SUFFIXES = (".wav", ".flac", ".csv", ".csv.gz", ".txt", ".mat", ".h5", ".hdf5", ".npz", ".npy")
_MOST_ENTRIES = 64
_OUTSIDE = re.compile(r"(^|[\\/])\.\.([\\/]|$)|^[\\/]|^\w:")  # nothing is unpacked, yet nobody means well by it
_BETWEEN = b",;\t \n"  # what stands between the numbers of a text
_LONGEST = 32  # characters that a number of a text takes on average at most


@dataclass(frozen=True)
class Upload:
    """A file of a request that has been written to a private folder."""

    path: Path
    name: str  # as the client calls it, made fit to be shown
    recording: bool


@dataclass(frozen=True)
class Decoder:
    """Decodes requests for one model; sent to the workers once.

    Attributes:
        expected: Says what maps of the model are like and checks others against it.
        limits: Of a request.
        builder: Builds maps of recordings as the healthy ones were built; None = a request has to say the gears.
    """

    expected: Any
    limits: Limits
    builder: Any = None

    def __call__(self, job: tuple[Any, ...]) -> bytes:
        """What a worker does: the packed maps of ``(body, many)`` or ``(uploads, fields)``."""
        return (self.json if isinstance(job[0], bytes) else self.files)(*job).pack()

    def price(self, body: bytes) -> None:
        """Refuse JSON by its brackets and commas, before anything is made of it.

        Raises:
            LimitError: More maps, rows or numbers than a request may hold.
        """
        limits, (rows, columns) = self.limits, self.expected.about.shape
        for sign, most, what in (
            (b"{", limits.max_maps + 8, f"maps, more than {limits.max_maps} in one request"),
            (b"[", (limits.max_maps + 1) * (rows + columns + 8), "lists, more than the maps of a request have rows"),
            (b",", limits.max_values, f"numbers, more than {limits.max_values} in one request"),
        ):
            if (count := body.count(sign)) > most:
                raise LimitError(f"the body holds about {count} {what}")

    def json(self, body: bytes, many: bool) -> Job:
        """The maps of a JSON body.

        Raises:
            InputError: No JSON, or the body as a whole cannot be used; for a single map also what is wrong with it.
            LimitError: More maps than a request may hold.
        """
        try:
            found = (BatchBody if many else DiagnoseBody).model_validate_json(body)
        except ValidationError as error:
            raise InputError(first_error(error)) from None
        maps: Sequence[MapBody | InputError] = found.maps if isinstance(found, BatchBody) else [found]
        if len(maps) > self.limits.max_maps:
            raise self._too_many_maps(len(maps))
        values, records, bad = [], [], []
        for k, one in enumerate(maps):
            record = f"record {k + 1}"
            try:
                if isinstance(one, InputError):
                    raise one
                record = clean(one.record) or record
                values.append(self.expected.check(_array(one.values)))
                records.append(record)
            except InputError as wrong:
                if not many:
                    raise
                bad.append((k, record, str(wrong)))
        return Job(self._stacked(values), tuple(records), frozenset(found.include), bad=tuple(bad))

    def files(self, uploads: Sequence[Upload], fields: FormFields) -> Job:
        """The maps of files, with what the other fields of their form say.

        Raises:
            InputError: A file that cannot be used.
            LimitError: Files that hold more than a request may.
        """
        values: list[np.ndarray] = []
        records: list[str] = []
        told: dict[str, list[Any]] = {name: [] for name in TOLD}
        builder = self._builder_for(fields.gears)
        for upload in uploads:
            found, about = self._maps_of(upload, fields.read, builder)
            values.append(found)
            for name, each in about.items():
                told[name] += each
            records += [upload.name] if len(found) == 1 else [f"{upload.name}[{k}]" for k in range(len(found))]
            if len(records) > self.limits.max_maps:
                raise self._too_many_maps(len(records))
            if sum(one.size for one in values) > self.limits.max_values:
                raise self._too_many(upload.name)
        return Job(self._stacked(values), tuple(records), frozenset(fields.include), told)

    def _builder_for(self, gears: Gears | None) -> Any:
        """What builds the maps of recordings: the model's own builder, else one for the gears that a request says."""
        if gears is None:
            return self.builder
        if self.builder is not None:
            raise InputError("the model keeps how its maps are built: leave out gears")
        from toothwise.gears.train import make_train
        from toothwise.healthmap.map_builder import MapBuilder

        teeth = gears.model_dump(exclude_none=True, exclude={"tacho_shaft"})
        train = make_train({"tacho_shaft": gears.tacho_shaft, "stages": [{"name": "stage", "gears": teeth}]})
        quantity, of, signal = self.expected.about.quantity.partition(" of ")  # as the model's maps were built
        return MapBuilder(train, options={"quantity": quantity, "signal": signal} if of else {})

    def _maps_of(self, upload: Upload, read: Reading, builder: Any) -> tuple[np.ndarray, dict[str, list[Any]]]:
        """The maps of a file, and what their builder said of each."""
        from toothwise.healthmap.io import read_map

        try:
            with warnings.catch_warnings(), as_input_error(upload.path, "cannot be read", MemoryError):
                warnings.simplefilter("ignore")
                self._price_file(upload.path)
                found = self._built(upload.path, read, builder) if upload.recording else read_map(upload.path)
                values = self.expected.check(found)
                return values, {name: _said_of(found, name, len(values)) for name in TOLD}
        except InputError as error:
            raise _told(error, upload.path, upload.name) from None

    def _built(self, path: Path, read: Reading, builder: Any) -> Any:
        from toothwise.vibration.readers import read_record

        if builder is None:
            raise InputError(
                "the model does not know how recordings become maps, because it was fitted on maps: "
                "say the gears, fit it on recordings, or send maps"
            )
        record = read_record(path, mapping=replace(builder.reading, **read.model_dump(exclude_none=True)))
        if sum(channel.size for channel in record.channels.values()) > self.limits.max_values:
            raise self._too_many(path)
        return builder.build(record)

    def _price_file(self, path: Path) -> None:
        """Refuse archives and texts by what they unpack to, before anything is made of it."""
        name = path.name.lower()
        if name.endswith(".npz"):
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
            if len(entries) > _MOST_ENTRIES:
                raise InputError(f"{path}: holds {len(entries)} entries, more than {_MOST_ENTRIES}")
            if strange := [entry.filename for entry in entries if _OUTSIDE.search(entry.filename)]:
                raise InputError(f"{path}: the entry {strange[0]!r} leads out of the archive")
            if sum(entry.file_size for entry in entries) > 8 * self.limits.max_values:
                raise self._too_many(path)
        elif name.endswith((".csv", ".csv.gz", ".txt")):
            count = size = 0
            with (gzip.open if name.endswith(".gz") else open)(path, "rb") as text:
                while part := text.read(2**18):
                    size += len(part)
                    count += len(part) - len(part.translate(None, _BETWEEN))
                    if max(count, size // _LONGEST) > self.limits.max_values:
                        raise self._too_many(path)

    def _stacked(self, values: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(values) if values else np.empty((0, *self.expected.about.shape), np.float32)

    def _too_many_maps(self, count: int) -> LimitError:
        return LimitError(f"{count} maps, more than {self.limits.max_maps} in one request")

    def _too_many(self, what: object) -> LimitError:
        return LimitError(f"{what}: holds more than {self.limits.max_values} numbers, the most that one request may")


def _said_of(found: Any, name: str, n: int) -> list[Any]:
    """What the builder of n maps said of each under a name; None = nothing."""
    table = getattr(found, "table", None)
    if table is None:  # one map, or bare values
        return [getattr(found, "condition", {}).get(name)] * n
    return [one if isinstance(one, TOLD[name]) and one == one else None for one in table.get(name, [None] * n)]


def _told(error: InputError, path: Path, name: str) -> InputError:
    """An error for a client: names the file as the client does, without what a library said inside it."""
    text, kind, inner = " ".join(str(error).split()), type(error), error.__cause__ or error.__context__
    while inner is not None:
        words = " ".join(str(inner).split())[:40]
        if not isinstance(inner, ToothwiseError) and words and (at := text.rfind("(", 0, text.find(words) + 1)) > 0:
            text = text[:at].rstrip()
        kind = LimitError if isinstance(inner, MemoryError) else kind
        inner = inner.__cause__ or inner.__context__
    text = text.replace(str(path), name)
    return kind(text if name in text else f"{name}: {text}")


def _array(values: list[list[float | None]]) -> np.ndarray:
    """Rows as float64 ``[1, rows, columns]``; null becomes NaN."""
    if len({len(row) for row in values}) != 1 or not values[0]:
        raise InputError("values must be a list of rows of one length, but are empty or ragged")
    return np.array(values, dtype=np.float64)[None]


def clean(name: str) -> str:
    """A name that may be shown: printable, no folders, not endless."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter if letter.isprintable() else "?" for letter in last).strip()[:200]


def suffix_of(name: str, allowed: tuple[str, ...]) -> str:
    """The suffix of a name that came with a request; nothing else of the name is used.

    Raises:
        ApiError: 415, none of ``allowed``.
    """
    found = [suffix for suffix in allowed if name.lower().endswith(suffix)]
    if not found:
        raise ApiError(415, "unsupported", f"a file must be one of {', '.join(allowed)}, but is called {name[-60:]!r}")
    return max(found, key=len)

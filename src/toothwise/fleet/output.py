"""The output of many maps: one Parquet file per shard, found again by its name, written whole or not at all.

    OUT/detector=scan-0123456789abcdef/input=maps-01234567/<hash>.parquet

The file's name is a hash of the shard's files (name, size, version) and of everything that its scores depend on. So a
file that exists is a finished shard, and a shard whose input has changed has none.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from toothwise import __version__
from toothwise.detectors.base import Detector
from toothwise.errors import InputError
from toothwise.fleet.reading import Reading, read_blocks
from toothwise.fleet.scoring import SCHEMA, row_schema, score_block
from toothwise.fleet.shards import Shard
from toothwise.fleet.storage import Location
from toothwise.workers import MB, peak_memory

_ROWS = 65_536  # of a row group


@dataclass(frozen=True)
class Output:
    """Where scores go, and what every file of them says.

    Attributes:
        folder: Folder of this detector and this input.
        scorer: Hash of detector, threshold and columns.
        detector: Fingerprint of the detector.
        name: Name of the detector.
        threshold: A score above it is an alarm; None where no threshold is known.
        source: The input as it was given.
    """

    folder: Location
    scorer: str
    detector: str
    name: str
    threshold: float | None
    source: str

    def about(self, shard: Shard) -> dict[str, str]:
        """What the file of a shard says of itself, text by key."""
        facts = {"schema": SCHEMA, "detector": self.detector, "detector_name": self.name, "threshold": self.threshold}
        facts |= {"source": self.source, "toothwise": __version__, "scorer": self.scorer, "files": list(shard.names)}
        return {f"toothwise.{key}": json.dumps(value) for key, value in facts.items()}


@dataclass(frozen=True)
class Done:
    """A shard that was scored.

    Attributes:
        output: Name of its file.
        maps, alarms, errors: How many rows there are, how many above the threshold, how many without a score.
        seconds, cpu_seconds: Time that it took on the clock and of the processor.
        peak_memory_mib: The most memory that the process has held so far.
        worker: Process id.
        first_error: File and reason of the first map without a score.
    """

    output: str
    maps: int
    alarms: int
    errors: int
    seconds: float
    cpu_seconds: float
    peak_memory_mib: float
    worker: int
    first_error: str | None = None


def folder_of(out: Location, detector: str, source: Location) -> Location:
    """The folder of one detector (name and fingerprint) and one input: partitions, which readers know as columns."""
    word = hashlib.sha256(f"{source.protocol}://{source.path}".encode()).hexdigest()[:8]
    last = re.sub(r"[^A-Za-z0-9_.-]", "_", PurePosixPath(source.path).name) or "root"
    name = f"detector={detector}/input={last}-{word}"  # never a number alone, which readers would take it for
    return Location(f"{out.uri.rstrip('/')}/{name}", out.protocol, out.join(name), out.fs)


def finished(output: Output) -> set[str]:
    """Names of the files that are there."""
    if not output.folder.fs.exists(output.folder.path):
        return set()
    return {file.name for file in output.folder.files() if PurePosixPath(file.name).suffix == ".parquet"}


def remove_stale(output: Output, shards: Sequence[Shard], there: Iterable[str]) -> int:
    """Remove scores of files whose scores belong elsewhere now: their content, their group or the scorer changed.

    Scores of files that are gone from the input stay. It happens before anything is scored, so that a reader may miss
    a map for a while but never finds one twice.

    Returns:
        How many files were removed.
    """
    import pyarrow.parquet as pq

    planned = {shard.output_name(output.scorer) for shard in shards}
    names = {name for shard in shards for name in shard.names}
    removed = 0
    for file in sorted(set(there) - planned):
        path = output.folder.join(file)
        try:
            with output.folder.fs.open(path, "rb") as stream:
                about = pq.read_schema(stream).metadata or {}
            held = set(json.loads(about[b"toothwise.files"]))
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{path}: not a file of 'toothwise score' ({error}): name another folder") from None
        if held & names:
            with suppress(FileNotFoundError):
                output.folder.fs.rm_file(path)
            removed += 1
    return removed


def write_shard(shard: Shard, source: Location, output: Output, detector: Detector, reading: Reading) -> Done:
    """Score a shard and write its file.

    Raises:
        OutputError: it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    begin, cpu = time.perf_counter(), time.process_time()
    name = shard.output_name(output.scorer)
    keep = tuple(reading.options.keep)
    schema = row_schema(keep).with_metadata(output.about(shard))
    maps = alarms = errors = 0
    first: str | None = None
    waiting: list[Any] = []
    held = 0
    blocks = (block for file in shard.files for block in read_blocks(source, file, reading))
    with output.folder.published(name) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for block in blocks:
            rows = score_block(detector, block, output.threshold, keep)
            maps += len(rows)
            alarms += pc.sum(rows["alarm"]).as_py() or 0
            bad = [k for k, error in enumerate(block.error) if error is not None]
            errors += len(bad)
            if bad and first is None:
                first = f"{block.file} map {block.index[bad[0]]}: {block.error[bad[0]]}"
            waiting.append(rows.replace_schema_metadata(schema.metadata))
            held += len(rows)
            if held >= _ROWS:
                writer.write_table(pa.concat_tables(waiting), row_group_size=_ROWS)
                waiting, held = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=_ROWS)
    seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu
    return Done(name, maps, alarms, errors, seconds, cpu_seconds, peak_memory() / MB, os.getpid(), first)

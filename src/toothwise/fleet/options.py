"""How many maps are scored, and what one file may ask for: the options of ``toothwise score`` and ``watch``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toothwise.checks import check_whole
from toothwise.errors import InputError

if TYPE_CHECKING:
    from toothwise.workers import WorkLimits


@dataclass(frozen=True, kw_only=True)
class FileLimits:
    """What a file may ask for.

    Attributes:
        max_bytes (N): Bytes of a file once it is unpacked; Parquet, which is read piece by piece, has no such bound.
        worker_cpu_seconds (SECONDS): Processor time that reading a recording and building its map may take.
        worker_megabytes (N): Memory that it may take.
    """

    max_bytes: int = 2**32
    worker_cpu_seconds: float = 60.0
    worker_megabytes: int = 4096

    @property
    def work(self) -> WorkLimits:
        """On the clock it may take three times as long, because others share the processors."""
        from toothwise.workers import WorkLimits

        return WorkLimits(self.worker_cpu_seconds, 3 * self.worker_cpu_seconds, self.worker_megabytes * 2**20)


@dataclass(frozen=True, kw_only=True)
class ScoreOptions(FileLimits):
    """How maps are scored.

    Attributes:
        workers (N): Processes on Ray; 0 = this one. Without it, as many as cores, or this one where Ray is not
            installed or there is a single shard.
        address (ADDRESS): Address of a Ray cluster. Without it, this machine alone.
        cpus (N): CPUs reserved per worker.
        gpus (N): GPUs reserved per worker; may be a fraction.
        batch (N): Maps at a time: what a worker holds in memory.
        threshold (SCORE): Alarm above this score, not above the model's own threshold.
        column (NAME): Column of Parquet files that holds the values.
        keep (COLUMN): Columns that go into the output, as text.
        force: Rescore shards that are already finished.

    Raises:
        InputError: A number that is too small, or a column that the output has already.
    """

    workers: int | None = None
    address: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    batch: int = 1024
    threshold: float | None = None
    column: str = "values"
    keep: list[str] = field(default_factory=list)
    force: bool = False

    def __post_init__(self) -> None:
        check_whole(0, workers=self.workers or 0)
        check_whole(1, batch=self.batch)
        if not self.keep:
            return
        from toothwise.fleet.scoring import row_schema

        if taken := sorted(set(self.keep) & {*row_schema(()).names, "detector", "input"}):
            raise InputError(f"--keep {taken[0]}: the output has a column of that name already")

"""How maps are scored: the options of ``toothwise score``, and of ``score_fleet``."""

from __future__ import annotations

from dataclasses import dataclass, field

from toothwise.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
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
        max_bytes (N): Bytes of a file once it is unpacked, other than Parquet.
        worker_cpu_seconds (SECONDS): Processor time that reading a recording and building its map may take.
        worker_megabytes (N): Memory that it may take.
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
    max_bytes: int = 2**32
    worker_cpu_seconds: float = 60.0
    worker_megabytes: int = 4096
    force: bool = False

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 0:
            raise InputError(f"workers must be 0 or more, but got {self.workers}")
        if self.batch < 1:
            raise InputError(f"batch must be 1 or more, but got {self.batch}")
        if not self.keep:
            return
        from toothwise.fleet.scoring import row_schema

        if taken := sorted(set(self.keep) & {*row_schema(()).names, "detector", "input"}):
            raise InputError(f"--keep {taken[0]}: the output has a column of that name already")

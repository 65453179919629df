"""Shards on Ray Data: a pool of actors, each with a detector of its own.

What flows through Ray is the description of a shard and, back, a line of what became of it. Maps do not: an actor
reads its shard itself, a batch at a time, and writes the scores. So memory is bounded by one batch per actor whatever
the shards hold, an actor takes a new shard only when it has nearly done the one before (back-pressure), and a shard's
file appears whole or not at all, whichever process dies when.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from toothwise.detectors.base import Detector
from toothwise.errors import ToothwiseError
from toothwise.fleet.output import Done, Output, write_shard
from toothwise.fleet.reading import Reading
from toothwise.fleet.shards import Shard
from toothwise.fleet.storage import Location
from toothwise.ray_cluster import Need, import_ray

NEED = Need(name="a worker", purpose="more than one worker", extra="fleet")
_ATTEMPTS = 3  # at a shard whose process dies
_AHEAD = 2  # shards that an actor has: the one it scores and the next


@dataclass(frozen=True)
class Job:
    """What all shards have in common; goes to every worker once.

    Attributes:
        model: Folder of the model.
        source, output, reading: see there.
    """

    model: str
    source: Location
    output: Output
    reading: Reading


def score_one(job: Job, detector: Detector, shard: Shard) -> Done | str:
    """Score a shard; where that cannot be done (a full disk, a defect) the reason, and other shards go on."""
    try:
        return write_shard(shard, job.source, job.output, detector, job.reading)
    except ToothwiseError as error:
        return " ".join(str(error).split())
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


class _Attempts:
    """An actor that outlives those that score: how often each shard was begun. Ray itself would try for ever."""

    def __init__(self) -> None:
        self.count: dict[int, int] = {}

    def begin(self, number: int) -> int:
        self.count[number] = self.count.get(number, 0) + 1
        return self.count[number]


class _Scorer:
    """An actor: opens the model once."""

    def __init__(self, job: Job, attempts: Any) -> None:
        from toothwise.model import Model

        self.job, self.attempts = job, attempts
        self.detector = Model.open(job.model).detector

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        found = [self._one(int(n), str(text)) for n, text in zip(batch["number"], batch["shard"], strict=True)]
        return {
            "number": list(batch["number"]),
            "failed": [f if isinstance(f, str) else "" for f in found],
            "done": ["" if isinstance(f, str) else json.dumps(vars(f)) for f in found],
        }

    def _one(self, number: int, shard: str) -> Done | str:
        import ray

        if ray.get(self.attempts.begin.remote(number)) > _ATTEMPTS:
            return f"its process died {_ATTEMPTS} times (out of memory, or a crash in native code)"
        return score_one(self.job, self.detector, Shard.from_json(shard))


def on_ray(job: Job, shards: Sequence[Shard], workers: int, need: Need) -> Iterator[tuple[Shard, Done | str]]:
    """Each shard with what became of it, in the order in which they end. Ray is running.

    A worker that dies is replaced and its shard scored again; a shard whose process dies every time is given up.
    """
    import_ray(need.purpose, need.extra)
    import logging

    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a shard that cannot be scored does not stop the rest
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    waiting = set(range(len(shards)))
    attempts = ray.remote(num_cpus=0)(_Attempts).remote()
    items = [{"number": k, "shard": shard.identity} for k, shard in enumerate(shards)]
    rows = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        _Scorer,
        fn_constructor_args=(job, attempts),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=_AHEAD),
        num_cpus=need.cpus,
        num_gpus=need.gpus,
    )
    try:
        for row in rows.iter_rows():
            number = int(row["number"])
            if number in waiting:
                waiting.remove(number)
                yield shards[number], row["failed"] or Done(**json.loads(row["done"]))
    except ray.exceptions.RayError as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    else:
        reason = "Ray gave no word of it"
    for number in sorted(waiting):
        yield shards[number], reason

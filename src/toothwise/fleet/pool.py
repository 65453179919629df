"""Shards on Ray: a few actors, each with a detector of its own.

What flows through Ray is the description of a shard and, back, what became of it. Maps do not: an actor reads its shard
itself, a batch at a time, and writes the scores. So memory is bounded by one batch per actor whatever the shards hold,
an actor gets a shard only when it is done with the one before, and a shard's file appears whole or not at all,
whichever process dies when.
"""

from __future__ import annotations

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

_ATTEMPTS = 3  # at a shard whose process dies


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


class _Scorer:
    """An actor: opens the model once."""

    def __init__(self, job: Job) -> None:
        from toothwise.model import Model

        self.job, self.detector = job, Model.open(job.model).detector

    def score(self, shard: Shard) -> Done | str:
        return score_one(self.job, self.detector, shard)


def on_ray(job: Job, shards: Sequence[Shard], workers: int, need: Need) -> Iterator[tuple[Shard, Done | str]]:
    """Each shard with what became of it, in the order in which they end. Ray is running.

    A worker that dies is replaced and its shard scored again; a shard whose process dies every time is given up.
    """
    ray = import_ray(need.purpose, need.extra)
    kind = ray.remote(
        num_cpus=need.cpus,
        num_gpus=need.gpus,
        max_restarts=_ATTEMPTS * len(shards),
        max_task_retries=_ATTEMPTS - 1,  # counted for each shard, and only where its process dies
    )(_Scorer)
    waiting = iter(shards)
    running: dict[Any, tuple[Any, Shard]] = {}
    free: list[Any] = [kind.remote(job) for _ in range(workers)]
    while True:
        running |= {actor.score.remote(shard): (actor, shard) for actor, shard in zip(free, waiting, strict=False)}
        if not running:
            return
        done, _ = ray.wait(list(running))
        actor, shard = running.pop(done[0])
        free = [actor]
        try:
            found: Done | str = ray.get(done[0])
        except ray.exceptions.RayActorError:
            found = f"its process died {_ATTEMPTS} times (out of memory, or a crash in native code)"
        except ray.exceptions.RayError as error:
            found = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        yield shard, found

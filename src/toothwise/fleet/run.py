"""Score all maps of an input: what is finished is kept, the rest is scored, in this process or on Ray."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toothwise.diagnosis.monitor import map_threshold
from toothwise.errors import InputError
from toothwise.exported.runtime import runs_in
from toothwise.fleet.options import ScoreOptions
from toothwise.fleet.output import Done, Output, finished, folder_of, remove_stale
from toothwise.fleet.pool import Job, on_ray, score_one
from toothwise.fleet.reading import Reading
from toothwise.fleet.scoring import scorer_hash
from toothwise.fleet.shards import Shard, plan_shards
from toothwise.fleet.storage import Location, locate
from toothwise.model import Model
from toothwise.progress import Progress, silent
from toothwise.ray_cluster import Need, ray_cluster
from toothwise.vibration.readers import SUFFIXES as RECORDINGS


@dataclass(eq=False)
class Scored:
    """What became of an input.

    Attributes:
        output: Folder of its scores.
        detector: Fingerprint of the model.
        shards, kept, removed: How many shards there are, how many were finished before, and how many files of scores
            were out of date.
        ignored: How many files of the input are not maps.
        workers: How many processes scored; 0 = this one.
        done: One entry per shard that was scored now.
        failed: Files and reason of each shard that could not be scored.
        seconds: Time from the first shard to the last, without the start of Ray.
        runs_in: Engine and precision of an exported network, in this process.
    """

    output: str
    detector: str
    shards: int
    kept: int
    removed: int
    ignored: int
    workers: int
    done: list[Done] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    runs_in: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Totals, JSON types."""
        maps = sum(d.maps for d in self.done)
        memory = {d.worker: d.peak_memory_mib for d in self.done}  # the last one of a process is the highest
        return {name: value for name, value in vars(self).items() if name != "done"} | {
            "maps": maps,
            "alarms": sum(d.alarms for d in self.done),
            "errors": sum(d.errors for d in self.done),
            "first_error": next((d.first_error for d in self.done if d.first_error), None),
            "failed": [{"shard": files, "reason": reason} for files, reason in self.failed],
            "seconds": round(self.seconds, 3),
            "maps_per_second": round(maps / self.seconds, 1) if self.seconds > 0 else None,
            "peak_memory_mib": [round(value, 1) for value in memory.values()],
        }


def score_fleet(
    model: str, source: str, out: str, options: ScoreOptions | None = None, *, progress: Progress = silent
) -> Scored:
    """Score every map of an input; one row of the output per map. A recording is built into its map first.

    Args:
        model: Folder of a model, fitted or exported, which every worker must see.
        source: file or folder of maps, or a URI of one; of recordings too where the model was fitted on recordings.
        out: folder of the scores, or a URI of object storage.
        options: how.
        progress: Called with how far it is.

    Raises:
        InputError: There is nothing to score, or the places exclude each other.
        OutputError: Another run writes to the same folder, or it cannot be written to.
        MissingDependencyError: A package that the places or the workers need is not installed.
    """
    options = options or ScoreOptions()
    opened = Model.open(model)
    detector = opened.detector
    here, there = locate(source), locate(out, output=True)
    _check_places(here, there)
    threshold = map_threshold(opened) if options.threshold is None else options.threshold
    reading = Reading(opened.about.shape, options, opened.builder, detector.samples)
    mark = opened.fingerprint
    scorer = scorer_hash(detector, threshold, tuple(options.keep), options.column)
    folder = folder_of(there, f"{detector.name}-{mark[:16]}", here)
    output = Output(folder, scorer, mark, detector.name, threshold, source)
    shards, ignored = plan_shards(here, () if opened.builder is None else RECORDINGS)
    with there.alone():
        known = finished(output)
        removed = remove_stale(output, shards, known)
        todo = [s for s in shards if options.force or s.output_name(scorer) not in known]
        job = Job(str(Path(model).resolve()), here, output, reading)
        workers = _workers(options, len(todo), here, there)
        kept, how = len(shards) - len(todo), runs_in(detector)
        found = Scored(output.folder.uri, mark, len(shards), kept, removed, ignored, workers, runs_in=how)
        if workers == 0 or not todo:
            _collect(found, ((s, score_one(job, detector, s)) for s in todo), len(todo), progress)
            return found
        note = None if there.local is None else there.local / ".ray"
        need = Need(options.cpus, options.gpus)
        progress("starting Ray", 0.0)
        # or Ray reports its own affairs on stderr; what goes wrong with a shard is in its result
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        with ray_cluster(options.address, need, workers, note=note) as found.workers:
            _collect(found, on_ray(job, todo, found.workers, need), len(todo), progress)
    return found


def _collect(found: Scored, outcomes: Iterator[tuple[Shard, Done | str]], count: int, progress: Progress) -> None:
    begin = time.perf_counter()
    maps = 0
    for at, (shard, outcome) in enumerate(outcomes):
        if isinstance(outcome, str):
            more = f" and {len(shard.files) - 1} more files" if len(shard.files) > 1 else ""
            found.failed.append((f"{shard.names[0]}{more}", outcome))
        else:
            found.done.append(outcome)
            maps += outcome.maps
        found.seconds = time.perf_counter() - begin
        progress(f"{maps:,} maps scored, {at + 1} of {count} shards", (at + 1) / count)


def _check_places(here: Location, there: Location) -> None:
    """Scores among the maps would be taken for maps the next time."""
    inside = there.path == here.path or there.path.startswith(here.path.rstrip("/") + "/")
    if here.protocol == there.protocol and inside:
        raise InputError(f"{there.uri}: is inside the input {here.uri}: scores go to a folder outside it")


def _workers(options: ScoreOptions, shards: int, *places: Location) -> int:
    """Processes to start, 0 = none."""
    private = [place.uri for place in places if place.protocol == "memory"]
    if private:
        if options.workers or options.address:
            raise InputError(f"{private[0]}: other processes cannot see it: use --workers 0")
        return 0
    if options.address is not None:
        if options.workers == 0:
            raise InputError(f"--address {options.address} takes 1 worker or more, but got 0")
        return max(1, min(options.workers or shards, shards))
    if options.workers is not None:
        return min(options.workers, shards)
    from importlib.util import find_spec

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    many = min(cores, shards)
    return many if many > 1 and find_spec("ray") is not None else 0

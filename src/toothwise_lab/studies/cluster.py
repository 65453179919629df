"""Trials on Ray: this machine's own by default, a cluster by its address. A process that dies fails one trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from toothwise.ray_cluster import Need, import_ray, ray_cluster
from toothwise_lab.studies.config import Resources
from toothwise_lab.studies.trial import Trial
from toothwise_lab.studies.worker import Outcome, run_trial


def cluster(
    address: str | None, resources: Resources, workers: int | None, *, note: Path | None = None
) -> AbstractContextManager[int]:
    """A connection to Ray for trials; see ``toothwise.ray_cluster``."""
    need = Need(resources.cpus, resources.gpus, "a trial", "a study on several processes", "lab")
    return ray_cluster(address, need, workers, note=note)


def run_on_cluster(
    trials: Sequence[Trial],
    resources: Resources,
    places: int,
    *,
    finished: Callable[[int, Outcome], None],
) -> None:
    """Run trials, a few more in the queue than there are places; a trial whose process dies comes back as failed.

    Args:
        trials: in the order in which they begin.
        resources: of each.
        places: how many can run at once.
        finished: told a trial's number and what came back, in the order in which they end.
    """
    ray = import_ray("studies run", "studies")
    options: dict[str, Any] = {"num_cpus": resources.cpus, "num_gpus": resources.gpus, "max_retries": 0}
    if resources.fresh_process:
        options["max_calls"] = 1
    remote = ray.remote(**options)(run_trial)
    running: dict[Any, int] = {}
    waiting = list(range(len(trials)))[::-1]
    while waiting or running:
        while waiting and len(running) < places + 1:  # one in the queue, so that no place waits for this process
            number = waiting.pop()
            running[remote.remote(trials[number], resources)] = number
        ended, _ = ray.wait(list(running), num_returns=1, timeout=0.5)
        for reference in ended:
            finished(running.pop(reference), _outcome(ray, reference))


def _outcome(ray: Any, reference: Any) -> Outcome:
    try:
        found: Outcome = ray.get(reference)
    except ray.exceptions.OutOfMemoryError:
        return _failed("out of memory: Ray ended the process because the machine had too little memory left")
    except ray.exceptions.WorkerCrashedError:
        return _failed("the process died (killed, out of memory, or a crash in native code)")
    except ray.exceptions.RayError as error:
        return _failed(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    return found


def _failed(reason: str) -> Outcome:
    return Outcome({"status": "failed", "reason": reason, "metrics": {}, "info": {}, "seconds": None})

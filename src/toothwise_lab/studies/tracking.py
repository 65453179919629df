"""Finished trials in MLflow: metrics, settings, curves, alpha per layer, pictures; on sqlite in the study's folder.

Only the process that runs the study writes, and only from trials that are finished on disk, one run for each trial
key. So a study that was killed and resumed has each trial once.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from toothwise.errors import InputError, missing
from toothwise_lab.studies.store import Entry, StudyFolder

_KEY = "trial_key"
_LONG = 500  # characters of a parameter that MLflow takes


class Tracker:
    """Writes to one experiment.

    Args:
        client: an MlflowClient.
        experiment: its id.
        known: keys of the trials that have a finished run, and their runs.
    """

    def __init__(self, client: Any, experiment: str, known: dict[str, str]) -> None:
        self._client, self._experiment, self._known = client, experiment, known

    def log(self, folder: StudyFolder, entry: Entry) -> bool:
        """A finished trial as a run, unless there is one. Returns whether one was written."""
        row = folder.row(entry.key)
        if row is None or entry.key in self._known:
            return False
        from mlflow.entities import Metric, Param, RunTag

        at = int(1000 * float(row.get("finished_at", 0.0)))
        metrics = [
            Metric(name, float(value), at, 0)
            for name, value in row["metrics"].items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        metrics += [Metric(f"alpha/layer_{k}", float(sum(v) / len(v)), at, 0) for k, v in _alphas(row).items()]
        metrics += [Metric(f"attention/{name}", float(value), at, 0) for name, value in _costs(row)]
        for name, points in folder.curves(entry.key).items():
            metrics += [Metric(f"curve/{name}", float(value), at, int(step)) for step, value in points]
        params = [Param(name, str(value)[:_LONG]) for name, value in _flat(row["config"]) if value is not None]
        facts = ("status", "reason", "config_hash", "revision", "data_version", "git")
        tags = [RunTag(name, str(row[name])[:_LONG]) for name in facts if row.get(name) is not None]
        tags += [RunTag(name, str(value)) for name, value in entry.labels.items()]
        name = ", ".join(str(value) for value in entry.labels.values() if value != "")
        run = self._client.create_run(
            self._experiment,
            run_name=name,
            start_time=at - int(1000 * (row.get("seconds") or 0)),
            tags={_KEY: entry.key},
        )
        self._client.log_batch(run.info.run_id, metrics=metrics[:900], params=params[:100], tags=tags)
        for start in range(900, len(metrics), 900):
            self._client.log_batch(run.info.run_id, metrics=metrics[start : start + 900])
        for path in folder.pictures(entry.key):
            self._client.log_artifact(run.info.run_id, str(path))
        status = "FINISHED" if row["status"] == "done" else "FAILED"
        self._client.set_terminated(run.info.run_id, status=status, end_time=at)
        self._known[entry.key] = run.info.run_id
        return True

    def forget(self, key: str) -> None:
        """Remove the run of a trial that is run again."""
        run = self._known.pop(key, None)
        if run is not None:
            self._client.delete_run(run)


class BackgroundTracker:
    """A tracker in a thread of its own, so that no trial waits for a database.

    Args:
        make: opens the tracker, or says in words why there is none.
        say: told that, once.
    """

    def __init__(self, make: Callable[[], Tracker | str], say: Callable[[str], None]) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")
        self._say, self._tracker, self._jobs = say, None, []  # type: ignore[var-annotated]
        self._opened: Future[None] = self._pool.submit(self._open, make)

    def _open(self, make: Callable[[], Tracker | str]) -> None:
        found = make()
        if isinstance(found, str):
            self._say(found)
        else:
            self._tracker = found  # type: ignore[assignment]

    def do(self, what: Callable[[Tracker], object]) -> None:
        """Do something with the tracker, after what was asked for before."""

        def job() -> None:
            if self._tracker is not None:
                what(self._tracker)

        self._jobs.append(self._pool.submit(job))

    def close(self) -> None:
        """Wait until all is written.

        Raises:
            InputError: the store could not be opened.
        """
        self._pool.shutdown(wait=True)
        self._opened.result()
        errors = [error for job in self._jobs if (error := job.exception()) is not None]
        if errors:
            text = " ".join(str(errors[0]).split())[:200]
            self._say(f"MLflow lacks {len(errors)} trials ({text}); the next run of this study writes them")


def open_tracker(folder: StudyFolder, name: str, uri: str | None) -> Tracker | str:
    """MLflow for a study, or in words why there is none.

    Args:
        folder: of the study.
        name: of the experiment.
        uri: of a tracking server or store; None = ``mlflow.db`` in the folder.

    Raises:
        InputError: the store cannot be opened.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    try:
        with _quiet():
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
    except ImportError as error:
        return f"{missing(error.name or 'mlflow', 'MLflow tracking')}; results.jsonl has the results"
    artifacts = (folder.folder / "mlflow-artifacts").absolute().as_uri() if uri is None else None
    uri = uri or f"sqlite:///{(folder.folder / 'mlflow.db').absolute()}"
    try:
        with _quiet():
            client = MlflowClient(tracking_uri=uri)
            found = client.get_experiment_by_name(name)
            experiment = found.experiment_id if found else client.create_experiment(name, artifact_location=artifacts)
            known = _known_runs(client, experiment)
    except (MlflowException, OSError) as error:
        raise InputError(f"{uri}: MLflow cannot use it ({' '.join(str(error).split())[:200]})") from None
    return Tracker(client, experiment, known)


def _known_runs(client: Any, experiment: str) -> dict[str, str]:
    """Keys of finished runs; a run that was cut off while it was written is removed."""
    known: dict[str, str] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=500, page_token=token)
        for run in page:
            key = run.data.tags.get(_KEY)
            if key is None:
                continue
            if run.info.status not in ("FINISHED", "FAILED") or key in known:
                client.delete_run(run.info.run_id)
            else:
                known[key] = run.info.run_id
        token = page.token
        if not token:
            return known


def _alphas(row: dict[str, Any]) -> dict[str, list[float]]:
    alpha = row.get("info", {}).get("alpha")
    return {k: v for k, v in alpha.items() if v} if isinstance(alpha, dict) else {}


def _costs(row: dict[str, Any]) -> list[tuple[str, Any]]:
    """Time and memory of directional and of global attention, where they were measured."""
    cost = (row.get("info", {}).get("attention") or {}).get("cost", {})
    return [(f"{name}_{what}", value) for name, one in cost.items() for what, value in one.items()]


def _flat(config: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []
    for name, value in config.items():
        out += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return out


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MLflow's and alembic's information lines off."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)

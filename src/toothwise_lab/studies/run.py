"""A study from its YAML to its table: what is finished stays, the rest is run, each trial by itself."""

from __future__ import annotations

import datetime
import hashlib
import platform
import time
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from toothwise.progress import Progress
from toothwise_lab.results import revision as git_revision
from toothwise_lab.studies.check import check_detectors
from toothwise_lab.studies.cluster import cluster, run_on_cluster
from toothwise_lab.studies.config import Study
from toothwise_lab.studies.opened import save_study
from toothwise_lab.studies.revision import code_revision, data_version
from toothwise_lab.studies.store import Entry, StudyFolder
from toothwise_lab.studies.tracking import BackgroundTracker, Tracker, open_tracker
from toothwise_lab.studies.trial import Trial
from toothwise_lab.studies.worker import Outcome

_REFRESH = 2.0  # seconds between two writings of results.jsonl


@dataclass(frozen=True)
class RunOptions:
    """How a study is run.

    Attributes:
        address: of a Ray cluster, or None.
        workers: trials at once, or None.
        accept_other_revisions: results of other code count too.
        retry_failed: run failed trials again.
        tracking: MLflow's tracking URI; None = sqlite in the folder, "none" = no MLflow.
    """

    address: str | None = None
    workers: int | None = None
    accept_other_revisions: bool = False
    retry_failed: bool = False
    tracking: str | None = None


@dataclass(frozen=True)
class Report:
    """How it went.

    Attributes:
        trials: of the study.
        ran: in this call.
        done, failed: of all, now.
        failures: reason of each failed trial, by its name.
        wall_seconds: of this call's trials, from the first handed over to the last written.
        trial_seconds: sum over the trials of this call.
        workers: trials that could run at once.
    """

    trials: int
    ran: int
    done: int
    failed: int
    failures: dict[str, str]
    wall_seconds: float
    trial_seconds: float
    workers: int


def duration(seconds: float) -> str:
    """Seconds in words, such as "1 min 15 s".

    Examples:
        >>> duration(75), duration(3.21), duration(7300)
        ('1 min 15 s', '3.2 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def run_study(study: Study, folder: Path, options: RunOptions, progress: Progress) -> Report:
    """Run what is missing.

    Args:
        study: as read from its YAML.
        folder: of results; going on repeats nothing.
        options: see RunOptions.
        progress: Called with a line for every trial that ends, and the share of all trials that have ended.

    Raises:
        InputError: a study that cannot be run, or whose primary hypothesis was changed after runs.
        OutputError: the folder cannot be written, or is in use.
        MissingDependencyError: ray is not installed.
    """
    trials = study.trials()
    check_detectors(study)
    store = StudyFolder(folder)
    with store.locked():
        entries = _entries(trials, store, options)
        save_study(folder, study, entries, code_revision())
        tracker = _tracker(store, study, options, progress)
        try:
            if options.retry_failed:
                _forget_failed(store, entries, tracker)
            for entry in [e for e in entries if store.row(e.key) is not None]:
                tracker.do(partial(Tracker.log, folder=store, entry=entry))
            todo = _missing(trials, entries, store)
            timed = (0.0, 0.0, 0)
            if todo:
                timed = _run_missing(study, store, entries, todo, options, progress, tracker)
        finally:
            store.write_results(entries)
            tracker.close()
    rows = {e.key: store.row(e.key) or {} for e in entries}
    failures = {t.name: rows[e.key]["reason"] for t, e in zip(trials, entries, strict=True) if _failed(rows[e.key])}
    done = sum(rows[e.key].get("status") == "done" for e in entries)
    return Report(len(trials), len(todo), done, len(failures), failures, *timed)


def _missing(trials: list[Trial], entries: list[Entry], store: StudyFolder) -> list[tuple[Trial, Entry]]:
    """Trials without a result, each once, though two arms may have the same settings."""
    found: dict[str, tuple[Trial, Entry]] = {}
    for trial, entry in zip(trials, entries, strict=True):
        if store.row(entry.key) is None:
            found.setdefault(entry.key, (trial, entry))
    return list(found.values())


def _forget_failed(store: StudyFolder, entries: list[Entry], tracker: BackgroundTracker) -> None:
    for key in {entry.key for entry in entries}:
        if _failed(store.row(key) or {}):
            store.forget(key)
            tracker.do(partial(Tracker.forget, key=key))


def _failed(row: dict[str, Any]) -> bool:
    return row.get("status") == "failed"


def _entries(trials: list[Trial], store: StudyFolder, options: RunOptions) -> list[Entry]:
    """Each trial's key: that of an accepted result of other code, or that of this code."""
    others = [r for r in store.all_rows() if r["status"] == "done"] if options.accept_other_revisions else []
    entries = []
    for trial in trials:
        data = data_version(trial.settings)
        key = _key(trial.config_hash, code_revision(), data)
        same = [r for r in others if r["data_version"] == data and _same(trial, r["config"])]
        if same and store.row(key) is None:
            key = max(same, key=lambda row: float(row["finished_at"]))["key"]
        entries.append(Entry(trial.part, trial.arm, trial.group, trial.settings.seed, trial.config_hash, key))
    return entries


def _same(trial: Trial, config: dict[str, Any]) -> bool:
    """Whether a result's settings are a trial's; those that are younger than the result were at their defaults."""
    plain = {f.name: list(f.default) if isinstance(f.default, tuple) else f.default for f in fields(trial.settings)}
    found = {name: config.get(name, plain.get(name)) for name in trial.config}
    return config.keys() <= found.keys() and found == trial.config


def _key(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def _tracker(store: StudyFolder, study: Study, options: RunOptions, progress: Progress) -> BackgroundTracker:
    name = f"{study.name}-smoke" if study.smoke else study.name

    def make() -> Tracker | str:
        return "" if options.tracking == "none" else open_tracker(store, name, options.tracking)

    return BackgroundTracker(make, lambda text: progress(text) if text else None)


def _run_missing(
    study: Study,
    store: StudyFolder,
    entries: list[Entry],
    todo: list[tuple[Trial, Entry]],
    options: RunOptions,
    progress: Progress,
    tracker: BackgroundTracker,
) -> tuple[float, float, int]:
    """Returns wall seconds, the sum of the trials' seconds, and the places."""
    git, written = git_revision(Path(__file__).parent), time.monotonic()
    spent, metric = 0.0, study.parts[0].metrics[0]
    with cluster(options.address, study.resources, options.workers, note=store.folder / ".ray") as places:
        statuses = [row["status"] for row in (store.row(e.key) for e in entries) if row is not None]
        total, done, failed = len(entries), statuses.count("done"), statuses.count("failed")
        left = total - done - failed
        ended = done + failed
        progress(f"{total} trials: {done} done, {failed} failed before, {left} to run, {places} at once", ended / total)
        begin = time.perf_counter()

        def finished(number: int, outcome: Outcome) -> None:
            nonlocal written, spent, ended
            trial, entry = todo[number]
            row = _row(trial, entry, outcome, git)
            store.write(entry.key, row, outcome.scores, outcome.curves, outcome.examples, outcome.pictures)
            spent += row["seconds"] or 0.0
            tracker.do(partial(Tracker.log, folder=store, entry=entry))
            if time.monotonic() - written > _REFRESH:
                store.write_results(entries)
                written = time.monotonic()
            ended += 1
            progress(f"[{ended}/{total}] {_ended(trial, row, metric)}", ended / total)

        run_on_cluster([trial for trial, _ in todo], study.resources, places, finished=finished)
        return time.perf_counter() - begin, spent, places


def _ended(trial: Trial, row: dict[str, Any], metric: str) -> str:
    """How a trial ended, on one line."""
    value = row["metrics"].get(metric)
    result = f"{metric} {value:.4g}" if isinstance(value, int | float) else "done"
    if row["status"] != "done":
        result = f"FAILED: {row['reason']}"
    return f"{trial.name}: {result}" + ("" if row["seconds"] is None else f" ({duration(row['seconds'])})")


def _row(trial: Trial, entry: Entry, outcome: Outcome, git: str) -> dict[str, Any]:
    """All that results.jsonl says of a trial, besides its labels."""
    facts = dict(outcome.facts)
    revision = facts.pop("revision", code_revision())
    if revision != code_revision():
        facts |= {"status": "failed", "metrics": {}, "info": {}}
        facts["reason"] = f"the process has other code of toothwise ({revision}) than this one ({code_revision()})"
    now = time.time()
    return {
        "key": entry.key,
        "status": facts.pop("status"),
        "reason": facts.pop("reason"),
        "config_hash": trial.config_hash,
        "config": trial.config,
        "revision": code_revision(),
        "git": git,
        "data_version": data_version(trial.settings),
        "finished": datetime.datetime.fromtimestamp(now, tz=datetime.UTC).isoformat(timespec="seconds"),
        "finished_at": now,
        "driver": platform.node(),
        **facts,
    }

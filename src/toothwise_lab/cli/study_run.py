"""Run a study: one YAML of base + overrides x domains x seeds, each trial in a process that may fail alone.

Finished trials are never run again, so a study that was killed goes on where it stopped. What a result rests on is
its configuration, the code of toothwise and the data; a change of any of them runs it anew. Exit code 3 where trials
failed: 'toothwise study status' tells why.

examples:
  toothwise study run configs/studies/direction.yaml
  toothwise study run configs/studies/direction.yaml --smoke --output runs/try
  toothwise study run configs/studies/layers.yaml --address ray://head:10001 --gpus 1
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import EXIT_PARTLY, Progress
from toothwise.errors import InputError
from toothwise_lab.cli.study_progress import Board, duration


@dataclass(frozen=True)
class Options:
    """What to run and how.

    Attributes:
        study: its YAML.
        output: folder of results; None = runs/studies/NAME.
        smoke: the tiny version.
        workers: trials at once; None = as many as fit.
        address: of a Ray cluster; None = this machine.
        cpus, gpus: of a trial, in place of the study's.
        accept_other_revisions: results of other code count too.
        retry_failed: run failed trials again.
        tracking: MLflow's tracking URI; None = sqlite in the output folder; "none" = without.
        list: only tell what would be run.
    """

    study: Path
    output: Path | None = None
    smoke: bool = False
    workers: int | None = None
    address: str | None = None
    cpus: float | None = None
    gpus: float | None = None
    accept_other_revisions: bool = False
    retry_failed: bool = False
    tracking: str | None = None
    list: bool = False


def add_arguments(parser: ArgumentParser) -> None:
    """The options above."""
    add = parser.add_argument
    add("study", type=Path, metavar="STUDY", help="YAML file of the study")
    add("--output", type=Path | None, metavar="DIR", help="folder of the results (default: runs/studies/NAME)")
    add("--smoke", action="store_true", help="the tiny version, from the file's smoke section")
    add("--workers", type=int | None, metavar="N", help="trials at once (default: as many as fit)")
    add("--address", type=str | None, metavar="ADDRESS", help="of a Ray cluster (default: this machine alone)")
    add("--cpus", type=float | None, metavar="N", help="of a trial, in place of the study's")
    add("--gpus", type=float | None, metavar="N", help="of a trial, in place of the study's")
    add("--accept-other-revisions", action="store_true", help="results of other code of toothwise count too")
    add("--retry-failed", action="store_true", help="run trials that failed again")
    add("--tracking", type=str | None, metavar="URI", help="of MLflow, or 'none' (default: mlflow.db in DIR)")
    add("--list", action="store_true", help="tell what would be run, and run nothing")


def run(options: Options, progress: Progress) -> Result:
    """Run what is missing, tell how it went."""
    del progress  # a board takes the place of the one line
    from toothwise_lab.cli.study_pictures import draw_trial
    from toothwise_lab.studies.config import Study, read_study
    from toothwise_lab.studies.run import RunOptions, run_study

    study: Study = read_study(options.study, smoke=options.smoke)
    for name in ("cpus", "gpus"):
        value = getattr(options, name)
        if value is not None:
            if value < 0:
                raise InputError(f"--{name} must be 0 or more, but got {value}")
            study = replace(study, resources=replace(study.resources, **{name: value}))
    if options.list:
        names = [trial.name for trial in study.trials()]
        return Result({"trials": names}, lambda: "".join(f"{name}\n" for name in names) + f"{len(names)} trials\n")
    folder = options.output or Path("runs/studies") / (f"{study.name}-smoke" if study.smoke else study.name)
    how = RunOptions(
        options.address, options.workers, options.accept_other_revisions, options.retry_failed, options.tracking
    )
    with Board(study.parts[0].metrics[0]) as board:
        report = run_study(study, folder, how, board, draw_trial)
    data: dict[str, Any] = {
        "output": str(folder),
        "trials": report.trials,
        "ran": report.ran,
        "done": report.done,
        "failed": report.failed,
        "failures": report.failures,
        "workers": report.places,
        "wall_seconds": report.wall_seconds,
        "trial_seconds": report.trial_seconds,
    }

    def text() -> str:
        lines = [f"{name} failed: {why}" for name, why in report.failures.items()]
        took = f" in {duration(report.wall_seconds)} on {report.places} at once" if report.ran else ""
        lines.append(
            f"{report.done} of {report.trials} trials done, {report.failed} failed; {report.ran} run now{took}"
        )
        lines.append(f"toothwise study table {folder}")
        return "".join(f"{line}\n" for line in lines)

    return Result(data, text, EXIT_PARTLY if report.failed else 0)

"""Run a study: one YAML of base + overrides x domains x seeds, each trial in a process that may fail alone.

Finished trials are never run again, so a study that was killed goes on where it stopped. What a result rests on is
its configuration, the code of toothwise and the data; a change of any of them runs it anew. Exit code 3 where trials
failed: 'toothwise study status' shows why.

examples:
  toothwise study run configs/studies/direction.yaml
  toothwise study run configs/studies/direction.yaml --smoke --output runs/try
  toothwise study run configs/studies/layers.yaml --address ray://head:10001 --gpus 1
"""

from __future__ import annotations

import sys
from dataclasses import KW_ONLY, asdict, dataclass, replace
from pathlib import Path

from toothwise.cli.parser import Result
from toothwise.cli.terminal import EXIT_PARTLY
from toothwise.errors import InputError
from toothwise.progress import Progress


@dataclass(frozen=True)
class Options:
    """What to run and how.

    Attributes:
        study (STUDY): YAML file of the study.
        output (DIR): Folder of the results, runs/studies/NAME unless it is given.
        smoke: Run the tiny version that the file's smoke section describes.
        workers: Largest number of trials at once; as many as fit unless it is given.
        address (ADDRESS): Address of a Ray cluster to run on, in place of this machine.
        cpus (N): CPUs reserved per trial, in place of the study's.
        gpus (N): GPUs reserved per trial, in place of the study's.
        accept_other_revisions: Count results of other code of toothwise too.
        retry_failed: Rerun trials that failed.
        tracking (URI): MLflow tracking URI, or 'none'; mlflow.db in the output folder unless it is given.
        list: List the trials and run nothing.
    """

    study: Path
    _: KW_ONLY
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


def run(options: Options, progress: Progress) -> Result:
    """Run what is missing, say how it went."""
    from toothwise_lab.studies.config import Study, read_study
    from toothwise_lab.studies.run import RunOptions, duration, run_study

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
    report = run_study(study, folder, how, progress if sys.stderr.isatty() else _line)

    def text() -> str:
        failed = "".join(f"{name} failed: {why}\n" for name, why in report.failures.items())
        took = f" in {duration(report.wall_seconds)} on {report.workers} at once" if report.ran else ""
        counts = f"{report.done} of {report.trials} trials done, {report.failed} failed; {report.ran} run now{took}\n"
        return f"{failed}{counts}toothwise study table {folder}\n"

    return Result({"output": str(folder), **asdict(report)}, text, EXIT_PARTLY if report.failed else 0)


def _line(text: str, share: float | None = None) -> None:
    """Logs get a line per trial: a study runs for hours."""
    del share
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()

"""Mean, standard deviation and 95 % interval of every arm of a study.

Intervals are from the bootstrap over seeds and maps, over seeds where a metric is none of single maps. One metric a
column; the primary one is marked with *, everything else is exploratory. Where trials tell what their layers attend to,
the mean entropy of the weights along columns (y) and rows (x) stands beside the study's own metrics.

examples:
  toothwise study table runs/studies/direction
  toothwise study table runs/studies/direction --metrics auroc tooth_accuracy
"""

from __future__ import annotations

from dataclasses import KW_ONLY, asdict, dataclass, field
from pathlib import Path

from toothwise.cli.parser import Result
from toothwise.progress import Progress
from toothwise_lab.cli.tables import mean_table


@dataclass(frozen=True)
class Options:
    """Of which study.

    Attributes:
        folder (DIR): Folder of a study's results.
        metrics (NAME): Metrics to show in place of the study's own.
        resamples: Resamples of the bootstrap behind the intervals.
    """

    folder: Path
    _: KW_ONLY
    metrics: list[str] = field(default_factory=list)
    resamples: int = 1000


def run(options: Options, progress: Progress) -> Result:
    """Make the table."""
    from toothwise_lab.studies.attention import ENTROPY_MEANS
    from toothwise_lab.studies.metric_names import check_metrics
    from toothwise_lab.studies.opened import open_study
    from toothwise_lab.studies.statistics import table as study_table

    check_metrics(options.metrics)
    opened = open_study(options.folder)
    rows = study_table(opened, tuple(options.metrics), resamples=options.resamples, progress=progress)
    if not options.metrics:
        told = tuple(m for m in ENTROPY_MEANS if any(row["metrics"].get(m) is not None for _, row in opened.rows()))
        rows += study_table(opened, told, resamples=options.resamples) if told else []
    missing = len(opened.missing())
    primary = opened.study.primary
    data = {
        "title": opened.study.title,
        "question": opened.study.question,
        "smoke": opened.study.smoke,
        "primary": None if primary is None else asdict(primary),
        "missing": missing,
        "rows": [asdict(row) for row in rows],
    }

    def text() -> str:
        out = f"{opened.study.title}{' (smoke)' if opened.study.smoke else ''}\n{mean_table(rows)}"
        if primary is not None:
            out += f"* primary, written down before the runs: {primary.hypothesis}\n"
        out += "exploratory: all else\n" if primary is not None else "all exploratory\n"
        return out + (f"{missing} trials are missing\n" if missing else "")

    return Result(data, text)

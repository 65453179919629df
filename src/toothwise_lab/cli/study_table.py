"""Mean, standard deviation and 95 % interval of every arm of a study.

Intervals are from the bootstrap over seeds and maps, over seeds where a metric is none of single maps. One metric a
column; the primary one is marked with *, everything else is exploratory. Where trials tell what their layers attend to,
the mean entropy of the weights along columns (y) and rows (x) stands beside the study's own metrics.

examples:
  toothwise study table runs/studies/direction
  toothwise study table runs/studies/direction --metrics auroc tooth_accuracy
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress, table

if TYPE_CHECKING:
    from toothwise_lab.studies.statistics import TableRow


@dataclass(frozen=True)
class Options:
    """Of which study.

    Attributes:
        folder: of a study's results.
        metrics: in place of the study's own.
        resamples: of the bootstrap.
    """

    folder: Path
    metrics: list[str] = field(default_factory=list)
    resamples: int = 1000


def add_arguments(parser: ArgumentParser) -> None:
    """The options above."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a study's results")
    parser.add_argument("--metrics", nargs="+", type=str, default=[], metavar="NAME", help="instead of the study's own")
    parser.add_argument("--resamples", type=int, default=1000, metavar="N", help="of the bootstrap")


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
        out = f"{opened.study.title}{' (smoke)' if opened.study.smoke else ''}\n{_text(rows)}"
        if primary is not None:
            out += f"* primary, written down before the runs: {primary.hypothesis}\n"
        out += "exploratory: all else\n" if primary is not None else "all exploratory\n"
        return out + (f"{missing} trials are missing\n" if missing else "")

    return Result(data, text)


def _text(rows: list[TableRow]) -> str:
    metrics = list(dict.fromkeys(row.metric for row in rows))
    lines: dict[tuple[str, str, str], dict[str, TableRow]] = {}
    for row in rows:
        lines.setdefault((row.part, row.group, row.arm), {})[row.metric] = row
    shown = []
    for (part, group, arm), found in lines.items():
        any_row = next(iter(found.values()))
        seeds = max(row.seeds for row in found.values())
        count = f"{seeds} ({any_row.failed} failed)" if any_row.failed else str(seeds)
        cells = [_cell(found[metric]) if metric in found else "-" for metric in metrics]
        shown.append((part or "-", group, arm, count, *cells))
    parts = any(row[0] != "-" for row in shown)
    columns = ("part", "group", "arm", "seeds", *metrics)
    if not parts:
        columns, shown = columns[1:], [row[1:] for row in shown]
    return table(columns, shown, right=("seeds", *metrics))


def _cell(row: TableRow) -> str:
    if row.seeds == 0:
        return "-"
    mark = "*" if row.role == "primary" else ""
    spread = "" if row.sd != row.sd else f" +-{row.sd:.3g}"
    interval = "" if row.low != row.low else f" ({row.low:.4g}-{row.high:.4g})"
    return f"{row.mean:.4g}{spread}{interval}{mark}"

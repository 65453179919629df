"""Test the comparisons of a study in pairs over seeds and maps, and say what may be said.

The primary hypothesis, written down before the runs, is tested alone; all other comparisons on all metrics of the study
are exploratory and corrected together (Holm). "Better" stands only where the corrected test supports it.

examples:
  toothwise study compare runs/studies/direction
  toothwise study compare runs/studies/direction both_learned none --metrics auroc
"""

from __future__ import annotations

from dataclasses import KW_ONLY, asdict, dataclass, field
from pathlib import Path

from toothwise.cli.parser import Result
from toothwise.errors import InputError
from toothwise.progress import Progress
from toothwise_lab.cli.tables import comparison_table


@dataclass(frozen=True)
class Options:
    """What to compare.

    Attributes:
        folder (DIR): Folder of a study's results.
        arms (ARM): Two arms, in place of the pairs that the study lists.
        metrics (NAME): Show only these; one that the study does not list joins the family of tests.
    """

    folder: Path
    arms: list[str] = field(default_factory=list)
    _: KW_ONLY
    metrics: list[str] = field(default_factory=list)


def run(options: Options, progress: Progress) -> Result:
    """Test and word."""
    from toothwise_lab.studies.metric_names import check_metrics
    from toothwise_lab.studies.opened import open_study
    from toothwise_lab.studies.statistics import comparisons

    if len(options.arms) not in (0, 2):
        raise InputError(f"a comparison takes two arms, but got {len(options.arms)}: {', '.join(options.arms)}")
    check_metrics(options.metrics)
    opened = open_study(options.folder)
    pair = (options.arms[0], options.arms[1]) if options.arms else None
    found = comparisons(opened, pair=pair, metrics=tuple(options.metrics), progress=progress)
    primary = opened.study.primary
    missing = len(opened.missing())
    data = {
        "title": opened.study.title,
        "smoke": opened.study.smoke,
        "primary": None if primary is None else asdict(primary),
        "missing": missing,
        "comparisons": [asdict(one) for one in found],
    }

    def text() -> str:
        if not found:
            return "nothing to compare: no two arms with a common seed are done, or the study lists no pairs\n"
        out = comparison_table(found)
        if primary is not None:
            out += f"primary, tested alone: {primary.hypothesis}\n"
        families = {one.family for one in found if one.role == "exploratory"}
        if families:
            out += f"exploratory: p corrected together for {max(families)} comparisons (Holm); intervals are not\n"
        return out + (f"{missing} trials are missing\n" if missing else "")

    return Result(data, text)

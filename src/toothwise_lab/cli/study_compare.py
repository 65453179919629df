"""Test the comparisons of a study in pairs over seeds and maps, and say what may be said.

The primary hypothesis, written down before the runs, is tested alone; all other comparisons on all metrics of the study
are exploratory and corrected together (Holm). "Better" stands only where the corrected test supports it.

examples:
  toothwise study compare runs/studies/direction
  toothwise study compare runs/studies/direction both_learned none --metrics auroc
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress, table
from toothwise.errors import InputError

if TYPE_CHECKING:
    from toothwise_lab.studies.statistics import Comparison


@dataclass(frozen=True)
class Options:
    """What to compare.

    Attributes:
        folder: of a study's results.
        arms: two of them; empty = the study's own comparisons.
        metrics: only these; one that is none of the study's joins the family.
    """

    folder: Path
    arms: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)


def add_arguments(parser: ArgumentParser) -> None:
    """The options above."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="folder of a study's results")
    add("arms", nargs="*", type=str, metavar="ARM", help="two arms (default: the study's pairs)")
    add("--metrics", nargs="+", type=str, default=[], metavar="NAME", help="only these")


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
        "comparisons": [one.data for one in found],
    }

    def text() -> str:
        if not found:
            return "nothing to compare: no two arms with a common seed are done, or the study lists no pairs\n"
        out = _text(found)
        if primary is not None:
            out += f"primary, tested alone: {primary.hypothesis}\n"
        families = {one.family for one in found if one.role == "exploratory"}
        if families:
            out += f"exploratory: p corrected together for {max(families)} comparisons (Holm); intervals are not\n"
        return out + (f"{missing} trials are missing\n" if missing else "")

    return Result(data, text)


def _text(found: list[Comparison]) -> str:
    columns = ("", "group", "metric", "a", "b", "seeds", "a - b (95 %)", "p", "corrected", "effect", "may be said")
    rows = [
        (
            one.role,
            " ".join(word for word in (one.part, one.group) if word),
            one.metric,
            f"{one.a} {one.mean_a:.4g}",
            f"{one.b} {one.mean_b:.4g}",
            str(one.seeds),
            f"{one.difference:+.4g}" + ("" if one.low != one.low else f" ({one.low:+.4g} to {one.high:+.4g})"),
            _p(one.p_value),
            _p(one.p_holm),
            "-" if one.effect != one.effect else f"{one.effect:+.2f}",
            one.verdict,
        )
        for one in found
    ]
    return table(columns, rows, right=("seeds", "a - b (95 %)", "p", "corrected", "effect"))


def _p(value: float) -> str:
    return "-" if value != value else "<0.001" if value < 0.001 else f"{value:.3f}"

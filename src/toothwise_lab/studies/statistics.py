"""Tables and comparisons of a study, with what its text may say.

*Primary* is the one hypothesis that was written down before the runs; it is tested alone. Everything else is
*exploratory*: all comparisons of the study on all of its metrics are one family, corrected together (Holm). The word
"better" is used only where the corrected p-value is at most 0.05 and three seeds or more were run: with two the
test errs more often than it says where chance lies between seeds. A primary hypothesis with a margin gets one of the
verdicts of ``toothwise_lab.verdicts``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.progress import Progress, silent
from toothwise_lab.bootstrap import Interval
from toothwise_lab.comparison import holm, paired_effect
from toothwise_lab.seeds import SeedDifference, bootstrap_over_seeds, compare_over_seeds, compare_values
from toothwise_lab.studies.config import Part
from toothwise_lab.studies.metric_names import is_a_merit, smaller_is_better
from toothwise_lab.studies.opened import OpenedStudy
from toothwise_lab.studies.scores import ScoreMetric, parse_metric
from toothwise_lab.verdicts import EQUIVALENT, FEWEST_SEEDS, UNDECIDED, judge_difference

ALPHA = 0.05
FEWEST_FOR_EFFECT = 5  # seeds: the spread of three says next to nothing of the spread between seeds
NO_DIFFERENCE = "no difference shown"


@dataclass(frozen=True)
class TableRow:
    """One arm in one group, one metric.

    Attributes:
        part, group, arm, metric: which.
        role: "primary" or "exploratory".
        seeds: done.
        failed: of its trials.
        mean, sd: over seeds; sd is NaN with one.
        low, high: 95 % bootstrap interval of the mean.
        over: what was drawn: "seeds x maps", "maps" or "seeds".
    """

    part: str
    group: str
    arm: str
    metric: str
    role: str
    seeds: int
    failed: int
    mean: float
    sd: float
    low: float
    high: float
    over: str


@dataclass(frozen=True)
class Comparison:
    """Arm a against arm b in one group, on one metric, over the seeds that both have.

    Attributes:
        difference, low, high: a - b with its 95 % interval (not corrected).
        p_value: of the paired test; p_holm: corrected for the family; NaN where no test is possible.
        effect: Cohen's d of the seeds' differences; NaN with fewer than five seeds.
        family: comparisons corrected together.
        verdict: what may be said.
        margin: of the primary hypothesis, the smallest difference of interest.
    """

    part: str
    group: str
    metric: str
    role: str
    a: str
    b: str
    seeds: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    p_value: float
    p_holm: float
    effect: float
    family: int
    method: str
    verdict: str
    margin: float | None = None


class Results:
    """Done trials of a study by arm and group, with their scores."""

    def __init__(self, opened: OpenedStudy) -> None:
        self.opened = opened
        self._rows: dict[tuple[str, str, str], dict[int, tuple[str, dict[str, Any]]]] = {}
        self.failed: dict[tuple[str, str, str], int] = {}
        for entry, row in opened.rows():
            place = (entry.part, entry.group, entry.arm)
            if row["status"] == "done":
                self._rows.setdefault(place, {})[entry.seed] = (entry.key, row["metrics"])
            else:
                self.failed[place] = self.failed.get(place, 0) + 1
        self._scores: dict[str, dict[str, np.ndarray]] = {}

    def keys(self, place: tuple[str, str, str]) -> set[str]:
        """Of the arm's trials."""
        return {key for key, _ in self._rows.get(place, {}).values()}

    def values(self, place: tuple[str, str, str], metric: str) -> dict[int, float]:
        """The metric by seed, where it is a number."""
        rows = self._rows.get(place, {})
        return {seed: float(row[metric]) for seed, (_, row) in rows.items() if row.get(metric) is not None}

    def scored(self, place: tuple[str, str, str], metric: ScoreMetric) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Scores and labels by seed, where they were kept."""
        out = {}
        for seed, (key, _) in self._rows.get(place, {}).items():
            if key not in self._scores:
                self._scores[key] = self.opened.store.scores(key)
            picked = metric.pick(self._scores[key])
            if picked is not None:
                out[seed] = picked
        return out


def _role(opened: OpenedStudy, part: Part, group: str, metric: str, *arms: str) -> str:
    p = opened.study.primary
    first = opened.study.parts[0].name == part.name
    named = p is not None and first and (p.group, p.metric) == (group, metric) and set(arms) <= {p.better, p.than}
    return "primary" if named else "exploratory"


def table(
    opened: OpenedStudy, metrics: tuple[str, ...] = (), *, resamples: int = 1000, progress: Progress = silent
) -> list[TableRow]:
    """Mean, sd and interval of every arm, in the study's order.

    Args:
        opened: the study.
        metrics: in place of the study's own.
        resamples: of the bootstrap.
        progress: Called with what is being done.
    """
    results = Results(opened)
    wanted = [
        (part, group, arm.name, metric)
        for part in opened.study.parts
        for group, _ in part.groups
        for arm in part.arms
        for metric in metrics or part.metrics
    ]
    rows = []
    for k, (part, group, arm, metric) in enumerate(wanted):
        progress(f"{arm} {metric}", k / len(wanted))
        place = (part.name, group, arm)
        values = list(results.values(place, metric).values())
        interval, over = _interval(results, place, metric, resamples)
        rows.append(
            TableRow(
                part.name,
                group,
                arm,
                metric,
                _role(opened, part, group, metric, arm),
                len(values),
                results.failed.get(place, 0),
                float(np.mean(values)) if values else np.nan,
                float(np.std(values, ddof=1)) if len(values) > 1 else np.nan,
                np.nan if interval is None else interval.low,
                np.nan if interval is None else interval.high,
                over,
            )
        )
    return rows


def _interval(
    results: Results, place: tuple[str, str, str], metric: str, resamples: int
) -> tuple[Interval | None, str]:
    known = parse_metric(metric)
    samples = [] if known is None else list(results.scored(place, known).values())
    if known is not None and samples:
        over = "seeds x maps" if len(samples) > 1 else "maps"
        return bootstrap_over_seeds(known.function, samples, resamples=resamples), over
    values = np.array(list(results.values(place, metric).values()))
    if len(values) < 2:
        return None, ""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high), 0.95, float(means.std(ddof=1)), resamples), "seeds"


def comparisons(
    opened: OpenedStudy,
    *,
    pair: tuple[str, str] | None = None,
    metrics: tuple[str, ...] = (),
    progress: Progress = silent,
) -> list[Comparison]:
    """Every comparison of the study, corrected together; those of a pair, if one is given.

    Args:
        opened: the study.
        pair: two arms; a pair that the study does not list itself makes the family larger.
        metrics: likewise, on top of the study's own; only these are returned then.
        progress: Called with what is being done.

    Raises:
        InputError: an arm or a pair that is none.
    """
    results = Results(opened)
    wanted = _family(opened, pair, metrics)
    raw = []
    for k, (part, group, metric, a, b) in enumerate(wanted):
        progress(f"{a} against {b}, {metric}", k / len(wanted))
        one = _compare(opened, results, part, group, metric, a, b)
        if one is not None:
            raw.append(one)
    out = _corrected(raw)
    if pair is not None:
        out = [c for c in out if (c.a, c.b) == pair]
    return [c for c in out if not metrics or c.metric in metrics]


def other_pairs(opened: OpenedStudy, metric: str, pairs: Sequence[tuple[str, str]]) -> list[Comparison]:
    """Pairs that the study does not list, on one metric in every group that has them; a family of their own.

    Args:
        opened: the study.
        metric: e.g. "auroc".
        pairs: (a, b), names of arms of one part; a pair that no part has is left out.
    """
    results = Results(opened)
    raw = []
    for part in opened.study.parts:
        names = {arm.name for arm in part.arms}
        for group, _ in part.groups:
            for a, b in pairs:
                one = _compare(opened, results, part, group, metric, a, b) if {a, b} <= names else None
                if one is not None:
                    raw.append(replace(one, role="exploratory"))
    return _corrected(raw)


def _corrected(raw: list[Comparison]) -> list[Comparison]:
    """The exploratory ones corrected together, the primary one alone, with their verdicts."""
    tested = [one for one in raw if one.role == "exploratory" and np.isfinite(one.p_value)]
    corrected = dict(zip(map(id, tested), holm([c.p_value for c in tested]) if tested else [], strict=True))
    out = []
    for one in raw:
        p = one.p_value if one.role == "primary" else float(corrected.get(id(one), np.nan))
        judged = replace(one, p_holm=p, family=1 if one.role == "primary" else len(tested))
        out.append(replace(judged, verdict=_verdict(judged)))
    return out


def _family(
    opened: OpenedStudy, pair: tuple[str, str] | None, metrics: tuple[str, ...]
) -> list[tuple[Part, str, str, str, str]]:
    """All that is corrected together, and the primary comparison; parts, groups, metrics, arms."""
    found: list[tuple[Part, str, str, str, str]] = []
    known = False
    for number, part in enumerate(opened.study.parts):
        names = [arm.name for arm in part.arms]
        pairs = list(part.comparisons)
        if pair is not None and set(pair) <= set(names):
            known = True
            if pair not in pairs:
                # the same pair the other way round is the same test
                pairs = [p for p in pairs if p != pair[::-1]] + [pair]
        primary = opened.study.primary if number == 0 else None
        for group, _ in part.groups:
            mine = list(pairs)
            wanted = [*part.metrics, *(m for m in metrics if m not in part.metrics)]
            if primary is not None and primary.group == group:
                both = (primary.better, primary.than)
                listed = both in mine or both[::-1] in mine
                if not listed or primary.metric not in wanted:
                    found.append((part, group, primary.metric, *both))
            found += [(part, group, metric, a, b) for metric in wanted for a, b in mine]
    if pair is not None and not known:
        arms = sorted({arm.name for part in opened.study.parts for arm in part.arms})
        raise InputError(f"{pair[0]!r} and {pair[1]!r} must be two arms of one part: {', '.join(arms)}")
    return found


def _compare(
    opened: OpenedStudy, results: Results, part: Part, group: str, metric: str, a: str, b: str
) -> Comparison | None:
    """Paired over the seeds that both have; None where there is none, or where both arms are the same trials."""
    places = [(part.name, group, arm) for arm in (a, b)]
    if results.keys(places[0]) == results.keys(places[1]):
        return None
    known = parse_metric(metric)
    scored = [{} if known is None else results.scored(place, known) for place in places]
    values = [results.values(place, metric) for place in places]
    seeds = sorted(set(values[0]) & set(values[1]))
    if not seeds:
        return None
    both = [seed for seed in seeds if all(seed in s for s in scored)]
    found: SeedDifference
    if known is not None and both == seeds:
        found = compare_over_seeds(known.function, *([s[seed] for seed in seeds] for s in scored))
    else:
        found = compare_values(*([v[seed] for seed in seeds] for v in values))
    effect = paired_effect(found.per_seed) if len(seeds) >= FEWEST_FOR_EFFECT else np.nan
    role = _role(opened, part, group, metric, a, b)
    means = [float(np.mean([v[seed] for seed in seeds])) for v in values]
    return Comparison(
        part.name,
        group,
        metric,
        role,
        a,
        b,
        len(seeds),
        means[0],
        means[1],
        found.difference,
        found.low,
        found.high,
        found.p_value,
        np.nan,
        effect,
        0,
        found.method,
        NO_DIFFERENCE,
        opened.study.primary.margin if role == "primary" and opened.study.primary is not None else None,
    )


def _verdict(one: Comparison) -> str:
    if one.margin is not None:
        said = judge_difference(one.low, one.high, margin=one.margin, p_value=one.p_value, seeds=one.seeds)
        if said in (EQUIVALENT, UNDECIDED):
            return f"{EQUIVALENT} within {one.margin:g}" if said == EQUIVALENT else said
    if one.seeds < FEWEST_SEEDS:
        return f"{NO_DIFFERENCE} ({one.seeds} of {FEWEST_SEEDS} seeds needed)"
    if not np.isfinite(one.p_holm):
        return f"{NO_DIFFERENCE} (no test possible)"
    if one.p_holm > ALPHA or one.difference == 0:
        return NO_DIFFERENCE
    if not is_a_merit(one.metric):
        return f"{one.a if one.difference > 0 else one.b} has more"
    a_wins = (one.difference < 0) == smaller_is_better(one.metric)
    return f"{one.a if a_wins else one.b} is better"

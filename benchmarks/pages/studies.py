"""docs/results.md: what the studies found; of each one table, one figure, its largest comparisons, what they rest on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from common import RESULTS, ROOT, Data, origin, percent, read, table
from study_figures import draw
from study_glossary import glossary, protocol
from study_pairs import SEEDS, across, between, by_kind, testable
from study_remarks import remarks
from study_text import arms_table, comparisons_table, direction_in, many, measured, own_comparisons, what_was_run, where

sys.path.append(str(ROOT / "paper"))
from claims import judge

ORDER = (
    "direction",
    "alpha",
    "layers",
    "resolution",
    "loss_input",
    "severity",
    "robustness",
    "resize",
    "transfer",
    "generalisation",
    "baselines",
)
ALPHA = 0.05


def results() -> str:
    """The page; figures are written on the way."""
    have = [name for name in ORDER if (RESULTS / "studies" / f"{name}.json").exists()]
    found = {name: read(f"studies/{name}") for name in have}
    missing = [name for name in ORDER if name not in have]
    parts = [_study(name, data) for name, data in found.items()]
    rest = f"Not run yet: {', '.join(missing)}.\n" if missing else ""
    return f"""# Results of the studies

The studies of [configs/studies](studies.md), run under a **reduced protocol** for two CPU cores: the package's own [encoder](encoder.md), 256 x 256 pixels unless the
study says otherwise, a few hundred maps and tens of steps; published figures rest on 100,000 maps and thousands of steps. Simulated
maps throughout, but for the generalisation study and the last part of transfer. Means over seeds with their standard deviation; intervals in figures are 95 %, from the
bootstrap over seeds and maps. "Better" is said only where a paired test over seeds and maps, corrected for every comparison of its study (Holm), has p at
most 0.05 with three seeds or more; "no difference shown" does not mean that there is none. All but the one primary hypothesis is exploratory.
{rest}
## What directional attention brings

{_headline(found)}
## Words

{glossary()}
{protocol(found)}{"".join(parts)}{_overhead()}"""


def _overhead() -> str:
    """What running trials as a study costs beside the trials themselves."""
    data = read("study_overhead")
    result, config = data["result"], data["config"]
    promised = result["promised"]
    body = [
        [
            run["workers"],
            f"{run['trial_seconds_median']:.2f} s",
            f"{run['wall_seconds']:.0f} s",
            percent(run["overhead"]),
            f"{run['whole_seconds']:.0f} s",
            percent(run["whole_overhead"]),
        ]
        for run in result["runs"]
    ]
    met = all(run["overhead"] < promised["overhead"] for run in result["runs"])
    head = ["workers", "a trial, median", "all trials", "overhead", "with start and end of Ray", "overhead with them"]
    return f"""
## What a study adds to its trials

{config["trials"]} trials of the scan on {config["maps"]} maps each, tracked in {config["tracking"].replace("mlflow", "MLflow")}. The overhead is what the workers had of the clock and no trial used; under {percent(promised["overhead"], 0)} was promised ({"met" if met else "**missed**"}). From one worker to two the trials end {result["speed_up"]:.2f} times as soon (promised {promised["speed_up"]}).

{table(head, body)}
Command: `python benchmarks/study_overhead.py`. {origin(data)}"""


def _headline(found: dict[str, Data]) -> str:
    """Over all studies: direction against plain Dinomaly, against line pooling, against the scan; y against x."""
    lines = [*_primary(found), *_axes(found)]
    for words, rows_of in (
        ("Against plain Dinomaly, by their own scores", between),
        ("Against plain Dinomaly, both by the best line of their anomaly maps", lambda d: between(d, "auroc_lines")),
    ):
        lines += [f"- {words} (AUROC): {_compared(rows)}" for rows in [_all(found, rows_of)] if rows]
    for words, first in (
        ("Against line pooling: directional by its own score less plain Dinomaly by the best line", "directional"),
        ("What line pooling itself does: plain Dinomaly by its own score less the same by the best line", "plain"),
    ):
        kinds = by_kind(found, lambda d, first=first: across(d, first))
        text = "; ".join(f"{kind}: {_pooled(rows)}" for kind, rows in kinds.items())
        more = " How much of it is had without direction, the next line tells." if first == "directional" else ""
        lines += [f"- {words} (AUROC). {text[0].upper()}{text[1:]}.{more}"] if text else []
    for kind, rows in by_kind(found, lambda d: d["result"]["direction"].get("scan, auroc", [])).items():
        lines.append(f"- Against the scan on {kind} (AUROC, own scores): {_compared(rows)}")
    if not lines:
        return "No study with both has been run.\n"
    return "\n".join(lines) + "\n\n" + _basis(found)


def _basis(found: dict[str, Data]) -> str:
    """What counts as a pair above."""
    cold = sum(c["metric"] == "auroc_cold" for data in found.values() for c in between(data))
    untested = [name for name, data in found.items() if between(data) and "pooling" not in data["result"]]
    text = "A pair is two arms whose settings differ in nothing but the direction of the attention; studies share some trials, so that pairs are not independent."
    if cold:
        text += f" {cold} pairs are on cold maps, the only AUROC that was kept of them; they are corrected with all other comparisons of their study."
    if untested:
        text += f" A score against another pooling is tested only where the scores of single maps are at hand; of {', '.join(untested)} there are means alone."
    return text + "\n"


def _primary(found: dict[str, Data]) -> list[str]:
    data = found.get("direction")
    out = []
    for c in [] if data is None else [c for c in data["result"]["comparisons"] if c["role"] == "primary"]:
        hypothesis = data["config"]["primary"]["hypothesis"].strip()
        verdict = judge(found)["attention"].verdict
        out.append(
            f"- **The primary hypothesis** ({hypothesis[0].lower()}{hypothesis[1:].rstrip('.')}) is **{verdict}** by the test written beforehand (`paper/claims.yaml`): {measured(c)} (95 % interval {c['low']:+.3f} to {c['high']:+.3f}), p = {c['p_value']:.2g}, {c['seeds']} seeds."
        )
    return out


def _axes(found: dict[str, Data]) -> list[str]:
    return [
        f"- Attention along columns (y) against along rows (x), the metric of the primary hypothesis: {measured(c)} (95 % interval {c['low']:+.3f} to {c['high']:+.3f}), p = {c['p_value']:.2g} before correction for the two tests, {c['seeds']} seeds: **{judge(found)['physics'].verdict}**. Damaged driving teeth draw rows, so that y was expected ahead."
        for c in found.get("direction", {"result": {"axes": []}})["result"]["axes"]
    ]


def _all(found: dict[str, Data], rows_of: Callable[[Data], list[Data]]) -> list[tuple[str, Data]]:
    return [(name, c) for name, data in found.items() for c in rows_of(data) if c["seeds"] >= SEEDS]


def _compared(tested: list[tuple[str, Any]]) -> str:
    """Count, mean, better and worse, and the largest of each."""
    gains = [(n, c) for n, c in tested if c["verdict"] == f"{c['a']} is better"]
    losses = [(n, c) for n, c in tested if c["verdict"] == f"{c['b']} is better"]
    mean = sum(c["difference"] for _, c in tested) / len(tested)
    text = f"{many(len(tested), 'comparison')} in {many(len({n for n, _ in tested}), 'study', 'studies')}, {mean:+.3f} on average; better in {len(gains)}, worse in {len(losses)}"
    for word, some in (("gain", gains), ("loss", losses)):
        if some:
            name, c = max(some, key=lambda nc: abs(nc[1]["difference"]))
            text += f"; largest {word} {c['difference']:+.3f} ({name}: {where(c)}{c['a']})"
    return text + "."


def _pooled(rows: list[tuple[str, Any]]) -> str:
    """Mean and range of differences between two ways to score, and what was tested of them."""
    values = sorted(c["difference"] for _, c in rows)
    ahead = sum(v > 0 for v in values)
    text = f"{sum(values) / len(values):+.3f} on average of {many(len(values), 'difference')} ({values[0]:+.3f} to {values[-1]:+.3f}), above 0 in {ahead}"
    tested = [c["tested"] for _, c in rows if c["tested"] is not None]
    if tested:
        shown = [c["difference"] > 0 for c in tested if c["p_holm"] <= ALPHA]
        text += f"; of {len(tested)} that could be tested the own score is better in {sum(shown)} and worse in {len(shown) - sum(shown)}"
    return text


def _study(name: str, data: Data) -> str:
    result = data["result"]
    trials = result["trials"]
    failed = sum(trials["failed"].values())
    lost = "; ".join(f"{reason} ({n})" for reason, n in trials["failed"].items())
    return f"""
## {data["config"]["title"]}

{what_was_run(data)} {own_comparisons(testable(data))} {direction_in(data)}

![Means and 95 % intervals of the arms of the study {name}]({draw(name, data)})

{arms_table(name, result["table"])}
{f"{failed} trials failed: {lost}{chr(10)}{chr(10)}" if failed else ""}{comparisons_table(data)}{remarks(name, data)}Trials at commit {", ".join(c[:10] for c in trials["commits"])}, {trials["seconds"] / 3600:.1f} hours of one core. {origin(data)}"""

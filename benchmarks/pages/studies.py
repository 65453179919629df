"""docs/results.md: what the studies found; of each one table, one figure, three sentences."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

from common import RESULTS, ROOT, Data, origin, percent, read, table
from study_figures import WORDS, draw, figure

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
    "transfer",
    "generalisation",
    "baselines",
)
SEEDS = 3  # that a claim needs
LOSES = ("peak_memory_mib", "predict_ms_median", "parameters")  # costs: no detector "wins" a study by them


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
{"".join(parts)}
{_overhead()}"""


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
    """Over all studies: directional against plain Dinomaly, against its best line, against the scan."""
    lines = []
    direction = found.get("direction", {"result": {"comparisons": []}})
    for c in [c for c in direction["result"]["comparisons"] if c["role"] == "primary"]:
        hypothesis = direction["config"]["primary"]["hypothesis"].strip()
        verdict = judge(found)["attention"].verdict
        lines.append(
            f"- **The primary hypothesis** ({hypothesis[0].lower()}{hypothesis[1:].rstrip('.')}) is **{verdict}** by the test written beforehand (`paper/claims.yaml`): {_measured(c)} (95 % interval {c['low']:+.3f} to {c['high']:+.3f}), p = {c['p_value']:.2g}, {c['seeds']} seeds."
        )
    for key, words in (
        ("plain, auroc", "Against plain Dinomaly, by their own scores"),
        ("plain, auroc_lines", "Against plain Dinomaly, both by the best line of their anomaly maps"),
        ("scan, auroc", "Against the scan"),
    ):
        rows = [(name, c) for name, data in found.items() for c in data["result"]["direction"].get(key, [])]
        tested = [(name, c) for name, c in rows if c["seeds"] >= SEEDS]
        if not tested:
            continue
        gains = [(n, c) for n, c in tested if c["verdict"] == f"{c['a']} is better"]
        losses = [(n, c) for n, c in tested if c["verdict"] == f"{c['b']} is better"]
        mean = sum(c["difference"] for _, c in tested) / len(tested)
        text = f"- {words} (AUROC): {_many(len(tested), 'comparison')} in {_many(len({n for n, _ in tested}), 'study', 'studies')}, {mean:+.3f} on average; better in {len(gains)}, worse in {len(losses)}"
        named = [
            (word, max(some, key=lambda nc: abs(nc[1]["difference"])))
            for word, some in (("gain", gains), ("loss", losses))
            if some
        ]
        text += "".join(f"; largest {word} {c['difference']:+.3f} ({n}: {_place(c)}{c['a']})" for word, (n, c) in named)
        lines.append(text + ".")
    return "\n".join(lines) + "\n" if lines else "No study with both has been run.\n"


def _many(count: int, one: str, several: str = "") -> str:
    return f"{count} {one if count == 1 else several or one + 's'}"


def _study(name: str, data: Data) -> str:
    result = data["result"]
    trials = result["trials"]
    failed = sum(trials["failed"].values())
    return f"""
## {data["config"]["title"]}

{_sentences(name, data)}

![Means and 95 % intervals of every arm of the study {name}]({draw(name, data)})

{_table(result["table"])}
{f"{failed} trials failed: " + "; ".join(f"{reason} ({n})" for reason, n in result["trials"]["failed"].items()) + chr(10) + chr(10) if failed else ""}{_alpha(name, result["alpha"])}{_gradients(name, result["gradients"])}Trials at commit {", ".join(c[:10] for c in trials["commits"])}, {trials["seconds"] / 3600:.1f} hours of one core. {origin(data)}"""


def _sentences(name: str, data: Data) -> str:
    """What was run, what its comparisons say, what direction did in it."""
    config, result = data["config"], data["result"]
    trials, seeds = result["trials"], len(config["seeds"])
    steps = f", {'/'.join(map(str, config['steps']))} steps of training" if config["steps"] else ""
    sizes = sorted({t for t, _ in config["sizes"] if t}), sorted({t for _, t in config["sizes"] if t})
    maps = (
        f", {_range(sizes[0])} maps to learn from and {_range(sizes[1])} healthy and faulty ones each to score"
        if sizes[0]
        else ""
    )
    done = (
        f"{trials['done']} of {trials['planned']} trials"
        if trials["done"] < trials["planned"]
        else f"{trials['done']} trials"
    )
    arms: dict[Any, int] = {}
    for row in result["table"]:
        place = row["part"], row["group"], row["arm"]
        arms[place] = max(arms.get(place, 0), row["seeds"])
    whole = trials["done"] == trials["planned"]
    count = f"{seeds} seeds" if whole else f"{_range(sorted(set(arms.values())))} of {seeds} seeds an arm"
    first = f"{done}, {count}{maps}{steps}."
    return f"{first} {own_comparisons(result['comparisons'])} {_direction(result['direction'])}"


def _range(values: list[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def own_comparisons(rows: list[Data]) -> str:
    """The study's own comparisons in a sentence."""
    if not rows:
        return "There is nothing to compare yet."
    rows = [c for c in rows if c["metric"] not in LOSES] or rows
    tested = [c for c in rows if c["seeds"] >= SEEDS]
    if not tested:
        return f"None of its {len(rows)} comparisons has the {SEEDS} seeds that a claim needs."
    if len(tested) < len(rows):
        return f"{len(rows) - len(tested)} of its {len(rows)} comparisons lack the {SEEDS} seeds that a claim needs. {own_comparisons(tested)}"
    shown = [c for c in rows if "is better" in c["verdict"]]
    if not shown:
        tested = [c for c in rows if c["p_holm"] is not None] or rows
        largest = max(tested, key=lambda c: abs(c["difference"]))
        return f"None of its {len(rows)} comparisons shows a difference; the largest is {_measured(largest)} ({WORDS[largest['metric']]}), p = {_p(largest)} after correction."
    count = Counter(c["verdict"].removesuffix(" is better") == c["a"] for c in shown)
    best = sorted(shown, key=lambda c: (c["p_holm"], -abs(c["difference"])))
    names = list(dict.fromkeys(f"{_measured(c)} ({_place(c)}{WORDS[c['metric']]})" for c in best))[:3]
    return f"Of its {len(rows)} comparisons {count[True]} show the arm named first ahead and {count[False]} show it behind; the clearest: {'; '.join(names)}."


def _direction(found: dict[str, list[Data]]) -> str:
    """The study's directional arms against plain ones in a sentence."""
    rows = found.get("plain, auroc", [])
    lines = found.get("plain, auroc_lines", [])
    if not rows:
        return "It has no pair of directional and plain Dinomaly."
    ahead, behind = (sum(c["verdict"] == f"{c[k]} is better" for c in rows) for k in ("a", "b"))
    span = sorted(c["difference"] for c in rows)
    between = f"{span[0]:+.3f}" if len(span) == 1 else f"{span[0]:+.3f} to {span[-1]:+.3f}"
    few = "" if max(c["seeds"] for c in rows) >= SEEDS else f" (fewer than {SEEDS} seeds: no claim)"
    text = f"Directional less plain Dinomaly is {between} AUROC over {len(rows)} pair{'s' * (len(rows) > 1)}{few}, shown to be better in {ahead} and worse in {behind}"
    if lines:
        ahead, behind = (sum(c["verdict"] == f"{c[k]} is better" for c in lines) for k in ("a", "b"))
        text += f"; by the best line better in {ahead} and worse in {behind}"
    return text + "."


def _measured(c: Data) -> str:
    shape = "{:+.3f}" if abs(c["difference"]) < 10 else "{:+.0f}"
    return f"{c['a']} less {c['b']} {shape.format(c['difference'])}"


def _p(c: Data) -> str:
    return "-" if c["p_holm"] is None else f"{c['p_holm']:.2g}"


def _place(c: Data) -> str:
    words = [w for w in (c["part"], c["group"]) if w]
    return f"{', '.join(words)}: " if words else ""


def _table(rows: list[Data]) -> str:
    """Arms down, metrics across; a study of several parts or groups says which, one metric set each."""
    out = []
    for part in dict.fromkeys(r["part"] for r in rows):
        mine = [r for r in rows if r["part"] == part]
        metrics = list(dict.fromkeys(r["metric"] for r in mine))
        places = list(dict.fromkeys((r["group"], r["arm"]) for r in mine))
        by = {(r["group"], r["arm"], r["metric"]): r for r in mine}
        grouped = len({group for group, _ in places}) > 1
        body = []
        for group, arm in places:
            cells = [by[group, arm, m] for m in metrics]
            seeds = max(c["seeds"] for c in cells)
            if seeds:
                body.append([*([group] if grouped else []), arm, seeds, *(figure(c["mean"], c["sd"]) for c in cells)])
        if body:
            head = [*(["on"] if grouped else []), "arm", "seeds", *(WORDS[m] for m in metrics)]
            out.append((f"*{part}*\n\n" if part else "") + table(head, body))
    return "\n".join(out)


def _alpha(name: str, found: dict[str, dict[str, list[float]]]) -> str:
    """Where alpha went, for the study that asks."""
    if name != "alpha" or not found:
        return ""
    layers = sorted({layer for arm in found.values() for layer in arm}, key=int)
    body = [
        [arm, *(f"{arms[x][0]:.3f} ± {arms[x][1]:.3f}" if x in arms else "-" for x in layers)]
        for arm, arms in found.items()
    ]
    moved = [
        abs(value[0] - float(arm.split("_")[1].split("/")[0])) for arm, arms in found.items() for value in arms.values()
    ]
    words = f"Learned alpha by layer, mean ± spread over seeds and heads. It ends at most {max(moved):.3f} from where it started.\n\n"
    return words + table(["arm", *(f"layer {x}" for x in layers)], body) + "\n"


def _gradients(name: str, found: dict[str, dict[str, list[float]]]) -> str:
    """How the gradient flows, for the study that varies the direction: a risk that the plan names."""
    if name != "direction" or not found:
        return ""
    layers = list(next(iter(found.values())))
    body = [
        [arm, *(" / ".join(f"{v:.2g}" for v in arms[x]) if x in arms else "-" for x in layers)]
        for arm, arms in found.items()
    ]
    words = "Norm of the gradient by layer (0 is next to the bottleneck) in the first, a middle and the last tenth of the training, median over seeds. A layer whose norm vanished or exploded beside that of *none* would show the risk that directional layers hold the gradient up.\n\n"
    return words + table(["arm", *layers], body) + "\n"

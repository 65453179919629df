"""What must be known to read single studies: what a figure rests on, what an arm tests, what a risk came to."""

from __future__ import annotations

from collections.abc import Callable

from common import Data, table
from study_pairs import alpha_starts, kind_of, rotated

LOST, BLOWN = 0.1, 10.0  # a gradient that is this share of plain Dinomaly's has vanished, or exploded
LEFT = 0.05  # an alpha that is so far from its start has been learned


def remarks(name: str, data: Data) -> str:
    """Paragraphs of a study, each with a blank line after it."""
    found = [
        *(_OF[name](data) if name in _OF else []),
        *(_run() if any(kind_of(name, r["part"]) == "run" for r in data["result"]["table"]) else []),
    ]
    return "".join(f"{text}\n\n" for text in found)


def _arms(data: Data) -> set[str]:
    """Overrides that have a result."""
    return {r["arm"].partition("/")[0] for r in data["result"]["table"] if r["mean"] is not None}


def _direction(data: Data) -> list[str]:
    cold = min(test for _, test in data["config"]["sizes"] if test) // 2
    return [
        f"What the primary test rests on: half of the {2 * cold} healthy maps of a seed are cold, and a TPR at 1 % FPR on {cold} maps is set by {max(cold // 100, 1)} of them a seed, the highest.",
        _pooling(data),
        _axes(data),
        _alpha_table(data, "Learned alpha by layer, mean ± spread over seeds and heads (1 = along columns alone, y)."),
        _gradients(data["result"]["gradients"]),
    ]


def _pooling(data: Data) -> str:
    """The two scores beside each other, for the arms of the primary hypothesis."""
    mean = {(r["arm"], r["metric"]): r["mean"] for r in data["result"]["table"]}
    own = [f"`{arm}` {mean[arm, 'tpr_at_1_fpr_cold']:.3f}" for arm in ("none", "both_learned")]
    lines = [f"`{arm}` {mean[arm, 'tpr_at_1_fpr_cold_lines']:.3f}" for arm in ("none", "both_learned")]
    return f"With and without line pooling, TPR at 1 % FPR on cold maps (means, not tested): by the own score {', '.join(own)}; by the best line {', '.join(lines)}; AUROC of `none` {mean['none', 'auroc_cold']:.3f} and {mean['none', 'auroc_cold_lines']:.3f}."


def _axes(data: Data) -> str:
    rows = data["result"]["axes"]
    if not rows:
        return ""
    c = rows[0]
    other = {r["arm"]: r["mean"] for r in data["result"]["table"] if r["metric"] == "auroc_cold"}
    return f"Along columns (y) less along rows (x), on the metric of the primary hypothesis: {c['difference']:+.3f} (95 % interval {c['low']:+.3f} to {c['high']:+.3f}), p = {c['p_value']:.2g} by itself; AUROC on cold maps {other['y']:.3f} and {other['x']:.3f}."


def _alpha_table(data: Data, words: str) -> str:
    found = data["result"]["alpha"]
    layers = sorted({layer for arm in found.values() for layer in arm}, key=int)
    body = [
        [arm, *(f"{arms[x][0]:.3f} ± {arms[x][1]:.3f}" if x in arms else "-" for x in layers)]
        for arm, arms in found.items()
    ]
    starts = alpha_starts(data)
    moved = [abs(v[0] - starts[arm]) for arm, arms in found.items() if arm in starts for v in arms.values()]
    most = f" Where it is learned it ends at most {max(moved):.3f} from its start" if moved else ""
    if moved:
        fixed = ": these trainings never left it, and a learned mix is in effect a fixed one."
        most += fixed if max(moved) < LEFT else "."
    return f"{words}{most}\n\n{table(['arm', *(f'layer {x}' for x in layers)], body)}".rstrip("\n")


def _gradients(found: dict[str, dict[str, list[float]]]) -> str:
    """How the gradient flows: a risk that the plan names."""
    layers = list(next(iter(found.values())))
    body = [
        [arm, *(" / ".join(f"{v:.2g}" for v in arms[x]) if x in arms else "-" for x in layers)]
        for arm, arms in found.items()
    ]
    ratios = [
        value / plain
        for arm, arms in found.items()
        if arm != "none"
        for x in layers
        for value, plain in zip(arms[x], found["none"][x], strict=True)
    ]
    low, high = min(ratios), max(ratios)
    risk = "is **seen**" if low < LOST or high > BLOWN else "is not seen"
    return f"The risk that directional layers hold the gradient up {risk} in these trainings: with direction the norm is {low:.2f} to {high:.2f} times that of *none*, in any layer and part of the training (less than {LOST:g} or more than {BLOWN:g} would count). Longer trainings were not run. Norm by layer (0 is next to the bottleneck) in the first, a middle and the last tenth of the training, median over seeds:\n\n{table(['arm', *layers], body)}".rstrip(
        "\n"
    )


def _alpha(data: Data) -> list[str]:
    return [_alpha_table(data, "Learned alpha by layer, mean ± spread over seeds and heads.")]


def _resolution(data: Data) -> list[str]:
    arms, out = _arms(data), []
    if "one_per_tooth_31x16" in arms:
        out.append(
            "`one_per_tooth_31x16` has one row of tokens for each of the 31 driving teeth, but 16 columns of tokens for 95 driven ones: it is one per tooth for the gear whose teeth are damaged here, not for the other."
        )
    if "aspect_true_9x28" in arms:
        out.append(
            "`aspect_true_9x28` keeps the shape of the map, but has 9 rows of tokens for 31 driving teeth, fewer than the 16 of `tokens_16x16`: by itself it does not tell the shape from the number of rows."
        )
    if {"aspect_true_16x49", "tokens_16x16"} <= arms:
        out.append(
            "`aspect_true_16x49` has as many rows of tokens as `tokens_16x16`: the two differ in shape and in the number of columns alone, so that what lies between them is not for want of rows. A token of the square image spans three times as many driven teeth, and averages a damaged row's noise over them: that this is why is likely, and was not tested."
        )
    return [
        "\n".join(out),
        "Times per map were measured while other trials ran on the same two cores; they do not tell the arms apart.",
    ]


def _severity(_: Data) -> list[str]:
    return [
        "`default` is the head as the package ships it: weight 0.1 of its loss, synthetic lines in 30 % of a batch, tokens pooled along lines, hidden layers of 256 and 64. Every other arm changes the one thing that its name says."
    ]


def _robustness(data: Data) -> list[str]:
    out: list[str] = []
    body, exact, excluded = [], True, 0
    for arm in sorted((a for a in _arms(data) if a.startswith("rotation_")), key=lambda a: int(a.split("_")[1])):
        found = [rotated(data, arm, metric) for metric in ("auroc", "auroc_lines")]
        if None not in found:
            body.append([arm, *(f"{d:+.3f} ({low:+.3f} to {high:+.3f})" for d, low, high, _ in found)])
            exact = exact and all(known for *_, known in found)
            excluded += sum(high < 0 for _, _, high, _ in found)
    if body:
        basis = (
            "over seeds"
            if exact
            else "over seeds; no narrower than the true ones, because the seeds' own figures were not kept and their spread is bounded from those of the differences"
        )
        shown = (
            f"{excluded} of {2 * len(body)} intervals lie below 0"
            if excluded
            else "no interval lies below 0: that it suffers more is **not shown**"
        )
        out.append(
            f"Rotation was expected to hurt the directional prior most. How much more AUROC direction loses by it than plain Dinomaly does, (both - plain where rotated) - (both - plain where clean), below 0 = direction suffers more: {shown}. 95 % intervals {basis}.\n\n{table(['arm', 'own score', 'best line'], body)}".rstrip(
                "\n"
            )
        )
    rows = {(r["arm"], r["metric"]): r["mean"] for r in data["result"]["table"]}
    same = {m: v for (a, m), v in rows.items() if a.startswith("clean/")}
    if (
        "resize_nearest" in _arms(data)
        and same
        and all(
            rows.get((a.replace("clean", "resize_nearest"), m)) == v
            for (a, m), v in rows.items()
            if a.startswith("clean/")
        )
    ):
        out.append(
            "`resize_nearest` tests nothing: maps go up to a larger grid by nearest and come back by nearest, which gives the very same maps, and so the figures of `clean`. It shows that the way there and back is right."
        )
    return out


def _baselines(_: Data) -> list[str]:
    return [
        "Time per map was measured on a machine that ran other work on the same two cores: read it as an order of magnitude. [Performance](performance.md) compares times that were taken in turn in one run."
    ]


def _run() -> list[str]:
    return [
        "*hums2023* is one recording of one gear: seeds differ in the training of the detector alone, so their spread says nothing of another gear, and no detector is called better here. "
        "A place counts the 808 records in time order, from 0: days 17 and 18, taken as healthy, come first, then days 19 and 20, then the test part (days 21 to 27). "
        "A cell with fewer seeds than its row had the alarm in those seeds only. [HUMS2023](hums2023.md) has every other detector that was run on it, and what its healthy days can bear."
    ]


_OF: dict[str, Callable[[Data], list[str]]] = {
    "direction": _direction,
    "alpha": _alpha,
    "resolution": _resolution,
    "severity": _severity,
    "robustness": _robustness,
    "baselines": _baselines,
}

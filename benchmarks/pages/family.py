"""docs/family.md: all detectors side by side, where plain Dinomaly finds half of the lines."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from common import Data, origin, read, table

ALPHA = 0.05
FEWEST_SEEDS = 3  # "better" needs so many
COLUMNS = (
    ("auroc", "AUROC"),
    ("tpr_at_1_fpr", "TPR@1%FPR"),
    ("tooth_accuracy", "tooth (+-1)"),
    ("auroc_lines", "AUROC, best line"),
    ("tpr_at_1_fpr_lines", "TPR, best line"),
    ("auroc_segments", "AUROC, best segment"),
    ("severity_spearman", "severity Spearman"),
)
COSTS = (
    ("fit_seconds", "fit s", "{:.0f}"),
    ("predict_ms_median", "ms/map", "{:.1f}"),
    ("peak_memory_mib", "peak MiB", "{:.0f}"),
)


def _figure(values: list[float | None]) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return "-"
    spread = f" ± {np.std(known, ddof=1):.3f}" if len(known) > 1 else ""
    return f"{np.mean(known):.3f}{spread}"


def _grid(cells: list[Data]) -> str:
    by: dict[str, list[Data]] = defaultdict(list)
    for cell in cells:
        by[cell["detector"]].append(cell)
    order = sorted(by, key=lambda name: (-float(np.mean([c["auroc"] for c in by[name]])), name))
    rows = []
    for name in order:
        mine = by[name]
        costs = [shape.format(float(np.median([c[key] for c in mine]))) for key, _, shape in COSTS]
        rows.append([f"`{name}`", len(mine), *(_figure([c[key] for c in mine]) for key, _ in COLUMNS), *costs])
    return table(["detector", "seeds", *(t for _, t in COLUMNS), *(t for _, t, _ in COSTS)], rows)


def _pairs(rows: list[Data]) -> str:
    body = []
    for row in rows:
        verdict = "no difference shown"
        if row["seeds"] < FEWEST_SEEDS:
            verdict = f"no claim ({row['seeds']} of {FEWEST_SEEDS} seeds)"
        elif row["p_holm"] < ALPHA:
            verdict = f"`{row['pair'][0] if row['difference'] > 0 else row['pair'][1]}` is better"
        body.append(
            [
                f"{row['domain']}, {row['mode']}",
                f"`{row['pair'][0]}` less `{row['pair'][1]}`",
                row["score"],
                row["seeds"],
                f"{row['difference']:+.3f} ± {row['standard_error']:.3f}",
                f"{row['p_value']:.2g}",
                f"{row['p_holm']:.2g}",
                verdict,
            ]
        )
    head = ["maps", "pair", "score", "seeds", "difference of AUROC ± s.e.", "p", "p, Holm", "verdict"]
    return table(head, body)


def _direction(found: Data) -> str:
    """The mandatory control in words."""
    lines = []
    rows = found["result"]["comparisons"]
    for domain, mode in sorted({(r["domain"], r["mode"]) for r in rows}):
        mine = {
            r["score"]: r for r in rows if r["pair"][1] == "dinomaly" and (r["domain"], r["mode"]) == (domain, mode)
        }
        if not mine:
            continue
        parts = []
        for score, row in mine.items():
            shown = row["p_holm"] < ALPHA and row["seeds"] >= FEWEST_SEEDS
            word = ("gains" if row["difference"] > 0 else "loses") if shown else "shows no difference, measured"
            parts.append(
                f"by the {'detector itself' if score == 'own' else 'best line'} it {word} {row['difference']:+.3f}"
            )
        cells = [c for c in found["result"]["cells"] if (c["domain"], c["mode"]) == (domain, mode)]
        plain = [c["auroc_lines"] for c in cells if c["detector"] == "dinomaly"]
        directed = [c["auroc"] for c in cells if c["detector"] == "dinomaly_directional"]
        control = ""
        if plain and directed:
            own = np.mean([c["auroc"] for c in cells if c["detector"] == "dinomaly"])
            matches = max(own, np.mean(plain)) >= np.mean(directed)
            control = (
                f" Plain Dinomaly has {own:.3f} by its own score and {np.mean(plain):.3f} by lines, Directional Dinomaly {np.mean(directed):.3f} by its own: "
                + (
                    "the plain model matches it, so the claim for the attention is not supported here."
                    if matches
                    else "the plain model does not match it."
                )
            )
        lines.append(f"- {domain}, {mode}: directional against plain Dinomaly, {', '.join(parts)}.{control}\n")
    return "".join(lines)


def _fused(found: Data) -> str:
    rows = [r for r in found["result"]["comparisons"] if r["pair"] == ["fused", "scan"]]
    shown = [r for r in rows if r["p_holm"] < ALPHA and r["seeds"] >= FEWEST_SEEDS]
    better, worse = [r for r in shown if r["difference"] > 0], [r for r in shown if r["difference"] < 0]
    names = ", ".join(f"{r['domain']} {r['mode']} ({r['difference']:+.3f})" for r in (better or worse))
    if better and not worse:
        return f"`fused` is better than the scan alone on {names}, and nowhere shown to be worse."
    if worse and not better:
        return f"`fused` is worse than the scan alone on {names}: adding the deep detector's evidence costs more than it brings."
    if better and worse:
        return "`fused` is better than the scan alone on some maps and worse on others; see the table."
    return "No difference between `fused` and the scan alone was shown."


def family() -> str:
    """The page."""
    found = read("family")
    config, result = found["config"], found["result"]
    parts = []
    for domain, mode in sorted({(c["domain"], c["mode"]) for c in result["cells"]}):
        middle = result["contrasts"][domain][mode]["contrast"]
        cells = [c for c in result["cells"] if (c["domain"], c["mode"]) == (domain, mode)]
        parts.append(
            f"## Domain {domain}, {mode}\n\nLines of {middle / config['spread']:.3f} to {middle * config['spread']:.3f} times their background.\n\n{_grid(cells)}"
        )
    steps = config["options"]["dinomaly"]["max_steps"]
    return f"""# The family side by side

Every detector on the same simulated maps, at the contrast where plain Dinomaly, trained once with a seed of its own, has a
TPR@1%FPR of about 50 %. {config["train"]} healthy maps to learn from (a fourth of them kept for thresholds), {config["test"]} healthy and {config["test"]} faulty ones to score;
lines along rows of {config["length"][0]} to {config["length"][1]} cells. Mean ± standard deviation over seeds. *Best line* and *best segment*: the same anomaly map pooled by lines, the
control that any claim about direction has to beat. `limit` and `glr` know the generator; they are no detectors.

A reduced protocol for two CPU cores: the package's own [encoder](encoder.md), 16 x 16 tokens, {steps} steps of 8 maps in bfloat16, DRAEM at an eighth of
its published width. Published figures rest on 100,000 maps and thousands of steps.

{chr(10).join(parts)}
## What direction brings

{_direction(found)}
{_pairs(result["comparisons"])}
Differences are means over seeds; the standard error is the maps' (DeLong) or the seeds' own, whichever is larger; Holm's correction is over
all rows. "Better" is said where the corrected p-value is below {ALPHA} with {FEWEST_SEEDS} seeds or more.

## What we recommend

{_fused(found)}

{origin(found)}"""

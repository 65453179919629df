"""docs/benchmark.md: detectors on the simulated maps, beside the limit."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from common import RESULTS, Data, origin, percent, read, table

SIMPLE = (
    "mean",
    "max",
    "peak_to_sd",
    "row_mean",
    "column_mean",
    "fisher",
    "row_rms",
    "row_kurtosis",
    "row_m6a",
    "row_crest",
)
BOUNDS = ("limit", "glr")


def _means(cells: list[Data], metric: str) -> dict[tuple[str, str, str], tuple[float, float, int]]:
    """Mean, half width of the 95 % interval over seeds (0 = one seed), and seeds, by domain, mode and detector."""
    from scipy.stats import t

    values: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for cell in cells:
        if cell[metric] is not None:
            values[cell["domain"], cell["mode"], cell["detector"]].append(cell[metric])
    out = {}
    for key, v in values.items():
        n = len(v)
        half = float(t.ppf(0.975, n - 1) * np.std(v, ddof=1) / np.sqrt(n)) if n > 1 else 0.0
        out[key] = (float(np.mean(v)), half, n)
    return out


def _grid(cells: list[Data], mode: str, metric: str) -> str:
    found = _means(cells, metric)
    domains = sorted({d for d, m, _ in found if m == mode})
    names = {n for _, m, n in found if m == mode}
    mean = {n: np.mean([found[d, mode, n][0] for d in domains if (d, mode, n) in found]) for n in names}
    order = sorted(names, key=lambda n: (-mean[n], n))

    def cell(key: tuple[str, str, str]) -> str:
        if key not in found:
            return "-"
        mean, half, n = found[key]
        return f"{mean:.3f} ± {half:.3f}" if n > 1 else f"{mean:.3f} (1 seed)"

    return table(["detector", *domains], [[n, *(cell((d, mode, n)) for d in domains)] for n in order])


def _who_beats_whom(cells: list[Data]) -> str:
    """Which simple statistic beats which model, cell by cell."""
    found = _means(cells, "auroc")
    models = sorted({n for _, _, n in found} - set(SIMPLE) - set(BOUNDS))
    lines = []
    for domain, mode in sorted({(d, m) for d, m, _ in found}):
        best = max((n for n in SIMPLE if (domain, mode, n) in found), key=lambda n: found[domain, mode, n][0])
        level = found[domain, mode, best][0]
        beaten = [m for m in models if (domain, mode, m) in found and found[domain, mode, m][0] < level]
        words = f"beats {', '.join(beaten)}" if beaten else "beats no model"
        lines.append(f"- {domain}, {mode}: the best simple statistic is `{best}` ({level:.3f}); it {words}.\n")
    return "".join(lines)


def _false_alarms(cells: list[Data]) -> str:
    parts = {m: _means(cells, m) for m in ("false_alarms_cold", "false_alarms_warm", "false_alarms_session")}
    names = (
        "scan",
        "scan_learned",
        "pca",
        "mahalanobis",
        "mean",
        "max",
        "row_mean",
        "dinomaly",
        "dinomaly_directional",
    )
    rows = []
    for name in names:
        row: list[Any] = [name]
        for mode, metric in (
            ("matched", "false_alarms_cold"),
            ("matched", "false_alarms_warm"),
            ("realistic", "false_alarms_session"),
        ):
            values = [v[0] for (_, m, n), v in parts[metric].items() if m == mode and n == name]
            row.append(percent(float(np.mean(values))) if values else "-")
        rows.append(row)
    return table(["detector", "cold", "warm", "another session (realistic)"], rows)


def _speed(cells: list[Data]) -> str:
    names = sorted({c["detector"] for c in cells})
    rows = []
    for name in names:
        mine = [c for c in cells if c["detector"] == name]

        def middle(metric: str, mine: list[Data] = mine) -> float:
            return float(np.median([c[metric] for c in mine]))

        rows.append(
            [
                name,
                f"{middle('fit_seconds'):.2f}",
                f"{middle('predict_ms_median'):.2f}",
                f"{middle('predict_ms_p95'):.2f}",
                f"{middle('maps_per_second'):.0f}",
                f"{middle('stored_numbers'):.3g}",
            ]
        )
    return table(["detector", "fit s", "ms/map, median", "ms/map, p95", "maps/s in one batch", "stored numbers"], rows)


def _detectability() -> tuple[str, Data | None]:
    path = RESULTS / "detectability.json"
    if not path.exists():
        return "Not yet measured at full size: `python benchmarks/detectability.py`.\n", None
    found = read("detectability")

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    rows = []
    for row in found["result"]["contrasts"]:
        ratio = row.get("ratio") or {"value": 1.0, "low": None, "high": None}
        contrast = number(row["contrast"]) if row["state"] == "found" else str(row["state"])
        between = "-" if ratio["low"] is None or ratio["high"] is None else f"{ratio['low']:.3f} to {ratio['high']:.3f}"
        rows.append([row["domain"], row["length"], row["detector"], contrast, number(ratio["value"]), between])
    head = ["domain", "length", "detector", "contrast found", "ratio of log contrasts", "95 %"]
    text = table(head, rows)
    scans = [r for r in found["result"]["contrasts"] if r["detector"] == "scan, rows, learned noise"]
    ratios = {(r["domain"], r["length"]): r["ratio"]["value"] for r in scans}
    far = [f"{d} at {n} columns ({v:.3f})" for (d, n), v in ratios.items() if v is None or v > 1.15]
    inside = f"within a factor of 1.15 in {len(ratios) - len(far)} of {len(ratios)} cases"
    text += f"\nThe scan with learned noise is {inside}" + (f"; not for {', '.join(far)}" if far else "") + ".\n"
    return text, found


def benchmark() -> str:
    """The page."""
    found = read("benchmark")
    cells, config = found["result"]["cells"], found["config"]
    low, high = config["contrast"]
    shortest, longest = config["length"]
    limits, source = _detectability()
    seeds = len({c["seed"] for c in cells})
    return f"""# The benchmark

Simulated health maps whose statistics match the published ones (see the [generator's check](#how-well-the-maps-match)), in
four domains and two modes. *Matched*: the damaged line is the only difference. *Realistic*: faulty maps come from another
recording session, and so do the healthy maps that they are compared with; a comparison across sessions would detect the
session. Lines along rows, {shortest} to {longest} cells, {low:g} to {high:g} times their background; {config["n_train"]} healthy maps to learn
from, {config["n_test"]} healthy and {config["n_test"]} faulty ones to score; up to {seeds} seeds, ± = half of the 95 % interval of the mean over
seeds. `glr` knows the generator's texture and takes the best single line: what is practical, no bound. (`limit`, the likelihood ratio averaged
over all lines that the generator may draw, which no detector can beat on average, and the deep detectors are run by the same command and
are not part of this table yet.)

## AUROC, matched

{_grid(cells, "matched", "auroc")}
## AUROC within a session, realistic

{_grid(cells, "realistic", "auroc")}
## TPR at 1 % FPR, matched

{_grid(cells, "matched", "tpr_at_1_fpr")}
## The right tooth (gear and tooth, +-1), matched

{_grid(cells, "matched", "tooth_accuracy")}
## Which simple statistic beats which model

{_who_beats_whom(cells)}
## False alarms of a threshold set for 1 % on the training pool

Share of healthy test maps that alarm, mean over domains and seeds. The pool holds cold and warm maps without telling them apart.

{_false_alarms(cells)}
## Minimum detectable contrast

The contrast at which 90 % of lines are found with 1 % of healthy maps flagged. In the log map a line adds log(contrast); energy is
the square of the value, so a contrast c adds c^2 - 1 times the energy of the cell.

{limits}
## How well the maps match

`tests/simulate/test_maps.py` holds the generator against every published figure: means of training maps within 1.3 %, of test maps within
2.7 %, texture entropies within 3.2 %. Published targets contradict each other in two places, and there the generator gives way: the
maxima of healthy test maps in A, B and D lie 19 to 48 % above the published ones (a lognormal texture of the published CV has them),
and domain C's cold maps cannot have both the published mean and the published in-image spread together with the pool's quartiles.

## Speed

Medians over cells; one thread, maps one by one after a warm-up, and all test maps in one batch.

{_speed(cells)}
Command: `toothwise bench --domains A B C D --detectors ... --seeds 5 --output runs/bench`; some 5 minutes on one core for this table. The
limit takes 0.1 s per map (lines of all lengths), a deep detector some 4 minutes per cell on two cores.

{origin(found, *([source] if source else []))}"""

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
DEEP = ("dinomaly", "dinomaly_directional", "patchcore", "patchcore_context", "padim")


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

    def level(name: str) -> float:
        return float(np.mean([found[d, mode, name][0] for d in domains if (d, mode, name) in found]))

    order = sorted(names, key=lambda n: (-level(n), n))

    return table(["detector", *domains], [[n, *(_cell(found.get((d, mode, n))) for d in domains)] for n in order])


def _who_beats_whom(cells: list[Data]) -> str:
    """Which simple statistic beats which model, cell by cell."""
    found = _means(cells, "auroc")
    models = sorted({n for _, _, n in found} - set(SIMPLE) - set(BOUNDS))
    lines = []
    for domain, mode in sorted({(d, m) for d, m, _ in found}):
        best = max((n for n in SIMPLE if (domain, mode, n) in found), key=lambda n: found[domain, mode, n][0])
        level = found[domain, mode, best][0]
        beaten = [m for m in models if (domain, mode, m) in found and found[domain, mode, m][0] < level]
        words = f"has a higher mean than {', '.join(beaten)}" if beaten else "has a higher mean than no model"
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
        *DEEP,
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


def _pooling(cells: list[Data]) -> str:
    """The same anomaly maps scored by the detector, by whole lines and by segments."""
    rows, words = [], []
    own, lines, segments = (_means(cells, f"auroc{end}") for end in ("", "_lines", "_segments"))
    for domain, mode in sorted({(d, m) for d, m, n in lines if n in DEEP}):
        here = f"{domain}, {mode}"
        plain = (domain, mode, "max")
        rows.append([here, "none: the map itself", "-", _cell(lines.get(plain)), _cell(segments.get(plain))])
        names = sorted(n for d, m, n in lines if (d, m) == (domain, mode) and n not in SIMPLE)
        for name in names:
            rows.append([here, name, *(_cell(found.get((domain, mode, name))) for found in (own, lines, segments))])
        best = max((n for n in names if n in DEEP), key=lambda n: own[domain, mode, n][0])
        words.append(
            f"{here}: the best deep detector by its own score is `{best}` ({_cell(own[domain, mode, best])}); the best segment "
            f"of the map itself has {segments[plain][0]:.3f}, the scan {own[domain, mode, 'scan'][0]:.3f}."
        )
    text = table(["maps", "detector", "its own score", "best line", "best segment"], rows)
    return text + "\n" + " ".join(words) + "\n"


def _cell(found: tuple[float, float, int] | None) -> str:
    if found is None:
        return "-"
    mean, half, n = found
    return f"{mean:.3f} ± {half:.3f}" if n > 1 else f"{mean:.3f} (1 seed)"


def _generator() -> tuple[str, Data]:
    """Target, ours, deviation, and the order of difficulty."""
    found = read("generator")
    rows = [
        [
            r["domain"],
            r["maps"],
            r["statistic"],
            f"{r['target']:g}",
            f"{r['ours']:.4g}",
            f"{100 * r['deviation']:+.1f} %",
        ]
        for r in found["result"]["statistics"]
    ]
    order = sorted(found["result"]["difficulty"].items(), key=lambda item: -item[1])
    words = ", ".join(f"{name} {value:.3f}" for name, value in order)
    text = table(["domain", "maps", "statistic", "target", "ours", "deviation"], rows)
    fast = found["result"]["speed"]
    text += (
        f"\n10,000 maps of domain C are drawn in {fast['seconds_for_10000_maps']:g} s on one core; the scan scores "
        f"{fast['scan_maps_per_second']:,} maps per second there, with learned noise "
        f"{fast['scan_learned_maps_per_second']:,}, rows and columns both.\n"
    )
    return text + f"\nOrder of difficulty at equal contrast (AUROC of the scan, 1.1 to 1.3): {words}.\n", found


def _ranking() -> tuple[str, Data | None]:
    path = RESULTS / "ranking.json"
    if not path.exists():
        return "Not yet run: `python benchmarks/ranking.py`.\n", None
    found = read("ranking")
    parts = []
    for protocol, words in (
        ("early", "Early protocol: the centre of the map alone, accuracy"),
        ("later", "Later protocol: the whole map, AUROC"),
    ):
        part = found["result"]["agreement"][protocol]
        rows = []
        for name, published in part["published"].items():
            cells = [c for c in found["result"]["cells"] if (c["detector"], c["protocol"]) == (name, protocol)]
            low, high, lines = (np.mean([c[f"auroc_{k}"] for c in cells]) for k in ("own_low", "own_high", "lines"))
            own = np.mean([c["auroc_own"] for c in cells])
            rows.append(
                [
                    name,
                    f"{published:g}",
                    f"{100 * part['ours'][name]:.1f}",
                    f"{own:.3f} ({low:.3f} to {high:.3f})",
                    f"{lines:.3f}",
                ]
            )
        head = ["detector", "published %", "ours %", "our AUROC (95 %)", "AUROC by lines"]
        parts.append(f"{words}. Kendall's tau {part['kendall_tau']:+.2f}.\n\n{table(head, rows)}")
    return "\n".join(parts), found


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
        fair = number((row.get("ratio_untold") or {}).get("value"))
        contrast = number(row["contrast"]) if row["state"] == "found" else str(row["state"])
        between = "-" if ratio["low"] is None or ratio["high"] is None else f"{ratio['low']:.3f} to {ratio['high']:.3f}"
        rows.append([row["domain"], row["length"], row["detector"], contrast, number(ratio["value"]), between, fair])
    head = ["domain", "length", "detector", "contrast found", "ratio of log contrasts", "95 %", "ratio, length untold"]
    text = table(head, rows)
    scans = [r for r in found["result"]["contrasts"] if r["detector"] == "scan, rows, learned noise"]
    ratios = {(r["domain"], r["length"]): r["ratio"]["value"] for r in scans}
    far = [f"{d} at {n} columns ({v:.3f})" for (d, n), v in ratios.items() if v is None or v > 1.15]
    inside = f"within a factor of 1.15 in {len(ratios) - len(far)} of {len(ratios)} cases"
    text += f"\nThe scan with learned noise is {inside}" + (f"; not for {', '.join(far)}" if far else "") + ".\n"
    untold = {(r["domain"], r["length"]): r["ratio_untold"]["value"] for r in scans if "ratio_untold" in r}
    if untold:
        beyond = [f"{d} at {n} columns ({v:.3f})" for (d, n), v in untold.items() if v is None or v > 1.15]
        text += (
            "The limit in that ratio is told the length and the contrast of the line, which no detector is. Beside the "
            f"likelihood ratio averaged over lengths too (one of the three, the last column) it is within 1.15 in {len(untold) - len(beyond)} of {len(untold)} cases"
            + (f"; not for {', '.join(beyond)}" if beyond else "")
            + ".\n"
        )
    return text, found


def benchmark() -> str:
    """The page."""
    found = read("benchmark")
    cells, config = found["result"]["cells"], found["config"]
    low, high = config["contrast"]
    shortest, longest = config["length"]
    limits, source = _detectability()
    statistics, check = _generator()
    ranking, rerun = _ranking()
    seeds = len({c["seed"] for c in cells})
    sources = [check, *(s for s in (source, rerun) if s)]
    return f"""# The benchmark

Simulated health maps whose statistics match the published ones (see the [generator's check](#how-well-the-maps-match)), in
four domains and two modes. *Matched*: the damaged line is the only difference. *Realistic*: faulty maps come from another
recording session, and so do the healthy maps that they are compared with; a comparison across sessions would detect the
session. Lines along rows, {shortest} to {longest} cells, {low:g} to {high:g} times their background; {config["n_train"]} healthy maps to learn
from, {config["n_test"]} healthy and {config["n_test"]} faulty ones to score; up to {seeds} seeds, ± = half of the 95 % interval of the mean over
seeds. `limit` is the likelihood ratio averaged over all lines that the generator may draw, with the texture's true numbers, which no detector
can beat on average; `glr` knows the texture too and takes the best single line: what is practical, no bound. The session shift of the
realistic mode is known to the limit, as nothing else is. The deep detectors of these tables have a ViT-S; with the package's own encoder, the
default since, they stand in [the family side by side](family.md).

## AUROC, matched

{_grid(cells, "matched", "auroc")}
## AUROC within a session, realistic

{_grid(cells, "realistic", "auroc")}
## TPR at 1 % FPR, matched

{_grid(cells, "matched", "tpr_at_1_fpr")}
## The right tooth (gear and tooth, +-1), matched

{_grid(cells, "matched", "tooth_accuracy")}
## Line pooling

What the same anomaly map says when it is scored by its best whole line, or by its best row or column segment (a scan that is calibrated
on held-out healthy maps), instead of by the detector. Any claim about direction has to beat this column.

{_pooling(cells)}
## Which simple statistic beats which model

{_who_beats_whom(cells)}
## False alarms of a threshold set for 1 % on the training pool

Share of healthy test maps that alarm, mean over domains and seeds. The pool holds cold and warm maps without telling them apart.

{_false_alarms(cells)}
## Minimum detectable contrast

The contrast at which 90 % of lines are found with 1 % of healthy maps flagged. In the log map a line adds log(contrast); energy is
the square of the value, so a contrast c adds c^2 - 1 times the energy of the cell.

{limits}
Why it is not closer: it does not know length and contrast, so it pays for all those that it also looks for, and a line between two of its lengths
is partly missed; it learns the texture from {source["config"]["fitted_on"] if source else 1000:,} maps where the limit is told it; and it allows for dark cells one by one, where the limit
knows that they come as few gaps, which is dearest for short lines.

## How well the maps match

1,000 maps each, realistic mode for the test maps. Two groups of targets contradict each other or what the generator is made of, and there it
gives way: (1) the maxima of healthy test maps in A, B and D are below what normal noise of the published CV gives in a million cells, so the true
noise has lighter tails; the maximum of cold faulty maps of C tells more here than published for the same reason. (2) Domain C's cold
maps have a mean of .190 and an in-image sd of .046, warm ones .265 and .075: their half-and-half mixture cannot have the pool's quartiles, so
training maps are one pool with a spread of its own. The published order of difficulty (A = B easiest, then D, C warm, C cold) is not that of
equal contrast: C has the weakest stripes and is the easiest then. It must come from the contrast, which is published for C alone.

{statistics}
## The published ranking, rerun

Domain C, realistic mode, within a session, grey input, contrasts as published (1.2 to 1.45), ViT-S instead of the ViT-B of the publication and
hundreds of training maps instead of 100,000; `python benchmarks/ranking.py`. Deviations are discussed below the tables.

{ranking}
What agrees: PatchCore is ahead of Dinomaly on the whole map, and the centre alone costs PatchCore and Dinomaly five points of AUROC, because a line on
a hidden row cannot be found. What does not: row context and the tail loss gain nothing here (their intervals cover those without), and in the
early protocol Dinomaly is last where it was published first. Likely reasons, not tested: 300 maps and 100 steps leave Dinomaly far from trained
(published: 100,000 maps and thousands of steps) while a bank of patches is complete at once; one neighbour on each side is a short context at 16 x 16
tokens; lines of two and more cells are drawn here, and the short ones are beyond everyone, which lowers all figures. One seed: neighbours in
these tables could change places.

## Speed

Medians over cells; one thread, maps one by one after a warm-up, and the test maps in one batch. The other core of the machine was busy.

{_speed(cells)}
## Hours on a CPU

`toothwise bench --domains A B C D --detectors ... --seeds 5 --output runs/bench`, one core of the machine named below:

- The scans, the statistics, `pca`, `mahalanobis` and `glr`: 600 cells in about 20 minutes.
- `limit`: 0.1 s per map (lines of all lengths), two minutes per cell; 4 domains, 2 modes, 5 seeds are 1.5 hours.
- Deep detectors (ViT-S, 224 x 224): encoding takes 0.2 s per map and is shared by all of them within a cell, 4 to 6 minutes; then
  PatchCore takes 1 to 3 minutes, a Dinomaly of 100 steps 8 minutes. One seed of domain C in both modes is 1 hour for all five, so
  domain C comes first, and all 40 cells (20 hours) are for a machine with a GPU.

{origin(found, *sources)}"""

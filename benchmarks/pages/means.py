"""Means, orders and counts that templates cannot take themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from engine import Data

SIMPLE = (
    *("mean", "max", "peak_to_sd", "row_mean", "column_mean", "fisher"),
    *("row_rms", "row_kurtosis", "row_m6a", "row_crest"),
)
BOUNDS = ("limit", "glr")
DEEP = ("dinomaly", "dinomaly_directional", "patchcore", "patchcore_context", "padim")  # with the ViT-S or a ResNet-18


def grouped(rows: Iterable[Data], key: Callable[[Data], Any]) -> dict[Any, list[Data]]:
    """Rows by a key, in the order in which keys come."""
    found: dict[Any, list[Data]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return dict(found)


def places(cells: list[Data]) -> dict[tuple[str, str], list[Data]]:
    """Cells by domain and mode."""
    return dict(sorted(grouped(cells, lambda c: (c["domain"], c["mode"])).items()))


def by_detector(cells: list[Data]) -> dict[str, list[Data]]:
    """Cells by detector, the highest mean AUROC first."""
    found = grouped(cells, lambda c: c["detector"])
    return dict(sorted(found.items(), key=lambda item: (-mean(item[1], "auroc"), item[0])))


def mean(cells: Iterable[Data], metric: str) -> float | None:
    """Of the cells that have the metric; None where none has."""
    known = [c[metric] for c in cells if c[metric] is not None]
    return float(np.mean(known)) if known else None


def middle(cells: Iterable[Data], metric: str) -> float:
    """The median."""
    return float(np.median([c[metric] for c in cells]))


def over_seeds(cells: Iterable[Data], metric: str) -> str:
    """Mean and half of its 95 % interval over seeds."""
    from scipy.stats import t

    known = [c[metric] for c in cells if c.get(metric) is not None]
    if not known:
        return "-"
    n = len(known)
    if n == 1:
        return f"{known[0]:.3f} (1 seed)"
    return f"{np.mean(known):.3f} ± {t.ppf(0.975, n - 1) * np.std(known, ddof=1) / np.sqrt(n):.3f}"


def grid(cells: list[Data], mode: str, metric: str) -> tuple[list[str], list[list[str]]]:
    """Domains, and a row for each detector that has the metric, the highest level first."""
    mine = [c for c in cells if c["mode"] == mode and c[metric] is not None]
    domains = sorted({c["domain"] for c in mine})
    rows = []
    for name, own in grouped(mine, lambda c: c["detector"]).items():
        of = grouped(own, lambda c: c["domain"])
        level = np.mean([mean(of[d], metric) for d in domains if d in of])
        rows.append((-level, name, [name, *(over_seeds(of.get(d, []), metric) for d in domains)]))
    return domains, [row for *_, row in sorted(rows)]


def pooled(cells: list[Data]) -> list[list[str]]:
    """The same anomaly maps scored by the detector, by whole lines and by segments, where deep detectors were run."""
    rows = []
    for place, mine in places(cells).items():
        of = grouped((c for c in mine if c["auroc_lines"] is not None), lambda c: c["detector"])
        if not set(of) & set(DEEP):
            continue
        ways = ("auroc_lines", "auroc_segments")
        rows.append([", ".join(place), "none: the map itself", "-", *(over_seeds(of["max"], m) for m in ways)])
        for name in sorted(set(of) - set(SIMPLE)):
            rows.append([", ".join(place), name, *(over_seeds(of[name], m) for m in ("auroc", *ways))])
    return rows


def best_simple(cells: list[Data]) -> list[list[str]]:
    """Maps, the simple statistic with the highest mean AUROC, its mean, and the models below it."""
    rows = []
    for place, mine in places(cells).items():
        level = {name: mean(own, "auroc") for name, own in by_detector(mine).items()}
        best = next(name for name in level if name in SIMPLE)
        models = sorted(n for n in set(level) - {*SIMPLE, *BOUNDS} if level[n] < level[best])
        rows.append([", ".join(place), f"`{best}`", f"{level[best]:.3f}", ", ".join(models) or "none"])
    return rows


def false_alarms(cells: list[Data], name: str, mode: str, metric: str) -> float | None:
    """Mean over domains of the mean over seeds."""
    of = grouped((c for c in cells if (c["detector"], c["mode"]) == (name, mode)), lambda c: c["domain"])
    known = [v for v in (mean(own, metric) for own in of.values()) if v is not None]
    return float(np.mean(known)) if known else None


def round_trip(trip: Data, planet: Data, ring: Data) -> Data:
    """Cases of the round trip; of the planetary one the curves of both runs."""
    (case,) = planet["result"]
    both = {**planet["result"][case]["curves"], **ring["result"][case]["curves"]}
    return {**trip["result"], case: {**planet["result"][case], "curves": both}}


def fuzzed(found: Data) -> list[list[object]]:
    """What is read, readers, inputs, read, refused and failures, by the first word of a reader's name."""
    rows = []
    readers = found["result"]["readers"]
    for name, names in grouped(readers, lambda n: n.partition(",")[0].partition(":")[0]).items():
        mine = [readers[n] for n in names]
        count, taken = sum(r["inputs"] for r in mine), sum(r["outcomes"].get("read", 0) for r in mine)
        rows.append([name, len(mine), count, taken, count - taken, sum(len(r["failures"]) for r in mine)])
    return rows


def compiled(found: Data) -> dict[str, list[float]]:
    """Ours compiled over ours as it is; and over anomalib's compiled, along one axis and along both."""
    rows = [row["ways"] for row in found["result"]["rows"] if "y, compiled" in row["ways"]]

    def over(name: str, axes: tuple[str, ...]) -> list[float]:
        return [w[f"{axis}, compiled"]["ratio"] / w[name or axis]["ratio"] for w in rows for axis in axes]

    base = "anomalib, compiled"
    return {"gained": over("", ("x", "y", "both")), "one": over(base, ("x", "y")), "both": over(base, ("both",))}


def worst_memory(found: Data) -> float:
    """The largest memory of our own ways of training, over anomalib's."""
    return max(row["memory_ratio"] for name, row in found["result"]["ways"].items() if "anomalib" not in name)


def verdict_here(found: Data) -> Data:
    """Times anomalib's of ``auto`` by encoder: published, with fewer tokens or layers, and the former's products alone.

    And ``auto`` over the best fixed choice, as the benchmark has it.
    """
    taken = {name: way["batch_1"] for name, way in found["result"]["ways"].items()}
    auto = {name: one for name, one in taken.items() if ", auto (" in name}
    said: Data = {}
    result = found["result"]
    base = next(one["cpu_ms"] for name, one in taken.items() if name.startswith("anomalib"))
    for encoder in ("ViT-S", "own encoder"):
        square, more = (next(name for name in auto if name.startswith(f"plain, {encoder}{m}")) for m in (",", " "))
        said[encoder] = {"square": 1 / auto[square]["ratio"], "fewer": 1 / auto[more]["ratio"]}
        said[encoder]["how"] = more.removeprefix(f"plain, {encoder} ").partition(",")[0]
        said[encoder]["most"] = base * result["peak"]["float32"] / 1e12 / result["gigaflop"][f"plain, {encoder}"]
    return said | {"auto": max(one.get("over_best_fixed", 0.0) for one in auto.values())}


def of_variant(rows: Iterable[Data], key: str, variant: str = "chosen") -> float:
    """Mean of a value over the kinds of drift, of one variant of the run's parameters."""
    return float(np.mean([row[key] for row in rows if row["variant"] == variant]))

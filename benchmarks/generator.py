"""The map generator held against every published statistic: target, ours, deviation.

python benchmarks/generator.py        # a minute
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from measuring.command import arguments, save

from toothwise import detectors
from toothwise.detectors.scan import DirectionalScan
from toothwise.detectors.statistics import STATISTICS
from toothwise.simulate.maps import generate
from toothwise_lab.published import AREAS, ENTROPY_RISE, MAXIMA, STATES, TEST, TRAIN, WITHIN_C
from toothwise_lab.studies.measures import area
from toothwise_lab.texture import angular_power_entropy, orientation_entropy

N, FEW = 1000, 300
STATES_NAMES = ("cold", "warm")
Maps = dict[tuple[str, str], np.ndarray]


def row(domain: str, maps: str, statistic: str, target: float, ours: float) -> dict[str, Any]:
    """One line of the table; the deviation is relative."""
    return {
        "domain": domain,
        "maps": maps,
        "statistic": statistic,
        "target": target,
        "ours": round(float(ours), 4),
        "deviation": round(float(ours) / target - 1.0, 4),
    }


def coefficient(x: np.ndarray) -> float:
    """Mean of the images' sd over mean."""
    return float((x.std(axis=(1, 2)) / x.mean(axis=(1, 2))).mean())


def training(domain: str, seed: int) -> list[dict[str, Any]]:
    """Statistics of the training pool."""
    x, _ = generate(domain, N, False, seed=seed)
    found = (x.mean(), x.std(), *np.quantile(x, (0.25, 0.5, 0.75)), coefficient(x))
    entropies = (angular_power_entropy(x[:FEW]).mean(), orientation_entropy(x[:FEW]).mean())
    names = ("mean", "sd", "25 %", "median", "75 %", "in-image CV", "angular power entropy", "orientation entropy")
    return [
        row(domain, "train", name, target, ours)
        for name, target, ours in zip(names, TRAIN[domain], (*found, *entropies), strict=True)
    ]


def testing(domain: str, seed: int) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Statistics of healthy and faulty test maps in realistic mode, and the maps."""
    rows, maps = [], {}
    for k, label in enumerate(("healthy", "faulty")):
        x, _ = generate(domain, N, label == "faulty", mode="realistic", split="test", seed=seed + k)
        maps[label] = x
        for name, target, ours in zip(
            ("mean", "sd", "median"), TEST[label][domain], (x.mean(), x.std(), np.median(x)), strict=True
        ):
            rows.append(row(domain, f"test, {label}", name, target, ours))
        rows.append(row(domain, f"test, {label}", "maximum", MAXIMA[label][domain], x.max()))
        for i, (state, target) in enumerate(zip(STATES_NAMES, STATES[label][domain], strict=True)):
            rows.append(row(domain, f"test, {label}, {state}", "mean", target, x[i::2].mean()))
    rise = angular_power_entropy(maps["faulty"][:FEW]).mean() - angular_power_entropy(maps["healthy"][:FEW]).mean()
    rows.append(row(domain, "test", "rise of the angular power entropy", ENTROPY_RISE[domain], rise))
    return rows, maps


def domain_c(maps: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Spread within and between maps of domain C, and what trivial statistics reach on it."""
    state = {(label, s): x[i::2] for label, x in maps.items() for i, s in enumerate(STATES_NAMES)}
    rows = []
    for key, targets in WITHIN_C.items():
        x = state[key]
        ours = (x.mean(axis=(1, 2)).std(), x.std(axis=(1, 2)).mean(), coefficient(x))
        for name, target, value in zip(("sd between images", "in-image sd", "in-image CV"), targets, ours, strict=True):
            rows.append(row("C", f"test, {key[0]}, {key[1]}", name, target, value))
    for (healthy, faulty, name), target in AREAS.items():
        statistic = STATISTICS[name][0]
        ours = area(statistic(state["healthy", healthy]), statistic(state["faulty", faulty]))
        rows.append(row("C", f"{faulty} faults against {healthy} healthy", f"AUROC of {name}", target, ours))
    return rows


def difficulty(seed: int) -> dict[str, float]:
    """AUROC of the scan within the fault session, lines of one contrast in all domains."""
    out = {}
    for domain in "ABCD":
        train = generate(domain, 400, False, seed=seed)[0]
        scan = DirectionalScan().fit(train)
        for state in STATES_NAMES:
            common: dict[str, Any] = {"mode": "realistic", "split": "test", "condition": state, "segment": False}
            healthy = generate(domain, 400, False, session="fault", seed=seed + 1, **common)[0]
            faulty = generate(domain, 400, True, seed=seed + 2, contrast=(1.1, 1.3), **common)[0]
            out[f"{domain} {state}"] = round(area(scan.predict(healthy).score, scan.predict(faulty).score), 4)
    return out


def speed(seed: int) -> dict[str, float]:
    """Seconds for 10,000 maps, and maps per second that the scan scores (best of five parts), on one thread."""
    start = time.perf_counter()
    maps, _ = generate("C", 10_000, True, mode="realistic", split="test", seed=seed)
    seconds = time.perf_counter() - start
    found = {"seconds_for_10000_maps": round(seconds, 2)}
    for name in ("scan", "scan_learned"):
        detector: Any = detectors.create(name).fit(maps[:400])
        times = []
        for part in np.array_split(maps[:5000], 5):
            start = time.perf_counter()
            detector._raw(part)  # the score without the anomaly map
            times.append((time.perf_counter() - start) / len(part))
        found[f"{name}_maps_per_second"] = round(1.0 / min(times))
    return found


def main() -> None:
    """Measure and write."""
    args = arguments(__doc__, seed=1)
    rows: list[dict[str, Any]] = []
    for domain in TRAIN:
        more, maps = testing(domain, args.seed + 1)
        rows += training(domain, args.seed) + more
        if domain == "C":
            rows += domain_c(maps)
    result = {"statistics": rows, "difficulty": difficulty(args.seed), "speed": speed(args.seed)}
    save(args, result, maps=N, maps_for_entropies=FEW, mode="realistic", difficulty_contrast=[1.1, 1.3])


if __name__ == "__main__":
    main()

"""Two simulators, one world: maps from simulated vibration beside the map generator and the published statistics.

    python benchmarks/two_simulators.py      # some minutes

Healthy maps of a 31 x 95 pair and of a 31/31/95 planetary stage, built by the whole chain from simulated vibration,
each set scaled by one factor to the published mean of domain C (units of the published maps are not known). Compared,
per map and averaged: mean, CV, quartiles over the mean, angular power entropy, orientation entropy, and how much of the
log map's variance lies between rows and between columns.

Options:

    --records: per gearbox
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import measuring.one_thread  # noqa: F401  (before NumPy)
import numpy as np
from measuring.command import arguments, save

from toothwise import GearPair, PlanetaryStage, build_map
from toothwise.errors import ToothwiseWarning
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.maps import generate
from toothwise_lab.published import TRAIN
from toothwise_lab.texture import angular_power_entropy, orientation_entropy

MEAN, _, LOW, _, HIGH, CV, POWER, ORIENTATION = TRAIN["C"]
PUBLISHED = {"mean": MEAN, "cv": CV, "q25_over_mean": LOW / MEAN, "q75_over_mean": HIGH / MEAN}
PUBLISHED |= {"angular_power_entropy": POWER, "orientation_entropy": ORIENTATION}


def statistics(maps: np.ndarray) -> dict[str, float]:
    """Statistics per map, averaged."""
    mean = maps.mean(axis=(1, 2))
    return {
        "mean": float(mean.mean()),
        "cv": float(np.mean(maps.std(axis=(1, 2)) / mean)),
        "q25_over_mean": float(np.mean(np.quantile(maps, 0.25, axis=(1, 2)) / mean)),
        "q75_over_mean": float(np.mean(np.quantile(maps, 0.75, axis=(1, 2)) / mean)),
        "between_map_cv": float(mean.std() / mean.mean()),
        "angular_power_entropy": float(np.mean(angular_power_entropy(maps))),
        "orientation_entropy": float(np.mean(orientation_entropy(maps))),
        "row_share": share(maps, 2),
        "column_share": share(maps, 1),
    }


def share(maps: np.ndarray, axis: int) -> float:
    """Share of the log map's variance within a map that lies between its rows (axis 2) or columns (axis 1)."""
    x = np.log(maps)
    return float(np.mean(x.mean(axis=axis).var(axis=1) / x.var(axis=(1, 2))))


def main() -> None:
    """Build, compare, write benchmarks/results/two_simulators.json."""
    given = arguments(__doc__, records=20, gearboxes=4)
    warnings.simplefilter("ignore", ToothwiseWarning)
    base = {
        "pair 31 x 95": GearboxConfig(gears=GearPair(31, 95), periods=4),
        "planetary 31/31/95": GearboxConfig(gears=PlanetaryStage(31, 31, 95, 3), periods=4),
    }
    result: dict[str, dict[str, float]] = {"published, domain C": PUBLISHED}
    result["map generator, domain C"] = statistics(generate("C", given.records * given.gearboxes, False, seed=0)[0])
    for name, config in base.items():
        for label, changes in (
            ("", {}),
            (", grade 9", {"grade": 9}),
            (", no noise", {"snr": None}),
            (", 0 dB", {"snr": 0.0}),
        ):
            maps = []
            for seed in range(given.gearboxes):
                for k in range(given.records):
                    record, _ = simulate_record(replace(config, seed=seed, **changes), seed=k)
                    maps.append(build_map(record, config.gears).values)
            values = np.stack(maps).astype(np.float64)
            result[name + label] = statistics(values * (MEAN / values.mean()))
            print(name + label, {k: round(v, 3) for k, v in result[name + label].items()}, flush=True)
    save(given, result, cases={k: repr(v) for k, v in base.items()})


if __name__ == "__main__":
    main()

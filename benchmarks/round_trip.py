"""From a simulated crack to the tooth that is named, over the whole chain: hit rate against crack depth.

    python benchmarks/round_trip.py                  # 100 records per point; 40 minutes on one core
    python benchmarks/round_trip.py --case 18/35 --records 10 --output quick.json

Per gearbox: a healthy waveform from 10 healthy records, the baseline detector and its threshold (1 % per record) from
60 more, then fresh healthy records for the false alarm rate and records with a root crack at a random tooth. Speed
varies by 3 %, noise is 10 dB below the vibration, every record begins at a random revolution of its hunting period, and
the size of a fault follows from the stiffness that a crack of that depth costs. A hit is an alarm with the right gear
and the right tooth (+-1). Three gearboxes (other flanks) take turns.

A ring tooth is met by every planet. With equally spaced planets and one sensor, teeth one planet spacing apart give the
same vibration but for the third of a tooth by which planets mesh out of step: hits are also counted modulo the spacing.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import measuring.one_thread  # noqa: F401  (before NumPy)
import numpy as np
from measuring.command import arguments, save
from scipy.stats import binomtest

from toothwise import GearPair, PlanetaryStage, detectors
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.errors import ToothwiseWarning
from toothwise.healthmap.build import MapConfig, build_map, learn_waveform
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.vibration.periods import cut_periods
from toothwise_lab.named_teeth import name_teeth

DEPTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
WAVEFORM, HEALTHY, FRESH, GEARBOXES = 10, 60, 100, 3
RATE = 0.01
# a housing mode of 1.8 kHz and 2 % damping rings on through the next teeth of a mesh of 584 Hz
DETECTOR: dict[str, dict[str, Any]] = {"18/35": {}, "32/96": {}, "31/95 planetary": {"teeth": 2}}
SAMPLES = {"18/35": 32, "32/96": 32, "31/95 planetary": 16}  # per tooth: up to 7, 13 and 5 kHz


def cases() -> dict[str, GearboxConfig]:
    """The gearboxes; some 350 revolutions of the driving shaft, or 500 of the carrier, per record."""
    return {
        "18/35": GearboxConfig(gears=GearPair(18, 35), periods=10, start=None),
        "32/96": GearboxConfig(gears=GearPair(32, 96), periods=116, start=None),
        "31/95 planetary": GearboxConfig(gears=PlanetaryStage(31, 31, 95, 3), periods=16, start=None),
    }


class Bench:
    """One gearbox: its healthy waveform, its detector and its threshold."""

    def __init__(self, config: GearboxConfig, samples: int, options: dict[str, Any]) -> None:
        self.config = config
        self.map_config = MapConfig(samples_per_tooth=samples)
        first = replace(config, start=0)  # numbers the driven teeth
        records = [simulate_record(first if k == 0 else config, seed=k)[0] for k in range(WAVEFORM)]
        periods = [cut_periods(r, config.gears, samples_per_tooth=samples) for r in records]
        self.waveform = learn_waveform(periods, self.map_config)
        healthy = np.stack([self.map(k) for k in range(1000, 1000 + HEALTHY)])
        self.detector, _ = fit_with_threshold(lambda: detectors.create("healthy_distance", **options), healthy, RATE)

    def map(self, seed: int, faults: tuple[Fault, ...] = ()) -> np.ndarray:
        """The map of one record."""
        record, _ = simulate_record(self.config, faults, seed=seed)
        return build_map(record, self.config.gears, self.map_config, waveform=self.waveform).values


def wilson(hits: int, n: int) -> list[float]:
    """95 % interval of a share."""
    return list(map(float, binomtest(hits, n).proportion_ci(method="wilson")))


def study(name: str, config: GearboxConfig, records: int, gears: list[str]) -> dict[str, Any]:
    """Hit rate against depth for either gear, and the false alarm rate of fresh healthy records."""
    benches = [Bench(replace(config, seed=seed), SAMPLES[name], DETECTOR[name]) for seed in range(GEARBOXES)]
    scores = np.concatenate(
        [
            b.detector.predict(np.stack([b.map(k) for k in range(5000, 5000 + FRESH)])).score
            > b.detector.threshold.value
            for b in benches
        ]
    )
    alarms = int(scores.sum())
    intervals = [b.detector.threshold.interval for b in benches]
    healthy = {
        "records": len(scores),
        "alarms": alarms,
        "rate": alarms / len(scores),
        "rate_interval": wilson(alarms, len(scores)),
        "stated": RATE,
        "stated_interval": [min(low for low, _ in intervals), max(high for _, high in intervals)],
    }
    print(name, "healthy", healthy, flush=True)
    curves: dict[str, list[dict[str, Any]]] = {}
    for axis, (axis_name, teeth) in enumerate(config.gears.axes):
        gear = axis_name.split()[0]
        rng = np.random.default_rng([7, axis])
        if gear not in gears:
            continue
        curves[gear] = []
        spacing = [0.0] if isinstance(config.gears, GearPair) or axis == 0 else config.gears.spacing * teeth
        for depth in DEPTHS:
            counts = np.zeros(4, dtype=int)  # alarm, right tooth, both, both modulo the planets' spacing
            for k in range(records):
                bench = benches[k % GEARBOXES]
                tooth = int(rng.integers(teeth))
                found = bench.detector.predict(bench.map(10_000 + k, (Fault("crack", gear, tooth, depth),))[None])
                alarm = bool(found.score[0] > bench.detector.threshold.value)
                named = name_teeth(found, config.gears)
                right = bool(named.right(gear, tooth, teeth)[0])
                alike = any(named.right(gear, round(tooth + away) % teeth, teeth)[0] for away in spacing)
                counts += [alarm, right, alarm and right, alarm and alike]
            row = {
                "depth": depth,
                "records": records,
                **dict(zip(("alarm", "tooth", "hit", "hit_modulo_planets"), (counts / records).tolist(), strict=True)),
                "hit_interval": wilson(int(counts[2]), records),
            }
            curves[gear].append(row)
            print(name, gear, row, flush=True)
    return {"healthy": healthy, "curves": curves}


def main() -> None:
    """Run and write benchmarks/results/round_trip.json."""
    given = arguments(__doc__, records=100, case=list(cases()), gear=["driving", "driven", "planet", "ring"])
    warnings.simplefilter("ignore", ToothwiseWarning)
    result = {name: study(name, cases()[name], given.records, given.gear) for name in given.case}
    config = {"depths": DEPTHS, "gearboxes": GEARBOXES, "waveform_records": WAVEFORM, "healthy_records": HEALTHY}
    config |= {"false_alarm_rate": RATE, "cases": {name: repr(cases()[name]) for name in result}}
    config |= {"detector": {name: DETECTOR[name] for name in result}}
    save(given, result, samples_per_tooth={name: SAMPLES[name] for name in result}, **config)


if __name__ == "__main__":
    main()

"""Is the right tooth named, whatever the tachometer is and wherever a record begins?

    python benchmarks/tooth_zero.py                  # 20 records per point; some 10 minutes on one core
    python benchmarks/tooth_zero.py --records 2 --output quick.json

Kinds of tachometer x kinds of start x damage (driving gear, driven gear, none). Per kind and start a healthy waveform
is learned from 8 records of the same kind; then every record becomes a map. The loudest line of the damaged gear is
what the program names, if and only if it says that tooth 0 of that gear is known. A named tooth is wrong where it
differs by more than one from the truth: the simulator's own numbers for a gear with an index, those of the first
healthy record for a gear that the waveform numbers. No threshold of an alarm hides anything: what is named counts.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from typing import Any

import measuring.one_thread  # noqa: F401  (before NumPy)
import numpy as np
from measuring.command import arguments, save

from toothwise import GearPair
from toothwise.errors import InputError, ToothwiseWarning
from toothwise.healthmap.build import MapConfig, build_map, learn_waveform
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.speed import SpeedProfile
from toothwise.simulate.tacho import TachoConfig
from toothwise.vibration.periods import cut_periods, record_angle

PAIR = GearPair(13, 20)
MAPS = MapConfig(samples_per_tooth=16)
LEARN, DEPTH = 8, 0.7
TACHOMETERS: dict[str, TachoConfig] = {
    "driving, 1 pulse": TachoConfig(),
    "driving, 1 pulse, times": TachoConfig("times"),
    "driving, 1 negative pulse": TachoConfig(polarity="negative"),
    "driving, 1 pulse, 2 % lost, 1 % doubled": TachoConfig(missed=0.02, doubled=0.01, jitter=0.002),
    "driving, 2 pulses": TachoConfig(pulses=2),
    "driving, 4 pulses": TachoConfig(pulses=4),
    "driving, 36-1 wheel": TachoConfig(pulses=36, left_out=1),
    "driving, 60-2 wheel, 2 % lost": TachoConfig(pulses=60, left_out=2, missed=0.02),
    "driving, 90 pulses": TachoConfig("times", pulses=90),
    "driven, 1 pulse": TachoConfig(shaft="driven"),
    "driven, 3 pulses": TachoConfig(shaft="driven", pulses=3),
    "driven, 20-1 wheel": TachoConfig(shaft="driven", pulses=20, left_out=1),
}
STARTS: dict[str, dict[str, Any]] = {
    "half a turn before tooth 0": {"start": 0, "lead": 0.5},
    "any turn of the hunting period": {"start": None, "lead": 0.5},
    "anywhere": {"start": None, "lead": None},
    "anywhere, index 3 teeth late": {"start": None, "lead": None, "index_at": 3},
}


def begins(record: Any, truth: dict[str, Any]) -> float:
    """Mesh event (of the simulator's count) at the record's revolution 0."""
    angle = record_angle(record, PAIR, shaft="driving")
    first = float(angle.revolutions[0]) - float(angle.speed()[:3].mean()) * float(angle.times[0])
    return PAIR.driving * (truth["start"] - truth["lead"] - first)


def point(config: GearboxConfig, records: int, seed: int) -> dict[str, Any]:
    """Counts of one kind of tachometer and start, per gear."""
    learned = [simulate_record(config, seed=seed + k) for k in range(LEARN)]
    waveform = learn_waveform(
        [cut_periods(r, PAIR, samples_per_tooth=MAPS.samples_per_tooth) for r, _ in learned], MAPS
    )
    frame = begins(*learned[0]) + waveform.begin
    shaft = config.tacho.shaft or "driving"
    found: dict[str, Any] = {"learned_from": waveform.records}
    for damaged in ("driving", "driven", "none"):
        counts: Counter[str] = Counter()
        rng = np.random.default_rng([seed, len(damaged)])
        for k in range(records):
            counts["records"] += 1
            teeth = PAIR.driving if damaged == "driving" else PAIR.driven
            tooth = int(rng.integers(teeth))
            faults = () if damaged == "none" else (Fault("crack", damaged, tooth, DEPTH),)
            record, truth = simulate_record(config, faults, seed=seed + 1000 + 100 * len(damaged) + k)
            try:
                made = build_map(record, PAIR, MAPS, waveform=waveform)
            except InputError:
                counts["refused"] += 1
                continue
            zeros = made.provenance["tooth_zero"]
            turned = float(made.provenance["turned"]["events"])
            own = begins(record, truth) + turned
            for gear, n in (("driving", PAIR.driving), ("driven", PAIR.driven)):
                known = zeros[gear]["known"]
                counts[f"{gear} {known}"] += 1
                if known == "unknown":
                    continue
                # where tooth 0 of this gear should be: at the index of its own shaft, or where the waveform's is
                zero = config.tacho.index_at * n if known == "index" and gear == shaft else frame
                off = abs((own - zero + n / 2) % n - n / 2)
                counts[f"{gear} zero wrong"] += int(off > 1.0)
                if gear == damaged:
                    line = np.nanmedian(made.values, axis=0 if gear == "driven" else 1)
                    expected = (tooth - zero) % n
                    away = abs((int(line.argmax()) - expected + n / 2) % n - n / 2)
                    counts["named"] += 1
                    counts["wrong"] += int(away > 1.5)
        found[damaged] = dict(counts)
    return found


def main() -> None:
    """Run all points and write the result."""
    options = arguments(__doc__, records=20)
    warnings.simplefilter("ignore", ToothwiseWarning)
    points, total = [], Counter()
    for t, (kind, tacho) in enumerate(TACHOMETERS.items()):
        for s, (start, said) in enumerate(STARTS.items()):
            said = dict(said)
            teeth = PAIR.driven if tacho.shaft == "driven" else PAIR.driving
            tacho_there = replace(tacho, index_at=said.pop("index_at", 0) / teeth)
            config = GearboxConfig(
                PAIR, tacho=tacho_there, speed=SpeedProfile(variation=0.03), periods=5, sampling_rate=12_000.0, **said
            )
            found = point(config, options.records, 10_000 * (10 * t + s + 1))
            points.append({"tachometer": kind, "start": start, **found})
            for damage in ("driving", "driven", "none"):
                total.update({key: n for key, n in found[damage].items() if key in ("records", "refused", "wrong")})
                total.update({"zero wrong": sum(n for key, n in found[damage].items() if key.endswith("zero wrong"))})
                if damage != "none":
                    known = found[damage]
                    how = "index" if known.get(f"{damage} index") else "waveform"
                    total.update({f"{how} records": known["records"], f"{how} named": known.get("named", 0)})
            print(kind, "|", start, "|", found, flush=True)
    print(dict(total))
    kinds = {"tachometers": list(TACHOMETERS), "starts": list(STARTS)}
    result = {"points": points, "total": dict(total)}
    save(options, result, pair=[PAIR.driving, PAIR.driven], depth=DEPTH, learn=LEARN, **kinds)


if __name__ == "__main__":
    main()

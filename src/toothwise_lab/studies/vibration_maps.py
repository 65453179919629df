"""Maps for a cell that no map generator drew: from simulated vibration through the whole chain.

The scans' model of noise is that of the map generator, so a comparison on its maps alone is theirs to win. Here a
gearbox (flanks, modes, noise) is drawn for each domain and seed, its healthy waveform is learned from a few records,
and each map is what the chain makes of one more record, at its own load, speed and temperature, with or without a
root crack of some depth at some tooth.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from toothwise import GearPair, MapBuilder
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.speed import SpeedProfile

_LEARNED = 12  # healthy records of the waveform
_SAMPLES = 16  # of a mesh
_TEMPERATURE = {"cold": 25.0, "warm": 60.0}


def _gearbox(domain: str, seed: int, shape: tuple[int, int]) -> GearboxConfig:
    rng = np.random.default_rng([ord(domain), seed, 22])
    modes = [
        (f * rng.uniform(0.7, 1.4), rng.uniform(0.015, 0.05), rng.uniform(0.3, 1.0)) for f in (1100.0, 2800.0, 6000.0)
    ]
    return GearboxConfig(
        gears=GearPair(*shape),
        grade=int(rng.integers(6, 9)),
        speed=SpeedProfile(mean=float(rng.uniform(16.0, 24.0)), variation=0.02),
        modes=tuple(tuple(map(float, mode)) for mode in modes),  # type: ignore[misc]
        snr=float(rng.uniform(-4.0, 8.0)),
        periods=2,
        start=None,
        lead=None,
        seed=1000 * ord(domain) + seed,
    )


@lru_cache(maxsize=1)  # every arm of a study sees the same
def vibration_maps(
    domain: str, seed: int, shape: tuple[int, int], n_train: int, n_test: int, gear: str, depth: tuple[float, float]
) -> dict[str, Any]:
    """Training maps, healthy and faulty test maps of one gearbox.

    Args:
        domain, seed: The gearbox and its records follow from them.
        shape: Teeth of the driving and the driven gear.
        n_train, n_test: Healthy maps to train on; healthy and as many faulty ones to test on. Half of each are warm.
        gear: Whose tooth is cracked.
        depth: (lowest, highest) of the cracks, as a share of the root.

    Returns:
        ``train``, ``healthy`` and ``faulty`` maps with their waveforms (HealthMapBatch), the ``truth`` of the faulty
        ones (gear, tooth, teeth, contrast = the depth), their ``masks``, and the ``condition`` of the test maps.
    """
    config = _gearbox(domain, seed, shape)
    rng = np.random.default_rng([ord(domain), seed, 23])
    state = np.where(np.arange(max(n_train, n_test, _LEARNED)) % 2, "warm", "cold")

    def record(k: int, number: int, faults: tuple[Fault, ...] = ()) -> Any:
        at = replace(config.speed, mean=config.speed.mean * (1.0 + 0.01 * rng.standard_normal()))
        heat = _TEMPERATURE[str(state[k])] + 3.0 * rng.standard_normal()
        load = config.load * (1.0 + 0.05 * rng.standard_normal())
        return simulate_record(replace(config, load=load, speed=at, temperature=heat), faults, seed=number)[0]

    learned = [record(k, k) for k in range(_LEARNED)]
    builder = MapBuilder.learn(config.gears, learned, options={"samples_per_tooth": _SAMPLES})
    axis = 0 if gear == "driving" else 1
    tooth, deep = rng.integers(0, shape[axis], n_test), rng.uniform(*depth, n_test)
    cracks = [(Fault("crack", gear, int(t), float(d)),) for t, d in zip(tooth, deep, strict=True)]  # type: ignore[arg-type]
    found = {
        "train": [record(k, 1000 + k) for k in range(n_train)],
        "healthy": [record(k, 10_000 + k) for k in range(n_test)],
        "faulty": [record(k, 20_000 + k, crack) for k, crack in enumerate(cracks)],
    }
    masks = np.zeros((n_test, *shape), dtype=bool)
    at = (np.arange(n_test), tooth) if axis == 0 else (np.arange(n_test), slice(None), tooth)
    masks[at] = True
    truth = pd.DataFrame({"gear": gear, "tooth": tooth, "teeth": 1, "contrast": deep})
    built = {name: builder.build_many(records)[0] for name, records in found.items()}
    return {**built, "truth": truth, "masks": masks, "condition": state[:n_test].astype(str)}

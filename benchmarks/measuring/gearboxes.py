"""Simulated gearboxes that draw healthy and damaged maps: of the map simulator, and of recordings through the chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from toothwise import GearPair, MapBuilder
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.maps import generate

SHAPES = ((18, 35), (11, 24), (23, 17))
DAMAGED = 6  # damaged records of a case

Draw = Callable[[int, float, str, int], np.ndarray]  # maps, contrast, gear, tooth


@dataclass(frozen=True, eq=False)
class Gearbox:
    """Draws maps of one gearbox."""

    draw: Draw
    shape: tuple[int, int]
    about: dict[str, Any]


def of_maps(domain: str, rng: np.random.Generator) -> Gearbox:
    """A gearbox of the map simulator."""
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    rows, columns = (rng.uniform(0.0, 0.1) * rng.standard_normal(k) for k in shape)
    day, drift, dip = int(rng.integers(5, 60)), float(rng.uniform(0.0, 0.05)), bool(rng.random() < 0.3)

    def draw(n: int, contrast: float, gear: str, tooth: int) -> np.ndarray:
        maps = generate(domain, n, False, seed=int(rng.integers(1 << 31)), shape=shape)[0].astype(np.float64)
        level = np.repeat(drift * rng.standard_normal(n // day + 1), day)[:n]
        maps *= np.exp(level[:, None, None] + rows[:, None] + columns[None])
        lines = maps if gear == "driving" else np.swapaxes(maps, 1, 2)
        along = lines.shape[2]
        start = int(rng.integers(along // 4 + 1))
        factor = np.full(n, contrast)
        if dip and n > DAMAGED:  # a long run: a quieter tooth comes first, then growth
            factor = np.exp(np.log(contrast) * np.interp(np.arange(n), [0, n // 6, n - 1], [0.0, -0.3, 1.0]))
        lines[:, tooth, start : start + max(3 * along // 4, 1)] *= factor[:, None]
        return maps.astype(np.float32)

    return Gearbox(draw, shape, {"texture": domain, "shape": shape, "day": day, "drift": drift, "first_quieter": dip})


def of_recordings(rng: np.random.Generator, teeth: tuple[int, int]) -> Gearbox:
    """A gearbox whose recordings go through the chain; its pools of maps are drawn from anew."""
    pair, periods = GearPair(*teeth), 6 if teeth[0] < 18 else 2
    config = GearboxConfig(gears=pair, periods=periods, sampling_rate=12800.0, seed=int(rng.integers(1 << 16)))
    builder = MapBuilder(pair)

    def pool(n: int, faults: list[Fault], snr: float = 10.0) -> np.ndarray:
        own = replace(config, snr=snr)
        return builder.build_many([simulate_record(own, faults, seed=int(rng.integers(1 << 31)))[0] for _ in range(n)])[
            0
        ].values

    gear = ("driving", "driven")[int(rng.integers(2))]
    tooth = int(rng.integers(teeth[gear == "driven"]))
    pools = {0.0: pool(32, []), 1.0: pool(16, []), -10.0: pool(10, [], -10.0)}  # healthy, watched, ten times the noise
    pools |= {c: pool(8, [Fault("crack", gear, tooth, depth)]) for c, depth in ((1.5, 0.3), (2.0, 0.6))}
    axis = 1 if gear == "driving" else 2

    def level(maps: np.ndarray) -> np.ndarray:
        return np.log(maps).mean(axis=(0, 3 - axis))

    true = {c: float(np.exp((level(pools[c]) - level(pools[0.0]))[tooth])) for c in (1.5, 2.0)}

    def draw(n: int, contrast: float, gear: str, which: int) -> np.ndarray:
        own = pools[contrast]
        return own[rng.integers(len(own), size=n)] if n > len(own) else own[rng.permutation(len(own))[:n]]

    about = {"texture": "recordings", "shape": teeth, "tooth": tooth, "gear": gear, "contrasts": true}
    return Gearbox(draw, teeth, about)

"""Simulated gearboxes that draw healthy and damaged maps, or the files of a user's whole story.

Maps are of the map simulator, and of recordings through the chain. A story is files of recordings: some to learn the
healthy waveform from, healthy ones to fit on, and those of today.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from toothwise import GearPair, MapBuilder, Model, PlanetaryStage
from toothwise.healthmap.core import HealthMapBatch
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.maps import generate
from toothwise.simulate.speed import SpeedProfile
from toothwise.simulate.tacho import TachoConfig
from toothwise.vibration.readers import write_record
from toothwise.vibration.records import Tachometer, VibrationRecord

SHAPES = ((18, 35), (11, 24), (23, 17))
DAMAGED = 6  # damaged records of a case

Draw = Callable[..., Any]  # maps, contrast, gear, tooth, healthy maps before them


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

    def draw(n: int, contrast: float, gear: str, tooth: int, before: int = 0) -> np.ndarray:
        if before:
            return np.concatenate([draw(before, 1.0, gear, tooth), draw(n, contrast, gear, tooth)])
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


def drawn_config(gears: GearPair | PlanetaryStage, rng: np.random.Generator, seed: int) -> GearboxConfig:
    """A gearbox of these gears: grade, speed, housing, runout and noise are drawn."""
    stage = isinstance(gears, PlanetaryStage)
    high = np.array([900.0, 2400.0, 4800.0]) if stage else np.array([1100.0, 2800.0, 6000.0])
    modes = [
        (float(f * rng.uniform(0.7, 1.4)), float(rng.uniform(0.015, 0.05)), float(rng.uniform(0.3, 1))) for f in high
    ]
    return GearboxConfig(
        gears=gears,
        grade=int(rng.integers(6, 9)),
        speed=SpeedProfile(mean=float(rng.uniform(10, 14) if stage else rng.uniform(18, 32)), variation=0.02),
        modes=tuple(modes),
        runout=(float(rng.uniform(3, 12)), float(rng.uniform(3, 12))),
        snr=float(rng.uniform(-4, 8)),
        periods=3,
        start=None,
        lead=None,
        seed=seed,
    )


def recording(config: GearboxConfig, seed: int, faults: Any = (), at: Any = (1.0, 0.02)) -> VibrationRecord:
    """A recording whose load, speed and temperature differ a little from the last one's.

    Args:
        at: Its speed as a share of the gearbox's, and how far it varies.
    """
    load, speed, heat = np.random.default_rng([config.seed, seed, 5]).standard_normal(3)
    turns = replace(config.speed, mean=config.speed.mean * at[0] * (1.0 + 0.01 * speed), variation=at[1])
    own = replace(config, load=config.load * (1.0 + 0.04 * load), speed=turns, temperature=40.0 + 3.0 * heat)
    return simulate_record(own, list(faults), seed=seed)[0]


def of_recordings(rng: np.random.Generator, gears: GearPair | PlanetaryStage, n: int) -> tuple[Gearbox, Model]:
    """A gearbox whose recordings go through the chain, and a model of n of them, which the healthy waveform is of too.

    A contrast of 1.5 is a crack of 30 % of the stiffness of one tooth, 2.0 of 60 %, and 0.0 ten times the noise.
    """
    config = drawn_config(gears, rng, int(rng.integers(1 << 16)))
    names, shape = [name for name, _ in gears.axes], tuple(size for _, size in gears.axes)
    axis = int(rng.integers(2)) if isinstance(gears, GearPair) else 0  # ring teeth may be alike
    gear, tooth = names[axis].split()[0], int(rng.integers(shape[axis]))
    cracks = {c: [Fault("crack", gear, tooth, depth)] for c, depth in ((1.5, 0.3), (2.0, 0.6))}  # type: ignore[arg-type]

    def records(n: int, contrast: float) -> list[VibrationRecord]:
        own = config if contrast else replace(config, snr=(config.snr or 0.0) - 20.0)
        return [recording(own, int(rng.integers(1 << 31)), cracks.get(contrast, ())) for _ in range(n)]

    # the first one begins where tooth 0 meets tooth 0, and numbers the teeth
    learned = [recording(replace(config, start=None if k else 0), int(rng.integers(1 << 31))) for k in range(n)]

    model = Model.fit(learned, builder=MapBuilder.learn(gears, learned))

    def draw(n: int, contrast: float, gear: str, tooth: int, before: int = 0) -> HealthMapBatch:
        return model.builder.build_many(records(before, 1.0) + records(n, contrast))[0]

    return Gearbox(draw, shape, {"tooth": tooth, "gear": gear, "snr": config.snr}), model


PARTS = {"learn": 8, "healthy": 24, "today": 4, "later": 4, "varying": 4}  # recordings of a story; today damaged
VARIES = dict.fromkeys(PARTS, 0.03) | {"varying": 0.2}  # share by which the speed varies within a recording


@dataclass(frozen=True)
class Story:
    """A gearbox whose recordings are files.

    Attributes:
        gears: A pair's are made by arithmetic alone, a planetary stage's by the simulator.
        shaft, pulses: Of the tachometer.
        gear, tooth: The damaged one.
        speed: Revolutions of the driving shaft per second.
        seed: Of the gearbox and of its recordings.
    """

    gears: GearPair | PlanetaryStage
    shaft: str
    pulses: int
    gear: str
    tooth: int
    speed: float
    seed: int

    @property
    def reading(self) -> dict[str, Any]:
        """What a user says of the files."""
        return {"tacho_shaft": self.shaft, "pulses_per_revolution": self.pulses}

    def write(self, folder: Path) -> None:
        """A folder of files for each part; the first recording begins where tooth 0 meets tooth 0."""
        for part, (name, count) in enumerate(PARTS.items()):
            (folder / name).mkdir()
            for k in range(count):
                record = (self._pair if isinstance(self.gears, GearPair) else self._stage)(name, part, k)
                write_record(record, folder / name / f"rec_{k:02d}.mat")

    def _stage(self, name: str, part: int, k: int) -> VibrationRecord:
        tacho = TachoConfig(pulses=self.pulses, shaft=self.shaft)
        speed = SpeedProfile(self.speed, variation=VARIES[name])
        config = GearboxConfig(gears=self.gears, speed=speed, tacho=tacho, seed=self.seed)
        config = replace(config, periods=150 // self.gears.hunting_revolutions, start=None if part or k else 0)
        faults = [Fault("crack", self.gear, self.tooth, 0.6)] * (name == "today")
        return simulate_record(config, faults, seed=100 * part + k)[0]

    def _pair(self, name: str, part: int, k: int) -> VibrationRecord:
        """Mesh, a pattern of either gear and a burst at every mesh, that of one tooth four to six times as loud."""
        sizes = (self.gears.driving, self.gears.driven)
        own, rng = np.random.default_rng(self.seed), np.random.default_rng([self.seed, part, k])
        patterns = [own.normal(size=size) for size in sizes]
        rate = 22.0 * sizes[0] * self.speed
        t = np.arange(int(7.5 * sizes[1] / self.speed * rate)) / rate
        speed = self.speed * (1.0 + VARIES[name] * np.sin(2 * np.pi * 0.23 * t + rng.uniform(0, 6)))
        turned = np.cumsum(speed) / rate + (rng.uniform(0, sizes[1]) if part or k else 0.0)
        event = sizes[0] * turned
        teeth = [np.floor(event).astype(int) % size for size in sizes]
        phase, both = event % 1.0, sum(pattern[tooth] for pattern, tooth in zip(patterns, teeth, strict=True))
        x = (np.sin(2 * np.pi * event) + 0.4 * np.sin(4 * np.pi * event + 1.0)) * (1.0 + 0.05 * both)
        hit = teeth[self.gear == "driven"] == self.tooth
        mates = own.choice([1.0, 0.8, 1.2], size=max(sizes))[teeth[self.gear == "driving"]]
        burst = np.sin(2 * np.pi * 5.3 * phase) * np.sin(np.pi * phase) ** 2
        x += (0.25 * both + 1.2 * (name == "today") * hit * mates) * burst + 0.3 * rng.standard_normal(len(t))
        marks = turned * self.gears.shafts[self.shaft] * self.pulses % 1.0
        tacho = Tachometer("waveform", 5.0 * (marks < 0.1), self.pulses, self.shaft)
        return VibrationRecord({"vibration": x.astype(np.float32)}, rate, tacho)

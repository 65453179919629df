"""How fast the shaft turns during a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from toothwise.checks import check_choice, check_range


@dataclass(frozen=True)
class SpeedProfile:
    """Speed of the driving shaft (the sun).

    Attributes:
        mean: revolutions per second.
        kind: "constant", "ramp" (from mean * (1 - variation) to mean * (1 + variation)) or "fluctuation" (smooth and
            random, within +- variation).
        variation: share of the mean.
        cycles: slowest to fastest cycles of a fluctuation, per second.
    """

    mean: float = 25.0
    kind: Literal["constant", "ramp", "fluctuation"] = "fluctuation"
    variation: float = 0.03
    cycles: tuple[float, float] = (0.05, 0.5)

    def __post_init__(self) -> None:
        check_range("(0, inf)", mean_speed=self.mean)
        check_choice(("constant", "ramp", "fluctuation"), kind=self.kind)
        check_range("[0, 0.5)", variation=self.variation)


def draw_revolutions(profile: SpeedProfile, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Revolutions turned at given times (s, from 0), float64; exact integral of the speed."""
    t, length = times, float(times[-1]) or 1.0
    if profile.kind == "constant" or profile.variation == 0:
        return profile.mean * t
    if profile.kind == "ramp":
        return profile.mean * ((1.0 - profile.variation) * t + profile.variation * t**2 / length)
    terms = 4
    frequency = rng.uniform(*profile.cycles, terms)
    phase = rng.uniform(0.0, 2.0 * np.pi, terms)
    weight = rng.dirichlet(np.ones(terms))  # sums to 1: the variation is never exceeded
    out = t.copy()
    for f, p, w in zip(frequency, phase, weight, strict=True):
        out += profile.variation * w * (np.sin(2 * np.pi * f * t + p) - np.sin(p)) / (2 * np.pi * f)
    return profile.mean * out

"""Simulated runs of tooth-pair maps for ``diagnosis.py``: a gearbox each, healthy records first, then watched ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toothwise.simulate.textures import DOMAINS, Session, draw_textures

HEALTHY, WATCHED = 300, 300
SHAPES = ((18, 35), (23, 31))
ONSET = (80, 200)
LOG_CONTRAST = (np.log(1.3), np.log(2.0))  # of a damaged tooth at the last record
RISE = (np.log(1.3), np.log(1.8))  # of a worn gear
SWING = (0.12, 0.25)  # of an eccentric gear, in the log map
STEP = (np.log(1.2), np.log(1.6))  # of a sensor or condition, up or down
OWN = 0.1  # the gearbox's own pattern along rows and columns, which stays
TOOTH_SPREAD = 0.3  # by how much teeth differ in wear
# runs of each kind, 200 in all; faults first
KINDS = {
    "driving tooth": 25,
    "driven tooth": 25,
    "several teeth": 25,
    "wear": 25,
    "eccentricity": 25,
    "healthy": 45,
    "transients": 15,
    "sensor changed": 15,
}
RIGHT = {
    "driving tooth": "one tooth",
    "driven tooth": "one tooth",
    "several teeth": "several teeth",
    "wear": "whole gear",
    "eccentricity": "whole gear",
    "healthy": "nothing",
    "transients": "nothing",
    "sensor changed": "sensor or condition changed",
}


@dataclass(frozen=True, eq=False)
class Run:
    """One run.

    Attributes:
        kind: one of ``KINDS``.
        healthy, watched: maps ``[n, rows, columns]``.
        onset: first faulty record of the watched ones; their number where there is none.
        gear: "driving" or "driven", "" where it is neither.
        teeth: damaged ones.
        log_contrast: of the damaged cells at every watched record ``[n]``.
        about: what else was drawn.
    """

    kind: str
    healthy: np.ndarray
    watched: np.ndarray
    onset: int
    gear: str
    teeth: tuple[int, ...]
    log_contrast: np.ndarray
    about: dict[str, Any] = field(default_factory=dict)


def simulate(kind: str, seed: int, number: int) -> Run:
    """The run of a kind, by seed and number: domain, shape, gear and law of growth take turns or are drawn."""
    rng = np.random.default_rng([seed, number, list(KINDS).index(kind)])
    shape = SHAPES[number % 2]
    domain = "ABCD"[number % 4]
    n = HEALTHY + WATCHED
    texture = DOMAINS[domain]
    x = draw_textures(texture, n, shape, Session(), (rng, rng, rng)).astype(np.float64)
    x += OWN * (rng.standard_normal((shape[0], 1)) + rng.standard_normal((1, shape[1])))
    memory, size = rng.uniform(0.5, 0.95), rng.uniform(0.03, 0.08)
    level = np.zeros(n)
    for t in range(1, n):
        level[t] = memory * level[t - 1] + np.sqrt(1.0 - memory**2) * size * rng.standard_normal()
    x += level[:, None, None] + np.log(texture.train_mean)
    healthy, y = x[:HEALTHY], x[HEALTHY:]
    onset = int(rng.integers(*ONSET))
    power = float(rng.choice([1.0, 2.0]))
    progress = np.clip((np.arange(WATCHED) - onset + 1.0) / (WATCHED - onset), 0.0, 1.0) ** power
    gear = {"driving tooth": "driving", "driven tooth": "driven"}.get(kind, ("driving", "driven")[(number // 2) % 2])
    lines = y if gear == "driving" else np.swapaxes(y, 1, 2)
    teeth: tuple[int, ...] = ()
    share = 1.0
    grown = np.zeros(WATCHED)
    if kind in ("driving tooth", "driven tooth", "several teeth"):
        count = 1 if kind != "several teeth" else int(rng.integers(2, 4))
        first = int(rng.integers(lines.shape[1]))
        apart = lines.shape[1] // (count + 1)
        teeth = tuple((first + k * apart) % lines.shape[1] for k in range(count))
        grown = rng.uniform(*LOG_CONTRAST) * progress
        length = int(rng.integers(lines.shape[2] // 2, lines.shape[2] + 1))
        start = int(rng.integers(lines.shape[2] - length + 1))
        share = length / lines.shape[2]
        for tooth in teeth:
            lines[:, tooth, start : start + length] += grown[:, None]
    elif kind == "wear":
        grown = rng.uniform(*RISE) * progress
        share = 1.0 + TOOTH_SPREAD * rng.uniform(-1.0, 1.0, lines.shape[1])
        lines += grown[:, None, None] * share[None, :, None]
    elif kind == "eccentricity":
        grown = rng.uniform(*SWING) * progress
        wave = np.cos(2.0 * np.pi * (np.arange(lines.shape[1]) / lines.shape[1] + rng.random()))
        lines += grown[:, None, None] * wave[None, :, None]
    elif kind == "transients":
        for t in rng.choice(WATCHED, 6, replace=False):
            event = int(rng.integers(shape[0] * shape[1])) + np.arange(int(rng.integers(20, 90)))
            y[t, event % shape[0], event % shape[1]] += rng.uniform(np.log(1.5), np.log(2.5))
    elif kind == "sensor changed":
        y[onset:] += rng.uniform(*STEP) * rng.choice([-1.0, 1.0])
    faulty = RIGHT[kind] != "nothing"
    return Run(
        kind,
        np.exp(healthy).astype(np.float32),
        np.exp(y).astype(np.float32),
        onset if faulty else WATCHED,
        gear if teeth or kind == "eccentricity" else "",
        teeth,
        grown,
        {"domain": domain, "shape": list(shape), "power": power, "share": share, "level_memory": memory},
    )

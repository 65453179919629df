"""The texture of healthy maps: what the four domains of the research data look like, as a few numbers each.

A map is level x exp(texture), texture = stripes of columns + a smooth wave over the columns + noise. Numbers come
from the published statistics of the data (means, standard deviations, entropies of the texture), not from the data.
Known to be off: the brightest pixel of 1,000 healthy maps is 20-50 % too bright in A, B and D (it is right in C), so
their true noise has lighter tails than the normal noise used here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt

import numpy as np

_CYCLES = (1, 2, 3)  # of the smooth wave, around all columns


@dataclass(frozen=True)
class Session:
    """How the faulty recordings of a domain differ from the healthy ones, apart from the damage.

    Attributes:
        cold, warm: factor on the level.
        stripe: factor on the stripes and the wave.
        noise: factor on the noise; fitted so that the spread of the published faulty maps is met.
    """

    cold: float = 1.0
    warm: float = 1.0
    stripe: float = 1.0
    noise: float = 1.0


@dataclass(frozen=True)
class Domain:
    """Texture and level of one domain; levels in units of the domain's fixed maximum.

    Attributes:
        stripe, wave, noise: standard deviations in the log map.
        neighbour_stripe: MA(1) coefficient from one column's stripe to the next.
        neighbour_noise: part of the mean of its four neighbours that is taken from a pixel's noise.
        train_mean, train_sd: of all pixels of the training maps.
        cold, warm: mean level of healthy test maps in the two thermal states.
        session: what is different in the faulty recordings.
    """

    stripe: float
    wave: float
    noise: float
    neighbour_stripe: float
    neighbour_noise: float
    train_mean: float
    train_sd: float
    cold: float
    warm: float
    session: Session

    def log_variance(self, texture: float = 1.0, session: Session | None = None) -> float:
        """Variance of the log map with every part of the texture scaled by ``texture``."""
        s = session or Session()
        columns = (self.stripe**2 + self.wave**2) * s.stripe**2
        return texture**2 * (columns + (self.noise * s.noise) ** 2)

    @property
    def train_level_cv(self) -> float:
        """Spread of the level between training maps: what the texture leaves unexplained of ``train_sd``."""
        return sqrt((1.0 + (self.train_sd / self.train_mean) ** 2) / exp(self.log_variance()) - 1.0)


DOMAINS: dict[str, Domain] = {
    "A": Domain(0.18, 0.12, 0.20, 0.25, 0.0, 0.248, 0.084, 0.153, 0.281, Session(1.19, 0.963, 0.73, 1.25)),
    "B": Domain(0.205, 0.11, 0.19, 0.05, -0.17, 0.252, 0.084, 0.161, 0.285, Session(0.871, 0.838, 0.55, 1.40)),
    "C": Domain(0.107, 0.115, 0.205, 0.12, 0.24, 0.246, 0.072, 0.190, 0.265, Session(1.13, 1.155, 0.90, 1.10)),
    "D": Domain(0.175, 0.10, 0.25, 0.19, 0.33, 0.218, 0.082, 0.147, 0.246, Session(1.062, 0.829, 0.68, 1.40)),
}

# Of domain C, where they were measured; taken for the other domains too. In-image spread grows with temperature.
_TEXTURE = {"cold": 0.921, "warm": 1.071, "pool": 1.0}
_LEVEL_CV = {"cold": 0.075, "warm": 0.064}


def draw_levels(
    domain: Domain, condition: np.ndarray, session: Session, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Level (expected mean) and texture factor of each map.

    Cold and warm levels are flat (uniform) around their mean, as measured; the training pool has one hump
    (Beta(2, 2)) around the mean of the training maps.

    Args:
        condition: str ``[n]`` of "cold", "warm", "pool".

    Returns:
        float64 ``[n]``, ``[n]``.
    """
    n = len(condition)
    draws = rng.random((n, 3))
    flat = (2.0 * draws[:, 0] - 1.0) * sqrt(3.0)
    hump = (2.0 * np.sort(draws, axis=1)[:, 1] - 1.0) * sqrt(5.0)  # the middle of three uniforms is Beta(2, 2)
    mean = {
        "cold": domain.cold * session.cold,
        "warm": domain.warm * session.warm,
        "pool": domain.train_mean * sqrt(session.cold * session.warm),
    }
    level, texture = np.empty(n), np.empty(n)
    for name in mean:
        at = condition == name
        spread = hump[at] * domain.train_level_cv if name == "pool" else flat[at] * _LEVEL_CV[name]
        level[at] = mean[name] * (1.0 + spread)
        texture[at] = _TEXTURE[name]
    return level, texture


def draw_textures(
    domain: Domain,
    n: int,
    shape: tuple[int, int],
    session: Session,
    rngs: tuple[np.random.Generator, np.random.Generator, np.random.Generator],
) -> np.ndarray:
    """Log textures of mean 0, float32 ``[n, rows, columns]``; both axes close on themselves as gears do.

    Args:
        rngs: one generator each for stripes, waves and noise, so that the first maps do not depend on how many follow.
    """
    rows, columns = shape
    stripe = rngs[0].standard_normal((n, columns))
    stripe = stripe + domain.neighbour_stripe * np.roll(stripe, 1, axis=1)
    stripe *= domain.stripe / sqrt(1.0 + domain.neighbour_stripe**2)
    angle = 2.0 * np.pi * np.outer(_CYCLES, np.arange(columns)) / columns
    waves = np.concatenate([np.cos(angle), np.sin(angle)])
    wave = rngs[1].standard_normal((n, len(waves))) @ waves * (domain.wave / sqrt(len(_CYCLES)))
    z = rngs[2].standard_normal((n, rows, columns), dtype=np.float32)
    h = np.float32(domain.neighbour_noise)
    if h:
        around = np.roll(z, 1, axis=1)
        for step, axis in ((-1, 1), (1, 2), (-1, 2)):
            around += np.roll(z, step, axis=axis)
        z -= h / np.float32(4.0) * around
    z *= np.float32(domain.noise * session.noise / sqrt(1.0 + domain.neighbour_noise**2 / 4.0))
    z += ((stripe + wave) * session.stripe).astype(np.float32)[:, None, :]
    return z

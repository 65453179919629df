"""The exact distribution of simulated healthy log maps: circulant Gaussian texture plus an even level.

A healthy log map is x = b + t g. The texture g (stripes + wave + noise) is Gaussian and does not change when a map is
turned around either axis, so the 2-D Fourier coefficients of x are independent and the texture's covariance is its
spectrum. The level b is one number for the whole map: it touches the coefficient (0, 0) only, that is the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

# the levels of the generator have no public description but these two tables
from toothwise.simulate.textures import _CYCLES, _LEVEL_CV, _TEXTURE, Domain, Session

_NODES = 400


def spectrum(domain: Domain, shape: tuple[int, int], session: Session | None = None) -> np.ndarray:
    """Variance of each coefficient of the unitary 2-D Fourier transform of a texture (texture factor 1).

    With R rows and frequencies w_k = 2 pi k / R, w_l = 2 pi l / C:
    noise^2 / (1 + h^2 / 4) (1 - h (cos w_k + cos w_l) / 2)^2, and at k = 0 also
    R (stripe^2 |1 + m exp(-i w_l)|^2 / (1 + m^2) + the spectrum of the waves).

    Args:
        domain: its texture.
        shape: rows and columns.
        session: changes of the recording session; None = none.

    Returns:
        float64 ``[rows, columns]``, in units of the log map squared; the mean over all coefficients is the variance
        of a pixel.
    """
    rows, columns = shape
    s = session or Session()
    across, along = 2 * np.pi * np.arange(rows) / rows, 2 * np.pi * np.arange(columns) / columns
    h, m = domain.neighbour_noise, domain.neighbour_stripe
    transfer = 1.0 - 0.5 * h * (np.cos(across)[:, None] + np.cos(along)[None])
    power = (domain.noise * s.noise) ** 2 / (1.0 + h**2 / 4.0) * transfer**2
    stripe = domain.stripe**2 / (1.0 + m**2) * np.abs(1.0 + m * np.exp(-1j * along)) ** 2
    lag = np.arange(columns)
    covariance = np.mean([np.cos(2 * np.pi * c * lag / columns) for c in _CYCLES], axis=0)
    wave = domain.wave**2 * np.maximum(np.fft.fft(covariance).real, 0.0)
    power[0] += rows * s.stripe**2 * (stripe + wave)
    return power


@dataclass(frozen=True, eq=False)
class ThermalState:
    """One thermal state of healthy maps: how strong the texture is, and the distribution of the level.

    Attributes:
        weight: share of the maps.
        texture: factor on the texture.
        level: float64 ``[k]``, nodes of the expected log map, log(level) - log variance / 2.
        log_weight: float64 ``[k]``, log quadrature weights of the nodes.
    """

    weight: float
    texture: float
    level: np.ndarray
    log_weight: np.ndarray

    def mean_log_density(self, mean: np.ndarray, variance: float) -> np.ndarray:
        """Log density of the mean of a healthy log map: the level's distribution, smoothed by the texture's mean.

        Args:
            mean: any shape.
            variance: of the texture's mean with texture factor 1, spectrum[0, 0] / pixels.
        """
        sd = self.texture * np.sqrt(variance)
        z = (np.asarray(mean, dtype=np.float64)[..., None] - self.level) / sd
        return logsumexp(self.log_weight - 0.5 * z**2, axis=-1) - np.log(sd * np.sqrt(2 * np.pi))


def thermal_states(domain: Domain, split: str, condition: str, session: Session | None = None) -> list[ThermalState]:
    """The states that healthy maps of a split come from, with the generator's own levels.

    Args:
        domain: its level and texture.
        split: "train" (one pool) or "test".
        condition: of test maps, "cold", "warm" or "mixed" (half of each).
        session: changes of the recording session; None = none.
    """
    s = session or Session()
    both = ("cold", "warm") if condition == "mixed" else (condition,)
    names = ("pool",) if split == "train" else both
    mean = {
        "cold": domain.cold * s.cold,
        "warm": domain.warm * s.warm,
        "pool": domain.train_mean * np.sqrt(s.cold * s.warm),
    }
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    states = []
    for name in names:
        hump = name == "pool"
        # on (-1, 1): Beta(2, 2) has density 3 (1 - v^2) / 4, the flat one 1 / 2
        density = 0.75 * (1.0 - node**2) if hump else np.full(_NODES, 0.5)
        spread = np.sqrt(5.0) * domain.train_level_cv if hump else np.sqrt(3.0) * _LEVEL_CV[name]
        level = np.log(mean[name] * (1.0 + spread * node)) - 0.5 * domain.log_variance(_TEXTURE[name], s)
        states.append(ThermalState(1.0 / len(names), _TEXTURE[name], level, np.log(weight * density)))
    return states


def whiten(x: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """The precision matrix of a circulant Gaussian times maps, by 2-D Fourier transform.

    Args:
        x: ``[n, rows, columns]``.
        precision: ``[rows, columns]``, one over the spectrum (0 = a coefficient that is not used).
    """
    from scipy.fft import irfft2, rfft2

    half = x.shape[2] // 2 + 1
    return irfft2(rfft2(x, axes=(1, 2)) * precision[:, :half], s=x.shape[1:], axes=(1, 2))

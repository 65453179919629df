"""Linear models of whole healthy maps: what principal components leave over, and the Mahalanobis distance.

Both see a map as one vector of its logarithms, without any idea of rows and columns: what a scan gains by knowing that
damage is a line is what it is ahead of them. Covariance is shrunk towards a multiple of the identity by the amount that
Ledoit and Wolf (2004) derive; components and shrinkage are learned on healthy maps alone.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from toothwise.checks import check_range
from toothwise.detectors.arrays import line_sums
from toothwise.detectors.base import Abilities, ArrayDetector, Maps, Prediction, as_array
from toothwise.errors import InputError
from toothwise.progress import Progress


def ledoit_wolf_shrinkage(centred: np.ndarray) -> float:
    """Weight of the identity in the shrunk covariance of centred rows ``[n, p]``, 0 to 1 (Ledoit and Wolf 2004).

    Equal to scikit-learn's ``ledoit_wolf_shrinkage``; the covariance itself is never formed.
    """
    n, p = centred.shape
    gram = centred @ centred.T
    trace = float(np.trace(gram)) / n
    mean = trace / p
    # squared Frobenius norm of the covariance is that of the Gram matrix, which is small
    covariance_square = float(np.sum(gram**2)) / n**2
    fourth = float(np.sum(np.sum(centred**2, axis=1) ** 2)) / n
    beta = (fourth - covariance_square) / (n * p)
    delta = (covariance_square - 2.0 * mean * trace + p * mean**2) / p
    return 0.0 if delta <= 0 else float(min(max(beta, 0.0), delta) / delta)


class _Subspace(ArrayDetector):
    """What both share: logarithms, healthy mean, eigenvectors of the covariance by the Gram matrix."""

    can = Abilities(rows=True, columns=True, positive=True, export="numpy")

    def _flat(self, values: np.ndarray) -> np.ndarray:
        return self._scaled(values).reshape(len(values), -1)

    def _centre(self, values: np.ndarray) -> np.ndarray:
        x = self._flat(values) - self._learned["mean"]
        return np.where(np.isfinite(x), x, 0.0)  # a pair that never meshes is as it always is

    def _learn(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centred maps, eigenvalues (falling) and eigenvectors ``[k, pixels]`` of their covariance."""
        if len(values) < 3:
            raise InputError(f"{self.name} needs 3 healthy maps or more, but got {len(values)}")
        x = self._flat(values)
        known = np.isfinite(x)
        self._learned["mean"] = np.where(known, x, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        centred = self._centre(values)
        value, vector = np.linalg.eigh(centred @ centred.T / len(centred))
        order = np.argsort(value)[::-1][: len(centred) - 1]
        order = order[value[order] > 1e-10 * value[order[0]]]
        if not len(order) or value[order[0]] <= 0:
            raise InputError("healthy maps are all alike: there is nothing to learn from")
        vectors = vector[:, order].T @ centred / np.sqrt(value[order] * len(centred))[:, None]
        return centred, value[order], vectors

    def _prediction(self, values: np.ndarray, heat: np.ndarray, score: np.ndarray) -> Prediction:
        heat = np.where(np.isfinite(values), heat.reshape(values.shape), np.nan)
        rows, columns = (np.abs(line_sums(heat, axis)) for axis in (1, 2))
        return Prediction(score, np.abs(heat).astype(np.float32), None, rows, columns)


class PrincipalComponents(_Subspace):
    """Reconstruction error of log maps by the principal components of healthy ones.

    Args:
        components (components, or share): How many; a share below 1 = as many as explain that share of the healthy
            variance.
        log: Work on logarithms.
    """

    name: ClassVar[str] = "pca"
    learns = ("mean", "vectors", "scale")

    def __init__(self, *, components: float = 0.5, log: bool = True) -> None:
        check_range("(0, inf)", components=components)
        super().__init__(components=components, log=log)

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        centred, value, vectors = self._learn(values)
        wanted = self.options["components"]
        explaining = int(np.searchsorted(np.cumsum(value) / value.sum(), wanted)) + 1
        count = explaining if wanted < 1 else int(wanted)
        vectors = vectors[: min(count, len(vectors) - 1)]
        rest = centred - (centred @ vectors.T) @ vectors
        self._learned |= {"vectors": vectors, "scale": np.array([max(float(np.sqrt(np.mean(rest**2))), 1e-12)])}

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        x = self._centre(values)
        vectors = self._learned["vectors"]
        rest = (x - (x @ vectors.T) @ vectors) / self._learned["scale"][0]
        return self._prediction(values, rest, np.mean(rest**2, axis=1))

    def rebuild(self, maps: Maps) -> np.ndarray:
        """The part of each map that healthy principal components hold, float32 ``[n, rows, columns]``."""
        values = as_array(maps, shape=self.shape)
        vectors = self._learned["vectors"]
        flat = self._learned["mean"] + (self._centre(values) @ vectors.T) @ vectors
        flat = (np.exp(flat) if self.options["log"] else flat).reshape(values.shape)
        return np.where(np.isfinite(values), flat, np.nan).astype(np.float32)


class Mahalanobis(_Subspace):
    """Mahalanobis distance of log maps from the healthy ones, with Ledoit and Wolf's shrunk covariance.

    Args:
        log: Work on logarithms.
    """

    name: ClassVar[str] = "mahalanobis"
    learns = ("mean", "vectors", "gain", "floor")

    def __init__(self, *, log: bool = True) -> None:
        super().__init__(log=log)

    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        centred, value, vectors = self._learn(values)
        weight = ledoit_wolf_shrinkage(centred)
        mean = float(np.mean(np.sum(centred**2, axis=1))) / centred.shape[1]
        floor = weight * mean
        if not floor > 0:  # more maps than pixels and none like another: hardly ever, and then nearly singular
            floor = 1e-6 * mean
        # inverse of (1 - w) V diag(value) V' + floor I = I / floor + V diag(gain) V'
        gain = 1.0 / ((1.0 - weight) * value + floor) - 1.0 / floor
        self._learned |= {"vectors": vectors, "gain": gain, "floor": np.array([floor])}

    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction:
        x = self._centre(values)
        vectors, gain, floor = (self._learned[k] for k in ("vectors", "gain", "floor"))
        whitened = x / floor[0] + ((x @ vectors.T) * gain) @ vectors
        score = np.sqrt(np.maximum(np.sum(x * whitened, axis=1) / x.shape[1], 0.0))
        return self._prediction(values, whitened * np.sqrt(floor[0]), score)

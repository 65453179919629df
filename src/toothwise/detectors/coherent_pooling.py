"""Lines in what a deep detector cannot explain: residual vectors are added along a line first, and squared then.

An anomaly map holds squared lengths. Damage moves all tokens of a line the same way, noise each its own: the squared
length of the *sum* of K whitened components along L tokens has a distance from healthy noise of L d^2 / sqrt(2 K) for a
shift d, the sum of squared lengths only sqrt(L) d^2 / sqrt(2 K). So the faintest shift that is found shrinks by the
fourth root of L more. Deep Hough Transform (2003.04676) sums features along lines too, but learns from labels;
Mahalanobis PatchCore (2605.27748) whitens features too, but patch by patch.
"""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError
from toothwise.evaluation.tail import healthy_tail

_COMPONENTS = 24  # of the residual vectors: beyond them a line's shift is thinner than what more of them scatter
_PARTS = (0.125, 0.25, 0.5, 1.0)  # of a line's tokens that segments have
_AXES = (1, 2)


def segment_sums(vectors: np.ndarray, length: int, *, coherent: bool = True) -> np.ndarray:
    """Energy of every segment along the last but one axis.

    Args:
        vectors: Whitened, ``[..., along, components]``.
        length: Tokens of a segment.
        coherent: Squared length of the sum over ``length``; False = sum of squared lengths over ``length``.

    Returns:
        float64 ``[..., along - length + 1]``. Of white noise both have the mean of the number of components.

    Examples:
        >>> line = np.full((1, 4, 2), 0.5)
        >>> segment_sums(line, 4).item(), segment_sums(line, 4, coherent=False).item()
        (2.0, 0.5)
    """
    each = vectors if coherent else (vectors**2).sum(axis=-1, keepdims=True)
    total = np.zeros((*each.shape[:-2], each.shape[-2] + 1, each.shape[-1]))
    np.cumsum(each, axis=-2, out=total[..., 1:, :])
    part = total[..., length:, :] - total[..., :-length, :]
    return ((part**2).sum(axis=-1) if coherent else part[..., 0]) / length


class CoherentScan:
    """The best row or column segment of residual vectors, calibrated on those of healthy maps."""

    def __init__(self) -> None:
        self._learned: dict[str, np.ndarray] = {}

    def fit(self, vectors: np.ndarray) -> CoherentScan:
        """Learn centre, whitening and calibration from healthy maps' vectors ``[n, h, w, channels]``. Returns self.

        Raises:
            InputError: The vectors are constant.
        """
        h, w, channels = vectors.shape[1:]
        centre = vectors.mean(axis=0)
        flat = (vectors - centre).reshape(-1, channels).astype(np.float64)
        power, basis = np.linalg.eigh(flat.T @ flat / max(1, len(flat) - h * w))
        keep = np.flatnonzero(power > 1e-9 * max(power[-1], 1e-300))[-_COMPONENTS:]
        if not power[-1] > 0:
            raise InputError("pooling 'coherent': the detector's residuals of healthy maps are constant")
        self._learned = {"centre": centre, "whitening": basis[:, keep] / np.sqrt(power[keep])}
        for axis in _AXES:
            best = self._best(self._whitened(vectors), axis)
            self._learned[f"mean{axis}"] = best.mean(axis=(0, 1))
            self._learned[f"sd{axis}"] = np.maximum(best.std(axis=(0, 1)), 1e-6)
        self._learned["healthy"] = np.sort(np.max([e.max(axis=1) for e in self.evidence(vectors, (h, w))], axis=0))
        return self

    def _whitened(self, vectors: np.ndarray) -> np.ndarray:
        flat = (vectors - self._learned["centre"]).astype(np.float64)
        out: np.ndarray = flat @ self._learned["whitening"]
        return out

    def _best(self, whitened: np.ndarray, axis: int) -> np.ndarray:
        """Energy of the best segment of each line at each length, ``[n, lines, lengths]``."""
        lines = whitened if axis == 1 else np.swapaxes(whitened, 1, 2)
        lines = lines - lines.mean(axis=1, keepdims=True)  # what all lines share at a place is no tooth's
        along = lines.shape[2]
        lengths = sorted({max(1, round(part * along)) for part in _PARTS})
        return np.stack([segment_sums(lines, k).max(axis=2) for k in lengths], axis=2)

    def evidence(self, vectors: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Evidence of rows and columns of maps of ``shape``, float64, in standard deviations of healthy lines'."""
        whitened = self._whitened(vectors)
        found = []
        for axis, teeth in zip(_AXES, shape, strict=True):
            z = (self._best(whitened, axis) - self._learned[f"mean{axis}"]) / self._learned[f"sd{axis}"]
            tokens = z.shape[1]
            found.append(z.max(axis=2)[:, (np.arange(teeth) * 2 + 1) * tokens // (2 * teeth)])
        return found[0], found[1]

    def p_value(self, score: np.ndarray) -> np.ndarray:
        """Chance that a healthy map scores as high, float64 ``[n]``; see ``healthy_tail``."""
        return healthy_tail(score, self._learned["healthy"], least=1)

    def state(self) -> dict[str, np.ndarray]:
        """What was learned."""
        return dict(self._learned)

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``."""
        names = ("centre", "whitening", "healthy", *(f"{k}{a}" for k in ("mean", "sd") for a in _AXES))
        self._learned = {name: state[name] for name in names}

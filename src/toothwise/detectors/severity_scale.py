"""From the head's output to contrast over background, and from scores to ranks among healthy maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.errors import InputError


@dataclass(frozen=True, eq=False)
class ContrastScale:
    """A monotone map from the head's output to contrast, learned by isotonic regression.

    Isotonic regression (Barlow et al., 1972) gives steps; here straight lines join the middles of the steps, so that
    outputs that differ keep their order. Above the last middle it goes on with the slope ``log_step`` that the
    training lines have: an extrapolation. Below the first it is flat.

    Attributes:
        output: float64 ``[k]``, rising, middles of the steps.
        log_contrast: float64 ``[k]``, not falling, 0 or more.
        log_step: logarithm of contrast per unit of output above the last middle.
    """

    output: np.ndarray
    log_contrast: np.ndarray
    log_step: float

    @classmethod
    def fit(
        cls, output: np.ndarray, contrast: np.ndarray, log_step: float, *, weight: np.ndarray | None = None
    ) -> ContrastScale:
        """Learn from outputs ``[n]`` of maps of known contrast ``[n]`` (1 = healthy); they count by weight ``[n]``.

        Raises:
            InputError: different lengths, no maps, values that are not finite, or contrast below 1.
        """
        from scipy.optimize import isotonic_regression

        output, contrast = np.asarray(output, dtype=np.float64), np.asarray(contrast, dtype=np.float64)
        if output.shape != contrast.shape or output.ndim != 1 or not len(output):
            raise InputError(
                f"output and contrast must have one entry per map, but are {output.shape} and {contrast.shape}"
            )
        if not (np.isfinite(output).all() and np.isfinite(contrast).all() and (contrast >= 1).all()):
            raise InputError("output must be finite, and contrast finite and 1 or more")
        weight = np.ones(len(output)) if weight is None else weight
        values, which = np.unique(output, return_inverse=True)
        count = np.bincount(which, weight)
        mean = np.bincount(which, weight * np.log(contrast)) / count
        found = isotonic_regression(mean, weights=count)
        first = found.blocks[:-1]
        middle = np.add.reduceat(values * count, first) / np.add.reduceat(count, first)
        return cls(middle, np.maximum(found.x[first], 0.0), log_step)

    def __call__(self, output: np.ndarray) -> np.ndarray:
        """Contrast, float64 ``[n]``, 1 or more; 1 = healthy."""
        log_contrast = np.interp(output, self.output, self.log_contrast)
        return np.exp(log_contrast + self.log_step * np.maximum(output - self.output[-1], 0.0))


def healthy_rank(score: np.ndarray, healthy: np.ndarray) -> np.ndarray:
    """Rank of scores ``[n]`` among healthy scores ``[m]``: 0 to 1 within them, as 1 - p-value is, and more above them.

    Between healthy scores it is interpolated. Above the largest it goes on with the mean slope from the median to
    there, so that strong damage is still put in order; below the smallest likewise.
    """
    ordered = np.sort(np.asarray(healthy, dtype=np.float64))
    position = (np.arange(len(ordered)) + 0.5) / len(ordered)
    middle = float(np.median(ordered))
    rank = np.interp(score, ordered, position)
    for end, sign in ((ordered[-1], 1.0), (ordered[0], -1.0)):
        width = max(abs(end - middle), 1e-12 + 1e-6 * abs(middle))  # one healthy map, or all alike, have no width
        rank = rank + sign * 0.5 * np.maximum(sign * (score - end), 0.0) / width
    return rank

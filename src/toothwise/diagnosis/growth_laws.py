"""How a log contrast may go on: laws of growth, and what a series makes of each of them.

The laws are straight lines, lines whose rate changes or that stop, steps, roots, powers, exponentials, and cracks that
run away as by Paris's law. Their shapes and the correlation of the residuals are grids, whose nodes are weighted by
their marginal likelihood; height, amplitude and scale are integrated in closed form (a linear model with a flat prior
on the height and a unit-information prior on the amplitude, which is BIC to first order: Kass and Wasserman 1995). So
the answer is a mixture over laws that explain the series about as well, and what it says of times to come is as wide as
these differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

# prior weight of each law, shared by its shapes
LAWS = {
    "flat": 1.0,
    "step": 1.0,
    "steady": 2.0,
    "stopping": 1.0,
    "changing": 1.0,
    "slowing": 0.5,
    "power": 2.0,
    "exponential": 1.0,
    "runaway": 1.0,
}
_BLOCKS = 64  # means of neighbouring records that the laws are compared on
_DRAWS = 2000
# times in parts of the records looked at: 0 = the first, 1 = now
_STARTS = (0.0, 0.12, 0.24, 0.36, 0.48, 0.6, 0.72, 0.84)
_EARLIER = (-1.0, *_STARTS[:-1])  # what accelerates may have begun before the first record
_STEPS = np.linspace(0.04, 0.98, 24)
_STOPS = (0.3, 0.4, 0.5, 0.6, 0.68, 0.76, 0.83, 0.89, 0.94, 0.97)
_CHANGES = (0.4, 0.55, 0.7, 0.82, 0.9)
_RATES = (-0.6, 1.5, 5.0)  # by how much of the first rate the rate changes
_POWERS = (1.5, 2.0, 3.0)
_SCALES = (0.06, 0.12, 0.2, 0.3, 0.45, 0.7)  # over which an exponential grows by e
_ENDS = (1.03, 1.08, 1.15, 1.25, 1.4, 1.6, 2.0, 3.0)  # when a crack has run away
# of the residuals: share of the variance that is correlated, and over how many records
_SHARES = (0.25, 0.5, 0.75, 0.95)
_MEMORIES = (2.0, 6.0, 20.0, 60.0)
# No law holds for ever. Both were chosen on development seeds of benchmarks/prediction.py, and so were the quantiles in
# ``growth``: the first record's standard deviation in parts of the last one's, and by what factor growth to come may be
# slower or faster than its law (sd of the logarithm).
_OLDER = 2.1
_PACE = 0.6


@cache
def _nodes() -> dict[str, np.ndarray]:
    """Parameters of every shape of every law, ``[shapes, parameters]``."""
    return {
        "flat": np.zeros((1, 1)),
        "step": _STEPS[:, None],
        "steady": np.array(_STARTS)[:, None],
        "stopping": np.array([(t, c) for t in _STARTS for c in _STOPS if c > t + 0.05]),
        "changing": np.array([(t, c, r) for t in _STARTS[:6] for c in _CHANGES for r in _RATES if c > t]),
        "slowing": np.array(_STARTS)[:, None],
        "power": np.array([(t, p) for t in _EARLIER for p in _POWERS]),
        "exponential": np.array(_SCALES)[:, None],
        "runaway": np.array([(t, e, q) for t in _EARLIER[:6] for e in _ENDS for q in (0, 1)]),
    }


def _shapes(at: np.ndarray) -> np.ndarray:
    """Every shape at some times ``[shapes, len(at)]``; none of them ever falls."""
    out = []
    for law, nodes in _nodes().items():
        a, *more = nodes.T[..., None]
        since = np.maximum(at - a, 0.0)
        if law == "flat":
            out.append(np.zeros((1, len(at))))
        elif law == "step":
            out.append((at >= a).astype(float))
        elif law == "steady":
            out.append(since)
        elif law == "stopping":
            out.append(np.minimum(since, more[0] - a))
        elif law == "changing":
            out.append(since + more[1] * np.maximum(at - more[0], 0.0))
        elif law == "slowing":
            out.append(np.sqrt(since))
        elif law == "power":
            out.append(since ** more[0])
        elif law == "exponential":
            out.append(np.exp(np.minimum((at - 1.0) / a, 200.0)))
        else:  # minus the logarithm, or the inverse root, of what is left of the way
            left = np.maximum(1.0 - since / (more[0] - a), 1e-9)
            out.append(np.where(more[1] == 0, -np.log(left), 1.0 / np.sqrt(left)))
    return np.concatenate(out)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of how the series goes on.

    Attributes:
        now: Log contrast by the law at the last record ``[draws]``.
        before: The same as many records earlier as the present growth is read over.
        ahead: The same at ``times`` records from the last one ``[draws, times]``.
        times: Records ahead, rising from 0.
        pace: By what factor each draw may take longer than its law says ``[draws]``.
    """

    now: np.ndarray
    before: np.ndarray
    ahead: np.ndarray
    times: np.ndarray
    pace: np.ndarray

    def until(self, target: float) -> np.ndarray:
        """Records until each draw reaches ``target``: 0 where it has, infinity where it does not by the last time."""
        above = self.ahead >= target
        row, first = np.arange(len(above)), above.argmax(axis=1)
        before = np.maximum(first - 1, 0)
        low, high = self.ahead[row, before], self.ahead[row, first]
        part = np.clip((target - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
        start = self.times[before]
        return np.where(above.any(axis=1), (start + part * (self.times[first] - start)) * self.pace, np.inf)


def _calm(y: np.ndarray) -> np.ndarray:
    """The series without single outliers: nothing beyond 3.5 robust deviations from the median of nine around it."""
    from scipy.ndimage import median_filter

    middle = median_filter(y, size=min(9, len(y)), mode="nearest")
    rest = y - middle
    reach = 3.5 * 1.4826 * float(np.median(np.abs(rest))) + 1e-9
    return np.asarray(middle + np.clip(rest, -reach, reach))


def _covariances(centre: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Covariance of the means of blocks for every correlation of single records, ``[correlations, m, m]``."""
    white = np.diag(1.0 / size)
    apart = np.abs(centre[:, None] - centre[None, :])
    out = [white]
    for memory in _MEMORIES:  # the mean of exp(-lag / memory) over two blocks, and over one with itself
        x = size / memory
        spread = np.sinh(x / 2.0) / (x / 2.0)
        kept = np.exp(-apart / memory) * spread[:, None] * spread[None, :]
        np.fill_diagonal(kept, 2.0 / x**2 * (x - 1.0 + np.exp(-x)))
        out += [(1.0 - share) * white + share * kept for share in _SHARES]
    return np.stack(out)


def posterior_of(y: np.ndarray, *, recent: int, reach: float) -> Posterior:
    """What a series makes of the laws; the same series gives the same answer.

    Args:
        y: float ``[n]``, log contrast of each record, the last one now; 10 or more.
        recent: How many records the present growth is read over.
        reach: How far ahead to follow the laws, in parts of n.
    """
    from scipy.linalg import solve_triangular
    from scipy.special import ndtr, ndtri

    n = len(y)
    edges = np.linspace(0, n, min(n, _BLOCKS) + 1).round().astype(int)
    size = np.diff(edges).astype(float)
    mean = np.add.reduceat(_calm(np.asarray(y, dtype=float)), edges[:-1]) / size
    centre, last, m = (edges[:-1] + edges[1:] - 1) / 2.0, float(n - 1), len(size)
    shapes = _shapes(centre / last)
    scale = shapes.std(axis=1)
    flat = scale < 1e-9  # also a shape that begins after the last block
    scale = np.where(flat, 1.0, scale)
    counts = [len(nodes) for nodes in _nodes().values()]
    prior = np.repeat(np.log(np.array([*LAWS.values()]) / counts), counts)
    free = m - 1.0
    found = []
    trust = _OLDER ** (0.5 - centre / last)  # recent records weigh more
    for covariance in _covariances(centre, size):
        chol = np.linalg.cholesky(trust[:, None] * covariance * trust)
        white = solve_triangular(chol, np.vstack([mean, np.ones(m), shapes / scale[:, None]]).T, lower=True).T
        ones = white[1] @ white[1]
        height, lean = white[0] @ white[1] / ones, white[2:] @ white[1] / ones
        z, s = white[0] - height * white[1], white[2:] - lean[:, None] * white[1]
        ss, shrink = np.maximum((s * s).sum(axis=1), 1e-12), np.where(flat, 0.0, m / (m + 1.0))
        best = shrink * (s @ z) / ss
        rest = np.maximum(float(z @ z) - best * (s @ z), 1e-12)
        spread = np.sqrt(shrink * rest / free / ss) + 1e-12
        evidence = -np.log(np.diag(chol)).sum() - 0.5 * np.log(ones) - 0.5 * free * np.log(rest)
        # a shape costs its unit-information prior; its amplitude is never below 0
        cost = np.where(flat, 0.0, np.log(2.0 * ndtr(best / spread) + 1e-12) - 0.5 * np.log(m + 1.0))
        found.append((evidence + cost + prior, best, spread, height + 0.0 * best, np.sqrt(rest / free / ones), lean))
    log, best, spread, height, wide, lean = (np.concatenate(part) for part in zip(*found, strict=True))
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    rng = np.random.default_rng(0)
    taken = rng.choice(len(weight), size=_DRAWS, p=weight)
    best, spread, height, wide, lean = (part[taken] for part in (best, spread, height, wide, lean))
    shape = taken % len(prior)
    student = np.sqrt(free / rng.chisquare(free, _DRAWS))  # one scale for both of a draw's numbers
    below = ndtr(-best / (spread * student))
    amplitude = best + spread * student * ndtri(np.clip(below + (1.0 - below) * rng.random(_DRAWS), 1e-12, 1 - 1e-12))
    amplitude = np.where(flat[shape], 0.0, np.maximum(amplitude, 0.0))
    base = height + wide * student * rng.standard_normal(_DRAWS) - amplitude * lean
    ahead = np.concatenate([[0.0], np.geomspace(0.5 / last, reach, 60)])
    there = (_shapes(np.concatenate([[1.0 - recent / last], 1.0 + ahead])) / scale[:, None])[shape]
    there = base[:, None] + amplitude[:, None] * there
    pace = np.exp(_PACE * rng.standard_normal(_DRAWS))
    return Posterior(there[:, 1], there[:, 0], there[:, 1:], ahead * last, pace)

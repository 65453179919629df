"""Averages of hunting periods that close without a step, and as noisy as others are."""

from __future__ import annotations

import numpy as np

_FADE = 0.125  # of a hunting period, over which a record fades in and out
_LONGER = 1.5  # times as many periods as others have, from which on a record counts as longer


def faded_mean(values: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Mean over periods and the begun one behind them, float64 ``[n]``.

    Mesh events that the begun period holds too are averaged over one more pass. The record fades in and out where other
    periods run on: the end of its last period does not flow into the beginning of the first, and the step between them
    would look like a damaged tooth pair. What is not locked to the teeth (electrical hum) is loud far from the step as
    well, so that the record fades slowly.

    Args:
        values: ``[periods, n]``.
        rest: The begun period, ``[0 to n]``.

    Examples:
        >>> faded_mean(np.array([np.ones(16), 3.0 * np.ones(16)]), np.empty(0)).round(1)[[0, 8, 15]].tolist()
        [2.7, 2.0, 1.3]
    """
    n, begun = len(values), len(rest)
    total, weight = values.sum(axis=0, dtype=np.float64), np.full(values.shape[1], float(n))
    total[:begun] += rest
    weight[:begun] += 1.0
    if n > 1:
        missing = _missing(len(total))
        fade = len(missing)
        last = np.concatenate([values[-1], rest])[-fade:]
        for part, at, less in ((values[0, :fade], 0, missing), (last, begun - fade, missing[::-1])):
            places = np.arange(at, at + fade) % len(total)
            total[places] -= less * part
            weight[places] -= less
    return np.asarray(total / weight)


def noise_of_fewer(values: np.ndarray, worth: float) -> np.ndarray | float:
    """What an average of fewer periods would hold more: as every second period differs from the others.

    Args:
        values: ``[periods, n]``.
        worth: How many periods the others have; 0 = unknown.

    Returns:
        float64 ``[n]``, faded out where a period closes with a step; 0 where there are hardly more periods than that.

    Examples:
        >>> noise = np.random.default_rng(0).standard_normal((64, 1000))
        >>> [round(float((noise.mean(axis=0) + noise_of_fewer(noise, n)).std()), 1) for n in (60, 4)]
        [0.1, 0.5]
    """
    n = len(values)
    if worth <= 0 or n <= _LONGER * worth:
        return 0.0
    half = n // 2
    differ = values[0 : 2 * half : 2].mean(axis=0, dtype=np.float64)
    differ -= values[1 : 2 * half : 2].mean(axis=0, dtype=np.float64)
    there = 1.0 - _missing(len(differ))
    differ[: len(there)] *= there
    differ[-len(there) :] *= there[::-1]
    return np.asarray(np.sqrt((1.0 / worth - 1.0 / n) * half / 2.0) * differ)


def _missing(n: int) -> np.ndarray:
    """How much is missing of each of the first samples of n while a record fades in."""
    fade = round(_FADE * n)
    return np.asarray(np.cos(np.pi * (np.arange(fade) + 0.5) / (2 * fade)) ** 2)

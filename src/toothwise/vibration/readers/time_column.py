"""A time column: its sampling rate, if it is uniform."""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError

_TOLERANCE = 0.25  # of a step: one missing sample moves some instant by half a step or more, rounded digits by less
_WHOLE = 1e-9  # relative: a rate this close to a whole number is that number, written with too few digits


def uniform_rate(seconds: np.ndarray, *, what: str = "the time column") -> float:
    """Sampling rate in Hz of instants that are evenly spaced.

    The instants are compared with the straight line from the first to the last; a quarter of a step is allowed,
    because columns are often written with few digits. One missing sample is half a step or more, wherever it is.

    Args:
        seconds: ``[n]``, instants in seconds.
        what: name of the column, for the message.

    Raises:
        InputError: fewer than 2 instants, gaps, not increasing or uneven; the message says how uneven.
    """
    n, seconds = len(seconds), np.asarray(seconds, np.float64)
    if n < 2:
        raise InputError(f"{what} has {n} instants, 2 are needed for a sampling rate")
    first, last = float(seconds[0]), float(seconds[-1])
    step = (last - first) / (n - 1)
    if not np.isfinite(step) or step <= 0:
        raise InputError(f"{what} does not increase: it goes from {first:g} to {last:g} s")
    if not np.isfinite(seconds).all():
        raise InputError(f"{what} has gaps (NaN)")
    worst = float(np.abs(seconds - (first + step * np.arange(n))).max()) / step
    if worst > _TOLERANCE:
        steps = np.diff(seconds)
        raise InputError(
            f"{what} is not uniform: its steps are {steps.min():.3g} to {steps.max():.3g} s, {step:.3g} on average, "
            f"and an instant is {worst:.2g} steps off an even spacing: resample it, or give sampling_rate="
        )
    rate = 1 / step
    return float(round(rate)) if abs(rate - round(rate)) < _WHOLE * rate else rate

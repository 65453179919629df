"""A time column: its sampling rate, if it is uniform."""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError

_TOLERANCE = 0.25  # of a step: one missing sample moves some instant by half a step or more, rounded digits by less
_WHOLE = 1e-9  # relative: a rate this close to a whole number is that number, written with too few digits
_CHUNK = 1 << 20


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
    n = len(seconds)
    if n < 2:
        raise InputError(f"{what} has {n} instants, 2 are needed for a sampling rate")
    first, last = float(seconds[0]), float(seconds[-1])
    step = (last - first) / (n - 1)
    if not np.isfinite(step) or step <= 0:
        raise InputError(f"{what} does not increase: it goes from {first:g} to {last:g} s")
    worst, shortest, longest = 0.0, np.inf, -np.inf
    for begin in range(0, n, _CHUNK):
        part = np.asarray(seconds[begin : begin + _CHUNK + 1], np.float64)
        if not np.isfinite(part).all():
            raise InputError(f"{what} has gaps (NaN)")
        line = first + step * np.arange(begin, begin + len(part))
        worst = max(worst, float(np.abs(part - line).max()))
        if len(part) > 1:
            steps = np.diff(part)
            shortest, longest = min(shortest, float(steps.min())), max(longest, float(steps.max()))
    if worst > _TOLERANCE * step:
        raise InputError(
            f"{what} is not uniform: its steps are {shortest:.3g} to {longest:.3g} s, {step:.3g} on average, and an "
            f"instant is {worst / step:.2g} steps off an even spacing: resample it, or give sampling_rate="
        )
    rate = 1 / step
    return float(round(rate)) if abs(rate - round(rate)) < _WHOLE * rate else rate

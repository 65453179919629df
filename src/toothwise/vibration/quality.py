"""What is wrong with a recording's samples: gaps, clipping, nothing there at all. Read in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from toothwise.vibration.records import VibrationRecord

__all__ = ["Finding", "check_record"]

_CHUNK = 1 << 20
_CLIPPED_SHARE = 1e-4  # of all samples, in runs at an extreme
_RUN = 3  # samples in a row at an extreme that no vibration repeats exactly


@dataclass(frozen=True)
class Finding:
    """Something wrong.

    Attributes:
        kind: "nan", "clipped", "constant" or "flat tacho".
        channel: where.
        share: of the samples that are affected, 0 to 1.
        message: in words.
    """

    kind: str
    channel: str
    share: float
    message: str


def _chunks(x: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(x), _CHUNK):
        yield np.asarray(x[start : start + _CHUNK])


def _extremes(x: np.ndarray) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for part in _chunks(x):
        good = part[np.isfinite(part)] if part.dtype.kind == "f" else part
        if len(good):
            low, high = min(low, float(good.min())), max(high, float(good.max()))
    return low, high


def _gaps(x: np.ndarray) -> tuple[int, int, int]:
    """Samples that are NaN or infinite, number of gaps, and the longest one."""
    if x.dtype.kind != "f":
        return 0, 0, 0
    total, gaps, longest, run = 0, 0, 0, 0
    for part in _chunks(x):
        bad = ~np.isfinite(part)
        if not bad.any():
            run = 0
            continue
        total += int(bad.sum())
        edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8)))
        starts, ends = edges[::2], edges[1::2]
        lengths = ends - starts
        if run and bad[0]:
            lengths[0] += run
            gaps -= 1
        gaps += len(starts)
        longest = max(longest, int(lengths.max()))
        run = int(lengths[-1]) if bad[-1] else 0
    return total, gaps, longest


def _at_extremes(x: np.ndarray, low: float, high: float) -> int:
    """Samples in runs of 3 or more at exactly the lowest or highest value."""
    count = 0
    for part in _chunks(x):
        for value in (low, high):
            there = part == value
            if not there.any():
                continue
            edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
            lengths = edges[1::2] - edges[::2]
            count += int(lengths[lengths >= _RUN].sum())
    return count


def check_record(record: VibrationRecord) -> list[Finding]:
    """What is wrong with the samples of a record; empty = nothing found."""
    found = []
    for name, x in record.channels.items():
        n = len(x)
        total, gaps, longest = _gaps(x)
        if total:
            found.append(
                Finding(
                    "nan",
                    name,
                    total / n,
                    f"channel {name!r} has {total} NaN or infinite samples in {gaps} gaps, the longest {longest} "
                    f"samples ({longest / record.sampling_rate:.3g} s)",
                )
            )
        low, high = _extremes(x)
        if not high > low:
            found.append(Finding("constant", name, 1.0, f"channel {name!r} is constant: it holds no vibration"))
            continue
        clipped = _at_extremes(x, low, high)
        if clipped > _CLIPPED_SHARE * n:
            found.append(
                Finding(
                    "clipped",
                    name,
                    clipped / n,
                    f"channel {name!r} is clipped: {clipped / n:.2%} of the samples stay at {low:g} or {high:g}; lower "
                    "the gain, or take another range",
                )
            )
    if record.tacho is not None and record.tacho.kind == "waveform":
        low, high = _extremes(record.tacho.values)
        if not high > low:
            found.append(Finding("flat tacho", "tacho", 1.0, f"the tachometer signal is flat ({low:g} throughout)"))
    return found

"""Pulses of a tachometer, found in its waveform."""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.records import Edge, Tachometer

_CHUNK = 1 << 20
_DOWNWARDS = 0.7  # share of the time that a signal is high from which on its pulses go downwards


def _levels(x: np.ndarray) -> tuple[float, float]:
    """Low and high level of a two-level waveform, from chunks so that long memory maps stay on disk."""
    parts = [x[i : i + _CHUNK][:: max(1, len(x) // (1 << 20))] for i in range(0, len(x), _CHUNK)]
    sample = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])
    sample = sample[np.isfinite(sample)]
    if not len(sample):
        raise InputError("the tachometer signal is NaN throughout")
    low, high = np.percentile(sample, (1.0, 99.0))
    # short pulses occupy less than 1 % of a revolution: percentiles would see the base line alone
    if high - low < 0.3 * np.ptp(sample):
        low, high = float(sample.min()), float(sample.max())
        middle = float(np.median(sample))
        low, high = (middle, high) if high - middle > middle - low else (low, middle)
    return float(low), float(high)


def _baseline(x: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray, float, float] | None:
    """The baseline of a signal whose pulses stand on one that wanders by more than half of them; None = on a still one.

    It is the median of short stretches; stretches are longer than pulses where most of them agree on how high the
    signal reaches within them.

    Returns:
        Places in samples and the baseline's level there, and the low and high level of the pulses above it.
    """
    for stretches in (64, 256, 1024):
        size = len(x) // stretches
        if size < 64:
            break
        block = np.asarray(x[: size * stretches], dtype=np.float64).reshape(stretches, size)
        if not np.isfinite(block).all():
            return None
        middle = np.median(block, axis=1)
        # pulses longer than half a turn make the median jump between the two levels: nothing wanders then
        if np.ptp(middle) < 0.15 * (high - low) and stretches == 64:
            return None
        steps = np.abs(np.diff(middle))
        reach = np.max(block, axis=1) - middle, middle - np.min(block, axis=1)
        up, down = float(np.median(reach[0])), float(np.median(reach[1]))
        usual = max(up, down)
        # the signal rests on its baseline between pulses; a sine (an inductive pick-up) has none
        rests = (np.abs(block - middle[:, None]) < 0.4 * usual).mean(axis=1)
        if np.median(rests) < 0.6:
            continue
        # a baseline moves little from stretch to stretch; slow pulses, longer than a stretch, make its median jump
        still = usual > max(3.0 * np.median(steps), float(np.max(steps)))
        if still and np.percentile(np.maximum(*reach), 10) > 0.5 * usual:
            places = (np.arange(stretches) + 0.5) * size
            return (places, middle, 0.0, up) if up > down else (places, middle, -down, 0.0)
    return None


def find_pulses(
    x: np.ndarray, sampling_rate: float, *, threshold: float | None = None, edge: Edge = "rising"
) -> np.ndarray:
    """Instants at which a tachometer's waveform crosses a threshold, to a fraction of a sample.

    A crossing counts when the signal has been 30 % of the pulse height beyond the threshold on the other side since the
    last one, so that noise on an edge makes no second pulse. The instant is interpolated linearly between the two
    samples around the threshold.

    Args:
        x: waveform ``[n]``; read in chunks, so a memory map stays on disk. NaN counts as no crossing.
        sampling_rate: hertz.
        threshold: in the signal's unit; None = halfway between its low and its high level, which are followed where
            the baseline wanders.
        edge: which edges are wanted.

    Returns:
        seconds, float64 ``[pulses]``; the first sample is at 0.

    Raises:
        InputError: a flat signal, or no crossing.
    """
    x = np.asarray(x) if not isinstance(x, np.memmap) else x
    if x.ndim != 1 or len(x) < 2:
        raise InputError(f"a tachometer signal must be [n] with 2 samples or more, but the shape is {x.shape}")
    low, high = _levels(x)
    if not high > low:
        raise InputError(
            f"the tachometer signal is flat ({low:g} throughout): no pulse can be found; name another one with tacho="
        )
    wander = _baseline(x, low, high) if threshold is None else None
    if wander is not None:
        places, levels, low, high = wander
    level = 0.5 * (low + high) if threshold is None else float(threshold)
    room = level - low if edge == "rising" else high - level  # to the level that the pulses come from
    band = min(0.3 * (high - low), 0.8 * max(room, 0.0))  # the dead band
    sign = 1.0 if edge == "rising" else -1.0
    found = []
    armed = False
    for start in range(0, len(x), _CHUNK):
        begin = max(start - 1, 0)  # one sample of overlap, so that an edge between chunks is seen
        y = np.asarray(x[begin : start + _CHUNK], dtype=np.float64)
        if wander is not None:
            y = y - np.interp(np.arange(begin, begin + len(y)), places, levels)
        y = sign * (y - level)
        # state: +1 above, -1 below the dead band, 0 inside; what lies inside keeps the state before it
        state = np.where(y >= 0.0, 1, np.where(y < -band, -1, 0))
        keep = np.flatnonzero(state)
        before = np.concatenate([[-1 if armed else 1], state[keep][:-1]])
        edges = keep[(state[keep] == 1) & (before == -1)]
        edges = edges[edges > 0]
        y0, y1 = y[edges - 1], y[edges]
        found.append(begin + edges - 1 + np.where(y0 < 0, -y0 / np.where(y1 > y0, y1 - y0, 1.0), 1.0))
        if len(keep):
            armed = bool(state[keep[-1]] == -1)
    pulses = np.concatenate(found) / sampling_rate
    if not len(pulses):
        raise InputError(
            f"the tachometer signal never crosses {level:g} {edge} (it goes from {low:g} to {high:g}): "
            "give another tacho_threshold="
        )
    return pulses


def downwards_text(tacho: Tachometer) -> str:
    """That the pulses of a waveform go downwards, where their rising edges are taken; "" = they do not."""
    if tacho.edge != "rising":
        return ""
    values = np.asarray(tacho.values[:: max(1, len(tacho.values) // 100_000)])
    low = np.nanmin(values)  # what swings both ways rests in the middle, and is not high there
    high = float(np.mean(values > low + 0.75 * (np.nanmax(values) - low)))
    if high <= _DOWNWARDS:
        return ""
    return (
        f"the tachometer's signal is high for {high:.0%} of the time: its pulses go downwards, and what is taken is "
        "where they end, so tooth 0 is unknown; tacho_edge=falling takes it where they begin"
    )

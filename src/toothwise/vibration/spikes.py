"""Electric spikes in a recording: a few samples far beyond the others, which do not ring and come at no angle again."""

from __future__ import annotations

import warnings

import numpy as np

from toothwise.errors import SignalWarning
from toothwise.vibration.angle import ShaftAngle

_BLOCK = 1 << 12  # samples among which one stands out
_USUAL, _FAR = 0.9, 5.0  # so many times what a tenth of the samples exceed: 8 standard deviations of normal noise
_WIDE, _LATER = 4, 12  # samples on either side that a spike reaches, and until which what is mechanical still rings
_RINGS, _AGAIN = 0.2, 0.6  # of its height: what rings is no spike, nor what other periods have (half is the other sign)
_OFF = 0.01  # of its height: another period that is quieter there was off, and says nothing
_NEAR = 0.125  # of a mesh: how exactly an angle is known
_OTHERS = 4  # periods before and behind that are looked at


def without_spikes(
    x: np.ndarray, sampling_rate: float, angle: ShaftAngle, revolutions: float, per_tooth: float
) -> np.ndarray:
    """A channel in which spikes of a few samples are replaced by what lies between their neighbours.

    A spike is a sample that bends away from both neighbours far more than its block does, does not ring on as a gearbox
    would, and stands in no more than half of the hunting periods before and behind at the same angle. A damaged tooth
    strikes in each of them. Where the record holds no other period of an angle it stays as it is.

    Args:
        x: ``[n]``, at equal steps of time; never changed.
        sampling_rate: Hertz.
        angle: Of the reference shaft.
        revolutions: Of it in a hunting period.
        per_tooth: Samples per mesh event.

    Returns:
        ``x`` itself, or a float32 copy without its spikes, with a warning that says how many.
    """
    at, size = _candidates(x)
    if len(at):
        single = ~_repeated(x, at, size, sampling_rate, angle, revolutions, max(int(_NEAR * per_tooth), _WIDE))
        at, size = at[single], size[single]
    if not len(at):
        return x
    x = np.array(x, dtype=np.float32)
    for k, height in zip(at, size, strict=True):
        first, stop = max(k - 2 * _WIDE, 0), min(k + 2 * _WIDE + 1, len(x))
        places = np.arange(first, stop)
        bad = (np.abs(_bend(x, places)) > abs(height) / 4.0) & (np.abs(places - k) <= _WIDE)
        x[places[bad]] = np.interp(places[bad], places[~bad], x[places[~bad]])
    warnings.warn(
        f"what no other hunting period repeats was taken out at {len(at)} {'places' if len(at) > 1 else 'place'} where "
        "single samples stand alone, as electric spikes do",
        SignalWarning,
        stacklevel=3,
    )
    return x


def _bend(x: np.ndarray, places: np.ndarray) -> np.ndarray:
    """How far samples lie from the middle of their neighbours; the ends of the record have none."""
    places = np.clip(places, 1, len(x) - 2)
    here, before, behind = (np.asarray(x[places + step], dtype=np.float32) for step in (0, -1, 1))
    with np.errstate(invalid="ignore"):
        return np.asarray(here - 0.5 * (before + behind))


def _candidates(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places and heights, with their sign, of the isolated samples that stand out."""
    places, heights = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.float32)]
    if len(x) <= 2 * _LATER:
        return places[0], heights[0]
    edges = np.arange(0, len(x) + 1 - min(_BLOCK, len(x)), _BLOCK)  # the last block holds what is left
    for begin, stop in zip(edges, [*edges[1:], len(x)], strict=True):
        own = np.arange(begin - _WIDE, min(stop + _LATER + 1, len(x)))
        signed = _bend(x, own)
        bend = np.abs(signed)
        inner = bend[_WIDE : _WIDE + stop - begin]
        usual = np.partition(inner, tenth := int(_USUAL * len(inner)))[tenth]
        for k in np.flatnonzero(inner > _FAR * usual) if usual > 0 else ():
            around, later = np.split(bend[k : k + _WIDE + _LATER + 1], [2 * _WIDE + 1])
            if around.argmax() == _WIDE and len(later) and np.median(later) < _RINGS * inner[k]:
                places.append(np.array([begin + k]))
                heights.append(signed[k + _WIDE : k + _WIDE + 1])
    return np.concatenate(places), np.concatenate(heights)


def _repeated(
    x: np.ndarray,
    at: np.ndarray,
    size: np.ndarray,
    sampling_rate: float,
    angle: ShaftAngle,
    revolutions: float,
    near: int,
) -> np.ndarray:
    """Which places have something as high at the same angle of most other periods, or no other period."""
    turned = angle.at(at / sampling_rate)
    seen, again = np.zeros(len(at)), np.zeros(len(at))
    for step in [k for k in range(-_OTHERS, _OTHERS + 1) if k]:
        other = angle.time_of(turned + step * revolutions) * sampling_rate
        there = np.flatnonzero(np.isfinite(other) & (other >= 0) & (other < len(x)))
        around = np.rint(other[there]).astype(np.int64)[:, None] + np.arange(-near, near + 1)
        bend = _bend(x, around)
        seen[there] += np.abs(bend).max(axis=1) > _OFF * np.abs(size[there])
        again[there] += (bend / size[there, None]).max(axis=1) > _AGAIN  # of the same sign
    return np.asarray((2 * again > seen) | (seen == 0))

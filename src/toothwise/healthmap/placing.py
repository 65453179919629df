"""A record placed on the healthy waveform, also where its sensor was turned round or its tachometer's mark has moved.

Both leave sound teeth as they are and the record at no place that its pulses leave possible: it would be compared with
teeth that it does not hold. So every angle and the opposite sign are tried too, one that fits clearly better is taken,
and what is found is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from toothwise.gears import GearPair
from toothwise.healthmap.conditions import TRIMMED, trimmed_gain
from toothwise.healthmap.turning import Turn, correlation, of_gears, turned
from toothwise.healthmap.waveform import HealthyWaveform, correlations, levelled

if TYPE_CHECKING:
    from toothwise.vibration.periods import Periods

_BETTER = 1.25  # times by which another sign or angle must correlate better than the place that pulses leave possible
_LEFT = 0.8  # or share of what is left over of the record there
# correlation at another sign or angle of what either gear repeats, and share of the lowest learned of all: less is
# found by so many tries where a tooth is damaged, whose record correlates little at its own place
_LEAST, _AS_WELL = 0.4, 0.6
_MOST, _ALL = 0.85, 0.95  # share of the sound lines of either gear that must fit better there, and where less is found
_FINER = 8  # an offset is looked up at this share of a sample, and between those by a parabola
_STILL = 0.01  # teeth by which an edge is known; smaller offsets are left to the derivative (``residual_of``)
_SAID = 0.03  # teeth beyond those learned from which on an offset is told


def place(waveform: HealthyWaveform, signal: np.ndarray, step: float | None, teeth: tuple[int, int]) -> Turn:
    """Where a record of a learned speed begins, at either sign and wherever its tachometer's mark is.

    Args:
        waveform: The healthy one.
        signal: ``[n]``, of the record.
        step: Mesh events between the places that its pulses leave possible; None = any angle.
        teeth: Of the rows' gear and of the columns'.

    Raises:
        InputError: A signal of another length.
    """
    spt = waveform.samples_per_tooth
    even = levelled(signal, spt)
    found = waveform.turn(even, step, teeth)
    found = _exactly(waveform, even, found, step, teeth) if found.sure else found
    # what repeats with every mate: all of a noisy gearbox's record correlates little with it at its own place too
    clear = replace(waveform, values=of_gears(waveform.values, spt, teeth))
    clean = levelled(of_gears(even, spt, teeth), spt)
    cross = correlations(clean, clear.values, _FINER)
    most = int(np.abs(cross).argmax())
    heard = float(np.abs(cross[most]))
    if found.sure and not _better(heard, float(cross[round(found.events * spt * _FINER) % len(cross)])):
        return found
    sign = float(np.sign(cross[most]))
    even = sign * even
    off = 0.0 if step is None else _off(waveform, most / (spt * _FINER), step)
    best = waveform.turn(turned(even, off * spt), step, teeth)
    best = replace(best, events=best.events + off, inverted=sign < 0)
    best = _exactly(waveform, even, best, step, teeth)
    well = best.correlation > _AS_WELL * waveform.conditions.get("correlation", (0.0, 0.0))[0]
    if not (best.sure and well and _better(best.correlation, found.correlation)):
        return found
    # a loud tooth correlates with the waveform at many places: the others of its gear decide
    there = _left_of(clear, clean, found.events, teeth)
    instead = _left_of(clear, sign * clean, best.events, teeth)
    fit = min(_share_of_lines(new, old) for (new, _), (old, _) in zip(instead, there, strict=True))
    return best if fit > (_MOST if heard > _LEAST else _ALL) else found


def _share_of_lines(new: np.ndarray, old: np.ndarray) -> float:
    """Share of the sound lines of which less is left at a new place; a damaged one fits at neither place."""
    least = np.minimum(new, old)
    sound = least <= np.sort(least)[len(least) - 1 - int(TRIMMED * len(least))]
    return float(np.mean((new < old)[sound]))


def _left_of(
    waveform: HealthyWaveform, signal: np.ndarray, place: float, teeth: tuple[int, int]
) -> list[tuple[np.ndarray, float]]:
    """What the waveform leaves of each line of either gear at a place, and of all but the loudest of them."""
    spt = waveform.samples_per_tooth
    here, whole = turned(waveform.values, -place * spt).reshape(-1, spt), signal.reshape(-1, spt)
    own, shared, energy = (np.einsum("ij,ij->i", *pair) for pair in ((here, here), (here, whole), (whole, whole)))
    out = []
    for n in teeth:
        _, rest, keep = trimmed_gain(own, shared, energy, n, TRIMMED)
        out.append((rest, float(rest[keep].sum())))
    return out


def offset_of(waveform: HealthyWaveform, signal: np.ndarray) -> float:
    """Teeth by which a signal at its place must begin later to lie on the waveform, at most half a tooth."""
    most = waveform.samples_per_tooth * _FINER // 2
    near = np.roll(correlations(signal, waveform.values, _FINER), most)[: 2 * most + 1]
    k, between = int(near.argmax()), 0.0
    if 0 < k < 2 * most:
        before, there, after = near[k - 1 : k + 2]
        between = 0.5 * (before - after) / min(before - 2.0 * there + after, -1e-300)
    return float((k - most + between) / (waveform.samples_per_tooth * _FINER))


def _better(one: float, other: float) -> bool:
    """Whether a record correlates clearly better at one place than at another."""
    return one > _BETTER * max(other, 0.0) or 1.0 - one**2 < _LEFT * (1.0 - other**2)


def _off(waveform: HealthyWaveform, events: float, step: float) -> float:
    """Mesh events of a place from the next one that pulses leave possible."""
    return (events - waveform.begin + step / 2.0) % step - step / 2.0


def _exactly(
    waveform: HealthyWaveform, signal: np.ndarray, found: Turn, step: float | None, teeth: tuple[int, int]
) -> Turn:
    """A turn to where the signal fits exactly, and how far that is from the next place that pulses leave possible."""
    if step is None:
        return found
    spt = waveform.samples_per_tooth
    off = _off(waveform, found.events, step)
    marked = found.events - off
    more = offset_of(waveform, turned(signal, found.events * spt))
    left = [min(kept for _, kept in _left_of(waveform, signal, found.events + by, teeth)) for by in (0.0, more)]
    off += more if left[1] <= left[0] else 0.0  # where more is left, a loud tooth alone lies there
    if abs(off) < _STILL:
        off = 0.0
    at = turned(signal, (marked + off) * spt)
    events = marked + off
    return replace(
        found,
        events=int(events) if float(events).is_integer() else events,
        correlation=correlation(at, waveform.values),
        offset=off,
    )


def moved_texts(turn: Turn, periods: Periods, learned: Mapping[str, tuple[float, float]]) -> list[str]:
    """What a record's place tells of its sensor and of its tachometer.

    Args:
        turn: Where it begins.
        periods: Of the record.
        learned: Conditions that the healthy waveform was learned at.
    """
    told = []
    if turn.inverted:
        told.append(
            "the signal's sign is the opposite of the healthy recordings': the sensor was turned round or its wires "
            "swapped, which is taken off"
        )
    low, high = learned.get("offset", (0.0, 0.0))
    if not low - _SAID <= turn.offset <= high + _SAID:
        shaft = "driving shaft" if isinstance(periods.gears, GearPair) else "carrier"
        degrees = 360.0 * abs(turn.offset) / periods.mesh_order
        by = f"{degrees:.1f} degrees of the {shaft} ({abs(turn.offset):.2f} teeth)"
        told.append(
            f"the tachometer's pulse comes {by} {'later' if turn.offset < 0 else 'earlier'} than in the healthy "
            "recordings, which is taken off: its mark, its sensor or its threshold has changed"
        )
    return told

"""Records aligned among each other, where neither a pulse nor the healthy waveform says which tooth is which.

A damaged tooth and the teeth's own differences repeat from record to record. So one record shows where another one of
the same gearbox begins, in the steps that its pulses leave possible. That gives no tooth a number, but it tells whether
the tooth that stands out in one record is the one that stands out in another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from toothwise.healthmap.placing import place
from toothwise.healthmap.turning import SURE, Turn
from toothwise.healthmap.waveform import HealthyWaveform

_LOUD = 2.0  # events louder than so many medians of both their teeth are brought down to it
_MOST = 64  # records that are aligned: more of them tell nothing new
_FIRST = 2  # records that are tried as the one that numbers the teeth: one of them may be a bad one


@dataclass(frozen=True, eq=False)
class Unplaced:
    """A record of which the tooth zero of a gear is unknown.

    Attributes:
        name: Of the recording.
        signal: What its map looks at, over one hunting period from its revolution 0, float32.
        samples_per_tooth: Samples per mesh event.
        step: Mesh events between the places where it may begin; None = anywhere.
        turned: Mesh events by which its map was turned, the best guess where that was not sure.
        zeros: By gear, rows first, its teeth, and whether tooth 0 is known.
    """

    name: str
    signal: np.ndarray
    samples_per_tooth: int
    step: float | None
    turned: float
    zeros: dict[str, tuple[int, bool]]


@dataclass(frozen=True, eq=False)
class Aligned:
    """Records of one gearbox, aligned.

    Attributes:
        first: Which of them numbers the teeth.
        turns: By record, where it begins in the first one's numbering; ``confidence_of`` says of which gear that is
            sure. The first one is not among them.
        mean: Their mean waveform in that numbering, of the first one and those that are sure of both gears.
    """

    first: int
    turns: dict[int, Turn]
    mean: np.ndarray


def align_records(
    signals: Sequence[np.ndarray],
    samples_per_tooth: int,
    steps: Sequence[float | None],
    teeth: tuple[int, int],
) -> Aligned:
    """Turn records onto each other, damage and all.

    Args:
        signals: ``[events * samples_per_tooth]`` each, two or more.
        samples_per_tooth: Samples per mesh event.
        steps: Of each record, mesh events between the places where it may begin; None = anywhere.
        teeth: Of the rows' gear and of the columns'.

    Examples:
        >>> pattern = np.random.default_rng(0).normal(size=6 * 7 * 8)
        >>> found = align_records([pattern, np.roll(pattern, 5 * 8)], 8, [1, 1], (6, 7))
        >>> found.turns[1].events, found.turns[1].sure
        (5, True)
    """
    signals = [_even(s, samples_per_tooth, teeth) for s in signals]
    levels = [max(float(np.sqrt(np.mean(np.square(s)))), 1e-300) for s in signals]
    best: Aligned | None = None
    most = -1
    for first in range(min(len(signals), _FIRST)):
        flat = np.ones(len(signals[first]) // 2 + 1)
        begun = HealthyWaveform(signals[first] / levels[first], samples_per_tooth, 1, flat)
        others = [k for k in range(len(signals)) if k != first]
        found, turns = begun.gather(signals, levels, steps, teeth, others, healthy=False)
        sure = sum(one >= SURE for turn in turns.values() for one in turn.confidence_of)
        if sure > most:
            most, best = sure, Aligned(first, turns, found.values)
        if sure == 2 * len(others):
            break
    assert best is not None
    return best


def align_unplaced(
    records: Sequence[Unplaced], waveform: HealthyWaveform | None
) -> tuple[dict[int, dict[str, Any]], dict[int, Turn]]:
    """What records of unknown tooth zero tell of each other, and of their place in the healthy waveform together.

    Args:
        records: In their order; the last ones are used where there are many.
        waveform: The healthy waveform, or None. Their mean is heard more clearly than each of them.

    Returns:
        By record: ``aligned_to``, the recording that numbers the teeth, and ``aligned_<gear>``, teeth by which this
        record's numbers of that gear are higher; and of those that fit the waveform together, their turns onto it.
    """
    last = records[-1] if records else None
    same = [
        k
        for k, one in enumerate(records)
        if last and (len(one.signal), one.samples_per_tooth) == (len(last.signal), last.samples_per_tooth)
    ][-_MOST:]
    if last is None or len(same) < 2:
        return {}, {}
    names = tuple(last.zeros)
    teeth = last.zeros[names[0]][0], last.zeros[names[1]][0]
    chosen = [records[k] for k in same]
    steps = [one.step for one in chosen]
    found = align_records([one.signal for one in chosen], last.samples_per_tooth, steps, teeth)
    there = Turn(0, 1.0, 1.0, (1.0, 1.0))
    turns = [found.turns.get(k, there) for k in range(len(chosen))]
    labels: dict[int, dict[str, Any]] = {}
    for axis, name in enumerate(names):
        loose = [k for k, one in enumerate(chosen) if not one.zeros[name][1] and turns[k].confidence_of[axis] >= SURE]
        if found.first not in loose or len(loose) < 2:
            continue
        for k in loose:
            label = labels.setdefault(same[k], {"aligned_to": chosen[found.first].name})
            label[f"aligned_{name}"] = float((turns[k].events - chosen[k].turned) % teeth[axis])
    placed: dict[int, Turn] = {}
    if waveform is not None:
        whole = place(waveform, found.mean, steps[found.first], teeth)
        for k, turn in enumerate(turns):
            sure = [min(pair) for pair in zip(turn.confidence_of, whole.confidence_of, strict=True)]
            unknown = [chance for name, chance in zip(names, sure, strict=True) if not chosen[k].zeros[name][1]]
            if min(unknown) >= SURE and turn.sure:
                events = turn.events + whole.events
                placed[same[k]] = replace(whole, events=events, confidence_of=(sure[0], sure[1]))
    return labels, placed


def _even(signal: np.ndarray, samples_per_tooth: int, teeth: tuple[int, int]) -> np.ndarray:
    """The signal without what is loud at one mesh event and not along a line of either gear: an impact from elsewhere.

    Two records would else be turned until their loudest impacts meet.
    """
    by_event = np.asarray(signal, dtype=np.float64).reshape(-1, samples_per_tooth)
    level = np.sqrt(np.mean(np.square(by_event), axis=1))
    event, most = np.arange(len(level)), np.zeros(len(level))
    for n in teeth:
        lines = np.array([np.median(level[k::n]) for k in range(n)])
        most = np.maximum(most, _LOUD * lines[event % n])
    return (by_event * np.minimum(1.0, most / np.maximum(level, 1e-300))[:, None]).reshape(-1)

"""Pulses of a tachometer: how its marks lie around the shaft, then what pulses are lost or too many.

Geometry comes first. What is odd at the same place of every revolution (the joint of a zebra tape, the gap of a
missing-tooth wheel, marks drawn by hand) is how the wheel is made, and it marks one place of the revolution; what is
odd once is a fault. Then the pulses are followed from the longest stretch in which nothing is odd, outwards in both
directions, each one expected where the marks and the speed so far put it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.errors import InputError

_NEIGHBOURS = 5  # intervals on either side that say how long an interval should be
_TOLERANCE = 0.3  # of an interval: pulses are accepted that far from where they are expected
_ODD = 0.2  # an interval is odd that differs so far from its neighbours, as a share of it
_SAME = 0.1  # odd intervals are alike that differ less than so far
_AGAIN = 0.6  # share of revolutions in which an odd interval must come again to be geometry
_CLEAN = 4  # revolutions that must repeat each other to show the marks
_INDEX, _SECOND = 0.15, 3.0  # an interval marks the revolution that is so odd, and so much odder than the next one
_AHEAD = 4  # pulses looked at beyond a gap
_REPAIRED, _IRREGULAR = 0.2, 0.05  # shares of pulses beyond which a tachometer is not trusted


@dataclass(frozen=True)
class PulseReport:
    """What was found wrong with the pulses of a tachometer.

    Attributes:
        pulses: Number of pulses after repair.
        missing: Instants at which a pulse was put in, seconds.
        doubled: Instants of pulses that were taken out, seconds.
        jitter: Spread of the intervals about their neighbours' median, as a share of it (robust standard deviation).
    """

    pulses: int
    missing: tuple[float, ...] = ()
    doubled: tuple[float, ...] = ()
    jitter: float = 0.0

    @property
    def repaired(self) -> int:
        """Pulses put in or taken out."""
        return len(self.missing) + len(self.doubled)


@dataclass(frozen=True, eq=False)
class Marks:
    """Marks around a shaft.

    Attributes:
        shares: Share of a revolution from each mark to the next, float64 ``[marks]``, summing to 1.
        index: Whether one interval is odd enough to tell the revolution; mark 0 then follows that interval.
        pulse: A pulse that is one of the marks for certain.
        mark: Which one.
    """

    shares: np.ndarray
    index: bool = False
    pulse: int | None = None
    mark: int = 0


def learn_marks(times: np.ndarray, pulses: int) -> Marks:
    """How the marks lie, from pulses of which some may be missing.

    Args:
        times: Pulse times (s), float64 ``[pulses]``.
        pulses: Per revolution as the user counts them: the marks there are, or the pitches of a wheel of which some
            teeth are left out (60 of a 60-2 wheel).

    Examples:
        Three stripes and a gap twice as long as the others, at constant speed:

        >>> turn = np.array([0.0, 0.2, 0.4])
        >>> found = learn_marks((np.arange(20)[:, None] + turn).ravel(), 3)
        >>> found.index, found.shares.round(3).tolist()
        (True, [0.2, 0.2, 0.6])
    """
    even = Marks(np.full(max(pulses, 1), 1.0 / max(pulses, 1)))
    if pulses < 2 or len(times) < 3 * pulses:
        return even
    found = _folded(times, pulses) or _recurring(times, pulses)
    return even if found is None else found


def _folded(times: np.ndarray, pulses: int) -> Marks | None:
    """Marks from the longest stretch in which each revolution repeats the one before."""
    intervals = np.diff(times)
    if len(intervals) < (_CLEAN + 1) * pulses:
        return None
    around = times[pulses:] - times[:-pulses]
    share = intervals[: len(around)] / around
    alike = np.abs(share[pulses:] - share[:-pulses]) < 0.3 / pulses
    start, stop = _longest(alike, times)
    if stop - start < (_CLEAN - 1) * pulses:
        return None
    within = np.arange(start, stop + pulses)
    shares = np.array([np.median(share[within[k::pulses]]) for k in range(pulses)])
    # a loss at the end of the stretch may look like its marks: the middle is certain
    return _with_index(shares / shares.sum(), start + pulses * ((stop - start) // (2 * pulses)))


def _with_index(shares: np.ndarray, pulse: int) -> Marks:
    """Marks of measured shares, ``pulse`` being the first of them, renumbered from the odd interval where one is."""
    off = np.abs(shares / np.median(shares) - 1.0)
    if len(shares) == 2:  # either interval is as odd as the other: the longer one is the gap
        odd, clear = int(np.argmax(shares)), bool(np.abs(shares - 0.5).max() * 2.0 > _INDEX)
    else:
        odd = int(np.argmax(off))
        clear = bool(off[odd] > _INDEX and off[odd] > _SECOND * np.delete(off, odd).max())
    if not clear:
        return Marks(shares, False, pulse, 0)
    first = (odd + 1) % len(shares)
    return Marks(np.roll(shares, -first), True, pulse, (-first) % len(shares))


def _recurring(times: np.ndarray, pulses: int) -> Marks | None:
    """Marks from an odd interval that comes again at the same place of the revolution, whatever else is lost."""
    intervals = np.diff(times)
    relative = intervals / _local_mean(intervals)
    phase = np.concatenate([[0.0], np.cumsum(relative)])[:-1]  # in pitches, at the start of each interval
    odd = np.flatnonzero(np.abs(relative - 1.0) > _ODD)
    best: tuple[float, float, int, bool] | None = None
    sizes = relative[odd]
    for size in np.unique(np.round(sizes / _SAME) * _SAME):
        like = odd[np.abs(sizes - size) < _SAME * max(size, 1.0)]
        if len(like) < _CLEAN:
            continue
        length = float(np.median(relative[like]))
        # the pitches are counted with the marks that are left out, or without
        for turn, left_out in ((pulses - 1.0 + length, False), (float(pulses), True)):
            if left_out and abs(length - round(length)) > 0.25:
                continue
            at = phase[like]
            near = np.abs(at[None] - (at[:, None] + turn)) < 0.35 + 0.002 * turn
            again = near.any(axis=1).sum() / max((phase[-1] - at[0]) / turn - 1.0, 1.0)
            sure = np.flatnonzero(near.any(axis=1) & near.any(axis=0))
            if again >= _AGAIN and len(sure) and (best is None or again > best[0]):
                best = (float(again), length, int(like[sure[len(sure) // 2]]), left_out)
    if best is None:
        return None
    _, length, interval, left_out = best
    count = pulses - round(length) + 1 if left_out else pulses
    if count < 2:
        return None
    shares = np.append(np.ones(count - 1), round(length) if left_out else length)
    return Marks(shares / shares.sum(), True, interval + 1, 0)


def _longest(good: np.ndarray, times: np.ndarray) -> tuple[int, int]:
    """Start and stop of the run of True that lasts longest in time."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    k = int(np.argmax(times[np.minimum(stops, len(times) - 1)] - times[starts]))
    return int(starts[k]), int(stops[k])


def _local_interval(intervals: np.ndarray) -> np.ndarray:
    """Median of the intervals around each one, itself included."""
    from scipy.ndimage import median_filter

    return median_filter(intervals, size=min(2 * _NEIGHBOURS + 1, len(intervals)), mode="nearest")


def _local_mean(intervals: np.ndarray) -> np.ndarray:
    """Mean of the intervals around each one that are not odd.

    Edges that are sampled coarsely make intervals of 13 or 14 samples: their median is off by some percent, which adds
    up to more than a pitch in a revolution.
    """
    from scipy.ndimage import uniform_filter1d

    middle, size = _local_interval(intervals), min(2 * _NEIGHBOURS + 1, len(intervals))
    even = np.abs(intervals / middle - 1.0) <= _ODD
    total, count = (uniform_filter1d(x, size, mode="nearest") for x in (np.where(even, intervals, 0.0), even * 1.0))
    return np.where(count > 1e-9, total / np.maximum(count, 1e-9), middle)


def follow_pulses(times: np.ndarray, marks: Marks) -> tuple[np.ndarray, int, PulseReport]:
    """Put in pulses that are missing, take out those too many, by the marks they come from, and say so.

    Args:
        times: Seconds, float64 ``[pulses]``.
        marks: Where they lie.

    Returns:
        The repaired times, the mark that the first of them is, and the report.

    Raises:
        InputError: fewer than 3 pulses, times that do not rise, or pulses that cannot be trusted: more than a fifth
            would be put in or taken out, or the speed jumps again and again.

    Examples:
        >>> _, _, report = follow_pulses(np.delete(np.arange(40.0), [11, 12]), Marks(np.ones(1)))
        >>> report.missing
        (11.0, 12.0)
    """
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1 or len(times) < 3:
        at = f" (at {', '.join(f'{t:.4g}' for t in times.ravel())} s)" if times.size else ""
        raise InputError(
            f"a speed needs 3 pulses or more, but {times.size} were found{at}: check tacho_threshold= and tacho_edge="
        )
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InputError("pulse times must be finite and rise from pulse to pulse")
    start, mark = _anchor(times, marks)
    shares = marks.shares
    forward = _Follower(times[start:], shares, mark)
    # backwards in time the intervals come in reverse order
    backward = _Follower(-times[start::-1], shares[::-1], (len(shares) - mark) % len(shares))
    mended = np.concatenate([-np.array(backward.kept[::-1]), forward.kept[1:]])
    missing = sorted([*(-t for t in backward.missing), *forward.missing])
    doubled = sorted([*(-t for t in backward.doubled), *forward.doubled])
    first = (mark - (len(backward.kept) - 1)) % len(shares)
    if len(missing) + len(doubled) > _REPAIRED * max(len(times), len(mended)):
        raise InputError(
            f"the tachometer cannot be trusted: of {len(times)} pulses {len(missing)} are missing and {len(doubled)} "
            f"too many, from {min(missing + doubled):.4g} to {max(missing + doubled):.4g} s: check tacho_threshold=, "
            "tacho_edge= and pulses_per_revolution="
        )
    irregular = forward.irregular + backward.irregular
    if irregular > max(_IRREGULAR * len(times), 1):
        raise InputError(
            f"the tachometer cannot be trusted: {irregular} of {len(times)} intervals are neither one nor several "
            "pulses long; check tacho_edge=, tacho_threshold= and pulses_per_revolution="
        )
    by_share = np.diff(mended) / shares[(first + np.arange(len(mended) - 1)) % len(shares)]
    off = np.abs(by_share / _local_interval(by_share) - 1.0)
    report = PulseReport(len(mended), tuple(missing), tuple(doubled), float(1.4826 * np.median(off)))
    return mended, first, report


def _anchor(times: np.ndarray, marks: Marks) -> tuple[int, int]:
    """A pulse in the middle of nothing odd, and the mark that it is."""
    if marks.pulse is not None:
        return marks.pulse, marks.mark
    intervals = np.diff(times)
    ratio = intervals[1:] / intervals[:-1]
    start, stop = _longest((ratio > 1.0 - _TOLERANCE) & (ratio < 1.0 + _TOLERANCE), times)
    return (start + stop + 1) // 2, 0


class _Follower:
    """Pulses followed forwards in time from the first one, which is ``mark``."""

    def __init__(self, times: np.ndarray, shares: np.ndarray, mark: int) -> None:
        self.times, self.shares = times.tolist(), shares.tolist()
        self.kept: list[float] = [self.times[0]]
        self.missing: list[float] = []
        self.doubled: list[float] = []
        self.irregular = 0
        self.turn = self._first_turn(mark)
        i = 0
        while i < len(times) - 1:
            i, mark = self._next(i, mark)

    def _first_turn(self, mark: int) -> float:
        """Seconds per revolution at the start, from the first few intervals."""
        few = min(len(self.times) - 1, _NEIGHBOURS)
        marks = len(self.shares)
        turns = [(self.times[k + 1] - self.times[k]) / self.shares[(mark + k) % marks] for k in range(few)]
        return float(np.median(turns)) if turns else 1.0

    def _next(self, i: int, mark: int) -> tuple[int, int]:
        """The next pulse that is kept, and its mark."""
        times, n, marks = self.times, len(self.times), len(self.shares)
        share = self.shares[mark]
        wanted = share * self.turn
        j = i + 1
        while j < n and times[j] - times[i] <= wanted * (1.0 + _TOLERANCE):
            j += 1
        near = [k for k in range(i + 1, j) if times[k] - times[i] >= wanted * (1.0 - _TOLERANCE)]
        best = min(near, key=lambda k: abs(times[k] - times[i] - wanted), default=-1)
        if best > 0 and not self._is_second(times[best] - times[i], mark):
            self.doubled.extend(times[i + 1 : best])
            self.kept.append(times[best])
            # one interval may jitter: the speed follows it by half, a revolution of many marks more slowly
            self.turn += (0.5 if marks < 8 else 0.2) * ((times[best] - times[i]) / share - self.turn)
            return best, (mark + 1) % marks
        j = best if best > 0 else j
        # a lost pulse beside a false one: what lies whole intervals ahead counts more than what comes next
        tries = [(k, 0.5 * _TOLERANCE) for k in range(j, min(j + _AHEAD, n))]
        tries += [(j, _TOLERANCE)] if j < n else []
        for k, tolerance in tries:
            if steps := self._bridged(i, k, mark, tolerance):
                self.doubled.extend(times[i + 1 : k])
                return k, (mark + steps) % marks
        if j >= n and j > i + 1:  # only pulses that come too early are left
            self.doubled.extend(times[i + 1 :])
            return n - 1, mark
        self.irregular += 1
        # one interval that fits nothing says little of the speed: two in a row would
        self.turn *= min(max((times[i + 1] - times[i]) / wanted, 1.0 - _TOLERANCE), 1.0 + _TOLERANCE)
        self.kept.append(times[i + 1])
        return i + 1, (mark + 1) % marks

    def _is_second(self, gap: float, mark: int) -> bool:
        """Whether a pulse near the next mark's place fits the mark after it far better: short intervals are merged."""
        share = self.shares[mark]
        off = abs(gap - share * self.turn)
        two = share + self.shares[(mark + 1) % len(self.shares)]
        return off > 0.1 * share * self.turn and abs(gap - two * self.turn) < _TOLERANCE * off

    def _bridged(self, i: int, j: int, mark: int, tolerance: float) -> int:
        """Put pulses into a gap if it is some whole intervals long, at the speeds around it: how many long, else 0."""
        marks, gap = len(self.shares), self.times[j] - self.times[i]
        turn = self.turn
        if gap > 4.0 * turn / marks:  # across a longer gap the speed may have changed
            after = self._turn_after(j)
            turn = 0.5 * (turn + after) if 0.6 < after / turn < 1.6 else turn
        whole = int(gap / turn)
        ahead = gap / turn - whole
        places = np.cumsum([0.0, *(self.shares[(mark + k) % marks] for k in range(marks + 1))])
        nearest = int(np.argmin(np.abs(places - ahead)))  # the number of marks that comes nearest to the gap
        steps, reached = whole * marks + nearest, float(places[nearest])
        allowed = tolerance * min(1.0 / marks, max(self.shares[mark], reached / max(steps, 1))) * np.sqrt(steps)
        if steps < 2 or abs(reached - ahead) > allowed:
            return 0
        shares = [self.shares[(mark + k) % marks] for k in range(steps)]
        at = self.times[i] + np.cumsum(shares)[:-1] / sum(shares) * gap
        self.missing.extend(at.tolist())
        self.kept.extend([*at.tolist(), self.times[j]])
        self.turn = turn
        return steps

    def _turn_after(self, j: int) -> float:
        """Seconds per revolution after a gap; of a stretch in which every second pulse is lost, too."""
        marks = len(self.shares)
        at = np.array(self.times[j : j + 2 * max(_NEIGHBOURS, marks) + 2])
        uneven = max(self.shares) > 1.1 * min(self.shares)
        near = at[marks:] - at[:-marks] if uneven else marks * np.diff(at[: 2 * _NEIGHBOURS + 2])
        if not len(near):
            return self.turn
        after = float(np.median(near))
        return after / max(round(after / self.turn), 1)

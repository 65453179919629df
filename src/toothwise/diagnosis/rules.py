"""Alarm rules over records: a CUSUM per channel, k records in a row, and an e-detector with a proven bound.

A channel is one thing that may go wrong: a tooth, the level of the whole map, one cycle per revolution. All rules look
at all channels of a record at once, so the maximum over teeth is part of the rule and of its false alarm rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toothwise.diagnosis.significance import lag_of_independence

__all__ = [
    "BETS",
    "CLIP",
    "DRIFT",
    "EDetector",
    "EState",
    "cusum",
    "e_detector",
    "e_process",
    "in_a_row",
    "latched",
    "line_episodes",
    "row_length",
]

DRIFT = 0.5  # of the CUSUM, in long-run standard deviations: a shift of twice that is found soonest
CLIP = 3.0  # a single record counts with at most this many
BETS = (0.25, 0.5, 1.0)
_SURE = 0.95


def cusum(z: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Page's one-sided CUSUM of every channel, float64 ``[n, channels]``.

    C_t = max(0, C_(t-1) + min(z_t, 3) - 0.5); what is not known (NaN) leaves it as it is.

    Args:
        z: standardised channels ``[n, channels]`` in time order. Source: Page, Biometrika 41 (1954).
        start: C before the first record ``[channels]``; None = 0.
    """
    out = np.zeros(z.shape)
    now = np.zeros(z.shape[1]) if start is None else start
    for t, row in enumerate(z):
        step = np.clip(row, -CLIP, CLIP) - DRIFT
        now = np.maximum(0.0, now + np.where(np.isfinite(step), step, 0.0))
        out[t] = now
    return out


def line_episodes(statistic: np.ndarray, height: float, on: np.ndarray | None = None) -> np.ndarray:
    """Records at which an episode begins, int: a channel reaches the height for the first time since it was 0.

    Channels that begin in the same record are one episode. ``on``: channels in one before the first record, if any.
    """
    on = np.zeros(statistic.shape[1], dtype=bool) if on is None else on
    begins = []
    for t, row in enumerate(statistic):
        new = (row >= height) & ~on
        on = (on | new) & (row > 0)
        if new.any():
            begins.append(t)
    return np.array(begins, dtype=int)


def latched(statistic: np.ndarray, height: float, on: np.ndarray | None = None) -> np.ndarray:
    """Channels that are in an episode after the last record, bool ``[channels]``; arguments as of ``line_episodes``."""
    on = np.zeros(statistic.shape[1], dtype=bool) if on is None else on
    for row in statistic:
        on = (on | (row >= height)) & (row > 0)
    return on


def in_a_row(z: np.ndarray, threshold: float, run: int, before: int = 0) -> np.ndarray:
    """Records at which the largest channel has been above a threshold ``run`` times in a row, for the first time, int.

    The next episode begins after a record that is not above. Unknown records (NaN) break no row and add nothing.
    ``before``: records in a row before the first one.
    """
    return np.flatnonzero(_rows(z, threshold, before) == run)


def row_length(z: np.ndarray, threshold: float, before: int = 0) -> int:
    """Records in a row that end with the last one; arguments as of ``in_a_row``."""
    known = np.isfinite(z).any(axis=1)
    return int(_rows(z, threshold, before)[known][-1]) if known.any() else before


def _rows(z: np.ndarray, threshold: float, before: int) -> np.ndarray:
    """Length of the row that each record ends, -1 of an unknown one."""
    top = np.max(np.where(np.isfinite(z), z, -np.inf), axis=1)
    out, row = np.full(len(z), -1), before
    for t, value in enumerate(top):
        if np.isfinite(value):
            row = row + 1 if value > threshold else 0
            out[t] = row
    return out


@dataclass(frozen=True, eq=False)
class EDetector:
    """Bounds that make e-values of standardised channels, learned on healthy records.

    Attributes:
        gap: records between two that count as independent.
        bound: upper 95 % confidence bound of the healthy mean of exp(bet x channel), ``[bets, channels]``, all at once.
        independent: healthy records that the bounds rest on, as independent ones.
    """

    gap: int
    bound: np.ndarray
    independent: float


@dataclass(eq=False)
class EState:
    """Where an e-detector stands: M by sequence, bet and channel ``[gap, bets, channels]``, and the records counted."""

    values: np.ndarray
    counted: int = 0


def e_detector(healthy: np.ndarray, blocks: np.ndarray) -> EDetector:
    """Learn the bounds from healthy standardised channels ``[n, channels]`` with the block of each record."""
    from scipy.stats import t

    gap = lag_of_independence(healthy, blocks)
    independent = max(len(healthy) / gap, 2.0)
    count = len(BETS) * healthy.shape[1]
    factor = float(t.isf((1.0 - _SURE) / count, independent - 1.0))
    bound = []
    for bet in BETS:
        e = np.exp(bet * np.clip(healthy, -CLIP, CLIP))
        bound.append(e.mean(axis=0) + factor * e.std(axis=0, ddof=1) / np.sqrt(independent))
    return EDetector(gap, np.array(bound), independent)


def e_process(
    z: np.ndarray, detector: EDetector, level: float, state: EState | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shiryaev-Roberts e-detector (Shin, Ramdas, Rinaldo 2023), averaged over channels and bets.

    For each of ``gap`` interleaved sequences of records: M_c = (1 + M_c) x exp(bet x z_c) / bound_c, and M the mean
    over channels and bets; M >= level raises an alarm and sets that sequence to 0.

    Guarantee: if (1) what a channel does in a healthy record has the distribution that the healthy records came from,
    (2) records ``gap`` or more apart are independent, and (3) the bounds hold (95 % confidence, by a t interval), then
    the expected number of alarms in any n healthy records is at most n / level. Proof: each factor has mean at most 1
    given the sequence's past, so M + level x (alarms so far) - (records of the sequence so far) falls on average;
    sum over the sequences. Channels may depend on one another in any way, because a mean of e-values is one.

    Args:
        z: standardised channels ``[n, channels]``; a record with NaN is left out.
        detector: of ``e_detector``.
        level: 1,000 over the false alarms per 1,000 records.
        state: from which it goes on, and in which it leaves how it ends; None = from the beginning.

    Returns:
        M of each record's own sequence float64 ``[n]``, records of alarms int, and the channel with the largest share
        of M at each record int ``[n]``.
    """
    bets = np.array(BETS)[:, None]
    if state is None:
        state = EState(np.zeros((detector.gap, len(BETS), z.shape[1])))
    m = state.values
    value, channel = np.zeros(len(z)), np.zeros(len(z), dtype=int)
    alarms = []
    for t, row in enumerate(z):
        if not np.isfinite(row).all():
            value[t] = value[t - 1] if t else 0.0
            continue
        own = state.counted % detector.gap
        state.counted += 1
        m[own] = (1.0 + m[own]) * np.exp(bets * np.clip(row, -CLIP, CLIP)) / detector.bound
        share = m[own].mean(axis=0)
        value[t], channel[t] = float(share.mean()), int(share.argmax())
        if value[t] >= level:
            alarms.append(t)
            m[own] = 0.0
    return value, np.array(alarms, dtype=int), channel

"""Thresholds from healthy scores alone, and how sure their false alarm rate is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from toothwise.checks import check_range
from toothwise.errors import InputError

_TAIL = 0.8  # scores above this quantile are the tail


@dataclass(frozen=True)
class Threshold:
    """A score above which a map is flagged.

    Attributes:
        value: the score.
        false_alarm_rate: the rate per map that it was chosen for.
        interval: 95 % interval of the actual rate, given the healthy maps that it rests on.
        n: healthy maps.
        n_effective: how many independent maps they are worth.
        method: how it was chosen, in words.
    """

    value: float
    false_alarm_rate: float
    interval: tuple[float, float]
    n: int
    n_effective: float
    method: str


def threshold_from_healthy(scores: np.ndarray, rate: float, *, blocks: np.ndarray | None = None) -> Threshold:
    """The score that healthy maps exceed at a stated rate.

    The upper fifth of the scores is described by an exponential tail above its lower edge (peaks over threshold with
    shape zero), because the rates that matter are smaller than one over the number of healthy maps. Where the rate
    is larger than a fifth the empirical quantile is taken.

    Args:
        scores: float ``[n]``, of healthy maps that the detector was not fitted on (held out), 8 or more.
        rate: false alarms per map, in (0, 1).
        blocks: ``[n]`` block of each score (a day, a session); None = independent scores.

    Raises:
        InputError: too few or non-finite scores, or a rate outside (0, 1).
    """
    x = np.asarray(scores, dtype=np.float64).ravel()
    check_range("(0, 1)", false_alarm_rate=rate)
    if len(x) < 8:
        raise InputError(f"a threshold needs 8 healthy scores or more, but got {len(x)}")
    if not np.isfinite(x).all():
        raise InputError("healthy scores must be finite, but NaN or infinities were found")
    edge = float(np.quantile(x, _TAIL))
    over = x[x > edge] - edge
    if rate >= 1 - _TAIL or len(over) == 0:
        value, method = float(np.quantile(x, 1 - rate, method="higher")), "empirical quantile"
    else:
        value = edge + float(over.mean()) * float(np.log(len(over) / len(x) / rate))
        method = "exponential tail above the 80 % quantile"
    n_effective = float(len(x)) if blocks is None else effective_number(x, blocks)
    interval = rate_interval(float(np.mean(x > value)), n_effective)
    return Threshold(value, float(rate), interval, len(x), n_effective, method)


def threshold_from_lines(
    evidence: np.ndarray,
    rate: float,
    *,
    blocks: np.ndarray | None = None,
    confidence: float | None = 0.95,
    by_maximum: Threshold | None = None,
) -> Threshold:
    """The score that healthy maps exceed at no more than a stated rate, from the evidence of every line of theirs.

    Where the score of a map is the largest evidence over its lines, and something slow (a day, a temperature) moves
    each line a little, healthy maps of two days hold two draws of the maximum but two draws *per line* of what moves
    it. The lines' evidence is pooled and described by a normal distribution; the threshold is the upper tolerance
    limit (Hahn and Meeker, Statistical Intervals, 1991) of the quantile that the largest of all lines stays below
    with probability 1 - rate: with few blocks the spread is known poorly, and the limit rises accordingly. The
    empirical tail of the maxima may raise it further, never lower it.

    Args:
        evidence: ``[n, lines]`` of healthy maps that the detector was not fitted on; score = its maximum over lines.
        rate, blocks: as in ``threshold_from_healthy``.
        confidence: of the tolerance limit; None = the estimated quantile itself, no allowance for its error.
        by_maximum: What is known of the maxima from elsewhere, where they are few; None = their empirical tail.
    """
    from scipy.special import nctdtrit, ndtri

    x = np.asarray(evidence, dtype=np.float64)
    if x.ndim != 2:
        raise InputError(f"evidence must be [maps, lines], but the shape is {x.shape}")
    check_range("(0, 1)", confidence=0.5 if confidence is None else confidence)
    by_maximum = by_maximum or threshold_from_healthy(x.max(axis=1), rate, blocks=blocks)
    quantile = -float(ndtri(-np.expm1(np.log1p(-rate) / x.shape[1])))
    # two blocks seen against each other show one and the same difference: a block less than there are
    draws = max(x.shape[1] * max(by_maximum.n_effective - 1.0, 1.0), 3.0)
    if confidence is None:
        factor, limit = quantile, "quantile"
    else:
        factor = float(nctdtrit(draws - 1.0, quantile * np.sqrt(draws), confidence)) / np.sqrt(draws)
        limit = f"{confidence:.0%} tolerance limit"
    by_line = float(x.mean() + x.std() * factor)
    if by_line <= by_maximum.value:
        return by_maximum
    interval = rate_interval(float(np.mean(x.max(axis=1) > by_line)), by_maximum.n_effective)
    method = f"{limit}, normal tail of the evidence of {x.shape[1]} lines"
    return replace(by_maximum, value=by_line, interval=interval, method=method)


def effective_number(scores: np.ndarray, blocks: np.ndarray) -> float:
    """How many independent scores a sequence is worth, between the number of blocks and the number of scores.

    Two things make scores alike: neighbours in time (autocorrelation within a block, summed up to the first lag at
    which it vanishes) and a block's own level (intraclass correlation). The larger design effect counts.

    Args:
        scores: ``[n]`` in time order, or ``[n, columns]``: columns of one kind, whose correlations are averaged.
        blocks: ``[n]``, equal entries = same block.
    """
    x, blocks = np.asarray(scores, dtype=np.float64), np.asarray(blocks)
    if x.shape[:1] != blocks.shape:
        raise InputError(f"blocks must have one entry per score: {x.shape} scores, {blocks.shape} blocks")
    n, k = len(x), len(np.unique(blocks))
    x = x.reshape(n, -1)
    x = x[:, x.std(axis=0) > 0]
    if not x.shape[1]:
        return float(k)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    groups = [x[blocks == b] for b in np.unique(blocks)]
    centred = [g - g.mean(axis=0) for g in groups]
    inside = float(np.square(np.concatenate(centred)).sum())
    autocorrelation = 0.0
    for lag in range(1, min(len(g) for g in groups)):
        rho = sum(float((c[lag:] * c[:-lag]).sum()) for c in centred) / max(inside, 1e-300)
        if rho <= 0:
            break
        autocorrelation += rho
    effect = 1.0 + 2.0 * autocorrelation
    if k > 1:
        size = n / k
        mean_within = inside / max(n - k, 1)
        mean_between = sum(len(g) * float((g.mean(axis=0) ** 2).sum()) for g in groups) / (k - 1)
        between = max(0.0, (mean_between - mean_within) / size)
        icc = between / max(between + mean_within, 1e-300)
        effect = max(effect, 1.0 + (size - 1.0) * icc)
    return float(np.clip(n / effect, min(k, n), n))


def rate_interval(rate: float, n_effective: float, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a rate seen in ``n_effective`` independent maps (which need not be whole)."""
    from scipy.special import betaincinv

    hits, tail = rate * n_effective, (1.0 - level) / 2.0
    low = 0.0 if hits <= 0 else float(betaincinv(hits, n_effective - hits + 1.0, tail))
    high = 1.0 if hits >= n_effective else float(betaincinv(hits + 1.0, n_effective - hits, 1.0 - tail))
    return low, high

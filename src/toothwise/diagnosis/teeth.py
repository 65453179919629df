"""The teeth of a gear beside each other: which are one, which one stands out, and how long what they show lasts.

One are neighbours, contacts half a revolution apart, ring teeth a planet spacing apart, and echoes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toothwise.detectors.outside import chance_among
from toothwise.gears import PlanetaryStage
from toothwise.healthmap.core import Axis
from toothwise.reference.map_statistics import point_spread


def gear_of(axis: Axis | None, fallback: str) -> str:
    """The gear that an axis counts the teeth of: "driving tooth" -> "driving"; "tooth" -> "gear"."""
    if axis is None:
        return fallback
    word = axis.name.split()[0] if axis.name.endswith("tooth") else fallback
    return "gear" if word == "tooth" else word


def clusters(teeth: Sequence[int], lines: int) -> list[list[int]]:
    """Teeth, strongest first, grouped around their peaks: what falls off beside a stronger tooth is its leak.

    Args:
        teeth: Of a gear of ``lines`` teeth, in falling order of evidence.
        lines: How many teeth the gear has.

    Examples:
        >>> clusters([4, 5, 9, 3, 6, 8], 12)
        [[4, 5, 3, 6], [9, 8]]
    """
    groups: list[list[int]] = []
    for tooth in teeth:
        beside = {(tooth - 1) % lines, (tooth + 1) % lines}
        home = next((group for group in groups if beside & set(group)), None)
        if home is None:
            groups.append([tooth])
        else:
            home.append(tooth)
    return groups


def opposite(one: float, other: float, lines: int) -> bool:
    """Whether two teeth of a gear lie half a revolution apart, to within one tooth.

    Half a revolution of an odd number of teeth ends between two of them: one beside either is within one tooth too.

    Examples:
        >>> [opposite(0, other, 20) for other in (8, 9, 11, 12)], [opposite(0, other, 21) for other in (8, 9, 12, 13)]
        ([False, True, True, False], [False, True, True, False])
    """
    away = min((one - other) % lines, (other - one) % lines)
    return abs(away - lines / 2.0) <= 1.0 + (lines % 2) / 2.0


def ring_spacing(gears: Any) -> tuple[float, ...]:
    """Ring teeth from the first planet of a stage to each of its planets; of other gears none.

    Examples:
        >>> from toothwise import GearPair, PlanetaryStage
        >>> ring_spacing(PlanetaryStage(16, 14, 44)), ring_spacing(GearPair(18, 35))
        ((0.0, 14.666666666666666, 29.333333333333332), ())
    """
    return tuple((gears.spacing * gears.ring).tolist()) if isinstance(gears, PlanetaryStage) else ()


def alike(one: float, other: float, spacing: Sequence[float], teeth: int) -> bool:
    """Whether two teeth of a ring lie as far apart as two of the planets do, to within one tooth.

    A map is filed under one planet: when another one passes the damaged tooth, that shows where the first one is then.

    Args:
        one, other: Teeth, or where they lie by their evidence (``middle``).
        spacing: As ``ring_spacing`` gives it.
        teeth: How many the ring has.

    Examples:
        >>> spacing = ring_spacing(PlanetaryStage(16, 14, 44))
        >>> [alike(5, other, spacing, 44) for other in (5, 8, 20, 34, 39)]
        [False, False, True, True, False]
    """
    gaps = [a - b for a in spacing for b in spacing if a != b]
    return any(abs((other - one - gap + teeth / 2.0) % teeth - teeth / 2.0) <= 1.0 for gap in gaps)


def middle(teeth: Sequence[int], evidence: Sequence[float], lines: int) -> float:
    """Where neighbouring teeth lie by their evidence: the loudest of them is not always in their middle.

    Args:
        teeth: Neighbours.
        evidence: Of each, not negative.
        lines: How many teeth the gear has.

    Examples:
        >>> middle([0, 34], [2.0, 2.0], 35), middle([4], [1.0], 35)
        (-0.5, 4.0)
        >>> beside = middle([28, 27, 26, 25], [4.0, 3.0, 3.0, 2.0], 35)
        >>> opposite(8, 28, 35), opposite(middle([8, 9], [3.0, 2.0], 35), beside, 35)
        (False, True)
    """
    away = (np.asarray(teeth) - teeth[0] + lines / 2.0) % lines - lines / 2.0
    weights = np.asarray(evidence, dtype=float)
    return float(teeth[0] + (away * weights).sum() / max(float(weights.sum()), 1e-300))


def echo(tooth: int, contrast: float, louder: Sequence[tuple[int, float]], teeth: int) -> bool:
    """Whether a tooth rises (or falls) by no more than what louder teeth of its gear leave at it.

    Taking mesh orders and sidebands out of the signal spreads the waveform of one tooth over its gear by a known share
    (``point_spread``): that is no second damaged tooth.

    Args:
        tooth, contrast: Of the tooth.
        louder: Tooth and contrast of those that change more.
        teeth: How many the gear has.

    Examples:
        >>> [echo(tooth, 1.2, [(2, 5.0)], 35) for tooth in (3, 4, 9)]
        [True, False, False]
    """
    spread = point_spread(teeth)
    left = sum(float(spread[(tooth - other) % teeth] ** 2) * abs(height**2 - 1.0) for other, height in louder)
    return abs(contrast**2 - 1.0) < left


_SCATTERED = 1.4  # healthy standard deviations that the middle line of either gear is off where noise has grown
_BY_CHANCE = 3.0  # over the root of the number of values: two and a half standard errors of that
_ALONE = 0.01  # chance of sound teeth below which one of them stands out
_UNEVEN = 2.0  # healthy standard deviations beyond which the other teeth of a gear scatter
_FEW_TEETH = 5.0  # over the root of their number: what a median deviation is off by chance


def autocorrelation(x: np.ndarray, blocks: np.ndarray, lags: int, *, about_zero: bool = False) -> np.ndarray:
    """Autocorrelation at lags 0 to ``lags`` within blocks, mean over the columns, float64 ``[lags + 1]``.

    Args:
        x: ``[n, columns]`` in time order; each column less its mean over all blocks.
        blocks: ``[n]``, equal entries = one unbroken stretch of time.
        lags: the largest one; lags that no block holds get 0.
        about_zero: columns have mean 0 together, and what each differs from that for good counts as correlation.
    """
    x = np.asarray(x, dtype=np.float64)
    x = x if about_zero else x - x.mean(axis=0)
    variance = np.maximum((x * x).mean(axis=0), 1e-300)
    out = np.zeros(lags + 1)
    out[0] = 1.0
    groups = [x[blocks == b] for b in np.unique(blocks)]
    for lag in range(1, lags + 1):
        pairs = [(g[lag:], g[:-lag]) for g in groups if len(g) > lag]
        if not pairs:
            break
        total = np.sum([(a * b).sum(axis=0) for a, b in pairs], axis=0)
        out[lag] = float(np.mean(total / sum(len(a) for a, _ in pairs) / variance))
    return out


def correlation_time(x: np.ndarray, blocks: np.ndarray, *, about_zero: bool = False) -> float:
    """Records that count as one: 1 + 2 x the sum of autocorrelations up to the first that is below 0.05, 1 or more."""
    longest = max(1, int(np.max(np.bincount(np.unique(blocks, return_inverse=True)[1]))) // 2)
    rho = autocorrelation(x, blocks, longest, about_zero=about_zero)[1:]
    below = np.flatnonzero(rho < 0.05)
    return float(1.0 + 2.0 * rho[: below[0] if len(below) else len(rho)].sum())


def stands_out(profile: np.ndarray, tooth: int, healthy: float) -> tuple[bool, bool]:
    """Whether a gear's teeth scatter beyond what they do in healthy records, and whether one stands out among them.

    Wear, load and noise raise the teeth of a gear unevenly. Median and median deviation are those of the others as long
    as fewer than half of the teeth are damaged, so that a second damaged tooth does not hide the first.

    Args:
        profile: Log contrast of each tooth less what it shows in healthy records ``[teeth]``, NaN where unknown.
        tooth: The one asked about.
        healthy: Standard deviation of a tooth in healthy records.

    Examples:
        >>> worn = 0.3 * np.random.default_rng(0).standard_normal(20)
        >>> stands_out(worn, int(worn.argmax()), 0.05)
        (True, False)
        >>> worn[[4, 9]] += 4.0
        >>> stands_out(worn, 9, 0.05)
        (True, True)
    """
    from scipy.special import stdtr

    beside = [(tooth - 1) % len(profile), tooth, (tooth + 1) % len(profile)]  # damage reaches into their meshes
    rest = np.delete(profile, beside)
    rest = rest[np.isfinite(rest)]
    if len(rest) < 3:
        return False, False
    spread = max(float(np.median(np.abs(rest - np.median(rest)))) / 0.6745, 1e-300)
    far = abs(float(profile[tooth]) - float(np.median(rest))) / spread
    chance = 2.0 * len(profile) * float(stdtr(len(rest), -far))
    usual = max(_UNEVEN, 1.0 + _FEW_TEETH / np.sqrt(len(rest))) * healthy
    return bool(spread > usual), bool(chance <= _ALONE)


def scattered(away: Sequence[np.ndarray]) -> bool:
    """Whether the lines of both gears scatter far beyond what they do in healthy records, up as well as down.

    Noise that is added to the signal does that, and so do wear and load, which show the teeth's own differences louder.
    A tooth moves few lines, so that the middle one is looked at.

    Args:
        away: By gear, how far every tooth is off, in healthy standard deviations ``[records, teeth]``.
    """
    ratio = [
        float(np.median(np.abs(own))) / 0.6745 / max(_SCATTERED, 1.0 + _BY_CHANCE / np.sqrt(own.size))
        if own.size
        else 0.0
        for own in away
    ]
    return len(ratio) > 1 and min(ratio) > 1.0


def everywhere(away: Sequence[np.ndarray], evidence: Sequence[np.ndarray]) -> bool:
    """Whether the lines of both gears are off together and none stands out among them: that is no damaged tooth.

    Args:
        away: As of ``scattered``.
        evidence: By gear, what speaks for every tooth ``[teeth]``.

    Examples:
        >>> teeth = [np.random.default_rng(k).normal(0.0, 3.0, (1, n)) for k, n in enumerate((18, 35))]
        >>> everywhere(teeth, [own[0] for own in teeth])
        True
        >>> teeth[0][0, 7] = 20.0
        >>> everywhere(teeth, [own[0] for own in teeth])
        False
    """
    return scattered(away) and all(chance_among(own) > _ALONE for own in evidence)

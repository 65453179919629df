"""What a claim's interval says: supported, equivalent or undecided; one function for studies, pages and the paper.

"Not significant" is no result: with few seeds nothing can be shown either way. So every claim has a margin, the
smallest difference of interest, written down before its runs, and a second test beside the usual one: where the whole
95 % interval lies within the margin, no effect of interest is left (two one-sided tests, Schuirmann, J. Pharmacokinet.
Biopharm. 15, 1987, here at 2.5 % each).
"""

from __future__ import annotations

import math

from toothwise.checks import check_range

SUPPORTED, EQUIVALENT, UNDECIDED = "supported", "equivalent", "undecided"
CONTRADICTED = "contradicted"  # the claim's opposite is supported
FEWEST_SEEDS = 3
_ALPHA = 0.05


def judge_difference(low: float, high: float, *, margin: float, p_value: float = 0.0, seeds: int = FEWEST_SEEDS) -> str:
    """The verdict on the claim that a difference is above 0.

    Args:
        low, high: 95 % interval of the difference; NaN where there is none.
        margin: The smallest difference of interest, above 0, in the same unit.
        p_value: Of the two-sided test, where it is stricter than the interval (corrected for other comparisons).
        seeds: Behind the interval; fewer than three show nothing.

    Returns:
        "equivalent": the interval lies within the margin, whatever side of 0 it is on: if there is an effect, it is
        smaller than what matters. "supported": it lies above 0. "contradicted": it lies below 0. "undecided": neither.

    Raises:
        InputError: A margin that is not above 0.

    Examples:
        >>> judge_difference(0.01, 0.09, margin=0.05), judge_difference(-0.01, 0.02, margin=0.05)
        ('supported', 'equivalent')
        >>> judge_difference(-0.01, 0.09, margin=0.05), judge_difference(0.01, 0.09, margin=0.05, seeds=2)
        ('undecided', 'undecided')
    """
    check_range("(0, inf)", margin=margin)
    if seeds < FEWEST_SEEDS or not (math.isfinite(low) and math.isfinite(high)):
        return UNDECIDED
    if -margin < low and high < margin:
        return EQUIVALENT
    if p_value > _ALPHA or low <= 0 <= high:
        return UNDECIDED
    return SUPPORTED if low > 0 else CONTRADICTED

"""How fast a contrast grows now, and when it will reach a level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from toothwise.diagnosis.growth_laws import posterior_of
from toothwise.messages import Message, plain, say

_FEWEST = 10  # records since onset
_BEFORE = 0.5  # healthy records that are looked at, in parts of those since onset: they show the noise
_LONGEST = 1000  # records looked at
_REACH = 5.0  # times the growth seen so far that a prediction may look ahead
_GOES_ON = 0.8  # probability, above which growth is taken to go on
_ENDS = (0.025, 0.5, 0.975)
# of the time until a level, with growth to come that may leave its law (``growth_laws._PACE``): these hold about 95 %
# of the development runs of benchmarks/prediction.py in each law of growth, with misses on both sides, and more than
# half of the runs of each law lie beyond the middle one
_UNTIL = (0.10, 0.43, 0.89)
_NOT_BEFORE = 0.05


@dataclass(frozen=True)
class Growth:
    """How a contrast grows, as a mixture of laws of growth has it.

    Attributes:
        per_100: Factor by which the contrast would grow in 100 records at its mean rate over the last ``recent`` ones.
        interval: 95 % of that.
        clear: Whether it grows at all: the interval lies above 1.
        recent: How many records that rate is the mean over: a quarter of those since onset, 10 at least.
        now: Contrast at the last record by the laws.
        records: Records since onset.
        level: Contrast that was asked for.
        reached: Records from the last one until that level, if growth goes on; None = no such prediction can be made.
        reached_interval: 95 % of that.
        not_before: Records before which the level is not reached (97.5 %, one-sided), also where growth stops; None =
            nothing can be said.
        per_record: Time between the last ``recent`` records on average, None where they have no times.
        unit: Of that: "h" where times are dates, "" where they are numbers of the user's own unit.
        says: How it grows, in words; ``outlook``: when the level is reached, or why that is not said. ``messages``
            holds both for other languages.
    """

    per_100: float
    interval: tuple[float, float]
    clear: bool
    recent: int
    now: float
    records: int
    level: float
    reached: float | None
    reached_interval: tuple[float, float] | None
    not_before: float | None
    per_record: float | None
    unit: str
    says: str
    outlook: str
    messages: dict[str, tuple[Message, ...]] = field(default_factory=dict)


def fit_growth(
    log_contrast: np.ndarray, *, level: float, since: int = 0, times: Sequence[float | str | None] | None = None
) -> Growth | None:
    """Growth of a series now, and when it reaches a level; None of fewer than 10 records since onset.

    Laws of growth are weighed by how well they explain the series (``growth_laws``). A level is predicted where growth
    is clear, very likely goes on and the interval ends within five times the records since onset; where only that
    end is missing, ``not_before`` is given alone. Coverage of all three is measured for each law of growth by
    ``benchmarks/prediction.py``.

    Args:
        log_contrast: float ``[n]``, log of the contrast of each record, the last one now.
        level: Contrast to be reached, above 1.
        since: Index of the record at which the change began.
        times: Of the records ``[n]``: numbers, or dates such as 2024-01-01T00:00:00; None = unknown.

    Examples:
        >>> import numpy as np
        >>> noise = 0.01 * np.random.default_rng(0).standard_normal(180)
        >>> growth = fit_growth(noise + 0.005 * np.maximum(np.arange(180) - 60, 0), level=2.0, since=60)
        >>> growth.clear, growth.recent, round(growth.per_100, 1)
        (True, 30, 1.6)
        >>> growth.not_before <= growth.reached_interval[0] <= 20 <= growth.reached_interval[1]
        True
    """
    y = np.asarray(log_contrast, dtype=np.float64)
    records = len(y) - since
    if records < _FEWEST:
        return None
    looked = min(records + int(_BEFORE * records), len(y), _LONGEST)
    recent = min(max(_FEWEST, records // 4), looked - 1)
    ahead = _REACH * records
    found = posterior_of(y[-looked:], recent=recent, reach=2.0 * ahead / (looked - 1.0))
    low, middle, high = (float(v) for v in np.quantile((found.now - found.before) / recent, _ENDS))
    clear = low > 1e-9
    target = float(np.log(level))
    until = found.until(target)
    rising = found.ahead[:, 1] - found.now > 1e-9
    reached, between, not_before = None, None, None
    per_record, unit = _pace(times, recent)
    if float((found.now >= target).mean()) >= 0.5:
        outlook = say("already at {level:g} times the healthy level", level=level)
    elif not clear:
        outlook = say("no prediction can be made: there is no clear growth")
    elif float(rising.mean()) < _GOES_ON:
        outlook = say("no prediction can be made: growth may have stopped")
    else:
        ends = np.quantile(until[rising], (_NOT_BEFORE, *_UNTIL), method="inverted_cdf")
        earliest, first, best, last = (float(v) for v in ends)
        not_before = min(earliest, ahead)
        if last <= ahead:
            reached, between = best, (first, last)
            outlook = say(
                "{level:g} times the healthy level in {best}, if growth goes on (95 %: {low:.0f} to {high:.0f} "
                "records)",
                level=level,
                best=_span(best, per_record, unit),
                low=first,
                high=last,
            )
        else:
            outlook = say(
                "{level:g} times the healthy level not before {near}; no latest time can be given, as it may lie "
                "beyond {reach:g} times the {records} records since onset",
                level=level,
                near=_span(not_before, per_record, unit),
                reach=_REACH,
                records=records,
            )
    factors = (_factor(low), _factor(high))
    says = _says(_factor(middle), factors, recent, clear)
    return Growth(
        per_100=_factor(middle),
        interval=factors,
        clear=clear,
        recent=recent,
        now=float(np.exp(np.median(found.now))),
        records=records,
        level=level,
        reached=reached,
        reached_interval=between,
        not_before=not_before,
        per_record=per_record,
        unit=unit,
        says=str(says),
        outlook=str(outlook),
        messages={"says": (says,), "outlook": (outlook,)},
    )


def _factor(slope: float) -> float:
    """Growth in 100 records; a few records of steep growth must not overflow."""
    return float(np.exp(np.clip(100.0 * slope, -20.0, 20.0)))


def _pace(times: Sequence[float | str | None] | None, recent: int) -> tuple[float | None, str]:
    """Time per record over the last ones, and its unit."""
    if times is None or len(times) <= recent:
        return None, ""
    first, last = times[-1 - recent], times[-1]
    if isinstance(first, str) and isinstance(last, str):
        try:
            begin, end = (datetime.fromisoformat(t) for t in (first, last))
        except ValueError:
            return None, ""
        begin, end = (t if t.tzinfo else t.replace(tzinfo=UTC) for t in (begin, end))
        return (end - begin).total_seconds() / 3600.0 / recent, "h"
    if isinstance(first, int | float) and isinstance(last, int | float) and last - first != recent:
        return (float(last) - float(first)) / recent, ""
    return None, ""  # numbers that count the records say nothing more


def _says(factor: float, interval: tuple[float, float], recent: int, clear: bool) -> Message:
    """How it grows, as part of a sentence."""
    low, high = interval
    if not clear and high > 100.0:  # so few records that their interval says nothing
        return say("the records since its onset do not tell whether it grows")
    if not clear:
        return say("no clear growth (95 % interval {low:.2f} to {high:.2f} per 100 records)", low=low, high=high)
    power = 0.1 if high > 100.0 else 1.0  # steep growth over few records: nobody wants it by the hundred
    about = {"factor": factor**power, "low": low**power, "high": high**power, "recent": recent}
    if high > 100.0:
        return say(
            "it grows by a factor of {factor:.2f} per 10 records ({low:.2f} to {high:.2f}; over the last {recent})",
            **about,
        )
    return say(
        "it grows by a factor of {factor:.2f} per 100 records ({low:.2f} to {high:.2f}; over the last {recent})",
        **about,
    )


def _span(records: float, per_record: float | None, unit: str) -> Message:
    """Records, and the time that they take."""
    if per_record is None:
        return say("{records:.0f} records", records=records)
    time = records * per_record
    if unit == "h":
        return say("{records:.0f} records ({time} h at their present pace)", records=records, time=plain(time, 3))
    return say("{records:.0f} records ({time} in the unit of their times)", records=records, time=plain(time, 3))

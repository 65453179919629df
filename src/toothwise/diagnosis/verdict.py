"""What a diagnosis of a sequence holds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from toothwise.diagnosis.calibration import ControlLimits
from toothwise.diagnosis.trend import Growth
from toothwise.errors import InputError
from toothwise.messages import Message

__all__ = ["Reset", "RuleFound", "SequenceDiagnosis", "Tooth", "WatchSettings"]


@dataclass(frozen=True)
class WatchSettings:
    """How a sequence is watched; a state keeps its own from its first record on.

    Attributes:
        rate: false alarms per 1,000 records of the alarm tier, episodes of the final rule.
        warning: of the warning tier.
        run: records in a row of the simple rule.
        learn: records that a baseline is learned from after re-baselining.
        level: contrast that the trend is extrapolated to.
        seed: of the bootstrap that the heights rest on.

    Raises:
        InputError: a value out of range.
    """

    rate: float = 1.0
    warning: float = 10.0
    run: int = 5
    learn: int = 30
    level: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, good, allowed in (
            ("rate", 0 < self.rate <= 200, "in (0, 200] false alarms per 1,000 records"),
            (
                "warning",
                self.rate <= self.warning <= 200,
                f"from the alarm rate {self.rate:g} to 200 per 1,000 records",
            ),
            ("run", self.run >= 1, "1 record or more"),
            ("learn", self.learn >= 10, "10 records or more"),
            ("level", self.level > 1, "a contrast above 1"),
        ):
            if not good:
                raise InputError(f"{name} must be {allowed}, but got {getattr(self, name):g}")


@dataclass(frozen=True)
class Reset:
    """A re-baselining: records from this one on (index) are judged against a baseline that they begin."""

    at: int
    reason: str
    after: str | None


@dataclass(frozen=True)
class RuleFound:
    """What one rule says.

    Attributes:
        first: index and name of the record of its first alarm, None = none.
        episodes: alarms in all.
        stated: false alarms per 1,000 records that it was set for.
        interval: 95 % of the actual number as far as the healthy records tell; None for a bound.
        rests_on: in words; ``messages`` holds them for other languages.
    """

    first: int | None
    first_record: str | None
    episodes: int
    stated: float
    interval: tuple[float, float] | None
    rests_on: str
    messages: dict[str, tuple[Message, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Tooth:
    """A tooth that alarms now; ``leak``: neighbours that alarm with it."""

    gear: str
    axis: int
    tooth: int
    statistic: float
    leak: tuple[int, ...]


@dataclass(frozen=True)
class SequenceDiagnosis:
    """Everything about a sequence of records. Indices count the records given, from 0.

    Attributes:
        state: "quiet", "warning", "alarm", or "learning" right after re-baselining.
        pattern: one of ``findings.PATTERNS``.
        teeth: that alarm (or warn) now, strongest first.
        began_with: what the first alarm was about: a tooth, the level, or one cycle of a gear; None = no alarm.
        alarm, warning: the CUSUM at both tiers; ``row``: k records in a row at the alarm's rate; ``bound``: e-detector.
        onset: index of the change-point; ``onset_record`` its name; ``onset_interval`` 95 %, indices.
        contrast: of the strongest tooth now, over its extent where single maps show it, else along the whole line.
        growth: of the mean contrast along the whole line (of the level, for a whole gear), None = too few records.
        level_change: factor of the level now against healthy.
        transients: names of records with a transient.
        unjudged: records whose condition bin has no baseline.
        healthy: healthy records that all this rests on, ``blocks`` of them that are worth counting.
        verdict, confidence, next_look: in words; ``messages``: these, began_with and
            contrast_along for other languages.
    """

    records: int
    judged: int
    state: str
    pattern: str
    teeth: tuple[Tooth, ...]
    began_with: str | None
    alarm: RuleFound
    warning: RuleFound
    row: RuleFound
    bound: RuleFound
    onset: int | None
    onset_record: str | None
    onset_interval: tuple[int, int] | None
    onset_interval_records: tuple[str, str] | None
    contrast: float | None
    contrast_interval: tuple[float, float] | None
    contrast_along: str | None
    growth: Growth | None
    level_change: float
    transients: tuple[str, ...]
    unjudged: int
    resets: tuple[Reset, ...]
    healthy: int
    heights: ControlLimits
    also: tuple[str, ...] = ()
    verdict: str = ""
    confidence: str = ""
    next_look: str = ""
    messages: dict[str, tuple[Message, ...]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples become lists
        return data

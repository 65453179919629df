"""Thresholds from healthy scores alone."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Threshold"]


@dataclass(frozen=True)
class Threshold:
    """A score above which a map is flagged.

    Attributes:
        value: the score.
        false_alarm_rate: the rate per map that it was chosen for.
        interval: 95 % interval of the actual rate, given the healthy maps that it rests on.
        n: healthy maps; n_effective: how many independent ones they are worth.
        method: how it was chosen, in words.
    """

    value: float
    false_alarm_rate: float
    interval: tuple[float, float]
    n: int
    n_effective: float
    method: str

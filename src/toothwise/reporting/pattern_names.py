"""Patterns, states and rules by the names that a report gives them."""

from __future__ import annotations

from toothwise.messages import Language, say

__all__ = ["pattern_name", "state_name"]

_PATTERNS = {
    "nothing": say("Nothing stands out"),
    "one tooth": say("One damaged tooth"),
    "several teeth": say("Several damaged teeth"),
    "whole gear": say("Whole gear: wear or eccentricity"),
    "transient": say("Transient in time, no tooth"),
    "sensor or condition changed": say("Sensor or operating condition changed, no tooth"),
}
_STATES = {
    "alarm": say("ALARM"),
    "warning": say("WARNING"),
    "quiet": say("NO ALARM"),
    "learning": say("LEARNING A NEW BASELINE"),
}


def pattern_name(pattern: str, language: Language) -> str:
    """What kind of damage it looks like."""
    return language.text(_PATTERNS[pattern])


def state_name(state: str, language: Language) -> str:
    """The state of a watch."""
    return language.text(_STATES[state])

"""Names in files and results, in the language of a report; unknown ones stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toothwise.messages import Language, say

__all__ = ["axis_name", "map_scale", "pattern_name", "record_name", "state_name", "test_name"]

_AXES = {
    "driving tooth": say("driving tooth"),
    "driven tooth": say("driven tooth"),
    "planet tooth": say("planet tooth"),
    "ring tooth": say("ring tooth"),
    "sun tooth": say("sun tooth"),
    "tooth": say("tooth"),
    "record": say("record"),
    "record before the last": say("record before the last"),
}
_QUANTITIES = {
    "rms": say("RMS"),
    "energy": say("energy"),
    "kurtosis": say("kurtosis"),
    "peak": say("peak"),
}
_SIGNALS = {
    "difference": say("difference signal"),
    "residual": say("residual signal"),
    "average": say("averaged signal"),
}
_TESTS = {
    "lines": say("strongest tooth"),
    "diagonal": say("transient along the mesh order"),
    "one cycle": say("one cycle per revolution"),
    "level": say("level of the whole map"),
}

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


def axis_name(name: str, language: Language) -> str:
    """An axis of a map."""
    return language.text(_AXES.get(name, name))


def test_name(name: str, language: Language) -> str:
    """A test of a single map."""
    return language.text(_TESTS.get(name, name))


def map_scale(about: Mapping[str, Any], language: Language) -> str:
    """What the colours of a map mean, with the unit."""
    told = _quantity(str(about["quantity"]), language)
    return told if about["unit"] in ("1", "", None) else f"{told} ({about['unit']})"


def _quantity(name: str, language: Language) -> str:
    """A quantity as ``toothwise build`` names it: "rms of difference", "... from healthy"."""
    if name == "unknown":
        return language.say("map value")
    if name == "deviation from healthy":
        return language.say("deviation from the healthy waveform, 1 = chance")
    what, _, signal = name.removesuffix(" from healthy").partition(" of ")
    if what not in _QUANTITIES or signal not in _SIGNALS:
        return name
    told = language.say("{quantity} of the {signal}", quantity=_QUANTITIES[what], signal=_SIGNALS[signal])
    return language.say("{what}, healthy waveform removed", what=told) if name.endswith(" from healthy") else told


def record_name(name: object, language: Language) -> str:
    """A record by its name, which often says what it is already."""
    return str(name) if str(name).startswith("record") else language.say("record {name}", name=str(name))


def pattern_name(pattern: str, language: Language) -> str:
    """What kind of damage it looks like."""
    return language.text(_PATTERNS[pattern])


def state_name(state: str, language: Language) -> str:
    """The state of a sequence."""
    return language.text(_STATES[state])


def explained_map(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The diagnosis of the map that is explained first, on its own."""
    found: Mapping[str, Any] = data["each"][data["explained"][0]]
    return found


def sensors_of(data: Mapping[str, Any]) -> list[str]:
    """Names of the sensors whose maps are averaged; none where there is one."""
    return sorted({one["sensor"] for one in data["each"]} - {""})

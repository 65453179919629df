"""Names in files and results, in the language of a report; unknown ones stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toothwise.diagnosis.words import tooth_of
from toothwise.messages import Language, say

_OF_TEETH = say("driving tooth"), say("driven tooth"), say("planet tooth"), say("ring tooth"), say("sun tooth")
_AXES = {word.id: word for word in (*_OF_TEETH, say("tooth"), say("record"), say("record before the last"))}
_QUANTITIES = {"rms": say("RMS"), "energy": say("energy"), "kurtosis": say("kurtosis"), "peak": say("peak")}
_SIGNALS = {
    "difference": say("difference signal"),
    "residual": say("residual signal"),
    "average": say("averaged signal"),
}
# patterns, tests of a single map, and rules of a sequence: colours, and the channels that share their rates
_RESULTS = {
    "nothing": say("Nothing stands out"),
    "one tooth": say("One damaged tooth"),
    "several teeth": say("Several damaged teeth"),
    "whole gear": say("Whole gear: wear or eccentricity"),
    "transient": say("Transient in time, no tooth"),
    "sensor or condition changed": say("Sensor or operating condition changed, no tooth"),
    "lines": say("strongest tooth"),
    "diagonal": say("transient along the mesh order"),
    "one cycle": say("swing with the revolution"),
    "change": say("usual tooth of a gear"),
    "level": say("level of the whole map"),
    "warning": say("warning"),
    "alarm": say("alarm"),
    "single": say("channel: one record"),
    "several": say("channel: several records"),
    "growth": say("channel: slow growth"),
}


def axis_name(name: str, language: Language) -> str:
    """An axis of a map."""
    return language.text(_AXES.get(name, name))


def result_name(name: str, language: Language) -> str:
    """What kind of damage it looks like, a test of a single map, or a rule of a sequence."""
    return language.text(_RESULTS[name])


def unit_name(about: Mapping[str, Any], language: Language) -> str:
    """The unit of the vibration; "not stated" where the maps do not say it."""
    known = str(about["unit"]).removesuffix("^2")
    return language.say("unit not stated") if known in ("1", "", "None", "unknown") else known


def map_scale(about: Mapping[str, Any], language: Language) -> str:
    """What the colours of a map mean, with the unit."""
    name = _quantity(str(about["quantity"]), language)
    if about["unit"] in ("1", "", None):
        return name
    return f"{name} ({language.say('unit not stated') if about['unit'] == 'unknown' else about['unit']})"


def _quantity(name: str, language: Language) -> str:
    """A quantity as ``toothwise build`` names it: "rms of difference", "... from healthy"."""
    if name == "unknown":
        return language.say("map value")
    if name == "deviation from healthy":
        return language.say("deviation from the healthy waveform, 1 = chance")
    what, _, signal = name.removesuffix(" from healthy").partition(" of ")
    if what not in _QUANTITIES or signal not in _SIGNALS:
        return name
    full = language.say("{quantity} of the {signal}", quantity=_QUANTITIES[what], signal=_SIGNALS[signal])
    return language.say("{what}, healthy waveform removed", what=full) if name.endswith(" from healthy") else full


def line_tooth(line: Mapping[str, Any], language: Language) -> str:
    """The tooth of a map's finding; without its number where tooth zero is unknown."""
    unknown = line.get("tooth_zero") == "unknown"
    return language.text(tooth_of(line["gear"], None if unknown else line["tooth"]))

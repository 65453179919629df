"""What a variable's name says of its role: vibration, tachometer, sampling rate, time, ...

Only the last part of a path such as ``bearing.gs`` or ``Group 1/acc_x [g]`` counts, upper and lower case are the same,
and a unit in brackets at the end is set apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from toothwise.vibration.readers.units import is_time, time_seconds

Role = Literal["vibration", "tacho", "time", "rate", "interval", "pulses", "unit", "start", "other", "unknown"]

# role, certainty (0 = says it, 1 = commonly so, 2 = says nearly nothing), names; the first row that fits counts
_PATTERNS: tuple[tuple[Role, int, str], ...] = (
    ("pulses", 0, r"(pulses|ppr)(_?per)?(_?rev(olution)?s?|_?rotation)?(_?tacho)?|ppr"),
    # "teeth" alone are those of a gear, as in the files of the wind-turbine pinion
    ("pulses", 0, r"(pulses|teeth)_?per_?(rev\w*|rot\w*)"),
    ("rate", 0, r"f_?s(_?k?hz)?|f_?samp\w*|sr|s_?rate|(sample|sampling|samp|acquisition|wf)_?(rate|freq\w*)(_?k?hz)?"),
    ("rate", 1, r"rate|freq(uency)?"),
    ("interval", 0, r"dt|delta_?[tx]|(sample|sampling|time)_?(interval|period|step)|wf_increment|x_?increment"),
    ("start", 0, r"(wf_)?start_?(time|date)|date_?time|date|recorded_?(at|on)|time_?stamp"),
    ("unit", 0, r"units?|unit_string|unit_description|y_?units?"),
    ("tacho", 0, r"(tach|key_?phas|once_?per_?rev|one_?per_?rev|opr|1x_?rev)\w*"),
    ("tacho", 0, r"(drehzahl_?(impuls|geber)|drehgeber|impuls)\w*"),
    ("tacho", 1, r"(encoder|pulse|zebra)\w*|(shaft|gear|rotor|carrier)_?(angle|phase|position)\w*"),
    ("tacho", 2, r"trig\w*|index_?pulse\w*|angle\w*|theta|hall\w*|counts?|counter"),
    ("tacho", 2, r"phi|(theta|phi|pos|position)_?(deg|degrees?|rad|radians?)"),
    ("time", 0, r"t|time|times|seconds|secs?|x_value|t_(s|ms|us|ns)|elapsed\w*|zeit"),
    ("time", 0, r"time_?(s|m?sec|u?sec|\w*seconds|ms|us|ns|axis|vector|stamps?)"),
    ("vibration", 0, r"(vib|acc|beschl|schwing)\w*|a_?[xyz]|g_?[xyz]"),
    ("vibration", 1, r"[xyz]|(sig|signal|sensor|gear)\w*|gs|[xyz]_?data|[df]e_time|\w+_de_time"),
    ("vibration", 2, r"(ch|chan|channel|column|data|value|values|samples|audio|amplitude|array|waveform)_?\d*"),
    ("other", 0, r"(rpm|speed|velocity|drehzahl|load|torque|temp|current|voltage)\w*|\w*_?rpm"),
    ("other", 0, r"(power|pressure|force|label|fault|id)\w*"),
)
_COMPILED = tuple((role, sure, re.compile(pattern)) for role, sure, pattern in _PATTERNS)
_ACCELERATIONS = ("g", "m/s^2", "m/s²", "m/s2", "m/s**2", "mm/s^2", "mm/s²")  # names of any language have one
_UNIT = re.compile(r"^(.*?)\s*[\[(]\s*([^\[\]()]*)\s*[\])]\s*$")


@dataclass(frozen=True)
class Name:
    """A name, understood: its role, how sure that is (0 best), its last part, and the unit in its brackets."""

    role: Role
    rank: int
    last: str
    unit: str | None


def read_name(name: str) -> Name:
    """Role of a variable by its name, or by its unit where the name says nothing.

    Examples:
        >>> read_name("시간 [ms]").role, read_name("진동 [g]").role, read_name("타코 [V]").role
        ('time', 'vibration', 'unknown')
    """
    bare, unit = name, None
    if match := _UNIT.match(name):
        bare, unit = match[1], match[2] or None
    last = re.split(r"[./\\@:]", bare.strip("./\\ "))[-1]
    key = re.sub(r"[\s-]+", "_", last.strip().lower())
    for role, rank, pattern in _COMPILED:
        if pattern.fullmatch(key):
            return Name(role, rank, key, unit)
    if unit is not None and is_time(unit):
        return Name("time", 1, key, unit)
    return Name("vibration" if unit in _ACCELERATIONS else "unknown", 1 if unit in _ACCELERATIONS else 3, key, unit)


def unit_factor(name: Name, unit: str | None = None) -> float:
    """Seconds per unit of a time column; 1 where neither its name nor the file says a unit.

    Raises:
        InputError: a unit that is not known.
    """
    unit = unit or name.unit
    if unit is not None:
        return time_seconds(unit, f"the time column {name.last!r}")
    last = name.last.rpartition("_")[2]
    return time_seconds(last, "") if is_time(last) else 1.0

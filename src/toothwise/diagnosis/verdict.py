"""What a diagnosis holds: of one map, and of everything that was given."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from toothwise.diagnosis.control_limits import ControlLimits
from toothwise.diagnosis.growth import Growth
from toothwise.diagnosis.rules import MonitorSettings, Reset
from toothwise.messages import Message

PATTERNS = {
    "nothing": "nothing stands out",
    "one tooth": "one damaged tooth",
    "several teeth": "several damaged teeth",
    "whole gear": "a whole gear: wear or eccentricity",
    "transient": "a transient in time, no tooth",
    "sensor or condition changed": "the sensor or the operating condition changed, no tooth",
}
COLOURS = {"quiet": "GREEN", "warning": "AMBER", "alarm": "RED", "learning": "UNKNOWN", "unjudged": "UNKNOWN"}


@dataclass(frozen=True)
class Neighbour:
    """A tooth beside the damaged one, over the same extent.

    Attributes:
        tooth: its number.
        contrast: over background.
        p_value: chance of as much on a healthy map at this place.
        raised: the chance is below 1 %.
    """

    tooth: int
    contrast: float
    p_value: float
    raised: bool


@dataclass(frozen=True)
class LineFinding:
    """One damaged tooth of one map.

    Attributes:
        gear: "driving", "driven", "planet", ...; "gear" where the map is of one gear.
        tooth: its number, from 0.
        axis: 1 = it is a row, 2 = a column.
        p_value: chance that the best of all lines of a healthy map has so much evidence.
        contrast: mean over the extent, against the other teeth and against what this tooth shows in healthy maps; 1 =
            as the background, below 1 = quieter than it.
        interval: 95 %, from the scatter of healthy segments of the same length.
        first, last: label of the first and last cell of the extent (tooth of the mate, or record).
        cells: along the extent.
        share: of the line that the extent covers.
        neighbours: the teeth at -1 and +1.
        tooth_zero: how tooth 0 of the gear is known; where it is "unknown", numbers hold within this map alone.
        contact: of a planet, where the same tooth is seen half a revolution away, at its other contact; None = nowhere.
    """

    gear: str
    tooth: int
    axis: int
    p_value: float
    contrast: float
    interval: tuple[float, float]
    first: int | str
    last: int | str
    cells: int
    share: float
    neighbours: tuple[Neighbour, ...] = ()
    tooth_zero: str = "given"
    contact: int | None = None


class Finding(NamedTuple):
    """What one map shows of one thing: a tooth, the level, one cycle per revolution, or the usual tooth of a gear.

    ``kind``, ``axis`` and ``tooth`` (-1 = number unknown) as of ``baseline.Channel``; ``chance``: of a healthy map that
    shows as much in any of the tests that share a rate.
    """

    kind: str
    axis: int
    tooth: int
    chance: float


@dataclass(frozen=True)
class MapDiagnosis:
    """Everything about one map.

    Attributes:
        record: its name; ``sensor``: of those of a record, where there are several.
        pattern: one of ``PATTERNS``.
        lines: damaged teeth, strongest first; leaks into neighbours are not counted as teeth of their own.
        p_values: of the tests "lines", "diagonal", "one cycle", "level" and, of waveforms, "change" (of the usual tooth
            of a gear), each on its own, before shares.
        rate: chance that a healthy map is called anything but "nothing"; the tests share it.
        level: log level over the healthy median, in healthy standard deviations.
        cycle_gear: gear that swings once per revolution, or None; ``uneven_gears``: those whose teeth are
            off unevenly, none of them far from the others.
        diagonal: first (driving, driven) pair, events and contrast of a transient, or None.
        healthy: healthy maps that this rests on; ``effective``: independent maps that they are worth.
        score: of the detector.
        findings: what of it counts as evidence, strongest first.
        sentence, confidence, next_look: the verdict in words, how sure it is, and what to do; ``messages``: the same,
            sentence by sentence, for other languages.
    """

    record: str
    pattern: str
    lines: tuple[LineFinding, ...]
    p_values: dict[str, float]
    rate: float
    level: float
    cycle_gear: str | None
    diagonal: dict[str, Any] | None
    healthy: int
    effective: float
    score: float
    sentence: str = ""
    confidence: str = ""
    next_look: str = ""
    also: tuple[str, ...] = ()
    sensor: str = ""
    findings: tuple[Finding, ...] = ()
    uneven_gears: tuple[str, ...] = ()
    messages: dict[str, tuple[Message, ...]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        return json.loads(json.dumps(asdict(self)))  # tuples become lists


@dataclass(frozen=True)
class Place:
    """A record: its name, its number from 1 among all records of the machine, and its time where that is known."""

    record: str
    number: int
    time: str | int | float | None


@dataclass(frozen=True)
class RuleFound:
    """What one rule says.

    Attributes:
        first: The record of its first alarm; None = none.
        episodes: How many alarms there were.
        stated: False alarms per 1,000 records that the rule was set for.
        interval: 95 % interval of the actual number as far as the healthy records show it; None = of one channel.
        rests_on: What that rests on, in words; ``messages`` holds it for other languages.
        now: The colour that it asks for at the last record, or "off".
        about: Of RED and AMBER, what the first one was about: a tooth, the level, or one cycle of a gear.
    """

    first: Place | None
    episodes: int
    stated: float
    interval: tuple[float, float] | None
    rests_on: str
    now: str = "GREEN"
    about: str | None = None
    messages: dict[str, tuple[Message, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Tooth:
    """A tooth that alarms now.

    Attributes:
        gear, axis, tooth: Which one; axis 1 = a row, 2 = a column. None = its number is unknown, as tooth zero is.
        statistic: Where it stands on the ladder: 1 = AMBER's limit, 2 = RED's.
        evidence: The sum of its evidence since it began, with nothing cut off: what teeth are ranked by.
        leak: Neighbours that alarm with it.
        contact: Of a planet, where the same tooth is seen half a revolution away; None = nowhere.
        doubtful: Its evidence is less than half of the first tooth's: it may be what that one leaves.
        alike: Of a ring, the teeth a planet spacing away that show the same: it may be any one of them.
    """

    gear: str
    axis: int
    tooth: int | None
    statistic: float
    evidence: float
    leak: tuple[int, ...]
    contact: int | None = None
    doubtful: bool = False
    alike: tuple[int, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """Everything that is said of the maps given to a ``Monitor``; its JSON is this dataclass.

    Attributes:
        colour: "GREEN", "AMBER", "RED", or "UNKNOWN" while a new baseline is learned, or where nothing can be judged.
        sentence: The verdict in words; ``confidence`` and ``next_look``: how sure it is, and what to do.
        state: "quiet", "warning", "alarm", "learning", or "unjudged" (no record has a healthy baseline).
        pattern: One of ``PATTERNS``; ``also``: what was found besides.
        sequence: Whether the maps were judged as records in time order; otherwise each was judged on its own.
        records: How many there are, with those given before; ``judged`` and ``unjudged`` (their condition bin has no
            baseline) count from the last re-baselining.
        healthy: Healthy maps or records that the judgement rests on; ``effective``: independent ones that they are
            worth; ``stretches``: independent stretches of time that were recorded of them.
        drawn: Further healthy records that were drawn from a model of how days drift; ``one_day``: that drift was taken
            from within the only healthy day.
        unknown_because: The condition of the last record that could not be judged, and what was learned.
        gear, tooth: The tooth with the most evidence; None = no tooth is named.
        tooth_zero: How tooth 0 of that gear is known: "index", "waveform", "given" (or numbered by the maps
            themselves) or "unknown", and ``tooth`` is None then.
        same_tooth: Where the number is unknown: in how many of the recordings that were aligned among each other and
            show a tooth of that gear it is the same one, and how many those are; None = fewer than two.
        teeth: All teeth that alarm now, the one with the most evidence first.
        since: The record at which the change began, with its 95 % interval (first and last record; where the first one
            is the first record of all, it may have begun before that); ``alarmed``: the record at which it first stood
            beyond a limit, None where that is too long ago.
        contrast: Of the tooth now, with its 95 % interval, and along what it was measured.
        growth: Of the mean contrast along the whole line (of the level, for a whole gear); None = too few records.
        level_change: Factor of the level now against healthy.
        held: No channel alarms at the last record; the colour is that of an earlier alarm, which nothing contradicts.
        rules: What was RED ("alarm") and AMBER ("warning"), and what each channel says: "single" records, "several"
            records, slow "growth".
        transients: Names of records with a transient.
        resets: Re-baselinings.
        limits: The control limits of the channels.
        settings: Of the monitor.
        added: How many of the records given were new.
        each: The diagnosis of every map given, on its own; ``explained``: indices of those that matter most.
        skipped: A line for every recording that could not be used, or whose name is there with other values.
        messages: What is said, sentence by sentence, for other languages.
    """

    colour: str
    state: str
    pattern: str
    sequence: bool
    records: int
    judged: int
    healthy: int
    settings: MonitorSettings
    sentence: str = ""
    confidence: str = ""
    next_look: str = ""
    unjudged: int = 0
    effective: float | None = None
    stretches: int = 0
    drawn: int = 0
    one_day: bool = False
    unknown_because: str | None = None
    gear: str | None = None
    tooth: int | None = None
    tooth_zero: str = "unknown"
    same_tooth: tuple[int, int] | None = None
    teeth: tuple[Tooth, ...] = ()
    also: tuple[str, ...] = ()
    since: Place | None = None
    since_interval: tuple[Place, Place] | None = None
    alarmed: Place | None = None
    contrast: float | None = None
    contrast_interval: tuple[float, float] | None = None
    contrast_along: str | None = None
    growth: Growth | None = None
    level_change: float = 1.0
    held: bool = False
    rules: dict[str, RuleFound] = field(default_factory=dict)
    transients: tuple[str, ...] = ()
    resets: tuple[Reset, ...] = ()
    limits: ControlLimits | None = None
    added: int = 0
    each: tuple[MapDiagnosis, ...] = ()
    explained: tuple[int, ...] = ()
    skipped: tuple[str, ...] = ()
    messages: dict[str, tuple[Message, ...]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        return json.loads(json.dumps(asdict(self)))  # tuples become lists

"""What a diagnosis of one map holds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from toothwise.messages import Message

__all__ = ["PATTERNS", "LineFinding", "MapDiagnosis", "Neighbour"]

PATTERNS = {
    "nothing": "nothing stands out",
    "one tooth": "one damaged tooth",
    "several teeth": "several damaged teeth",
    "whole gear": "a whole gear: wear or eccentricity",
    "transient": "a transient in time, no tooth",
    "sensor or condition changed": "the sensor or the operating condition changed, no tooth",
}


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


@dataclass(frozen=True)
class MapDiagnosis:
    """Everything about one map.

    Attributes:
        record: its name.
        pattern: one of ``PATTERNS``.
        lines: damaged teeth, strongest first; leaks into neighbours are not counted as teeth of their own.
        p_values: of the tests "lines", "diagonal", "one cycle" and "level", each on its own, before shares.
        rate: chance that a healthy map is called anything but "nothing"; the tests share it.
        level: log level over the healthy median, in healthy standard deviations.
        cycle_gear: gear that swings once per revolution, or None.
        diagonal: first (driving, driven) pair, events and contrast of a transient, or None.
        healthy: healthy maps that this rests on; ``effective``: independent maps that they are worth.
        score: of the detector.
        verdict, confidence, next_look: in words; ``messages``: the same, sentence by sentence, for other languages.
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
    verdict: str = ""
    confidence: str = ""
    next_look: str = ""
    also: tuple[str, ...] = field(default_factory=tuple)
    messages: dict[str, tuple[Message, ...]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples become lists
        return data

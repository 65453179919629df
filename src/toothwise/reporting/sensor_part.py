"""Which sensor an explained map is of, where the verdict fuses several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toothwise.messages import Language
from toothwise.reporting.document import Block, Paragraph

__all__ = ["of_one_sensor", "sensor_note", "sensors_row"]

Data = Mapping[str, Any]


def of_one_sensor(data: Data, language: Language) -> str:
    """What a map's caption says of its sensor; "" where there is one."""
    if "sensors" not in data:
        return ""
    told = data["sensors"]
    return " " + language.say(
        "Sensor {sensor}, one of {count} fused.", sensor=told["explained"], count=len(told["fused"])
    )


def sensor_note(data: Data, language: Language) -> list[Block]:
    """The same before an explanation, with what it means."""
    if "sensors" not in data:
        return []
    told = data["sensors"]
    note = language.say(
        "The verdict fuses {count} sensors: {names}. This map, and all that explains it below, is of sensor {sensor} "
        "alone.",
        count=len(told["fused"]),
        names=", ".join(told["fused"]),
        sensor=told["explained"],
    )
    return [Paragraph(note)]


def sensors_row(data: Data, language: Language) -> list[tuple[str, str]]:
    """A row of the table of data."""
    return [(language.say("Sensors"), ", ".join(data["sensors"]["fused"]))] if "sensors" in data else []

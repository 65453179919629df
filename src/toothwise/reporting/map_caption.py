"""What a reader who has never seen a map must know to read the one on the first page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toothwise.diagnosis.words import tooth_of
from toothwise.messages import Language

__all__ = ["map_caption"]

Data = Mapping[str, Any]


def map_caption(one: Data, record: str, about: Data, language: Language) -> str:
    """The caption of a map: what its cells are, how damage looks, what is framed, from where teeth count.

    Args:
        one: the map's diagnosis.
        record: its record, told.
        about: the maps.
        tell: the language.
    """
    if about["by_record"]:
        what = language.say(
            "The map of {record}: a row per tooth, the newest record on the right, bright = more vibration. A damaged "
            "tooth lights up its row.",
            record=record,
        )
    else:
        what = language.say(
            "The map of {record}: every pair of teeth, bright = more vibration. A damaged tooth lights up its row or "
            "column.",
            record=record,
        )
    if not one["lines"]:
        return f"{what} {language.say('Nothing stands out in this map by itself.')}"
    parts = [
        what,
        language.say("Framed: what stands out in this map by itself. Teeth count from 0; which one is 0: see Limits."),
    ]
    return " ".join([*parts, *_opposite(one, about, language)])


def _opposite(one: Data, about: Data, language: Language) -> list[str]:
    """Two framed teeth of a gear that may be a planet, half a revolution apart."""
    if not about["by_record"]:
        return []
    count = len(about["axes"][0]["labels"])
    teeth = [line["tooth"] for line in one["lines"] if line["axis"] == 1 and line["gear"] in ("gear", "planet")]
    for k, first in enumerate(teeth):
        for second in teeth[k + 1 :]:
            if abs(abs(first - second) - count / 2) <= 1.0:
                return [
                    language.say(
                        "{tooth} and tooth {other} lie half a revolution apart: of a planet, this may be one tooth, "
                        "heard through both of its contacts.",
                        tooth=language.sentences([tooth_of("gear", first)]),
                        other=second,
                    )
                ]
    return []

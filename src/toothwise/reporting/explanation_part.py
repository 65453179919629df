"""Why a map was judged as it was, in pictures: where, against what, how it might look healthy, what is most like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toothwise.diagnosis.explain import MapExplanation
from toothwise.messages import Language
from toothwise.reporting.attention_figure import attention_figure
from toothwise.reporting.document import Block, Heading, Paragraph, Pictures
from toothwise.reporting.drawing import Picture
from toothwise.reporting.evidence_part import teeth_table, tests_table
from toothwise.reporting.map_figures import (
    evidence_figure,
    healthy_figure,
    map_figure,
    nearest_figure,
)
from toothwise.reporting.shown import Data, Shown


def explanation_part(report: Shown) -> list[Block]:
    """The explanations of all maps that are explained."""
    return [block for one, why in report.explained for block in _explanation(report, one, why)]


def _explanation(report: Shown, one: Data, why: MapExplanation) -> list[Block]:
    about, language, several = report.about, report.language, len(report.explained) > 1
    lines = one["lines"]
    named = report.record(one["record"])
    blocks: list[Block] = [
        Heading(language.say("Why: the map of {record}", record=named)),
        Paragraph(language.sentences(one["messages"]["verdict"])),
    ]
    if len(report.sensors) > 1:
        note = language.say(
            "The verdict fuses {count} sensors: {names}. This map and its explanation below are of sensor {sensor} "
            "alone.",
            count=len(report.sensors),
            names=", ".join(report.sensors),
            sensor=one["sensor"],
        )
        blocks.append(Paragraph(note))
    if several:
        caption = language.say("The map of {record}; framed: what stands out in it by itself.", record=named)
        blocks.append(Pictures((Picture(caption, map_figure, why, lines, about, language),)))
        blocks += [teeth_table(one, language)] if lines else []
    anomaly = language.say(
        "Anomaly map: where the detector sees what healthy maps do not show; bright = more anomalous, framed: what was "
        "found."
    )
    pictures = [
        Picture(anomaly, map_figure, why, lines, about, language, anomaly=True),
        Picture(_evidence_caption(why, language), evidence_figure, why, lines, about, language),
    ]
    if why.healthy is not None:
        pictures.append(Picture(_healthy_caption(why, about, language), healthy_figure, why, about, language))
    if len(why.nearest):
        pictures.append(Picture(_nearest_caption(why, language), nearest_figure, why, lines, about, language))
    blocks.append(Pictures(tuple(pictures)))
    if not len(why.nearest):
        none = language.say("Nearest healthy maps: this model keeps none; fit it again to see them.")
        blocks.append(Paragraph(none, small=True))
    if why.attention:
        blocks += _attention(why, about, language)
    if several:
        blocks.append(tests_table(one, language))
    return blocks


def _evidence_caption(why: MapExplanation, language: Language) -> str:
    caption = language.say(
        "Evidence of every tooth (bars; orange: reported), the threshold above which a tooth is reported, and the "
        "range of held-out healthy maps (shaded)."
    )
    if any((lines > why.height.get(axis, float("inf"))).any() for axis, lines in why.evidence.items()):
        caption += " " + language.say(
            "What is found is removed before the rest is examined: the bars of the other teeth show what remains "
            "then. Teeth beside a named tooth count as part of it."
        )
    return caption


def _healthy_caption(why: MapExplanation, about: Mapping[str, Any], language: Language) -> str:
    if why.healthy_by == "rebuilt":
        return language.say(
            "The map, and the healthy map that detector {detector} reconstructs from it; below, the ratio of the two.",
            detector=about["detector"]["name"],
        )
    if why.healthy_by == "neighbours":
        return language.say(
            "The map, and the same map repaired: the damaged extent is replaced by the mean of the nearest sound "
            "teeth on both sides. The detector itself reconstructs no maps; this is a picture, not a measurement."
        )
    return language.say(
        "The map, and the same map without the cycle or transient that was found. The detector itself reconstructs "
        "no maps; this is a picture, not a measurement."
    )


def _nearest_caption(why: MapExplanation, language: Language) -> str:
    return language.say(
        "This map and the {count} healthy maps most like it, out of {kept} kept of the {of} that the detector was "
        "fitted on. They are compared outside of what was found, each relative to its own level; the distance is the "
        "typical difference of a cell.",
        count=len(why.nearest),
        kept=why.kept[0],
        of=why.kept[1],
    )


def _attention(why: MapExplanation, about: Data, language: Language) -> list[Block]:
    caption = language.say(
        "Attention along the line: what the cell at the middle of the finding takes from its own column and its own "
        "row in every directional layer, relative to an equal share, and the learned weight alpha of columns (1 = "
        "columns only, 0 = rows only). It shows what the network uses to reconstruct the cell, not what is damaged."
    )
    picture = Picture(caption, attention_figure, why, about, language)
    return [Heading(language.say("Attention along the line"), 3), Pictures((picture,))]

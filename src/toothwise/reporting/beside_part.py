"""What stands beside the judgement: indicators of the tooth, its waveform, speed, load and health of the sensor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from toothwise.diagnosis.words import tooth_of
from toothwise.messages import say
from toothwise.reporting.beside_figures import (
    CONDITIONS,
    INDICATORS,
    SHARES,
    conditions_figure,
    indicators_figure,
    waveform_figure,
)
from toothwise.reporting.document import Block, Heading, Paragraph, Pictures
from toothwise.reporting.drawing import Picture
from toothwise.reporting.names import unit_name
from toothwise.reporting.shown import Shown

_OF_GEAR = say(
    "The gear over the records: RMS and kurtosis of the residual of a revolution, and FM4 (kurtosis of the difference "
    "signal). They are of the gear and name no tooth."
)
_SOUND = {
    "clipped": say("no clipped samples"),
    "gaps": say("no missing samples"),
    "pulses_repaired": say("no pulse of the tachometer repaired"),
}


def beside_part(report: Shown) -> list[Block]:
    """Classical indicators and the waveform of the tooth, and under what conditions it was recorded."""
    language = report.language
    pictures = [*_indicators(report), *_waveform(report)]
    lacking = [*_lacking(report, pictures)]
    heading = language.say("Indicators of the tooth")
    if report.d["sequence"]:
        heading = language.say("Indicators of the tooth; speed, load and sensor")
        conditions, told = _conditions(report)
        pictures, lacking = [*pictures, *conditions], [*lacking, *told]
    blocks: list[Block] = [Heading(heading, 3)]
    blocks += [Pictures(tuple(pictures))] if pictures else []
    return blocks + [Paragraph(text, small=True) for text in lacking]


def _tooth(report: Shown, axis: int, tooth: int) -> str:
    return report.language.text(tooth_of(report.gears[axis - 1], tooth))


def _indicators(report: Shown) -> list[Picture]:
    r, language = report.records, report.language
    known = [] if r is None else [n for n in INDICATORS if n in r.numbers and np.isfinite(r.numbers[n]).any()]
    if r is None or not known or (report.watched is None and any(n.startswith("tooth") for n in known)):
        return []
    axis, tooth = report.watched or (1, 0)
    rows = len(report.about["axes"][0]["labels"])
    columns, others = {}, {}
    for name in known:
        width = r.numbers[name].shape[1]
        if name.startswith("tooth"):
            columns[name] = tooth + (rows if axis == 2 else 0)
            of_gear = np.arange(rows) if axis == 1 else np.arange(rows, width)
            others[name] = of_gear[of_gear != columns[name]]
        else:
            columns[name] = min(axis, width) - 1
    unit = unit_name(report.about, language)
    of_unit = {"tooth_rms", "gear_rms", "tooth_value"}
    names = {name: language.text(INDICATORS[name]) + (f"\n({unit})" if name in of_unit else "") for name in known}
    caption, named = _OF_GEAR, _tooth(report, axis, tooth)
    if "tooth_rms" in columns:
        caption = say(
            "{tooth} over the records: RMS and kurtosis of its residual, averaged over all its meshes in a record, and "
            "FM4 of its gear (kurtosis of that residual over a revolution). One damaged tooth raises its RMS and, "
            "while the others are sound, FM4.",
            tooth=named,
        )
    elif "tooth_value" in columns:
        caption = say(
            "{tooth} over the records: the root mean square of the map's values along the tooth.", tooth=named
        )
    return [Picture(language.sentences([caption]), indicators_figure, r, columns, names, others, language)]


def _waveform(report: Shown) -> list[Picture]:
    language = report.language
    for one, why in report.explained[:1]:
        if why.tooth is not None:
            named = _tooth(report, why.tooth.axis, why.tooth.tooth)
            caption = language.say(
                "The waveform of {tooth} and of the teeth beside it: what {record} holds beyond the healthy waveform, "
                "averaged over all meshes of each tooth, and what healthy records hold there.",
                tooth=named,
                record=report.record(one["record"]),
            )
            return [Picture(caption, waveform_figure, why.tooth, named, unit_name(report.about, language), language)]
    return []


def _lacking(report: Shown, pictures: list[Picture]) -> Iterator[str]:
    """What cannot be shown of these maps, and why."""
    language, about = report.language, report.about
    if about["by_record"]:
        yield language.say(
            "These maps hold one number per tooth and record and no waveforms, so kurtosis of a tooth and its "
            "waveform cannot be shown; every tooth over the records is in the figure above."
        )
    elif not about.get("waveforms"):
        yield language.say(
            "These maps hold one value per pair of teeth and no waveforms, so kurtosis, FM4 and the waveform of "
            "the tooth cannot be shown. Maps that are built of recordings with a healthy waveform hold them."
        )
    elif not pictures:
        yield language.say("No tooth is named, so there is no waveform to show.")


def _conditions(report: Shown) -> tuple[list[Picture], list[str]]:
    """The conditions of the records as a picture, and in words what was sound, not known or not judged."""
    r, language = report.records, report.language
    known = [n for n in CONDITIONS if r is not None and n in r.numbers and np.isfinite(r.numbers[n]).any()]
    if "shaft_speed" in known:
        known = [name for name in known if name != "speed"]
    if r is None or not known:
        return [], [language.say("The maps tell neither speed nor load nor what the samples say of the sensor.")]
    quiet = [name for name in known if name in SHARES and float(np.nanmax(r.numbers[name])) == 0.0]
    drawn = [name for name in known if name not in quiet]
    pictures, told = [], []
    if drawn:
        caption = language.say(
            "Speed and load of the records, the level of the raw signal, and shares of bad samples or pulses where "
            "there were any. A jump here is a reason to look at the sensor before the gear."
        )
        pictures.append(Picture(caption, conditions_figure, r, drawn, unit_name(report.about, language), language))
    if quiet:
        told.append(language.say("In all records: {sound}.", sound=tuple(_SOUND[name] for name in quiet)))
    lacking = [name for name in ("load", "temperature") if name not in known]
    if lacking:
        what = tuple(CONDITIONS[name] for name in lacking)
        told.append(language.say("Not known of these records: {what}.", what=what))
    out = {place for place, judged in zip(r.place, r.judged, strict=True) if not judged}
    return pictures, told + [language.say("Not judged: {why}.", why=why) for why in sorted(out)[:3]]

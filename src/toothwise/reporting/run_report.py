"""The report of the main job on a run: every detector, classical indicators, and the run watched record by record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toothwise.diagnosis.run import DetectorRun, IndicatorRun, RunProtocol, recommend, tooth_at_failure
from toothwise.diagnosis.run_folder import write_run
from toothwise.diagnosis.run_watch import WatchedRun, watch_records
from toothwise.files import atomic_file, write_json
from toothwise.healthmap.tooth_by_record import RunMaps
from toothwise.messages import Language, Message, messages_from, say
from toothwise.messages import language as language_of
from toothwise.reporting import figures
from toothwise.reporting.document import Block, Bullets, Document, Heading, Paragraph, Table, Verdict
from toothwise.reporting.drawn import drawn
from toothwise.reporting.explanation_part import explanation_of
from toothwise.reporting.html_page import to_html
from toothwise.reporting.pattern_names import pattern_name, state_name
from toothwise.reporting.short_names import renamed
from toothwise.results import versions

__all__ = ["sentence", "summary", "write_report"]


def summary(
    maps: RunMaps,
    protocol: RunProtocol,
    runs: list[DetectorRun],
    indicators: list[IndicatorRun],
    skipped: dict[str, str],
) -> dict[str, Any]:
    """The contents of ``diagnosis.json``."""
    recommended = recommend(runs, maps.records.teeth)
    return {
        "data": maps.records.source,
        "simulated": bool(maps.records.truth),
        "records": len(maps.records),
        "healthy_days": list(protocol.maps.healthy_days),
        "detectors": {run.name: run.summary(maps, protocol) for run in runs},
        "indicators": {run.name: run.summary(maps, protocol) for run in indicators},
        "skipped": skipped,
        "recommended": recommended,
        "verdict": sentence(maps, next(run for run in runs if run.name == recommended)),
        "tooth_at_failure": tooth_at_failure(maps),
        "truth": maps.records.truth or None,
        "detector_info": {run.name: run.detector.info for run in runs},
        "versions": versions(),
    }


def _place(maps: RunMaps, record: int) -> Message:
    """Where a record stands in the run, as its numbers count."""
    number, day = int(maps.records.number[record]), int(maps.records.day[record])
    if number:
        return say("test record {number} (day {day})", number=number, day=day)
    return say("record {number}, before the test part (day {day})", number=record + 1, day=day)


def sentence(maps: RunMaps, run: DetectorRun, language: Language | None = None) -> str:
    """The verdict in plain words, in English unless ``language`` is another language."""
    return (language or language_of("en")).sentences(_sentences(maps, run))


def _sentences(maps: RunMaps, run: DetectorRun) -> list[Message]:
    if run.first_sustained is None:
        return [say("No alarm: no tooth stood out for long enough in this run.")]
    tooth = run.diagnosis.tooth_at(run.first_sustained)
    index = int(run.record[run.first_sustained])
    about: dict[str, Any] = {"tooth": tooth, "raised": _place(maps, index)}
    if run.consistent is None:
        first = say("Tooth {tooth} is going bad: the alarm is raised at {raised}.", **about)
    elif run.consistent <= run.first_sustained:
        first = say(
            "Tooth {tooth} is going bad: the alarm is raised at {raised} and has stayed on ever since.", **about
        )
    else:
        first = say(
            "Tooth {tooth} is going bad: the alarm is raised at {raised} and stays on without a break from {lasting}.",
            lasting=_place(maps, int(run.record[run.consistent])),
            **about,
        )
    growth = say(
        "Distance of its waveform from the healthy one: {then:.1f} times what chance gives at the alarm, {last:.1f} "
        "times at the end.",
        then=float(maps.deviation.values[tooth, index]),
        last=float(maps.deviation.values[tooth, -5:].mean()),
    )
    return [first, growth]


def _watched(maps: RunMaps, runs: list[DetectorRun]) -> WatchedRun | None:
    """The watched diagnosis by the scan; of a deep detector it would score the same windows many times."""
    scan = next((run for run in runs if run.name == "scan" and run.detector.held_out is not None), None)
    if scan is None or bool(maps.windows.table["healthy"].all()):
        return None
    return watch_records(maps, scan.detector, prediction=scan.diagnosis.prediction)


def _sequence(d: dict[str, Any], maps: RunMaps, language: Language) -> list[Block]:
    """What watching the records one after another says, for the first screen."""
    places = {str(name): _place(maps, k) for k, name in enumerate(maps.records.name)}
    d = renamed(d, places, {}, whole=True)
    rows = [(language.say("State"), f"{state_name(d['state'], language)}: {pattern_name(d['pattern'], language)}")]
    if d["alarm"]["first_record"] is not None:
        told = language.say(
            "{record}, of {what}; {episodes} in all",
            record=d["alarm"]["first_record"],
            what=d["messages"]["began_with"][0],
            episodes=d["alarm"]["episodes"],
        )
        rows.append((language.say("First alarm"), told))
    if d["onset_record"] is not None:
        low, high = d["onset_interval_records"]
        told = language.say("{record}; 95 %: {low} to {high}", record=d["onset_record"], low=low, high=high)
        rows.append((language.say("Onset"), told))
    g = d["growth"]
    if g is not None:
        low, high = g["interval"]
        told = language.say(
            "x {value:.2f} per 100 records ({low:.2f} to {high:.2f})", value=g["per_100"], low=low, high=high
        )
        rows.append((language.say("Growth (95 %)"), f"{told}; {language.text(g['messages']['why'][0])}"))
    rows += [
        (language.say("Confidence"), language.sentences(d["messages"]["confidence"])),
        (language.say("Next"), language.sentences(d["messages"]["next_look"])),
    ]
    verdict = language.sentences(d["messages"]["verdict"])
    return [Paragraph(verdict, lead=language.say("Watched record by record (scan):")), Table(("", ""), tuple(rows))]


def _table(facts: dict[str, dict[str, Any]], language: Language) -> Table:
    def show(value: Any) -> str:
        return language.say("never") if value is None else str(value)

    head = (
        language.say("Detector"),
        language.say("Tooth"),
        language.say("first sustained"),
        language.say("consistent"),
        language.say("false alarms on held-out healthy records"),
        language.say("days 19-20 flagged"),
        language.say("seconds"),
    )
    rows = []
    for name, entry in facts.items():
        low, high = entry["false_alarm_rate_interval"]
        flagged = entry["flagged_days_19_20"]
        rate = language.say(
            "{rate:.1%} (95 %: {low:.1%} to {high:.1%})", rate=entry["false_alarm_rate"], low=low, high=high
        )
        rows.append(
            (
                name,
                show(entry["tooth"]) if "tooth" in entry else language.say("names none"),
                show(entry["first_sustained"]),
                show(entry["consistent"]),
                rate,
                language.say("fitted on them") if flagged is None else f"{flagged:.1%}",
                f"{entry['seconds']:.1f}",
            )
        )
    return Table(head, tuple(rows), frozenset({2, 3, 5, 6}))


def write_report(
    folder: Path,
    maps: RunMaps,
    protocol: RunProtocol,
    runs: list[DetectorRun],
    indicators: list[IndicatorRun],
    skipped: dict[str, str] | None = None,
    *,
    code: str = "en",
) -> dict[str, Any]:
    """Write ``report.html``, ``diagnosis.json`` and, where the scan ran, the run ``watched``.

    Returns what ``diagnosis.json`` holds.

    Args:
        folder: to write to; ``toothwise report`` takes ``watched`` in it.
        maps, protocol: the run and how it was judged.
        runs, indicators: what was found.
        skipped: detectors that did not run, and why.
        code: of the language of the report.
    """
    skipped = skipped or {}
    language = language_of(code)
    facts = summary(maps, protocol, runs, indicators, skipped)
    watched = _watched(maps, runs)
    facts["watched"] = None
    more: list[Block] = []
    if watched is not None:
        data, evidence = watched.for_report()
        facts["watched"] = data["diagnosis"]
        one = messages_from(data["explained_map"])
        more = explanation_of(one, evidence.explained[0], evidence.about, language, several=True, in_sequence=True)
        write_run(folder / "watched", data, evidence)
    page = to_html(_document(maps, protocol, runs, facts, more, language))
    with atomic_file(folder / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    write_json(folder / "diagnosis.json", facts)
    return facts


def _document(
    maps: RunMaps,
    protocol: RunProtocol,
    runs: list[DetectorRun],
    facts: dict[str, Any],
    more: list[Block],
    language: Language,
) -> Document:
    best = next(run for run in runs if run.name == facts["recommended"])
    tooth = best.diagnosis.tooth_at(best.consistent if best.consistent is not None else best.first_sustained)
    days = ", ".join(map(str, protocol.maps.healthy_days))
    quiet = best.first_sustained is None
    first: list[Block] = [
        Verdict(
            sentence(maps, best, language),
            state_name("quiet" if quiet else "alarm", language),
            "quiet" if quiet else "alarm",
        ),
        Paragraph(language.say("Detector: {name}, fitted on days {days} only.", name=best.name, days=days), small=True),
        drawn(
            language.say("Tooth by record. A damaged tooth is a horizontal line from its onset."),
            figures.overview_figure,
            maps,
            best,
            language,
        ),
        drawn(
            language.say("Score of every record and the threshold; shaded: records fitted on."),
            figures.alarm_figure,
            maps,
            best,
            language,
        ),
    ]
    if facts["watched"] is not None:
        first += _sequence(messages_from(facts["watched"]), maps, language)
    trend = language.say("A rising line that leaves the others is damage; all rising together is not.")
    rest: list[Block] = [
        drawn(trend, figures.trend_figure, maps, tooth, language),
        Heading(language.say("Every detector, and classical indicators under the same rules")),
        _table(facts["detectors"] | facts["indicators"], language),
        Paragraph(
            language.say(
                "Record numbers count the test part from 1; 0 = before it. First sustained: record number {run} in a "
                "row above the threshold. Consistent: above it from there to the end. Thresholds are chosen for "
                "{rate:.0%} false alarms per record on held-out healthy records.",
                run=protocol.sustained,
                rate=protocol.false_alarm_rate,
            ),
            small=True,
        ),
    ]
    for name, why in facts["skipped"].items():
        rest.append(Paragraph(language.say("{name} was skipped: {why}", name=name, why=why), small=True))
    for run in runs:
        rest.append(Heading(run.name))
        if run is not best:
            caption = language.say("Scores of {name}.", name=run.name)
            rest.append(drawn(caption, figures.alarm_figure, maps, run, language))
        caption = language.say("Where {name} sees the anomaly.", name=run.name)
        rest.append(drawn(caption, figures.anomaly_figure, maps, run, language))
    rest += more
    turned = language.say("Records start at a random tooth and are turned onto those before them.")
    rest += [
        Heading(language.say("What this rests on")),
        drawn(turned, figures.alignment_figure, maps, language),
        Bullets(tuple(_limits(maps, protocol, best, facts, language))),
        Paragraph(", ".join(f"{name} {version}" for name, version in facts["versions"].items()), small=True),
    ]
    subtitle = language.say(
        "{source}; {records} records, {teeth} teeth",
        source=maps.records.source,
        records=len(maps.records),
        teeth=maps.records.teeth,
    )
    return Document(language.say("Gear tooth diagnosis"), subtitle, language.code, first, rest)


def _limits(
    maps: RunMaps, protocol: RunProtocol, best: DetectorRun, facts: dict[str, Any], language: Language
) -> list[str]:
    items = [
        language.say(
            "Tooth 0 begins at the first sample of the first record. A planet tooth meets the sun and the ring half a "
            "revolution apart: where tooth t is named, damage seen through the other contact would be tooth t + "
            "{half:g} (to a neighbour, either way).",
            half=maps.records.teeth / 2,
        ),
        language.say(
            "Tooth found without any detector, by the largest rise of residual RMS over the last ten records: {tooth}.",
            tooth=facts["tooth_at_failure"],
        ),
        language.say(
            "The threshold rests on {windows} healthy windows, worth {independent:.1f} independent ones: the interval "
            "of its false alarm rate is wide, and only more healthy days narrow it.",
            windows=best.threshold.n,
            independent=best.threshold.n_effective,
        ),
        language.say(
            "{unsure} of {records} records could not be turned with confidence (correlation less than 0.05 above the "
            "next best turn).",
            unsure=int((maps.alignment.confidence[1:] < 0.05).sum()),
            records=len(maps.records),
        ),
        language.say(
            "The alignment, scaling and score of a record use that record and earlier ones only. Records of the "
            "healthy days ({days}) are fitted on.",
            days=", ".join(map(str, protocol.maps.healthy_days)),
        ),
    ]
    if best.detector.options.get("clip") is not None:
        items.append(
            language.say(
                "The score of {name} levels off: a pixel counts with at most {clip:g} standard deviations. How far "
                "damage has grown is read from the trend of the tooth, not from the score.",
                name=best.name,
                clip=best.detector.options["clip"],
            )
        )
    if maps.records.truth:
        items.insert(0, language.say("This run is simulated; what was put in: {truth}.", truth=str(maps.records.truth)))
    return items

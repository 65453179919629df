"""The report of a run: one self-contained HTML page, and the same facts as JSON."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from toothwise.diagnosis.run import DetectorRun, IndicatorRun, RunProtocol, recommend, tooth_at_failure, watch_run
from toothwise.diagnosis.verdict import SequenceDiagnosis
from toothwise.files import atomic_file, write_json
from toothwise.healthmap.tooth_by_record import RunMaps
from toothwise.reporting import figures
from toothwise.results import versions

__all__ = ["sentence", "summary", "write_report"]

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; max-width: 1080px; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; }
.verdict { font-size: 1.2rem; padding: 1rem 1.2rem; border-left: 6px solid #D55E00; background: #fff4ec; }
.verdict.ok { border-color: #009E73; background: #ecf8f4; }
img { max-width: 100%; height: auto; } figure { margin: .6rem 0; } figcaption, .small { color: #555; font-size: .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; } .scroll { overflow-x: auto; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
th { background: #f5f5f5; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
"""


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


def _where(maps: RunMaps, run: DetectorRun, at: int) -> str:
    record = int(run.record[at])
    number = int(maps.records.number[record])
    counted = f"test record {number}" if number else f"record {record + 1}, before the test part"
    return f"{counted} (day {int(maps.records.day[record])})"


def sentence(maps: RunMaps, run: DetectorRun) -> str:
    """The verdict in plain words."""
    if run.first_sustained is None:
        return "No alarm: no tooth stood out for long enough in this run."
    tooth = run.diagnosis.tooth_at(run.first_sustained)
    index = int(run.record[run.first_sustained])
    then = float(maps.deviation.values[tooth, index])
    last = float(maps.deviation.values[tooth, -5:].mean())
    lasting = ""
    if run.consistent is not None:
        if run.consistent <= run.first_sustained:
            lasting = " and has stayed on ever since"
        else:
            lasting = f" and stays on without a break from {_where(maps, run, run.consistent)}"
    growth = f"{then:.1f} times what chance gives at the alarm, {last:.1f} times at the end"
    return (
        f"Tooth {tooth} is going bad: the alarm is raised at {_where(maps, run, run.first_sustained)}{lasting}. "
        f"Distance of its waveform from the healthy one: {growth}."
    )


def _watched(maps: RunMaps, runs: list[DetectorRun]) -> SequenceDiagnosis | None:
    """The watched diagnosis by the scan; of a deep detector it would score the same windows many times."""
    scan = next((run for run in runs if run.name == "scan" and run.detector.held_out is not None), None)
    if scan is None or bool(maps.windows.table["healthy"].all()):
        return None
    return watch_run(maps, scan.detector, prediction=scan.diagnosis.prediction)


def _sequence(d: SequenceDiagnosis, maps: RunMaps) -> str:
    """What watching the records one after another says, for the first screen."""
    where = {str(name): k for k, name in enumerate(maps.records.name)}

    def place(name: str | None) -> str:
        if name is None:
            return "-"
        number = int(maps.records.number[where[name]])
        day = int(maps.records.day[where[name]])
        return f"test record {number} (day {day})" if number else f"record {where[name] + 1} (day {day})"

    rows = [("State", f"{d.state}: {d.pattern}")]
    if d.alarm.first_record is not None:
        about = f"{place(d.alarm.first_record)}, of {d.began_with}; {d.alarm.episodes} episodes in all"
        rows.append(("First alarm", about))
    if d.onset_record is not None and d.onset_interval_records is not None:
        low, high = (place(name) for name in d.onset_interval_records)
        rows.append(("Onset", f"{place(d.onset_record)}; 95 %: {low} to {high}"))
    if d.growth is not None:
        slow, fast = d.growth.interval
        rows.append(("Growth", f"{d.growth.per_100:.2f} x per 100 records ({slow:.2f} to {fast:.2f}); {d.growth.why}"))
    rows += [("Confidence", d.confidence), ("Next", d.next_look)]
    cells = "".join(f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in rows)
    verdict = d.verdict
    for name in (d.alarm.first_record, d.onset_record, *(d.onset_interval_records or ())):
        if name is not None:
            verdict = verdict.replace(f"record {name}", place(name)).replace(name, place(name))
    return (
        f"<p><b>Watched record by record (scan):</b> {html.escape(verdict)}</p>"
        f'<div class="scroll"><table>{cells}</table></div>'
    )


def _image(figure: Any, caption: str) -> str:
    data = base64.b64encode(figures.png(figure)).decode()
    text = html.escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def _table(facts: dict[str, dict[str, Any]]) -> str:
    def show(value: Any) -> str:
        return "never" if value is None else str(value)

    head = (
        "",
        "tooth",
        "first sustained",
        "consistent",
        "false alarms on held-out healthy records",
        "days 19-20 flagged",
        "seconds",
    )
    rows = []
    for name, entry in facts.items():
        low, high = entry["false_alarm_rate_interval"]
        flagged = entry["flagged_days_19_20"]
        cells = (
            name,
            show(entry["tooth"]) if "tooth" in entry else "names none",
            show(entry["first_sustained"]),
            show(entry["consistent"]),
            f"{entry['false_alarm_rate']:.1%} (95 %: {low:.1%} to {high:.1%})",
            "fitted on them" if flagged is None else f"{flagged:.1%}",
            f"{entry['seconds']:.1f}",
        )
        rows.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>")
    return (
        '<div class="scroll"><table><tr>'
        + "".join(f"<th>{h}</th>" for h in head)
        + "</tr>"
        + "".join(rows)
        + "</table></div>"
    )


def write_report(
    folder: Path,
    maps: RunMaps,
    protocol: RunProtocol,
    runs: list[DetectorRun],
    indicators: list[IndicatorRun],
    skipped: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Write ``report.html`` and ``diagnosis.json``; returns what the JSON holds."""
    skipped = skipped or {}
    facts = summary(maps, protocol, runs, indicators, skipped)
    watched = _watched(maps, runs)
    facts["watched"] = None if watched is None else watched.as_json()
    best = next(run for run in runs if run.name == facts["recommended"])
    verdict = facts["verdict"]
    tooth = best.diagnosis.tooth_at(best.consistent if best.consistent is not None else best.first_sustained)
    days = ", ".join(map(str, protocol.maps.healthy_days))
    quiet = best.first_sustained is None
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Toothwise report</title><style>{_STYLE}</style></head><body>",
        f"<h1>Gear tooth diagnosis</h1><p class='small'>{html.escape(maps.records.source)}; "
        f"{len(maps.records)} records, {maps.records.teeth} teeth</p>"
        f"<p class='verdict{' ok' if quiet else ''}'>{html.escape(verdict)}</p>",
        f"<p class='small'>Detector: {html.escape(best.name)}, fitted on days {days} only.</p>",
        "" if watched is None else _sequence(watched, maps),
        _image(
            figures.overview_figure(maps, best), "Tooth by record. A damaged tooth is a horizontal line from its onset."
        ),
        _image(figures.alarm_figure(maps, best), "Score of every record and the threshold; shaded: records fitted on."),
        _image(
            figures.trend_figure(maps, tooth),
            "A rising line that leaves the others is damage; all rising together is not.",
        ),
        "<h2>Every detector, and classical indicators under the same rules</h2>",
        _table(facts["detectors"] | facts["indicators"]),
        "<p class='small'>Record numbers count the test part from 1; 0 = before it. First sustained: the "
        f"{protocol.sustained}th record in a row above the threshold. Consistent: above it from there to the end. "
        f"Thresholds are chosen for {protocol.false_alarm_rate:.0%} false alarms per record on held-out healthy "
        "records.</p>",
    ]
    parts += [
        f"<p class='small'>{html.escape(name)} was skipped: {html.escape(why)}</p>" for name, why in skipped.items()
    ]
    for run in runs:
        parts.append(f"<h2>{html.escape(run.name)}</h2>")
        if run is not best:
            parts.append(_image(figures.alarm_figure(maps, run), f"Scores of {run.name}."))
        parts.append(_image(figures.anomaly_figure(maps, run), f"Where {run.name} sees the anomaly."))
    parts += [
        "<h2>What this rests on</h2>",
        _image(
            figures.alignment_figure(maps), "Records start at a random tooth and are turned onto those before them."
        ),
        _limits(maps, protocol, best, facts),
        "</body></html>\n",
    ]
    with atomic_file(folder / "report.html") as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")
    write_json(folder / "diagnosis.json", facts)
    return facts


def _limits(maps: RunMaps, protocol: RunProtocol, best: DetectorRun, facts: dict[str, Any]) -> str:
    teeth = maps.records.teeth
    unsure = int((maps.alignment.confidence[1:] < 0.05).sum())
    items = [
        f"Tooth 0 begins at the first sample of the first record. A planet tooth meets the sun and the ring half a "
        f"revolution apart: where tooth t is named, damage seen through the other contact "
        f"would be tooth t + {teeth / 2:g} (to a neighbour, either way).",
        f"Tooth found without any detector, by the largest rise of residual RMS over the last ten records: "
        f"{facts['tooth_at_failure']}.",
        f"The threshold rests on {best.threshold.n} healthy windows, worth {best.threshold.n_effective:.1f} "
        f"independent ones ({best.threshold.method}): the interval of its false alarm rate is wide, and only more "
        f"healthy days narrow it.",
        f"{unsure} of {len(maps.records)} records could not be turned with confidence (correlation less than "
        f"0.05 above the next best turn).",
        f"The alignment, scaling and score of a record use that record and earlier ones only. Records of the healthy "
        f"days ({', '.join(map(str, protocol.maps.healthy_days))}) are fitted on.",
    ]
    if best.detector.options.get("clip") is not None:
        items.append(
            f"The score of {best.name} levels off: a pixel counts with at most {best.detector.options['clip']:g} "
            f"standard deviations. How far damage has grown is read from the trend of the tooth, not from the score."
        )
    if maps.records.truth:
        items.insert(0, f"This run is simulated; what was put in: {maps.records.truth}.")
    stamp = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        "<ul>"
        + "".join(f"<li>{html.escape(item)}</li>" for item in items)
        + f"</ul><p class='small'>{html.escape(stamp)}</p>"
    )

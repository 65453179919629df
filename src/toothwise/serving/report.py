"""The diagnosis of single maps as one HTML page that needs nothing else: what the web page offers for download."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.reporting.figures import BLUE, GREY, RED, png
from toothwise.serving.service import Service

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["report_of"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; max-width: 1080px; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; }
.verdict { font-size: 1.2rem; padding: 1rem 1.2rem; border-left: 6px solid #D55E00; background: #fff4ec; }
.verdict.ok { border-color: #009E73; background: #ecf8f4; } .small { color: #555; font-size: .9rem; }
img { max-width: 100%; height: auto; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; } th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd;
text-align: left; } @media print { .verdict { break-inside: avoid; } }
"""


def report_of(results: Sequence[dict[str, Any]], service: Service) -> str:
    """The page.

    Args:
        results: answers of the service with everything included.
        service: that gave them.
    """
    about = service.about()
    made = datetime.now(tz=UTC).isoformat(timespec="minutes").replace("+00:00", " UTC").replace("T", " ")
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Gear tooth diagnosis</title><style>{_STYLE}</style></head><body><h1>Gear tooth diagnosis</h1>",
        f"<p class='small'>{len(results)} map{'s' if len(results) != 1 else ''} of {about['shape'][0]} x "
        f"{about['shape'][1]} ({_text(about['rows'])} x {_text(about['columns'])}), {made}</p>",
    ]
    parts += [_section(one, service) for one in results]
    parts.append(_method(about))
    return "\n".join([*parts, "</body></html>\n"])


def _section(one: dict[str, Any], service: Service) -> str:
    found = one["diagnosis"]
    quiet = not one["alarm"] if found is None else found["pattern"] == "nothing"
    parts = [
        f"<h2>{_text(one['record'])}</h2><p class='verdict{' ok' if quiet else ''}'>{_text(one['verdict'])}</p>",
        _score(one),
    ]
    if found is not None:
        parts.append(_lines(found["lines"]))
        tests = ", ".join(f"{_text(name)} {p:.2g}" for name, p in found["p_values"].items())
        parts.append(
            f"<p><b>Confidence:</b> {_text(found['confidence'])}<br><b>Next:</b> {_text(found['next_look'])}</p>"
            f"<p class='small'>Chance on a healthy map, test by test: {tests}. Level: {found['level']:+.1f} healthy "
            "standard deviations.</p>"
        )
    picture = base64.b64encode(png(_figure(one, service))).decode()
    parts.append(
        f"<img alt='The map, where it is anomalous, and the evidence of each row and column' "
        f"src='data:image/png;base64,{picture}'>"
    )
    return "\n".join(parts)


def _score(one: dict[str, Any]) -> str:
    over = "no threshold" if one["threshold"] is None else f"threshold {one['threshold']:.4g}"
    severity = "" if one["severity"] is None else f"; contrast over background by the detector: {one['severity']:.2f}"
    return f"<p>Score {one['score']:.4g} ({over}){severity}.</p>"


def _lines(lines: list[dict[str, Any]]) -> str:
    if not lines:
        return ""
    rows = "".join(
        f"<tr><td>{_text(line['gear'])} tooth {line['tooth']}</td><td>{line['p_value']:.2g}</td>"
        f"<td>{line['contrast']:.2f} ({line['interval'][0]:.2f} to {line['interval'][1]:.2f})</td>"
        f"<td>{_text(line['first'])} to {_text(line['last'])}, {line['cells']} cells</td></tr>"
        for line in lines
    )
    head = "<tr><th>Damaged</th><th>p-value</th><th>Contrast over background (95 %)</th><th>Extent</th></tr>"
    return f"<div class='scroll'><table>{head}{rows}</table></div>"


def _figure(one: dict[str, Any], service: Service) -> Figure:
    """Map, anomaly map, and the evidence of rows and columns."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 7.5), layout="constrained")
    (upper, lower), (rows, columns) = figure.subplots(2, 2, height_ratios=(3, 2))
    for axes, values, title in (
        (upper, one["map"], "The map (logarithmic colours)" if _positive(one["map"]) else "The map"),
        (lower, one["anomaly_map"], "Where it is anomalous"),
    ):
        array = np.array(values, dtype=float)
        shown = np.log(array) if axes is upper and _positive(values) else array
        axes.imshow(shown, aspect="auto", origin="lower", cmap="cividis", interpolation="nearest")
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xlabel(service.columns.name)
        axes.set_ylabel(service.rows.name)
    found = one["diagnosis"] or {"lines": []}
    for axes, values, name, axis in (
        (rows, one["row_evidence"], service.rows.name, 1),
        (columns, one["column_evidence"], service.columns.name, 2),
    ):
        axes.set_title(f"Evidence of each {name}", loc="left", fontsize=11)
        axes.set_xlabel(name)
        if values is None:
            axes.text(0.5, 0.5, "not told by this detector", ha="center", color=GREY, transform=axes.transAxes)
            continue
        named = {line["tooth"] for line in found["lines"] if line["axis"] == axis}
        height = np.array(values, dtype=float)
        axes.bar(range(len(height)), height, color=[RED if k in named else BLUE for k in range(len(height))])
    return figure


def _positive(values: list[list[float | None]]) -> bool:
    array = np.array(values, dtype=float)
    return bool(np.nanmin(array) > 0)


def _method(about: dict[str, Any]) -> str:
    threshold = about["threshold"]
    items = [f"Detector {_text(about['detector'])}, known by its fingerprint {about['fingerprint'][:16]}."]
    if threshold is not None:
        low, high = threshold["interval"]
        items.append(
            f"Its threshold {threshold['value']:.4g} was chosen for {threshold['false_alarm_rate']:.3g} false "
            f"alarms per healthy map (95 % interval {low:.2g} to {high:.2g}), on {threshold['n']} healthy maps."
        )
    if about["healthy_maps"] is not None:
        items.append(
            f"The diagnosis compares with {about['healthy_maps']} healthy maps; the chance that a healthy map is "
            f"called anything is {about['false_alarms_per_map']:g}."
        )
    else:
        items.append("The detector has no healthy reference: no tooth is named and no chance is told.")
    items += ["Rows and columns are counted from 0.", f"toothwise {_text(about['toothwise'])}."]
    return "<h2>What this rests on</h2><ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _text(value: Any) -> str:
    return html.escape(str(value))

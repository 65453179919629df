"""Figures of a run: maps, trends, alarms. Colour-blind safe, in tooth and record numbers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from toothwise.diagnosis.run import Alarms, DetectorRun
from toothwise.healthmap.tooth_by_record import RunMaps
from toothwise.messages import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["alarm_figure", "alignment_figure", "anomaly_figure", "overview_figure", "png", "trend_figure"]

# Okabe and Ito's colours, told apart by people with any common colour vision
ORANGE, BLUE, GREEN, RED, GREY = "#E69F00", "#0072B2", "#009E73", "#D55E00", "#8A8A8A"
_WIDTH, _SHRUNK = 7.5, 0.72  # inches; heights below are those of a figure 10.5 inches wide


def _figure(rows: int, height: float) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _SHRUNK * height), layout="constrained")
    axes = figure.subplots(rows, 1, squeeze=False)
    return figure, list(axes[:, 0])


def png(figure: Figure, *, dpi: int = 110) -> bytes:
    """The figure as PNG bytes; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def _days(axes: Axes, maps: RunMaps, language: Language) -> None:
    """Marks where days begin and which records were taken as healthy."""
    day = maps.records.day
    starts = np.flatnonzero(np.r_[True, np.diff(day) > 0])
    for start in starts[1:]:
        axes.axvline(start - 0.5, color="white" if axes.images else "#DDDDDD", lw=0.8, zorder=0.5)
    axes.set_xlim(-0.5, len(day) - 0.5)
    ends = np.r_[starts[1:], len(day)]
    axes.set_xticks((starts + ends - 1) / 2, [language.say("day {day}", day=day[s]) for s in starts])
    axes.tick_params(axis="x", length=0)
    if not axes.images:
        axes.axvspan(-0.5, int(maps.healthy.sum()) - 0.5, color="#E8F1F8", zorder=0)


def _map(
    figure: Figure,
    axes: Axes,
    values: np.ndarray,
    maps: RunMaps,
    label: str,
    language: Language,
    *,
    low: float,
    high: float,
) -> None:
    image = axes.imshow(
        values, aspect="auto", origin="lower", cmap="cividis", interpolation="nearest", vmin=low, vmax=high
    )
    figure.colorbar(image, ax=axes, label=label, pad=0.01)
    axes.set_ylabel(language.say("tooth"))
    _days(axes, maps, language)


def overview_figure(maps: RunMaps, run: DetectorRun | None, language: Language) -> Figure:
    """The two maps: residual level in dB over the healthy level, and deviation from the healthy waveform."""
    figure, (upper, lower) = _figure(2, 7.0)
    level = maps.rms.values.astype(np.float64)
    decibel = 20 * np.log10(level / np.median(level[:, maps.healthy], axis=1, keepdims=True))
    _map(figure, upper, decibel, maps, language.say("dB over healthy median"), language, low=-6, high=12)
    upper.set_title(language.say("Level: residual RMS of each tooth"), loc="left")
    deviation = maps.deviation.values
    high = float(np.nanquantile(deviation, 0.995))
    _map(figure, lower, deviation, maps, language.say("times the chance size"), language, low=0, high=high)
    lower.set_title(language.say("Deviation of each tooth's waveform from its healthy one"), loc="left")
    if run is not None and run.first_sustained is not None:
        tooth, record = run.diagnosis.tooth_at(run.first_sustained), int(run.record[run.first_sustained])
        for axes in (upper, lower):
            axes.annotate(
                language.say("alarm, tooth {tooth}", tooth=tooth),
                (record, float(tooth or 0)),
                (record - 60, float(tooth or 0) + 6),
                color="white",
                arrowprops={"arrowstyle": "->", "color": "white"},
            )
    return figure


def trend_figure(maps: RunMaps, tooth: int | None, language: Language) -> Figure:
    """Deviation of every tooth over the records; the named tooth and its neighbours stand out."""
    figure, (axes,) = _figure(1, 4.2)
    deviation, teeth = maps.deviation.values, maps.records.teeth
    opposite = set() if tooth is None else {(tooth + teeth // 2) % teeth, (tooth + (teeth + 1) // 2) % teeth}
    near = set() if tooth is None else {(tooth - 1) % teeth, (tooth + 1) % teeth}
    labelled: set[str] = set()
    for k in range(teeth):
        label, colour, width, order = language.say("other teeth"), GREY, 0.5, 1
        if k == tooth:
            label, colour, width, order = language.say("tooth {tooth}", tooth=k), RED, 2.0, 4
        elif k in near:
            label, colour, width, order = language.say("its neighbours"), ORANGE, 1.2, 3
        elif k in opposite:
            label, colour, width, order = language.say("half a revolution away"), BLUE, 1.2, 2
        axes.plot(
            deviation[k], color=colour, lw=width, zorder=order, alpha=0.9, label=None if label in labelled else label
        )
        labelled.add(label)
    axes.set_yscale("log")
    axes.set_ylabel(language.say("deviation (times the chance size)"))
    axes.set_title(language.say("Trend of every tooth"), loc="left")
    _days(axes, maps, language)
    axes.legend(loc="upper left", frameon=False)
    return figure


def alarm_figure(maps: RunMaps, run: Alarms, language: Language) -> Figure:
    """Score of each record, the threshold, and where the alarm is raised and becomes lasting."""
    figure, (axes,) = _figure(1, 3.2)
    axes.plot(run.record, run.score, ".", ms=3, color=BLUE)
    axes.axhline(run.threshold.value, color=RED, lw=1.2)
    axes.annotate(
        language.say("threshold, {rate:.0%} per record", rate=run.threshold.false_alarm_rate),
        (2, run.threshold.value),
        (0, 3),
        textcoords="offset points",
        color=RED,
    )
    for at, text, style in (
        (run.first_sustained, language.say("alarm raised"), "-"),
        (run.consistent, language.say("lasting from here"), "--"),
    ):
        if at is not None:
            axes.axvline(run.record[at], color="black", lw=1.0, ls=style, label=text)
    axes.set_ylabel(language.say("score"))
    axes.set_title(run.name, loc="left")
    _days(axes, maps, language)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", frameon=True)
    return figure


def anomaly_figure(maps: RunMaps, run: DetectorRun, language: Language) -> Figure:
    """The detector's anomaly map, tooth by record: the newest column of each record's window."""
    figure, (axes,) = _figure(1, 3.4)
    low, high = (float(v) for v in np.nanquantile(run.anomaly, (0.02, 0.995)))
    _map(figure, axes, run.anomaly, maps, language.say("anomaly"), language, low=low, high=max(high, 1e-9))
    axes.set_title(language.say("{detector}: anomaly map", detector=run.name), loc="left")
    return figure


def alignment_figure(maps: RunMaps, language: Language) -> Figure:
    """How surely each record was turned onto those before it."""
    figure, (axes,) = _figure(1, 2.6)
    axes.plot(maps.alignment.correlation, ".", ms=3, color=BLUE, label=language.say("chosen turn"))
    axes.plot(maps.alignment.runner_up, ".", ms=3, color=ORANGE, label=language.say("best other turn"))
    axes.set_ylim(0, 1.02)
    axes.set_ylabel(language.say("correlation"))
    axes.set_title(language.say("Alignment of the random start tooth"), loc="left")
    _days(axes, maps, language)
    axes.legend(loc="lower left", ncols=2)
    return figure
